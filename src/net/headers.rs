//! The headers of an HTTP message, found where they lie: those of the plain kind that nearly all
//! messages have. Whatever else there is, is for the caller to read line by line.

use std::ops::Range;

use memchr::memchr;

/// The most headers that a plain message has.
pub const MOST_HEADERS: usize = 32;
/// The longest name that a plain header has.
pub const LONGEST_NAME: usize = 64;

/// Where a header's name and value lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The name, as it was sent.
    pub name: Range<usize>,
    /// The value, without white space before it.
    pub value: Range<usize>,
}

/// Plain headers, up to the empty line behind them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlainHeaders {
    /// In the order they were sent; no name comes twice.
    pub list: Vec<Header>,
    /// How many bytes they take, the empty line included.
    pub used: usize,
}

/// Finds the headers at the beginning of `bytes`.
///
/// `None` says that they are not of the plain kind, or not there to the last line, or more than
/// `most_bytes`, or more than `most_headers`.
pub fn plain_headers(bytes: &[u8], most_headers: usize, most_bytes: usize) -> Option<PlainHeaders> {
    let mut found = PlainHeaders { list: Vec::with_capacity(16), used: 0 };
    loop {
        let start = found.used;
        let end = start + memchr(b'\n', &bytes[start..])?;
        found.used = end + 1;
        if found.used > most_bytes {
            return None;
        }
        let line = bytes[start..end].strip_suffix(b"\r").unwrap_or(&bytes[start..end]);
        if line.is_empty() {
            return Some(found);
        }
        // A line that begins with white space goes on with the one before; a carriage return in the
        // middle is dropped.
        if is_space(line[0]) || memchr(b'\r', line).is_some() {
            return None;
        }
        let colon = memchr(b':', line)?;
        let name = start..start + colon;
        let value = line[colon + 1..].iter().position(|&byte| !is_space(byte));
        let value = start + colon + 1 + value.unwrap_or(line.len() - colon - 1)..start + line.len();
        let is_known =
            |header: &Header| bytes[header.name.clone()].eq_ignore_ascii_case(&bytes[name.clone()]);
        if colon > LONGEST_NAME
            || found.list.len() >= most_headers.min(MOST_HEADERS)
            || found.list.iter().any(is_known)
        {
            return None;
        }
        found.list.push(Header { name, value });
    }
}

/// White space as Lua's `%s` has it.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The headers as text.
    fn read(bytes: &[u8], most_headers: usize, most_bytes: usize) -> Option<(Vec<(String, String)>, usize)> {
        let found = plain_headers(bytes, most_headers, most_bytes)?;
        let text = |range: &Range<usize>| String::from_utf8_lossy(&bytes[range.clone()]).into_owned();
        let list = found.list.iter().map(|header| (text(&header.name), text(&header.value))).collect();
        Some((list, found.used))
    }

    fn headers(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn the_usual_ones() {
        let bytes = b"Server: nginx\r\nContent-Length: 3\r\nX:\r\nY: \t a b \r\nZ:c:d\n\r\nabc";
        let expected =
            headers(&[("Server", "nginx"), ("Content-Length", "3"), ("X", ""), ("Y", "a b "), ("Z", "c:d")]);
        assert_eq!(read(bytes, 10, 1000), Some((expected, bytes.len() - 3)));
        assert_eq!(read(b"\r\nabc", 10, 1000), Some((Vec::new(), 2)));
        assert_eq!(read(b"\nabc", 10, 1000), Some((Vec::new(), 1)));
        assert_eq!(read(b": x\r\n\r\n", 10, 1000), Some((headers(&[("", "x")]), 7)));
    }

    #[test]
    fn what_is_not_plain() {
        for bytes in [
            &b""[..],
            b"a: b\r\n",
            b"a: b",
            b"a: b\r\n c\r\n\r\n",
            b"\ta: b\r\n\r\n",
            b"nonsense\r\n\r\n",
            b"a: b\r\nA: c\r\n\r\n",
            b"a: b\rc\r\n\r\n",
            b"a: b\r\r\n\r\n",
            b"\r\r\n",
        ] {
            assert_eq!(read(bytes, 10, 1000), None, "{:?}", String::from_utf8_lossy(bytes));
        }
        assert_eq!(read(format!("{}: b\r\n\r\n", "x".repeat(LONGEST_NAME + 1)).as_bytes(), 10, 1000), None);
        let many: String = (0..=MOST_HEADERS).map(|number| format!("x{number}: y\r\n")).collect();
        assert_eq!(read(format!("{many}\r\n").as_bytes(), 1000, 10000), None);
    }

    #[test]
    fn what_is_too_much() {
        let bytes = b"a: b\r\nc: d\r\n\r\n";
        assert!(read(bytes, 2, bytes.len()).is_some());
        assert_eq!(read(bytes, 1, bytes.len()), None);
        assert_eq!(read(bytes, 2, bytes.len() - 1), None);
    }

    proptest! {
        /// Whatever is taken for plain is what a reader of lines makes of it.
        #[test]
        fn as_a_reader_of_lines(
            lines in prop::collection::vec("[aAbB:]{0,3}[ \\t\\rx:]{0,4}", 0..6),
            ends in prop::collection::vec(any::<bool>(), 7),
            rest in "[a\\r\\n]{0,3}",
        ) {
            let mut bytes = String::new();
            for (line, crlf) in lines.iter().map(String::as_str).chain([""]).zip(ends) {
                bytes.push_str(line);
                bytes.push_str(if crlf { "\r\n" } else { "\n" });
            }
            let head = bytes.len();
            bytes.push_str(&rest);

            if let Some((list, used)) = read(bytes.as_bytes(), 100, 1000) {
                let mut expected = Vec::new();
                let mut length = 0;
                for line in bytes.split_inclusive('\n') {
                    length += line.len();
                    let line: String = line.chars().filter(|&c| c != '\r' && c != '\n').collect();
                    if line.is_empty() {
                        break;
                    }
                    let (name, value) = line.split_once(':').expect("a plain line has a colon");
                    expected.push((name.to_owned(), value.trim_start().to_owned()));
                }
                prop_assert_eq!(&list, &expected);
                prop_assert_eq!(used, length);
                prop_assert!(used <= head);
            }
        }
    }
}
