//! What a connection asks of its peer's certificate.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;

use foreign_types::ForeignTypeRef;
use openssl::error::ErrorStack;
use openssl::ssl::{SslRef, SslVerifyMode};
use openssl::x509::X509PurposeId;
use openssl::x509::verify::{X509CheckFlags, X509VerifyFlags};

use super::ffi::{TRUST_TLS_SERVER, X509_VERIFY_PARAM_set_trust};
use super::local::Local;

/// The bit of the option of that name by which a program says when to verify.
pub fn mode_of_name(name: &[u8]) -> Option<SslVerifyMode> {
    match name {
        b"none" => Some(SslVerifyMode::NONE),
        b"peer" => Some(SslVerifyMode::PEER),
        b"client_once" => Some(SslVerifyMode::CLIENT_ONCE),
        b"fail_if_no_peer_cert" => Some(SslVerifyMode::FAIL_IF_NO_PEER_CERT),
        _ => None,
    }
}

/// Changes to how certificates are verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Extensions {
    /// The handshake goes on in spite of errors, which are recorded.
    pub go_on: bool,
    /// The chain is checked for what a server needs, whatever this side is.
    pub ignore_purpose: bool,
    /// The leaf must not be on its issuer's list of revoked certificates.
    pub check_revocation: bool,
    /// Nor must any other certificate of the chain.
    pub check_all_revocations: bool,
}

impl Extensions {
    /// Adds the extension of that name. Returns whether there is one.
    pub fn add(&mut self, name: &[u8]) -> bool {
        let flag = match name {
            b"lsec_continue" => &mut self.go_on,
            b"lsec_ignore_purpose" => &mut self.ignore_purpose,
            b"crl_check" => &mut self.check_revocation,
            b"crl_check_chain" => &mut self.check_all_revocations,
            _ => return false,
        };
        *flag = true;
        true
    }

    /// Whether every error is to be recorded, and not only the last.
    pub fn record_errors(self) -> bool {
        self.go_on || self.ignore_purpose
    }

    /// Lets a connection verify so. Errors are put into `errors` if they are to be recorded.
    pub(super) fn apply(self, ssl: &mut SslRef, errors: &Rc<RefCell<Errors>>) -> Result<(), ErrorStack> {
        let parameters = ssl.param_mut();
        parameters.set_flags(self.flags())?;
        if self.ignore_purpose {
            parameters.set_purpose(X509PurposeId::SSL_SERVER)?;
            // SAFETY: the pointer is that of the connection's parameters.
            unsafe { X509_VERIFY_PARAM_set_trust(parameters.as_ptr(), TRUST_TLS_SERVER) };
        }
        if self.record_errors() {
            let errors = Local::new(Rc::clone(errors));
            ssl.set_verify_callback(ssl.verify_mode(), move |is_fine, store| {
                if !is_fine && let Ok(mut errors) = errors.get().try_borrow_mut() {
                    errors.add(store.error_depth() as usize, store.error().error_string());
                }
                is_fine || self.go_on
            });
        }
        Ok(())
    }

    /// What OpenSSL is to check besides.
    pub fn flags(self) -> X509VerifyFlags {
        let mut flags = X509VerifyFlags::empty();
        flags.set(X509VerifyFlags::CRL_CHECK, self.check_revocation);
        flags.set(X509VerifyFlags::CRL_CHECK_ALL, self.check_all_revocations);
        flags
    }
}

/// Whom a client expects at the other end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Hostname {
    /// A host of this name.
    Name(String),
    /// The host at this address.
    Address(IpAddr),
}

impl Hostname {
    /// A host by its name or address; `None` if it can be neither.
    pub fn new(text: &str) -> Option<Self> {
        if let Ok(address) = text.parse() {
            return Some(Hostname::Address(address));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        // With a dot in front, OpenSSL would take every host below.
        let is_possible =
            !name.is_empty() && !name.starts_with('.') && name.len() <= 255 && !name.contains('\0');
        is_possible.then(|| Hostname::Name(name.to_owned()))
    }

    /// The same of bytes, which need not be text.
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        std::str::from_utf8(bytes).ok().and_then(Self::new)
    }

    /// Lets a connection look for it in the peer's certificate, and ask for it.
    pub(super) fn apply(&self, ssl: &mut SslRef) -> Result<(), ErrorStack> {
        let parameters = ssl.param_mut();
        parameters.set_hostflags(X509CheckFlags::NO_PARTIAL_WILDCARDS);
        match self {
            Hostname::Address(address) => parameters.set_ip(*address),
            Hostname::Name(name) => {
                parameters.set_host(name)?;
                ssl.set_hostname(name)
            }
        }
    }
}

/// What went wrong with each certificate of a chain, the leaf's first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Errors(Vec<Vec<&'static str>>);

impl Errors {
    /// Adds an error of the certificate at that depth; the leaf is at 0.
    pub fn add(&mut self, depth: usize, error: &'static str) {
        if self.0.len() <= depth {
            self.0.resize(depth + 1, Vec::new());
        }
        self.0[depth].push(error);
    }

    /// The errors by depth.
    pub fn by_depth(&self) -> &[Vec<&'static str>] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_add_up() {
        let mut extensions = Extensions::default();
        assert!(extensions.add(b"crl_check"));
        assert!(!extensions.record_errors());
        assert!(extensions.add(b"lsec_continue"));
        assert!(extensions.record_errors());
        assert_eq!(extensions.flags(), X509VerifyFlags::CRL_CHECK);
        assert!(!extensions.add(b"peer"));
    }

    #[test]
    fn a_host_is_an_address_or_a_name() {
        assert_eq!(Hostname::new("::1"), Some(Hostname::Address(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1u16]))));
        assert_eq!(Hostname::new("a.test."), Some(Hostname::Name("a.test".to_owned())));
        assert_eq!(Hostname::new("."), None);
        assert_eq!(Hostname::new(".a.test"), None);
        assert_eq!(Hostname::new("a\0b"), None);
        assert_eq!(Hostname::new(&"x".repeat(256)), None);
    }

    #[test]
    fn errors_are_kept_by_depth() {
        let mut errors = Errors::default();
        errors.add(1, "one");
        errors.add(0, "zero");
        errors.add(1, "another");
        assert_eq!(errors.by_depth(), [vec!["zero"], vec!["one", "another"]]);
    }
}
