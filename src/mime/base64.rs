//! Base64 without line breaks. The work is done by `base64_simd`; around it are the rest of a chunk and
//! bytes that do not belong.

use arrayvec::ArrayVec;
use base64_simd::STANDARD;
use memchr::memchr2;

use super::{Held, feed};

/// Encodes all whole groups of three bytes. The rest is held back.
pub fn encode(held: &[u8], chunk: &[u8], output: &mut Vec<u8>) -> Held {
    output.reserve(STANDARD.encoded_length(held.len() + chunk.len()));
    feed(held, chunk, |bytes| {
        let whole = bytes.len() / 3 * 3;
        STANDARD.encode_append(&bytes[..whole], output);
        whole
    })
}

/// Encodes what was held back at the end, with padding.
pub fn finish_encoding(held: &[u8], output: &mut Vec<u8>) {
    STANDARD.encode_append(held, output);
}

/// Decodes all whole groups of four characters. The rest is held back.
///
/// Bytes outside of the alphabet are skipped. Padding ends its group only: what comes after it is
/// decoded too, as several encoded texts may stand one after the other.
pub fn decode(held: &[u8], chunk: &[u8], output: &mut Vec<u8>) -> Held {
    output.reserve((held.len() + chunk.len()) / 4 * 3 + 3);
    let mut decoder = Decoder { group: ArrayVec::new(), output };
    decoder.feed(held);
    decoder.feed(chunk);
    decoder.group.into_iter().collect()
}

/// The value of a byte outside of the alphabet.
const FOREIGN: u8 = 255;

/// The values of all bytes. Padding counts as a digit of value 0, so it may stand at the beginning of a
/// group.
const VALUES: [u8; 256] = {
    let mut values = [FOREIGN; 256];
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut index = 0;
    while index < digits.len() {
        values[digits[index] as usize] = index as u8;
        index += 1;
    }
    values[b'=' as usize] = 0;
    values
};

struct Decoder<'a> {
    /// The characters of the group that is not whole yet.
    group: ArrayVec<u8, 4>,
    output: &'a mut Vec<u8>,
}

impl Decoder<'_> {
    fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            // Line by line, because the fast decoder takes nothing but digits.
            let end = memchr2(b'\r', b'\n', bytes).unwrap_or(bytes.len());
            self.feed_line(&bytes[..end]);
            bytes = bytes.get(end + 1..).unwrap_or_default();
        }
    }

    fn feed_line(&mut self, mut line: &[u8]) {
        while let ([byte, rest @ ..], false) = (line, self.group.is_empty()) {
            self.push(*byte);
            line = rest;
        }
        let whole = line.len() / 4 * 4;
        let rest = match STANDARD.decode_append(&line[..whole], self.output) {
            Ok(()) => &line[whole..],
            // It has appended nothing.
            Err(_) => line,
        };
        for &byte in rest {
            self.push(byte);
        }
    }

    fn push(&mut self, byte: u8) {
        if VALUES[byte as usize] == FOREIGN {
            return;
        }
        self.group.push(byte);
        if self.group.is_full() {
            self.decode_group();
        }
    }

    fn decode_group(&mut self) {
        let bits = self.group.iter().fold(0, |bits, &byte| bits << 6 | u32::from(VALUES[byte as usize]));
        let count = match self.group[2..] {
            [b'=', _] => 1,
            [_, b'='] => 2,
            _ => 3,
        };
        self.output.extend_from_slice(&bits.to_be_bytes()[1..][..count]);
        self.group.clear();
    }
}
