//! DANE: verifying a server by what its domain's name servers say about its certificate.

use std::ffi::CString;

use foreign_types::{ForeignType, ForeignTypeRef};
use openssl::error::ErrorStack;

use super::connection::Connection;
use super::context::Context;
use super::error::{forget, reason};
use super::ffi::{SSL_CTX_dane_enable, SSL_CTX_dane_set_flags, SSL_dane_enable, SSL_dane_tlsa_add};
use crate::net::error::Text;

/// The flag that leaves out checking the name, for records that name the server's own certificate.
pub const NO_NAME_CHECKS: std::ffi::c_ulong = 1;

impl Context {
    /// Lets connections verify by DANE.
    ///
    /// # Errors
    /// OpenSSL's reason.
    pub fn enable_dane(&self, flags: std::ffi::c_ulong) -> Result<(), Text> {
        self.forget_sessions();
        forget();
        // SAFETY: the pointer is the context's.
        unsafe {
            if SSL_CTX_dane_enable(self.inner().as_ptr()) <= 0 {
                return Err(reason(&ErrorStack::get()));
            }
            SSL_CTX_dane_set_flags(self.inner().as_ptr(), flags);
        }
        Ok(())
    }
}

impl Connection {
    /// Verifies this connection by DANE, for the host of that name. Returns whether that is possible.
    pub fn enable_dane(&mut self, host: &[u8]) -> bool {
        let Ok(host) = CString::new(host) else { return false };
        forget();
        // SAFETY: both pointers are valid; the name is copied.
        let enabled = unsafe { SSL_dane_enable(self.ssl().as_ptr(), host.as_ptr()) } > 0;
        forget();
        enabled
    }

    /// Adds what the name servers say. Returns whether it can be used.
    pub fn add_record(&mut self, usage: u8, selector: u8, kind: u8, data: &[u8]) -> bool {
        forget();
        // SAFETY: the connection is valid, and the data are readable for their length; they are copied.
        let added = unsafe {
            SSL_dane_tlsa_add(self.ssl().as_ptr(), usage, selector, kind, data.as_ptr(), data.len())
        } > 0;
        forget();
        added
    }
}
