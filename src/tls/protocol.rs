//! Protocol versions and roles, by the names that programs give them.

use openssl::ssl::SslVersion;

/// Which side of the handshake a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The side that begins.
    Client,
    /// The side that answers.
    Server,
}

impl Role {
    /// The role of that name.
    pub fn of_name(name: &[u8]) -> Option<Self> {
        match name {
            b"client" => Some(Role::Client),
            b"server" => Some(Role::Server),
            _ => None,
        }
    }
}

/// The versions that a program can ask for by themselves, in the order of their age.
pub const VERSIONS: [(&str, SslVersion); 4] = [
    ("tlsv1", SslVersion::TLS1),
    ("tlsv1_1", SslVersion::TLS1_1),
    ("tlsv1_2", SslVersion::TLS1_2),
    ("tlsv1_3", SslVersion::TLS1_3),
];

/// What a name says about the version: any, or one; `None` if it says nothing.
pub fn version_of_name(name: &[u8]) -> Option<Option<SslVersion>> {
    if matches!(name, b"any" | b"sslv23") {
        return Some(None);
    }
    VERSIONS.iter().find(|(known, _)| known.as_bytes() == name).map(|&(_, version)| Some(version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_sets_no_limit_and_the_others_set_one() {
        assert_eq!(version_of_name(b"any"), Some(None));
        assert_eq!(version_of_name(b"sslv23"), Some(None));
        assert_eq!(version_of_name(b"tlsv1_3"), Some(Some(SslVersion::TLS1_3)));
    }

    #[test]
    fn versions_that_are_gone_are_unknown() {
        for name in ["sslv2", "sslv3", "tlsv1_4", "TLSv1_2", ""] {
            assert_eq!(version_of_name(name.as_bytes()), None, "{name}");
        }
    }
}
