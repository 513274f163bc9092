//! What is decided in the midst of a handshake, by functions that the context was given. Each is told
//! of which connection's.

use std::cell::RefCell;
use std::ffi::c_int;
use std::rc::Rc;
use std::sync::OnceLock;

use foreign_types::{ForeignType, ForeignTypeRef};
use openssl::dh::Dh;
use openssl::error::ErrorStack;
use openssl::ex_data::Index;
use openssl::pkey::Params;
use openssl::ssl::{AlpnError, NameType, SniError, SslContext, SslRef};

use super::alpn;
use super::context::Context;
use super::local::{Local, guarded};
use crate::net::error::Text;

/// The function that decides could not, and the handshake is not to go on.
#[derive(Clone, Copy, Debug)]
pub struct GaveUp;

/// Which context a server uses.
#[derive(Debug)]
pub enum Choice {
    /// The one that the connection was made with.
    Own,
    /// Another.
    Other(Rc<Context>),
    /// None: the client asked for something that is not there.
    Refuse,
}

impl Context {
    /// The protocols that a client offers, as they are sent.
    ///
    /// # Errors
    /// OpenSSL's reason.
    pub fn offer_protocols(&self, encoded: &[u8]) -> Result<(), Text> {
        self.try_change(|builder| builder.set_alpn_protos(encoded))
    }

    /// Has a server choose a protocol: `prefer` is told what the client offers, and gives what the server
    /// speaks, best first; both as they are sent.
    pub fn choose_protocol(
        &self,
        prefer: impl Fn(&SslRef, &[u8]) -> Result<Option<Vec<u8>>, GaveUp> + 'static,
    ) {
        let prefer = Local::new(prefer);
        self.change(|builder| {
            builder.set_alpn_select_callback(move |ssl, offered| {
                let preferred = guarded(Err(GaveUp), || prefer.get()(ssl, offered));
                let preferred = preferred.map_err(|GaveUp| AlpnError::ALERT_FATAL)?;
                // Having nothing in common is no reason to give up.
                preferred.and_then(|names| alpn::choose(&names, offered)).ok_or(AlpnError::NOACK)
            });
        });
    }

    /// Has a server choose a context by the name that the client asks for.
    pub fn choose_context(&self, choose: impl Fn(&SslRef, Option<&[u8]>) -> Choice + 'static) {
        let choose = Local::new(choose);
        self.change(|builder| {
            builder.set_servername_callback(move |ssl, _| {
                let choice = {
                    let name = ssl.servername_raw(NameType::HOST_NAME);
                    guarded(Choice::Refuse, || choose.get()(ssl, name))
                };
                match choice {
                    Choice::Own => Ok(()),
                    Choice::Other(context) => {
                        ssl.set_ssl_context(context.complete()).map_err(|_| SniError::ALERT_FATAL)
                    }
                    Choice::Refuse => Err(SniError::ALERT_FATAL),
                }
            });
        });
    }

    /// Has a server ask for the parameters of a key agreement by Diffie-Hellman: `ask` is told whether they
    /// are for an exported cipher and how long a key is wanted, and gives them as PEM.
    pub fn ask_for_parameters(
        &self,
        ask: impl Fn(&SslRef, bool, u32) -> Option<Vec<u8>> + 'static,
    ) -> Result<(), Text> {
        let parameters = Parameters { ask: Box::new(ask), last: RefCell::default() };
        self.try_change(|builder| {
            builder.set_ex_data(Parameters::index()?, Local::new(parameters));
            // SAFETY: the context is valid, and has what the function looks for.
            unsafe {
                openssl_sys::SSL_CTX_set_tmp_dh_callback__fixed_rust(builder.as_ptr(), Some(give_parameters));
            }
            Ok(())
        })
    }
}

/// See [`Context::ask_for_parameters`].
type Ask = dyn Fn(&SslRef, bool, u32) -> Option<Vec<u8>>;

/// What gives the parameters of a key agreement.
struct Parameters {
    ask: Box<Ask>,
    /// Those given last, which OpenSSL expects to stay valid for a moment.
    last: RefCell<Option<Dh<Params>>>,
}

impl Parameters {
    /// Where contexts keep this. OpenSSL numbers such places once for the whole process; the number is all
    /// that Lua states share.
    fn index() -> Result<Index<SslContext, Local<Parameters>>, ErrorStack> {
        static INDEX: OnceLock<Index<SslContext, Local<Parameters>>> = OnceLock::new();
        if let Some(index) = INDEX.get() {
            return Ok(*index);
        }
        let index = SslContext::new_ex_index()?;
        Ok(*INDEX.get_or_init(|| index))
    }

    fn give(&self, ssl: &SslRef, for_export: bool, length: u32) -> Option<*mut openssl_sys::DH> {
        let pem = (self.ask)(ssl, for_export, length)?;
        // Why it is none is the reason for which the handshake fails.
        let parameters = Dh::params_from_pem(&pem).map_err(|stack| stack.put()).ok()?;
        let pointer = parameters.as_ptr();
        self.last.replace(Some(parameters));
        Some(pointer)
    }
}

/// What OpenSSL calls for parameters. The `openssl` crate has one too, which never frees what it gives.
///
/// # Safety
/// To be called by OpenSSL only, with a valid connection.
unsafe extern "C" fn give_parameters(
    ssl: *mut openssl_sys::SSL,
    for_export: c_int,
    length: c_int,
) -> *mut openssl_sys::DH {
    let give = || {
        // SAFETY: as the caller vouches.
        let ssl = unsafe { SslRef::from_ptr(ssl) };
        let parameters = ssl.ssl_context().ex_data(Parameters::index().ok()?)?;
        parameters.get().give(ssl, for_export != 0, length as u32)
    };
    guarded(None, give).unwrap_or(std::ptr::null_mut())
}
