//! Contexts: one function for each setting, called by `newcontext` in the order that it documents.

use std::borrow::Cow;
use std::ffi::c_int;
use std::rc::Rc;

use openssl::ssl::SslVerifyMode;

use super::handle::Handle;
use crate::bindings::call::{Call, Function};
use crate::bindings::value::{Raise, Value, Values, failed, one};
use crate::net::error::Text;
use crate::tls::context::{Context as TlsContext, KeyLoaded, Password, file_stamp};
use crate::tls::dane;
use crate::tls::option;
use crate::tls::protocol::{Role, version_of_name};
use crate::tls::verification::{Hostname, mode_of_name};

/// Functions of contexts. What the program passes has been checked before, but for `setverifyext`.
pub(super) const FUNCTIONS: &[Function] = &[
    Function::direct("create_context", create).with_strings(&[1]),
    Function::direct("setmode", set_mode).with_strings(&[2]),
    Function::direct("loadkey", load_key).with_strings(&[2, 3]),
    Function::direct("loadcert", load_certificate).with_strings(&[2]),
    Function::direct("checkkey", check_key),
    Function::direct("locations", trust).with_strings(&[2, 3]),
    Function::direct("trust_system", trust_system),
    Function::direct("file_stamp", stamp_file),
    Function::direct("setcipher", set_ciphers).with_strings(&[2]),
    Function::direct("setciphersuites", set_ciphersuites).with_strings(&[2]),
    Function::direct("setverify", set_verify),
    Function::direct("setverifyext", set_extensions).with_strings(&[2, 3, 4, 5]),
    Function::direct("setoptions", set_options),
    Function::direct("setdepth", set_depth),
    Function::direct("setcurve", set_curve).with_strings(&[2]),
    Function::direct("setcurveslist", set_curves).with_strings(&[2]),
    Function::direct("enable_dane", enable_dane),
    Function::direct("is_context", |call| Ok(one(call.maybe_tls_context(1).is_some()))),
    Function::direct("sethostname", set_hostname).with_strings(&[2]),
];

/// `true`, or `nil, error` with what went wrong.
fn outcome(result: Result<(), Text>, what: &str) -> Values {
    match result {
        Ok(()) => one(true),
        Err(reason) => failed(format!("{what} ({reason})")),
    }
}

/// A message about what the program named.
fn about(what: &str, name: &[u8]) -> String {
    what.replace('?', &String::from_utf8_lossy(name))
}

/// `create_context(protocol)`: a context, or `nil, error`.
fn create(call: &Call<'_>) -> Result<Values, Raise> {
    let name = call.string(1)?;
    let Some(version) = version_of_name(name) else {
        return Ok(failed(about("invalid protocol (?)", name)));
    };
    Ok(match TlsContext::new(version, call.context.tls.key_log()) {
        Ok(context) => one(Value::Handle(Box::new(Handle::Context(Rc::new(context))))),
        Err(reason) => failed(format!("error creating context ({reason})")),
    })
}

/// `setmode(context, mode)`: true. What the mode has to be is checked when there is a connection.
fn set_mode(call: &Call<'_>) -> Result<Values, Raise> {
    let context = call.tls_context(1)?;
    context.set_role(Role::of_name(call.string(2)?));
    Ok(one(true))
}

/// `loadkey(context, path, password)`: true, or `nil, error`; `false` if the key is encrypted and the
/// password is false. A password that is nil is asked for on the terminal.
fn load_key(call: &Call<'_>) -> Result<Values, Raise> {
    let context = call.tls_context(1)?;
    let path = call.string(2)?;
    let password = match call.maybe_string(3) {
        Some(password) => Password::Known(password),
        None if call.is_absent(3) => Password::Terminal,
        None => Password::Later,
    };
    Ok(match context.load_key(path, password) {
        Ok(loaded) => one(loaded == KeyLoaded::Yes),
        Err(reason) => failed(format!("error loading private key ({reason})")),
    })
}

/// `loadcert(context, path)`: true, or `nil, error`.
fn load_certificate(call: &Call<'_>) -> Result<Values, Raise> {
    let context = call.tls_context(1)?;
    Ok(outcome(context.load_certificate(call.string(2)?), "error loading certificate"))
}

/// `checkkey(context)`: whether key and certificate belong together.
fn check_key(call: &Call<'_>) -> Result<Values, Raise> {
    Ok(one(call.tls_context(1)?.key_matches()))
}

/// `locations(context, file, folder)`: true, or `nil, error`.
fn trust(call: &Call<'_>) -> Result<Values, Raise> {
    let context = call.tls_context(1)?;
    let file = optional_string(call, 2)?;
    let folder = optional_string(call, 3)?;
    Ok(outcome(context.trust(file, folder), "error loading CA locations"))
}

/// `trust_system(context)`: true, or `nil, error`.
fn trust_system(call: &Call<'_>) -> Result<Values, Raise> {
    let context = call.tls_context(1)?;
    Ok(outcome(context.trust_system(), "error loading the system's CAs"))
}

/// `file_stamp(path)`: a text that is another when the file has changed; nil if there is none.
fn stamp_file(call: &Call<'_>) -> Result<Values, Raise> {
    let stamp = file_stamp(call.string(1)?);
    Ok(one(stamp.map_or(Value::Nil, Value::from)))
}

fn optional_string<'a>(call: &'a Call<'_>, index: c_int) -> Result<Option<&'a [u8]>, Raise> {
    if call.is_absent(index) { Ok(None) } else { call.string(index).map(Some) }
}

/// `setcipher(context, list)`: true, or `nil, error`.
fn set_ciphers(call: &Call<'_>) -> Result<Values, Raise> {
    let context = call.tls_context(1)?;
    Ok(outcome(context.set_ciphers(&call.name(2)?), "error setting cipher list"))
}

/// `setciphersuites(context, list)`: true, or `nil, error`.
fn set_ciphersuites(call: &Call<'_>) -> Result<Values, Raise> {
    let context = call.tls_context(1)?;
    Ok(outcome(context.set_ciphersuites(&call.name(2)?), "error setting cipher list"))
}

/// The strings from argument 2 on.
fn names<'a>(call: &'a Call<'_>) -> impl Iterator<Item = Result<Cow<'a, [u8]>, Raise>> {
    (2..=call.argument_count()).map(|index| call.string(index).map(Cow::Borrowed))
}

/// `setverify(context, name...)`: true, or `nil, error`.
fn set_verify(call: &Call<'_>) -> Result<Values, Raise> {
    let context = call.tls_context(1)?;
    let mut mode = SslVerifyMode::NONE;
    for name in names(call) {
        let name = name?;
        match mode_of_name(&name) {
            Some(bit) => mode |= bit,
            None => return Ok(failed(about("invalid verify option (?)", &name))),
        }
    }
    context.set_verify(mode);
    Ok(one(true))
}

/// `setverifyext(context, name...)`: true, or `false, error`.
///
/// As in LuaSec, revocation checks are added to those that are made already, and the rest replaces what
/// there was.
fn set_extensions(call: &Call<'_>) -> Result<Values, Raise> {
    let context = call.tls_context(1)?;
    let mut extensions = context.extensions();
    (extensions.go_on, extensions.ignore_purpose) = (false, false);
    for name in names(call) {
        let name = name?;
        if !extensions.add(&name) {
            return Ok(one(false).and(about("invalid verify option (?)", &name)));
        }
    }
    context.set_extensions(extensions);
    Ok(one(true))
}

/// `setoptions(context, name...)`: true, or `nil, error`.
fn set_options(call: &Call<'_>) -> Result<Values, Raise> {
    let context = call.tls_context(1)?;
    let mut bits = 0;
    for name in names(call) {
        let name = name?;
        match option::of_name(&name) {
            Some(option) => bits |= option,
            None => return Ok(failed(about("invalid option (?)", &name))),
        }
    }
    context.set_options(bits);
    Ok(one(true))
}

/// `setdepth(context, depth)`: true.
fn set_depth(call: &Call<'_>) -> Result<Values, Raise> {
    let context = call.tls_context(1)?;
    context.set_depth(call.number(2)? as i32 as u32);
    Ok(one(true))
}

/// `setcurve(context, name)`: true, or `nil, error`.
fn set_curve(call: &Call<'_>) -> Result<Values, Raise> {
    let context = call.tls_context(1)?;
    let name = call.string(2)?;
    Ok(match context.set_curve(name) {
        Some(result) => outcome(result, "error setting elliptic curve"),
        None => failed(about("elliptic curve '?' not supported", name)),
    })
}

/// `setcurveslist(context, list)`: true, or `nil, error`.
fn set_curves(call: &Call<'_>) -> Result<Values, Raise> {
    let context = call.tls_context(1)?;
    let list = call.name(2)?;
    Ok(match context.set_curves(&list) {
        Ok(()) => one(true),
        Err(_) => failed(about("unknown elliptic curve in \"?\"", list.as_bytes())),
    })
}

/// `enable_dane(context, name...)`: true, or `nil, error`.
fn enable_dane(call: &Call<'_>) -> Result<Values, Raise> {
    let context = call.tls_context(1)?;
    let mut flags = 0;
    for name in names(call) {
        let name = name?;
        match &*name {
            b"no_ee_namechecks" => flags |= dane::NO_NAME_CHECKS,
            _ => return Ok(one(false).and(about("invalid option '?'", &name))),
        }
    }
    Ok(outcome(context.enable_dane(flags), "error enabling DANE"))
}

/// `sethostname(context, name)`: true, or `nil, error`.
fn set_hostname(call: &Call<'_>) -> Result<Values, Raise> {
    let context = call.tls_context(1)?;
    let name = call.string(2)?;
    Ok(match Hostname::of_bytes(name) {
        Some(hostname) => {
            context.set_hostname(hostname);
            one(true)
        }
        None => failed(invalid_hostname(name)),
    })
}

/// The error about what is neither a name nor an address.
pub(super) fn invalid_hostname(name: &[u8]) -> String {
    about("invalid hostname (?)", name)
}
