//! Keys that both sides have shared before, in place of certificates.

use std::ffi::CString;

use foreign_types::ForeignType;
use openssl::error::ErrorStack;
use openssl::ssl::SslRef;

use super::context::Context;
use super::error::{forget, reason};
use super::ffi::SSL_CTX_use_psk_identity_hint;
use super::local::{Local, guarded};
use crate::net::error::Text;

/// Who a client says that it is, and the key that proves it.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Who it says that it is.
    pub identity: Vec<u8>,
    /// The key.
    pub key: Vec<u8>,
}

impl Context {
    /// Has a client ask for its credentials: `ask` is told the server's hint, and how long an identity and
    /// a key may be.
    pub fn ask_for_credentials(
        &self,
        ask: impl Fn(&SslRef, Option<&[u8]>, usize, usize) -> Option<Credentials> + 'static,
    ) {
        self.forget_sessions();
        let ask = Local::new(ask);
        self.change(|builder| {
            builder.set_psk_client_callback(move |ssl, hint, identity, key| {
                // OpenSSL wants a zero behind the identity.
                let room = identity.len().saturating_sub(1);
                let given = guarded(None, || ask.get()(ssl, hint, room, key.len()));
                let fits = |given: &Credentials| {
                    given.identity.len() <= room
                        && !given.identity.contains(&0)
                        && given.key.len() <= key.len()
                };
                // No key at all is how OpenSSL is told that there is none.
                let Some(given) = given.filter(fits) else { return Ok(0) };
                identity[..given.identity.len()].copy_from_slice(&given.identity);
                identity[given.identity.len()] = 0;
                key[..given.key.len()].copy_from_slice(&given.key);
                Ok(given.key.len())
            });
        });
    }

    /// Has a server look up a client's key: `look_up` is told who the client says that it is, and how long
    /// a key may be.
    pub fn look_up_keys(&self, look_up: impl Fn(&SslRef, &[u8], usize) -> Option<Vec<u8>> + 'static) {
        self.looks_up_keys.set(true);
        let look_up = Local::new(look_up);
        self.change(|builder| {
            builder.set_psk_server_callback(move |ssl, identity, key| {
                let given = guarded(None, || look_up.get()(ssl, identity.unwrap_or_default(), key.len()));
                let Some(given) = given.filter(|given| given.len() <= key.len()) else { return Ok(0) };
                key[..given.len()].copy_from_slice(&given);
                Ok(given.len())
            });
        });
    }

    /// Sets what a server tells clients that have to choose a key, up to TLS 1.2.
    ///
    /// # Errors
    /// OpenSSL's reason.
    pub fn set_key_hint(&self, hint: &[u8]) -> Result<(), Text> {
        forget();
        let hint = CString::new(hint).map_err(|_| Text::from("hint contains a zero byte"))?;
        // SAFETY: both pointers are valid; the hint is copied.
        let done = unsafe { SSL_CTX_use_psk_identity_hint(self.inner().as_ptr(), hint.as_ptr()) };
        if done == 1 { Ok(()) } else { Err(reason(&ErrorStack::get())) }
    }
}
