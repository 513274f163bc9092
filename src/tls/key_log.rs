//! A file with the keys of all connections, by which programs such as Wireshark can read what was sent.

use std::env;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::rc::Rc;

use openssl::ssl::SslContextBuilder;

use super::local::{Local, guarded};

/// The variable of the environment that names the file, as with browsers and curl.
const VARIABLE: &str = "SSLKEYLOGFILE";

/// A file that keys are written to.
#[derive(Debug)]
pub struct KeyLog(File);

impl KeyLog {
    /// The file that the environment asks for; `None` if it asks for none, or for one that cannot be
    /// written.
    pub fn from_environment() -> Option<Self> {
        let path = env::var_os(VARIABLE).filter(|path| !path.is_empty())?;
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path).ok()?;
        Some(KeyLog(file))
    }

    /// Writes the keys of a context's connections.
    pub(super) fn record_those_of(self: &Rc<Self>, builder: &mut SslContextBuilder) {
        let log = Local::new(Rc::clone(self));
        builder.set_keylog_callback(move |_, line| {
            // One call a line, so that those of several processes are not mixed. Whether it works is of
            // no consequence for the connection.
            guarded((), || drop((&log.get().0).write_all(format!("{line}\n").as_bytes())));
        });
    }
}
