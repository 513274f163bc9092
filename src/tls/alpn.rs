//! Application protocols, by which the two sides agree on what they are going to speak.

/// What is wrong with a list of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// A name is empty.
    EmptyName,
    /// A name is longer than 255 bytes.
    LongName,
    /// There are no names.
    EmptyList,
}

impl Invalid {
    /// In words, as LuaSec has them.
    pub fn text(self) -> &'static str {
        match self {
            Invalid::EmptyName => "invalid ALPN name (empty string)",
            Invalid::LongName => "invalid ALPN name (length > 255)",
            Invalid::EmptyList => "invalid ALPN list (empty)",
        }
    }
}

/// The names as they are sent: each behind a byte that tells its length.
///
/// # Errors
/// [`Invalid`].
pub fn encode<'a>(names: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, Invalid> {
    let mut encoded = Vec::new();
    for name in names {
        if name.is_empty() {
            return Err(Invalid::EmptyName);
        }
        encoded.push(u8::try_from(name.len()).map_err(|_| Invalid::LongName)?);
        encoded.extend_from_slice(name);
    }
    if encoded.is_empty() { Err(Invalid::EmptyList) } else { Ok(encoded) }
}

/// The names in what was sent, up to the first that is cut off.
pub fn decode(mut encoded: &[u8]) -> Vec<&[u8]> {
    let mut names = Vec::new();
    while let Some((&length, rest)) = encoded.split_first() {
        let Some((name, rest)) = rest.split_at_checked(length.into()) else { break };
        names.push(name);
        encoded = rest;
    }
    names
}

/// The first of `preferred` that is among those `offered`, both as they are sent.
pub fn choose<'a>(preferred: &[u8], offered: &'a [u8]) -> Option<&'a [u8]> {
    let offered = decode(offered);
    decode(preferred).into_iter().find_map(|name| offered.iter().copied().find(|offer| *offer == name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_servers_order_decides() {
        let server = encode([b"h2".as_slice(), b"http/1.1"]).expect("the names are valid");
        let client = encode([b"http/1.1".as_slice(), b"h2"]).expect("the names are valid");
        assert_eq!(choose(&server, &client), Some(b"h2".as_slice()));
    }

    #[test]
    fn nothing_in_common_is_no_protocol() {
        let server = encode([b"a".as_slice()]).expect("the name is valid");
        let client = encode([b"b".as_slice(), b"aa"]).expect("the names are valid");
        assert_eq!(choose(&server, &client), None);
    }

    #[test]
    fn invalid_names_are_told_apart() {
        assert_eq!(encode([b"".as_slice()]), Err(Invalid::EmptyName));
        assert_eq!(encode([[b'x'; 256].as_slice()]), Err(Invalid::LongName));
        assert_eq!(encode([]), Err(Invalid::EmptyList));
    }

    proptest! {
        #[test]
        fn decoding_gives_what_was_encoded(names in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..256), 1..20)) {
            let encoded = encode(names.iter().map(Vec::as_slice)).expect("the names are valid");
            prop_assert_eq!(decode(&encoded), names.iter().map(Vec::as_slice).collect::<Vec<_>>());
        }

        #[test]
        fn anything_can_be_decoded(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let total: usize = decode(&bytes).iter().map(|name| name.len() + 1).sum();
            prop_assert!(total <= bytes.len());
        }
    }
}
