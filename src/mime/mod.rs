//! Codecs for mail and web bodies, which work chunk by chunk.
//!
//! A chunk boundary may fall anywhere: what comes out does not depend on it. Where a chunk ends in the
//! midst of something, a codec either gives the undecided bytes back, to be passed in front of the next
//! chunk ([`Held`]), or says in a number where it was.

pub mod base64;
pub mod dot;
pub mod line_ending;
pub mod quoted_printable;
pub mod wrap;

#[cfg(test)]
mod tests;

use arrayvec::ArrayVec;

/// The most bytes that a codec holds back.
const MOST_HELD: usize = 3;

/// Bytes that a codec holds back.
pub type Held = ArrayVec<u8, MOST_HELD>;

/// Feeds the bytes that were held back and then a chunk to `codec`, as if they were one text.
///
/// The codec returns how many bytes of a text it has dealt with. It must leave no more than
/// [`MOST_HELD`] and, with [`MOST_HELD`] and one more, must have dealt with at least one.
fn feed(held: &[u8], chunk: &[u8], mut codec: impl FnMut(&[u8]) -> usize) -> Held {
    let used = codec(held);
    let mut window = ArrayVec::<u8, { MOST_HELD + 1 }>::new();
    window.extend(held[used..].iter().copied());
    let mut taken = 0;
    // Byte by byte over the seam, until all that is held back comes from the chunk.
    while window.len() > taken {
        let Some(&byte) = chunk.get(taken) else {
            return window.into_iter().collect();
        };
        window.push(byte);
        taken += 1;
        let used = codec(&window);
        window.drain(..used);
    }
    let rest = &chunk[taken - window.len()..];
    rest[codec(rest)..].iter().copied().collect()
}
