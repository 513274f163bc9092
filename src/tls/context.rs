//! Contexts: the settings that connections have in common. What is special about some of them has its
//! own file: `callback`, `psk`, `dane`.

use std::cell::{Cell, RefCell};
use std::ffi::{OsStr, c_uint};
use std::fs;
use std::mem::ManuallyDrop;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::rc::Rc;

use foreign_types::{ForeignType, ForeignTypeRef};
use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::rand::rand_bytes;
use openssl::ssl::{
    Ssl, SslContext, SslContextBuilder, SslMethod, SslMode, SslOptions, SslRef, SslSessionCacheMode,
    SslVerifyMode, SslVersion,
};

use super::curve;
use super::error::{forget, reason};
use super::ffi::SSL_set_session_id_context;
use super::issuers;
use super::key_log::KeyLog;
use super::option::IGNORE_UNEXPECTED_EOF;
use super::protocol::Role;
use super::session::Sessions;
use super::verification::{Extensions, Hostname};
use crate::net::error::{Text, system_error};

/// Tells our server's sessions from others': OpenSSL resumes none without it.
const SESSION_ID_CONTEXT: &[u8] = b"cosock";

/// The settings that connections have in common.
#[derive(Debug)]
pub struct Context {
    inner: SslContext,
    /// Whether what is behind its own certificates has been looked for.
    issuers_sought: Cell<bool>,
    role: Cell<Option<Role>>,
    extensions: Cell<Extensions>,
    /// Whether a server looks up keys that it shares with its clients.
    pub(super) looks_up_keys: Cell<bool>,
    /// Whom a client expects at the other end.
    hostname: RefCell<Option<Hostname>>,
    /// What a client remembers of earlier connections; nothing if it must not.
    sessions: RefCell<Option<Rc<Sessions>>>,
}

/// How a private key was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyLoaded {
    /// It is in place.
    Yes,
    /// It is encrypted, and there was no password.
    NeedsPassword,
}

/// Where the password of an encrypted key comes from.
#[derive(Clone, Copy, Debug)]
pub enum Password<'a> {
    /// OpenSSL asks on the terminal.
    Terminal,
    /// The caller asks if it turns out to be needed.
    Later,
    /// It is known.
    Known(&'a [u8]),
}

impl Context {
    /// A context for the given version of the protocol, or any. What keys its connections agree on is
    /// written to `key_log`.
    ///
    /// # Errors
    /// OpenSSL's.
    pub fn new(version: Option<SslVersion>, key_log: Option<&Rc<KeyLog>>) -> Result<Self, Text> {
        forget();
        let sessions = Rc::new(Sessions::default());
        let context = || {
            let mut builder = SslContext::builder(SslMethod::tls())?;
            // What is encrypted is copied at once, and buffers are kept only while they hold something.
            builder.set_mode(SslMode::ACCEPT_MOVING_WRITE_BUFFER | SslMode::RELEASE_BUFFERS);
            builder.set_min_proto_version(version)?;
            builder.set_max_proto_version(version)?;
            sessions.remember_those_of(&mut builder);
            // As OpenSSL has it; the crate's own default is another.
            builder.set_verify(SslVerifyMode::NONE);
            if let Some(key_log) = key_log {
                key_log.record_those_of(&mut builder);
            }
            Ok(builder.build())
        };
        let inner = context().map_err(|stack: ErrorStack| reason(&stack))?;
        Ok(Context {
            inner,
            issuers_sought: Cell::new(false),
            role: Cell::new(None),
            extensions: Cell::default(),
            looks_up_keys: Cell::default(),
            hostname: RefCell::default(),
            sessions: RefCell::new(Some(sessions)),
        })
    }

    /// OpenSSL's context.
    pub(super) fn inner(&self) -> &SslContext {
        &self.inner
    }

    /// Changes a setting. Connections that exist already keep most of theirs.
    pub(super) fn change<R>(&self, f: impl FnOnce(&mut SslContextBuilder) -> R) -> R {
        forget();
        // SAFETY: the pointer is a context's, and stays its own: the builder is not dropped. A context
        // is used by one thread at a time, and `f` is its only user meanwhile.
        let mut builder = ManuallyDrop::new(unsafe { SslContextBuilder::from_ptr(self.inner.as_ptr()) });
        f(&mut builder)
    }

    pub(super) fn try_change(
        &self,
        f: impl FnOnce(&mut SslContextBuilder) -> Result<(), ErrorStack>,
    ) -> Result<(), Text> {
        self.change(f).map_err(|stack| reason(&stack))
    }

    /// OpenSSL's context, for connections: all that has to be loaded has been.
    pub(super) fn complete(&self) -> &SslContext {
        if !self.issuers_sought.replace(true) {
            self.change(issuers::find);
        }
        &self.inner
    }

    /// A connection's part of OpenSSL.
    pub(super) fn connection(&self) -> Result<Ssl, ErrorStack> {
        let context = self.complete();
        forget();
        Ssl::new(context)
    }

    /// Which side its connections are; `None` if that has not been said, or was not understood.
    pub fn role(&self) -> Option<Role> {
        self.role.get()
    }

    /// Says which side its connections are.
    pub fn set_role(&self, role: Option<Role>) {
        self.role.set(role);
        if role == Some(Role::Server) {
            // Fails only for names that are too long.
            let _ = self.change(|builder| builder.set_session_id_context(SESSION_ID_CONTEXT));
        }
    }

    /// Loads a private key from a PEM file.
    ///
    /// # Errors
    /// The system's or OpenSSL's reason.
    pub fn load_key(&self, path: &[u8], password: Password<'_>) -> Result<KeyLoaded, Text> {
        let pem = fs::read(path_of(path)).map_err(|error| system_error(&error))?;
        forget();
        let mut asked = false;
        let key = match password {
            Password::Terminal => PKey::private_key_from_pem(&pem),
            Password::Later => PKey::private_key_from_pem_callback(&pem, |_| {
                asked = true;
                Ok(0)
            }),
            Password::Known(password) => PKey::private_key_from_pem_callback(&pem, |room| {
                asked = true;
                let count = password.len().min(room.len());
                room[..count].copy_from_slice(&password[..count]);
                Ok(count)
            }),
        };
        let key = match key {
            Ok(key) => key,
            Err(_) if asked && matches!(password, Password::Later) => return Ok(KeyLoaded::NeedsPassword),
            // OpenSSL tries every way to read a key, and which of their complaints comes first depends on
            // the kind of file.
            Err(_) if asked => return Err("bad decrypt".into()),
            Err(stack) => return Err(reason(&stack)),
        };
        self.try_change(|builder| builder.set_private_key(&key))?;
        Ok(KeyLoaded::Yes)
    }

    /// Loads a certificate, and those that vouch for it, from a PEM file.
    ///
    /// # Errors
    /// The system's or OpenSSL's reason.
    pub fn load_certificate(&self, path: &[u8]) -> Result<(), Text> {
        // OpenSSL's own message would hold the path, which need not be text.
        fs::File::open(path_of(path)).map_err(|error| system_error(&error))?;
        self.try_change(|builder| builder.set_certificate_chain_file(path_of(path)))
    }

    /// Whether the key that was loaded last is the certificate's.
    pub fn key_matches(&self) -> bool {
        self.change(|builder| builder.check_private_key().is_ok())
    }

    /// Trusts the certificates of a PEM file, and those of a folder, found by their hashes.
    ///
    /// # Errors
    /// OpenSSL's reason.
    pub fn trust(&self, file: Option<&[u8]>, folder: Option<&[u8]>) -> Result<(), Text> {
        if let Some(file) = file {
            fs::File::open(path_of(file)).map_err(|error| system_error(&error))?;
        }
        // That a folder is not there is no error, but what cannot be a folder's name is; as the system says of files.
        if let Some(folder) = folder.filter(|folder| folder.contains(&0)) {
            fs::metadata(path_of(folder)).map_err(|error| system_error(&error))?;
        }
        self.try_change(|builder| builder.load_verify_locations(file.map(path_of), folder.map(path_of)))
    }

    /// Trusts those whom the system trusts: what `SSL_CERT_FILE` and `SSL_CERT_DIR` name, and else what comes
    /// with its OpenSSL. What is missing there is trusted by nobody, and no error.
    ///
    /// # Errors
    /// OpenSSL's reason.
    pub fn trust_system(&self) -> Result<(), Text> {
        // An OpenSSL of our own knows nothing of the system's.
        #[cfg(feature = "vendored-openssl")]
        {
            let found = openssl_probe::probe();
            if let Some(file) = found.cert_file.filter(|_| std::env::var_os("SSL_CERT_FILE").is_none()) {
                self.try_change(|builder| builder.load_verify_locations(Some(&file), None))?;
            }
            if std::env::var_os("SSL_CERT_DIR").is_none() {
                for folder in &found.cert_dir {
                    self.try_change(|builder| builder.load_verify_locations(None, Some(folder)))?;
                }
            }
        }
        self.try_change(SslContextBuilder::set_default_verify_paths)
    }

    /// Sets the ciphers up to TLS 1.2.
    ///
    /// # Errors
    /// OpenSSL's reason.
    pub fn set_ciphers(&self, list: &str) -> Result<(), Text> {
        self.try_change(|builder| builder.set_cipher_list(list))
    }

    /// Sets the ciphers of TLS 1.3.
    ///
    /// # Errors
    /// OpenSSL's reason.
    pub fn set_ciphersuites(&self, list: &str) -> Result<(), Text> {
        self.try_change(|builder| builder.set_ciphersuites(list))
    }

    /// Sets when to verify the peer.
    pub fn set_verify(&self, mode: SslVerifyMode) {
        self.change(|builder| builder.set_verify(mode));
    }

    /// How connections to come verify certificates.
    pub fn extensions(&self) -> Extensions {
        self.extensions.get()
    }

    /// Sets how connections to come verify certificates.
    pub fn set_extensions(&self, extensions: Extensions) {
        self.extensions.set(extensions);
    }

    /// Lets a server that verifies its clients go on from none of its earlier connections, nor others from this one: a
    /// session that is resumed is not verified again, and holds no more than the first certificate of the client's. The
    /// same for one that shares keys with its clients: OpenSSL would ask it for the key of each ticket that is shown to it.
    pub(super) fn separate_sessions(&self, ssl: &mut SslRef) -> Result<(), ErrorStack> {
        // As no other connection has it, in no process that shares the context's keys.
        let mut own = [0; 32];
        rand_bytes(&mut own)?;
        ssl.set_num_tickets(0)?;
        // SAFETY: the pointer is the connection's, and the bytes are copied.
        let set = unsafe { SSL_set_session_id_context(ssl.as_ptr(), own.as_ptr(), own.len() as c_uint) };
        if set == 1 { Ok(()) } else { Err(ErrorStack::get()) }
    }

    /// Whom a client expects at the other end.
    pub(super) fn hostname(&self) -> Option<Hostname> {
        self.hostname.borrow().clone()
    }

    /// Sets whom a client expects at the other end: the name is sent, and looked for in the
    /// certificate.
    pub fn set_hostname(&self, hostname: Hostname) {
        self.hostname.replace(Some(hostname));
    }

    /// What a client remembers of earlier connections.
    pub(super) fn sessions(&self) -> Option<Rc<Sessions>> {
        self.sessions.borrow().clone()
    }

    /// Remembers nothing from now on: who the peer is, is not for a certificate alone to say.
    pub(super) fn forget_sessions(&self) {
        self.change(|builder| builder.set_session_cache_mode(SslSessionCacheMode::OFF));
        self.sessions.take();
    }

    /// Sets options, besides those set before.
    pub fn set_options(&self, bits: u64) {
        self.change(|builder| builder.set_options(SslOptions::from_bits_retain(bits)));
    }

    /// Whether an unexpected end of the stream counts as an expected one.
    pub fn ignores_unexpected_eof(&self) -> bool {
        let options = self.change(|builder| builder.options());
        options.bits() & IGNORE_UNEXPECTED_EOF != 0
    }

    /// Sets how long a chain of certificates may be.
    pub fn set_depth(&self, depth: u32) {
        self.change(|builder| builder.set_verify_depth(depth));
    }

    /// Agrees on keys by this curve only; `None` if there is no such curve.
    ///
    /// # Errors
    /// OpenSSL's reason.
    pub fn set_curve(&self, name: &[u8]) -> Option<Result<(), Text>> {
        forget();
        Some(match curve::of_name(name)? {
            Ok(key) => self.try_change(|builder| builder.set_tmp_ecdh(&key)),
            Err(stack) => Err(reason(&stack)),
        })
    }

    /// Agrees on keys by one of these curves: names with colons between them.
    ///
    /// # Errors
    /// OpenSSL's reason.
    pub fn set_curves(&self, list: &str) -> Result<(), Text> {
        self.try_change(|builder| builder.set_groups_list(list))
    }
}

/// Tells a file from another, and from itself with other contents; `None` if there is none.
pub fn file_stamp(path: &[u8]) -> Option<String> {
    let file = fs::metadata(path_of(path)).ok()?;
    let changed = (file.mtime(), file.mtime_nsec(), file.ctime(), file.ctime_nsec());
    Some(format!("{} {} {} {changed:?}", file.dev(), file.ino(), file.size()))
}

/// A path, which need not be text.
fn path_of(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}
