//! The same codecs, byte by byte over whole texts, with nothing in mind but to be right.

pub(super) fn encode_base64(text: &[u8]) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut output = Vec::new();
    for group in text.chunks(3) {
        let bits = group.iter().fold(0, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - group.len()));
        for digit in 0..4 {
            output.push(if digit > group.len() {
                b'='
            } else {
                ALPHABET[(bits >> (18 - 6 * digit) & 63) as usize]
            });
        }
    }
    output
}

pub(super) fn decode_base64(text: &[u8]) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        b'=' => Some(0),
        _ => None,
    };
    let characters: Vec<u8> = text.iter().copied().filter(|&byte| value(byte).is_some()).collect();
    let mut output = Vec::new();
    for group in characters.chunks_exact(4) {
        let values: Vec<u8> = group.iter().filter_map(|&byte| value(byte)).collect();
        output.push(values[0] << 2 | values[1] >> 4);
        if group[2] != b'=' {
            output.push(values[1] << 4 | values[2] >> 2);
            if group[3] != b'=' {
                output.push(values[2] << 6 | values[3]);
            }
        }
    }
    output
}

pub(super) fn encode_quoted_printable(text: &[u8], marker: &[u8]) -> Vec<u8> {
    let quoted = |byte: u8| format!("={byte:02X}").into_bytes();
    let mut output = Vec::new();
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        let is_blank = matches!(byte, b' ' | b'\t');
        if rest.starts_with(b"\r\n") {
            output.extend_from_slice(marker);
            rest = &rest[2..];
            continue;
        }
        if is_blank && after.len() < 2 || *byte == b'\r' && after.is_empty() {
            // The end cannot tell whether a line ends here.
            for &byte in rest {
                if matches!(byte, b'!'..=b'~') && byte != b'=' {
                    output.push(byte);
                } else {
                    output.extend(quoted(byte));
                }
            }
            output.extend_from_slice(b"=\r\n");
            break;
        }
        if is_blank && !after.starts_with(b"\r\n") || matches!(byte, b'!'..=b'~') && *byte != b'=' {
            output.push(*byte);
        } else {
            output.extend(quoted(*byte));
        }
        rest = after;
    }
    output
}

pub(super) fn decode_quoted_printable(text: &[u8]) -> Vec<u8> {
    let mut output = Vec::new();
    let mut rest = text;
    loop {
        rest = match rest {
            [b'=', b'\r', b'\n', after @ ..] => after,
            [b'=', first, second, after @ ..] => {
                let digits = std::str::from_utf8(&rest[1..3]).ok().filter(|_| first.is_ascii_hexdigit());
                match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
                    Some(byte) => output.push(byte),
                    None => output.extend_from_slice(&[b'=', *first, *second]),
                }
                after
            }
            [b'\r', b'\n', after @ ..] => {
                output.extend_from_slice(b"\r\n");
                after
            }
            [b'\r', _, after @ ..] => after,
            [] | [b'=' | b'\r', ..] => return output,
            [byte, after @ ..] => {
                if matches!(byte, b'\t' | b' '..=b'~') {
                    output.push(*byte);
                }
                after
            }
        };
    }
}

pub(super) fn wrap_text(mut left: i64, text: &[u8], length: i64) -> Vec<u8> {
    let mut output = Vec::new();
    for &byte in text.iter().filter(|&&byte| byte != b'\r') {
        if byte == b'\n' {
            output.extend_from_slice(b"\r\n");
            left = length;
            continue;
        }
        if left <= 0 {
            output.extend_from_slice(b"\r\n");
            left = length;
        }
        output.push(byte);
        left -= 1;
    }
    output
}

pub(super) fn wrap_quoted_printable(mut left: i64, text: &[u8], length: i64) -> Vec<u8> {
    let mut output = Vec::new();
    for &byte in text.iter().filter(|&&byte| byte != b'\r') {
        if byte == b'\n' {
            output.extend_from_slice(b"\r\n");
            left = length;
            continue;
        }
        if left <= if byte == b'=' { 3 } else { 1 } {
            output.extend_from_slice(b"=\r\n");
            left = length;
        }
        output.push(byte);
        left -= 1;
    }
    output
}

pub(super) fn normalize(text: &[u8], marker: &[u8]) -> Vec<u8> {
    let mut output = Vec::new();
    let mut rest = text;
    loop {
        rest = match rest {
            [] => return output,
            [b'\r', b'\n', after @ ..] | [b'\n', b'\r', after @ ..] => {
                output.extend_from_slice(marker);
                after
            }
            // A pair of equal ones is two, and its second half does not begin another pair.
            [b'\r', b'\r', after @ ..] | [b'\n', b'\n', after @ ..] => {
                output.extend_from_slice(marker);
                output.extend_from_slice(marker);
                after
            }
            [b'\r' | b'\n', after @ ..] => {
                output.extend_from_slice(marker);
                after
            }
            [byte, after @ ..] => {
                output.push(*byte);
                after
            }
        };
    }
}

/// The lines of a text, without the CRLF that ends each.
pub(super) fn lines(text: &[u8]) -> Vec<Vec<u8>> {
    let mut lines = vec![Vec::new()];
    for &byte in text {
        let last = lines.len() - 1;
        lines[last].push(byte);
        if lines[last].ends_with(b"\r\n") {
            let length = lines[last].len() - 2;
            lines[last].truncate(length);
            lines.push(Vec::new());
        }
    }
    lines
}

pub(super) fn stuff(text: &[u8]) -> Vec<u8> {
    let mut lines = lines(text);
    for line in &mut lines {
        if line.first() == Some(&b'.') {
            line.insert(0, b'.');
        }
    }
    lines.join(&b"\r\n"[..])
}
