//! Doubles dots at the beginnings of lines, as SMTP wants it.

use memchr::memchr_iter;

/// How much of a CRLF a text ends with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineEnd {
    /// Nothing.
    #[default]
    No,
    /// A CR.
    Half,
    /// All of it: a line begins. So it does at the beginning of a text.
    Whole,
}

/// Doubles every dot at the beginning of a line.
///
/// `before` is how the text before ended; returns the same for the end of this chunk.
pub fn stuff(before: LineEnd, chunk: &[u8], output: &mut Vec<u8>) -> LineEnd {
    output.reserve(chunk.len() + chunk.len() / 64);
    let mut copied = 0;
    for dot in memchr_iter(b'.', chunk) {
        if end_of(before, &chunk[..dot]) == LineEnd::Whole {
            output.extend_from_slice(&chunk[copied..=dot]);
            copied = dot;
        }
    }
    output.extend_from_slice(&chunk[copied..]);
    end_of(before, chunk)
}

/// How a text ends that began after `before`.
fn end_of(before: LineEnd, text: &[u8]) -> LineEnd {
    match (text, before) {
        ([], before) => before,
        ([.., b'\r', b'\n'], _) | ([b'\n'], LineEnd::Half) => LineEnd::Whole,
        ([.., b'\r'], _) => LineEnd::Half,
        _ => LineEnd::No,
    }
}
