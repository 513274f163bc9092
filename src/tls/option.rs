//! OpenSSL's options by name: what its header calls `SSL_OP_...`, in lower case.
//!
//! The values are those of OpenSSL 3. The many that are 0 were of use to older releases, and programs
//! still name them.

/// Every option, in alphabetical order.
pub const OPTIONS: [(&str, u64); 53] = [
    ("all", 0x8000_0850),
    ("allow_client_renegotiation", 0x0000_0100),
    ("allow_no_dhe_kex", 0x0000_0400),
    ("allow_unsafe_legacy_renegotiation", 0x0004_0000),
    ("cipher_server_preference", 0x0040_0000),
    ("cisco_anyconnect", 0x0000_8000),
    ("cleanse_plaintext", 0x0000_0002),
    ("cookie_exchange", 0x0000_2000),
    ("cryptopro_tlsext_bug", 0x8000_0000),
    ("disable_tlsext_ca_names", 0x0000_0200),
    ("dont_insert_empty_fragments", 0x0000_0800),
    ("enable_ktls", 0x0000_0008),
    ("enable_middlebox_compat", 0x0010_0000),
    ("ephemeral_rsa", 0),
    ("ignore_unexpected_eof", 0x0000_0080),
    ("legacy_server_connect", 0x0000_0004),
    ("microsoft_big_sslv3_buffer", 0),
    ("microsoft_sess_id_bug", 0),
    ("msie_sslv2_rsa_padding", 0),
    ("netscape_ca_dn_bug", 0),
    ("netscape_challenge_bug", 0),
    ("netscape_demo_cipher_change_bug", 0),
    ("netscape_reuse_cipher_change_bug", 0),
    ("no_anti_replay", 0x0100_0000),
    ("no_compression", 0x0002_0000),
    ("no_dtls_mask", 0x0c00_0000),
    ("no_dtlsv1", 0x0400_0000),
    ("no_dtlsv1_2", 0x0800_0000),
    ("no_encrypt_then_mac", 0x0008_0000),
    ("no_extended_master_secret", 0x0000_0001),
    ("no_query_mtu", 0x0000_1000),
    ("no_renegotiation", 0x4000_0000),
    ("no_session_resumption_on_renegotiation", 0x0001_0000),
    ("no_ssl_mask", 0x3e00_0000),
    ("no_sslv2", 0),
    ("no_sslv3", 0x0200_0000),
    ("no_ticket", 0x0000_4000),
    ("no_tlsv1", 0x0400_0000),
    ("no_tlsv1_1", 0x1000_0000),
    ("no_tlsv1_2", 0x0800_0000),
    ("no_tlsv1_3", 0x2000_0000),
    ("pkcs1_check_1", 0),
    ("pkcs1_check_2", 0),
    ("prioritize_chacha", 0x0020_0000),
    ("safari_ecdhe_ecdsa_bug", 0x0000_0040),
    ("single_dh_use", 0),
    ("single_ecdh_use", 0),
    ("ssleay_080_client_dh_bug", 0),
    ("sslref2_reuse_cert_type_bug", 0),
    ("tls_block_padding_bug", 0),
    ("tls_d5_bug", 0),
    ("tls_rollback_bug", 0x0080_0000),
    ("tlsext_padding", 0x0000_0010),
];

/// Makes an unexpected end of the stream count as an expected one.
pub const IGNORE_UNEXPECTED_EOF: u64 = 0x0000_0080;

/// The bits of the option of that name.
pub fn of_name(name: &[u8]) -> Option<u64> {
    let index = OPTIONS.binary_search_by(|(known, _)| known.as_bytes().cmp(name)).ok()?;
    Some(OPTIONS[index].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found() {
        for (name, bits) in OPTIONS {
            assert_eq!(of_name(name.as_bytes()), Some(bits), "{name}");
        }
    }

    #[test]
    fn names_are_exact() {
        assert_eq!(of_name(b"NO_TICKET"), None);
        assert_eq!(of_name(b"no_tick"), None);
        assert_eq!(of_name(b""), None);
    }

    #[test]
    fn the_values_are_those_of_the_crate() {
        let values = [
            ("all", openssl_sys::SSL_OP_ALL),
            ("allow_unsafe_legacy_renegotiation", openssl_sys::SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION),
            ("cipher_server_preference", openssl_sys::SSL_OP_CIPHER_SERVER_PREFERENCE),
            ("cisco_anyconnect", openssl_sys::SSL_OP_CISCO_ANYCONNECT),
            ("cookie_exchange", openssl_sys::SSL_OP_COOKIE_EXCHANGE),
            ("cryptopro_tlsext_bug", openssl_sys::SSL_OP_CRYPTOPRO_TLSEXT_BUG),
            ("dont_insert_empty_fragments", openssl_sys::SSL_OP_DONT_INSERT_EMPTY_FRAGMENTS),
            ("enable_middlebox_compat", openssl_sys::SSL_OP_ENABLE_MIDDLEBOX_COMPAT),
            ("ignore_unexpected_eof", openssl_sys::SSL_OP_IGNORE_UNEXPECTED_EOF),
            ("legacy_server_connect", openssl_sys::SSL_OP_LEGACY_SERVER_CONNECT),
            ("no_compression", openssl_sys::SSL_OP_NO_COMPRESSION),
            ("no_dtlsv1", openssl_sys::SSL_OP_NO_DTLSv1),
            ("no_dtlsv1_2", openssl_sys::SSL_OP_NO_DTLSv1_2),
            ("no_query_mtu", openssl_sys::SSL_OP_NO_QUERY_MTU),
            ("no_renegotiation", openssl_sys::SSL_OP_NO_RENEGOTIATION),
            (
                "no_session_resumption_on_renegotiation",
                openssl_sys::SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION,
            ),
            ("no_sslv3", openssl_sys::SSL_OP_NO_SSLv3),
            ("no_ticket", openssl_sys::SSL_OP_NO_TICKET),
            ("no_tlsv1", openssl_sys::SSL_OP_NO_TLSv1),
            ("no_tlsv1_1", openssl_sys::SSL_OP_NO_TLSv1_1),
            ("no_tlsv1_2", openssl_sys::SSL_OP_NO_TLSv1_2),
            ("no_tlsv1_3", openssl_sys::SSL_OP_NO_TLSv1_3),
            ("prioritize_chacha", openssl_sys::SSL_OP_PRIORITIZE_CHACHA),
            ("tls_rollback_bug", openssl_sys::SSL_OP_TLS_ROLLBACK_BUG),
        ];
        for (name, value) in values {
            assert_eq!(of_name(name.as_bytes()), Some(value), "{name}");
        }
    }
}
