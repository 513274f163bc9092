//! Quoted-printable, without the breaking of long lines, which is in [`super::wrap`].
//!
//! The `quoted_printable` crate takes whole texts only and breaks lines by itself; what is needed here
//! are chunks, a free choice of the line ending, and LuaSocket's answers to malformed input.

use super::{Held, feed};

/// What a byte means to the encoder.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Stands for itself.
    Plain,
    /// A space or a tab: stands for itself unless a line ends after it.
    Blank,
    /// May begin a line ending.
    Return,
    /// Has to be quoted.
    Quoted,
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Quoted; 256];
    let mut byte = 33;
    while byte < 127 {
        classes[byte] = Class::Plain;
        byte += 1;
    }
    classes[b'=' as usize] = Class::Quoted;
    classes[b' ' as usize] = Class::Blank;
    classes[b'\t' as usize] = Class::Blank;
    classes[b'\r' as usize] = Class::Return;
    classes
};

/// Encodes all that is decided. What follows a blank or a carriage return closely at the end is held
/// back, with it. `marker` takes the place of each CRLF.
pub fn encode(held: &[u8], chunk: &[u8], marker: &[u8], output: &mut Vec<u8>) -> Held {
    output.reserve(held.len() + chunk.len() + chunk.len() / 8);
    feed(held, chunk, |bytes| encode_decided(bytes, marker, output))
}

/// Encodes what was held back at the end, and breaks the line softly if there was anything.
pub fn finish_encoding(held: &[u8], marker: &[u8], output: &mut Vec<u8>) {
    let rest = encode(held, &[], marker, output);
    for &byte in &rest {
        match CLASSES[byte as usize] {
            Class::Plain => output.push(byte),
            _ => output.extend_from_slice(&quoted(byte)),
        }
    }
    if !rest.is_empty() {
        output.extend_from_slice(b"=\r\n");
    }
}

fn encode_decided(bytes: &[u8], marker: &[u8], output: &mut Vec<u8>) -> usize {
    // Everything from `copied` to `at` stands for itself.
    let mut copied = 0;
    let mut at = 0;
    while at < bytes.len() {
        let class = CLASSES[bytes[at] as usize];
        let next = &bytes[at + 1..];
        match class {
            Class::Blank if next.len() < 2 => break,
            Class::Return if next.is_empty() => break,
            Class::Plain => {
                at += 1;
                continue;
            }
            Class::Blank if !next.starts_with(b"\r\n") => {
                at += 1;
                continue;
            }
            _ => output.extend_from_slice(&bytes[copied..at]),
        }
        at += match class {
            Class::Return if next[0] == b'\n' => {
                output.extend_from_slice(marker);
                2
            }
            Class::Blank | Class::Return => {
                output.extend_from_slice(&quoted(bytes[at]));
                1
            }
            Class::Plain | Class::Quoted => encode_dense(&bytes[at..], output),
        };
        copied = at;
    }
    output.extend_from_slice(&bytes[copied..at]);
    at
}

/// How many bytes [`encode_dense`] takes at a time.
const DENSE: usize = 64;

/// Encodes bytes from the first on, up to one that needs a look at the next. Returns how many.
///
/// Where one byte has to be quoted, often its neighbours have to be too, in no order that a processor
/// could foresee. So this writes every byte in the same way, without a branch.
fn encode_dense(bytes: &[u8], output: &mut Vec<u8>) -> usize {
    let mut block = [0; 3 * DENSE + 1];
    let mut length = 0;
    let mut count = 0;
    for &byte in bytes.iter().take(DENSE) {
        let written = WRITTEN[byte as usize];
        if written[3] == 0 {
            break;
        }
        block[length..length + 4].copy_from_slice(&written);
        length += usize::from(written[3]);
        count += 1;
    }
    output.extend_from_slice(&block[..length]);
    count
}

/// How each byte is written: up to three bytes, and their number; 0 if that depends on the next.
const WRITTEN: [[u8; 4]; 256] = {
    let mut written = [[0; 4]; 256];
    let mut byte = 0;
    while byte < 256 {
        let [equals, high, low] = quoted(byte as u8);
        written[byte] = match CLASSES[byte] {
            Class::Plain => [byte as u8, 0, 0, 1],
            Class::Quoted => [equals, high, low, 3],
            Class::Blank | Class::Return => [0; 4],
        };
        byte += 1;
    }
    written
};

const fn quoted(byte: u8) -> [u8; 3] {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    [b'=', DIGITS[(byte >> 4) as usize], DIGITS[(byte & 15) as usize]]
}

/// Decodes all that is decided. An escape or a line ending that is not whole is held back.
///
/// Escapes that are none stay as they are, in their three bytes. Bytes that may not stand in such a
/// text are dropped, as are a carriage return that ends no line and what follows it.
pub fn decode(held: &[u8], chunk: &[u8], output: &mut Vec<u8>) -> Held {
    output.reserve(held.len() + chunk.len());
    feed(held, chunk, |bytes| decode_decided(bytes, output))
}

fn decode_decided(bytes: &[u8], output: &mut Vec<u8>) -> usize {
    let mut copied = 0;
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        if matches!(byte, b'\t' | b' '..=b'<' | b'>'..=b'~') {
            at += 1;
            continue;
        }
        output.extend_from_slice(&bytes[copied..at]);
        match (byte, &bytes[at + 1..]) {
            (b'=', [first, second, ..]) => {
                let escape = [byte, *first, *second];
                match (hexadecimal(*first), hexadecimal(*second)) {
                    (Some(high), Some(low)) => output.push(high << 4 | low),
                    _ if escape == *b"=\r\n" => {}
                    _ => output.extend_from_slice(&escape),
                }
                at += 3;
            }
            (b'\r', [next, ..]) => {
                if *next == b'\n' {
                    output.extend_from_slice(b"\r\n");
                }
                at += 2;
            }
            // Not whole.
            (b'=' | b'\r', _) => return at,
            _ => at += 1,
        }
        copied = at;
    }
    output.extend_from_slice(&bytes[copied..at]);
    at
}

fn hexadecimal(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}
