//! The texts of what can go wrong in TLS.

use openssl::error::ErrorStack;
use openssl::ssl;

use crate::net::error::{Text, c_library_text};

/// The peer closed the connection below TLS, without saying in TLS that it is the end.
pub const UNEXPECTED_EOF: &str = "unexpected eof while reading";
/// An operation on a connection that has failed before.
pub const SYSTEM_ERROR: &str = "System error";
/// OpenSSL says nothing.
const UNKNOWN: &str = "unknown error";

/// OpenSSL's reason in words: the first of the errors that led to the failure.
pub fn reason(stack: &ErrorStack) -> Text {
    let Some(error) = stack.errors().first() else {
        return UNKNOWN.into();
    };
    match error.reason() {
        Some(reason) => reason.into(),
        // A system call's error, which OpenSSL has no words for.
        None if error.library_code() == LIBRARY_OF_SYSTEM_ERRORS => c_library_text(error.reason_code()),
        None => UNKNOWN.into(),
    }
}

/// Why an operation on a connection failed.
pub fn failure(error: &ssl::Error) -> Text {
    match error.ssl_error() {
        Some(stack) if !stack.errors().is_empty() => reason(stack),
        _ => SYSTEM_ERROR.into(),
    }
}

/// OpenSSL's number for what is no library of its own: `ERR_LIB_SYS`.
const LIBRARY_OF_SYSTEM_ERRORS: i32 = 2;

/// Forgets the errors that some other operation left behind, so that nobody takes them for this one's.
pub fn forget() {
    // SAFETY: may be called at any time; the errors are those of this thread.
    unsafe { openssl_sys::ERR_clear_error() };
}

#[cfg(test)]
mod tests {
    use super::*;
    use openssl::x509::X509;

    #[test]
    fn the_reason_is_openssls_own() {
        let stack = X509::from_pem(b"no certificate").expect_err("this is no certificate");
        assert_eq!(reason(&stack), "no start line");
    }

    #[test]
    fn system_errors_have_the_c_librarys_text() {
        let context = openssl::ssl::SslContext::builder(openssl::ssl::SslMethod::tls());
        let mut context = context.expect("a context");
        let stack = context.set_certificate_chain_file("/no/such/file").expect_err("there is no such file");
        assert_eq!(reason(&stack), "No such file or directory");
    }

    #[test]
    fn nothing_is_left_after_forgetting() {
        X509::from_pem(b"no certificate").expect_err("this is no certificate").put();
        forget();
        assert!(ErrorStack::get().errors().is_empty());
    }
}
