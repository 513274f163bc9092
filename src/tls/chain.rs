//! The certificates that the two sides of a connection have shown each other.

use std::ffi::c_void;

use foreign_types::ForeignTypeRef;
use openssl::ssl::SslRef;
use openssl::stack::StackRef;
use openssl::x509::{X509, X509Ref};

use super::certificate::Certificate;
use super::connection::Connection;
use super::ffi::GET_CHAIN_CERTIFICATES;
use super::issuers;
use super::protocol::Role;

impl Connection {
    /// The peer's certificate.
    pub fn peer_certificate(&self) -> Option<Certificate> {
        self.ssl().peer_certificate().map(Certificate::from)
    }

    /// What the peer has sent, its own certificate first.
    pub fn peer_chain(&self) -> Vec<Certificate> {
        let ssl = self.ssl();
        // On a server, OpenSSL keeps the client's own apart.
        let leaf = if self.role() == Role::Server { self.peer_certificate() } else { None };
        leaf.into_iter().chain(certificates(ssl.peer_cert_chain())).collect()
    }

    /// Our own certificate, if we have one.
    pub fn local_certificate(&self) -> Option<Certificate> {
        self.ssl().certificate().map(Certificate::from)
    }

    /// Our certificates: on a server our own and what we send behind it, on a client only the latter, as
    /// LuaSec has it.
    pub fn local_chain(&self) -> Vec<Certificate> {
        let own = if self.role() == Role::Server { self.local_certificate() } else { None };
        own.into_iter().chain(self.local_extra_certificates()).collect()
    }

    /// What the program has given to be sent behind our own certificate.
    pub fn local_extra_certificates(&self) -> Vec<Certificate> {
        let given = extra(self.ssl()).filter(|_| !issuers::are_found(self.ssl()));
        certificates(given).collect()
    }
}

fn certificates(stack: Option<&StackRef<X509>>) -> impl Iterator<Item = Certificate> {
    stack.into_iter().flatten().map(|certificate: &X509Ref| Certificate::from(certificate))
}

/// What is sent behind a connection's own certificate.
pub(super) fn extra(ssl: &SslRef) -> Option<&StackRef<X509>> {
    let mut stack: *mut openssl_sys::stack_st_X509 = std::ptr::null_mut();
    // SAFETY: the call stores a stack that belongs to the connection, or null.
    unsafe {
        let place: *mut c_void = std::ptr::from_mut(&mut stack).cast();
        openssl_sys::SSL_ctrl(ssl.as_ptr(), GET_CHAIN_CERTIFICATES, 0, place);
        (!stack.is_null()).then(|| StackRef::from_ptr(stack))
    }
}
