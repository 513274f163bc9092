//! Breaks long lines, of any text or of quoted-printable.

use memchr::memchr2;

/// Breaks lines at `length` bytes and ends each with CRLF, whatever ended it before: line feeds count,
/// carriage returns are dropped. The break comes before the byte that does not fit.
///
/// `left` is the room on the current line; returns what is left of it.
pub fn wrap_text(mut left: i64, chunk: &[u8], length: i64, output: &mut Vec<u8>) -> i64 {
    output.reserve(chunk.len() + breaks(chunk, length));
    let mut rest = chunk;
    while !rest.is_empty() {
        let end = memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
        let mut line = &rest[..end];
        while !line.is_empty() {
            if left <= 0 {
                output.extend_from_slice(b"\r\n");
                left = length;
            }
            // One at least, also if no line may hold any.
            let fitting = usize::try_from(left).unwrap_or(0).clamp(1, line.len());
            output.extend_from_slice(&line[..fitting]);
            left -= fitting as i64;
            line = &line[fitting..];
        }
        if rest.get(end) == Some(&b'\n') {
            output.extend_from_slice(b"\r\n");
            left = length;
        }
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    left
}

/// Breaks lines of quoted-printable softly, so that none has more than `length` bytes with the `=` at its
/// end and no escape is split. Line feeds end a line, carriage returns are dropped.
///
/// `left` is the room on the current line; returns what is left of it.
pub fn wrap_quoted_printable(mut left: i64, chunk: &[u8], length: i64, output: &mut Vec<u8>) -> i64 {
    output.reserve(chunk.len() + breaks(chunk, length) * 2);
    for &byte in chunk {
        match byte {
            b'\r' => continue,
            b'\n' => {
                output.extend_from_slice(b"\r\n");
                left = length;
                continue;
            }
            // An escape needs three bytes, and the break one more.
            b'=' if left <= 3 => {}
            _ if left <= 1 => {}
            _ => {
                output.push(byte);
                left -= 1;
                continue;
            }
        }
        output.extend_from_slice(b"=\r\n");
        output.push(byte);
        left = length - 1;
    }
    left
}

/// About how many bytes the breaks will take.
fn breaks(chunk: &[u8], length: i64) -> usize {
    2 * (1 + chunk.len() / usize::try_from(length).unwrap_or(0).max(16))
}
