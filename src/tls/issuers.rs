//! The certificates behind our own, up to a root. Where a program has given none, OpenSSL looks for them
//! among those that the context trusts, in each handshake, and verifies their signatures on the way: a
//! fifth of what a handshake takes. So they are looked for once.

use std::ptr;

use foreign_types::ForeignTypeRef;
use openssl::ssl::{SslContextBuilder, SslRef};

use super::chain::extra;
use super::error::forget;
use super::ffi::{
    BUILD_CHAIN, BUILD_CHAIN_CLEAR_ERROR, BUILD_CHAIN_IGNORE_ERROR, CERTIFICATE_FIRST, CERTIFICATE_NEXT,
    GET_CHAIN_CERTIFICATES, SELECT_CERTIFICATE, SET_CERTIFICATE,
};

/// Looks for what is behind each of the context's own certificates that stand alone. What is too weak to
/// be sent is left to OpenSSL, whose handshake fails.
pub(super) fn find(builder: &mut SslContextBuilder) {
    let context = builder.as_ptr();
    // SAFETY: the pointer is the context's, and the calls are those of OpenSSL's macros: they take a number,
    // and a certificate of the context or the place for a stack that stays the context's.
    unsafe {
        let current = openssl_sys::SSL_CTX_get0_certificate(context);
        // To one without a key there would be no way back.
        if current.is_null() || openssl_sys::SSL_CTX_get0_privatekey(context).is_null() {
            return;
        }
        let mut which = CERTIFICATE_FIRST;
        while openssl_sys::SSL_CTX_ctrl(context, SET_CERTIFICATE, which, ptr::null_mut()) == 1 {
            let mut given: *mut openssl_sys::stack_st_X509 = ptr::null_mut();
            openssl_sys::SSL_CTX_ctrl(context, GET_CHAIN_CERTIFICATES, 0, ptr::from_mut(&mut given).cast());
            if given.is_null() {
                let flags = BUILD_CHAIN_IGNORE_ERROR | BUILD_CHAIN_CLEAR_ERROR;
                openssl_sys::SSL_CTX_ctrl(context, BUILD_CHAIN, flags, ptr::null_mut());
            }
            which = CERTIFICATE_NEXT;
        }
        openssl_sys::SSL_CTX_ctrl(context, SELECT_CERTIFICATE, 0, current.cast());
    }
    forget();
}

/// Whether what is behind a connection's certificate was found, and not given.
pub(super) fn are_found(ssl: &SslRef) -> bool {
    let Some(first) = extra(ssl).and_then(|chain| chain.iter().next()) else { return false };
    // What was found is the very one that is trusted.
    let trusted = ssl.ssl_context().cert_store().all_certificates();
    trusted.iter().any(|certificate| certificate.as_ptr() == first.as_ptr())
}
