//! What OpenSSL has and the `openssl` crates lack.

use std::ffi::{c_char, c_int, c_long, c_uchar, c_uint, c_ulong, c_void};

use openssl_sys::{ASN1_OBJECT, ASN1_TYPE, SSL, SSL_CTX, X509_VERIFY_PARAM};

/// A curve that OpenSSL knows.
#[repr(C)]
pub(super) struct BuiltinCurve {
    pub(super) nid: c_int,
    pub(super) comment: *const c_char,
}

/// A name of a kind that is told by its number.
#[repr(C)]
pub(super) struct OtherName {
    pub(super) kind: *mut ASN1_OBJECT,
    pub(super) value: *mut ASN1_TYPE,
}

/// `SSL_CTRL_GET_CHAIN_CERTS`: the certificates that a connection sends behind its own.
pub(super) const GET_CHAIN_CERTIFICATES: c_int = 115;
/// `SSL_CTRL_SET_CURRENT_CERT`: goes through a context's own certificates that have a key.
pub(super) const SET_CERTIFICATE: c_int = 117;
/// `SSL_CERT_SET_FIRST`.
pub(super) const CERTIFICATE_FIRST: c_long = 1;
/// `SSL_CERT_SET_NEXT`.
pub(super) const CERTIFICATE_NEXT: c_long = 2;
/// `SSL_CTRL_SELECT_CURRENT_CERT`: goes back to one of them.
pub(super) const SELECT_CERTIFICATE: c_int = 116;
/// `SSL_CTRL_BUILD_CERT_CHAIN`: looks for what is behind the one where it has got to.
pub(super) const BUILD_CHAIN: c_int = 105;
/// `SSL_BUILD_CHAIN_FLAG_IGNORE_ERROR`: what is found counts although it could not be verified.
pub(super) const BUILD_CHAIN_IGNORE_ERROR: c_long = 0x8;
/// `SSL_BUILD_CHAIN_FLAG_CLEAR_ERROR`: and the reason is nobody's concern.
pub(super) const BUILD_CHAIN_CLEAR_ERROR: c_long = 0x10;
/// `X509_TRUST_SSL_SERVER`: what a root may be trusted for.
pub(super) const TRUST_TLS_SERVER: c_int = 3;

// SAFETY: the declarations are those of OpenSSL's headers.
unsafe extern "C" {
    /// Writes up to `count` curves and returns how many there are.
    pub(super) fn EC_get_builtin_curves(curves: *mut BuiltinCurve, count: usize) -> usize;

    /// Sets what a root must be trusted for.
    pub(super) fn X509_VERIFY_PARAM_set_trust(parameters: *mut X509_VERIFY_PARAM, trust: c_int) -> c_int;

    /// Sets what a server tells clients that choose a shared key.
    pub(super) fn SSL_CTX_use_psk_identity_hint(context: *mut SSL_CTX, hint: *const c_char) -> c_int;

    /// How many signature algorithms the peer has named; with a negative index, nothing else is told.
    pub(super) fn SSL_get_sigalgs(
        connection: *mut SSL,
        index: c_int,
        sign: *mut c_int,
        hash: *mut c_int,
        sign_and_hash: *mut c_int,
        raw_sign: *mut c_uchar,
        raw_hash: *mut c_uchar,
    ) -> c_int;
    /// The authorities that the peer has named; null if it has named none.
    pub(super) fn SSL_get0_peer_CA_list(connection: *const SSL) -> *const c_void;
    /// Sets which sessions a server's connection may resume: those with the same bytes, at most 32.
    pub(super) fn SSL_set_session_id_context(
        connection: *mut SSL,
        bytes: *const c_uchar,
        length: c_uint,
    ) -> c_int;

    /// Lets connections of a context verify by DANE.
    pub(super) fn SSL_CTX_dane_enable(context: *mut SSL_CTX) -> c_int;
    /// Sets flags of DANE, and returns those that were set before.
    pub(super) fn SSL_CTX_dane_set_flags(context: *mut SSL_CTX, flags: c_ulong) -> c_ulong;
    /// Verifies a connection by DANE, for this name.
    pub(super) fn SSL_dane_enable(connection: *mut SSL, domain: *const c_char) -> c_int;
    /// Adds a record. It is copied.
    pub(super) fn SSL_dane_tlsa_add(
        connection: *mut SSL,
        usage: u8,
        selector: u8,
        kind: u8,
        data: *const c_uchar,
        length: usize,
    ) -> c_int;
}
