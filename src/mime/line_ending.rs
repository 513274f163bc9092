//! Makes all line endings the same.

use memchr::memchr2;

/// Replaces every CR, LF, CRLF and LFCR by `marker`. The same character twice ends two lines.
///
/// `last` is the character with which the text before ended, if that may be the first half of a line
/// ending; returns the same for the end of this chunk.
pub fn normalize(last: Option<u8>, chunk: &[u8], marker: &[u8], output: &mut Vec<u8>) -> Option<u8> {
    output.reserve(chunk.len() + chunk.len() / 16 * marker.len());
    let mut last = last;
    let mut rest = chunk;
    while !rest.is_empty() {
        let end = memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
        output.extend_from_slice(&rest[..end]);
        if end > 0 {
            last = None;
        }
        if let Some(&ending) = rest.get(end) {
            let is_second_half = last.is_some_and(|first| first != ending);
            if is_second_half {
                last = None;
            } else {
                output.extend_from_slice(marker);
                // The second of two equal ones completes nothing.
                last = if last.is_none() { Some(ending) } else { None };
            }
        }
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    last
}
