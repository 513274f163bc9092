//! What a connection tells about itself and its peer.

use openssl::ssl::{NameType, SslRef};
use openssl::x509::X509VerifyResult;

use crate::bindings::call::{Call, Function};
use crate::bindings::object::TLS;
use crate::bindings::value::{Raise, Table, Value, Values, failed, nothing, one};
use crate::net::error::CLOSED;
use crate::tls::certificate::Certificate;
use crate::tls::connection::Connection;
use crate::tls::info::Info;
use crate::tls::protocol::Role;

/// Functions of connections that only look, and those that say what to ask for before the handshake.
pub(super) const FUNCTIONS: &[Function] = &[
    Function::direct("getpeercertificate", peer_certificate).of(TLS),
    Function::direct("getpeerchain", |call| established(call, |tls| chain(tls.peer_chain()))).of(TLS),
    Function::direct("getlocalcertificate", local_certificate).of(TLS),
    Function::direct("getlocalchain", |call| established(call, |tls| chain(tls.local_chain()))).of(TLS),
    Function::direct("getpeerverification", verification).of(TLS),
    Function::direct("failed_check", failed_check).of(TLS),
    Function::direct("getfinished", |call| established(call, |tls| message(tls, false))).of(TLS),
    Function::direct("getpeerfinished", peer_finished).of(TLS),
    Function::direct("exportkeyingmaterial", export_keys).of(TLS).with_strings(&[2, 4]),
    Function::direct("getalpn", alpn).of(TLS),
    Function::direct("getsniname", server_name).of(TLS),
    Function::direct("getversion", |call| established(call, |tls| one(tls.ssl().version_str()))).of(TLS),
    Function::direct("isresumed", |call| established(call, |tls| one(tls.ssl().session_reused()))).of(TLS),
    Function::wrapped("negotiated", |call| established(call, negotiated)).of(TLS),
    Function::wrapped("role", role).of(TLS),
    Function::wrapped("sni", ask_for).of(TLS).with_strings(&[2]),
    Function::direct("setdane", enable_dane).of(TLS).with_strings(&[2]),
    Function::direct("settlsa", add_record).of(TLS).with_strings(&[5]),
];

/// What `f` says of a connection that is not closed; `nil, "closed"` of one that is.
fn open(call: &Call<'_>, f: impl FnOnce(&mut Connection) -> Values) -> Result<Values, Raise> {
    let (socket, _) = call.this()?;
    Ok(socket.borrow_mut().tls.as_mut().map_or_else(|| failed(CLOSED), |tls| f(tls)))
}

/// What `f` says of a connection after its handshake; `otherwise` of any other.
fn established_or(
    call: &Call<'_>,
    otherwise: impl FnOnce() -> Values,
    f: impl FnOnce(&Connection) -> Values,
) -> Result<Values, Raise> {
    if call.is_in_handshake(1) {
        return Ok(otherwise());
    }
    let (socket, _) = call.this()?;
    let socket = socket.borrow();
    Ok(socket.tls.as_ref().filter(|tls| tls.is_established()).map_or_else(otherwise, |tls| f(tls)))
}

/// The same, with `nil, "closed"` for any other.
fn established(call: &Call<'_>, f: impl FnOnce(&Connection) -> Values) -> Result<Values, Raise> {
    established_or(call, || failed(CLOSED), f)
}

/// The same, with no value for any other.
fn established_or_nothing(call: &Call<'_>, f: impl FnOnce(&Connection) -> Values) -> Result<Values, Raise> {
    established_or(call, nothing, f)
}

fn optional(value: Option<impl Into<Value>>) -> Values {
    one(value.map_or(Value::Nil, Into::into))
}

fn chain(certificates: Vec<Certificate>) -> Values {
    one(Table { array: certificates.into_iter().map(Value::from).collect(), fields: Vec::new() })
}

/// The certificate at the position in argument 2, or the first.
fn certificate_at(
    call: &Call<'_>,
    find: impl FnOnce(&Connection, usize) -> Option<Certificate>,
) -> Result<Values, Raise> {
    let position = call.number_or(2, 1.0)?;
    established(call, |tls| {
        if position < 1.0 {
            return failed("invalid certificate index");
        }
        optional(find(tls, position as usize))
    })
}

/// `getpeercertificate(connection, position)`: a certificate, or nil.
fn peer_certificate(call: &Call<'_>) -> Result<Values, Raise> {
    certificate_at(call, |tls, position| match position {
        1 => tls.peer_certificate(),
        _ => tls.peer_chain().into_iter().nth(position - 1),
    })
}

/// `getlocalcertificate(connection, position)`: a certificate, or nil.
fn local_certificate(call: &Call<'_>) -> Result<Values, Raise> {
    certificate_at(call, |tls, position| {
        if position == 1 {
            return tls.local_certificate();
        }
        // LuaSec counts so: on a client, the first of those behind the own one cannot be reached.
        let skipped = if tls.role() == Role::Server { 2 } else { 1 };
        tls.local_extra_certificates().into_iter().nth(position - skipped)
    })
}

/// `getpeerverification(connection)`: true; or false, and what is wrong: a text, or a table of arrays of
/// texts by depth.
fn verification(call: &Call<'_>) -> Result<Values, Raise> {
    established_or(
        call,
        || one(false).and(CLOSED),
        |tls| match (tls.ssl().verify_result(), tls.recorded_errors()) {
            (X509VerifyResult::OK, _) => one(true),
            (result, None) => one(false).and(result.error_string()),
            (_, Some(errors)) => {
                let array = errors.by_depth().iter().map(|texts| texts_of_certificate(texts)).collect();
                one(false).and(Table { array, fields: Vec::new() })
            }
        },
    )
}

fn texts_of_certificate(texts: &[&'static str]) -> Value {
    if texts.is_empty() {
        return Value::Nil;
    }
    Table { array: texts.iter().copied().map(Value::from).collect(), fields: Vec::new() }.into()
}

/// `failed_check(connection)`: what is wrong with the peer's certificate, also after a handshake that failed;
/// nil if nothing is.
fn failed_check(call: &Call<'_>) -> Result<Values, Raise> {
    open(call, |tls| match tls.ssl().verify_result() {
        X509VerifyResult::OK => one(Value::Nil),
        result => one(result.error_string()),
    })
}

/// Our or the peer's last message of the handshake; no value if there is none. Programs prove by it that there is nobody in
/// between (RFC 5929, tls-unique), and take the client's for the first, which it is not where a session is resumed.
fn message(tls: &Connection, of_peer: bool) -> Values {
    tls.resume_no_more();
    let mut room = vec![0; 1024];
    let length = if of_peer { tls.ssl().peer_finished(&mut room) } else { tls.ssl().finished(&mut room) };
    if length == 0 {
        return nothing();
    }
    room.truncate(length);
    one(Value::Bytes(room))
}

/// `getpeerfinished(connection)`: bytes, or no value.
fn peer_finished(call: &Call<'_>) -> Result<Values, Raise> {
    established_or_nothing(call, |tls| message(tls, true))
}

/// `exportkeyingmaterial(connection, label, length, context)`: bytes, or `nil, error`.
fn export_keys(call: &Call<'_>) -> Result<Values, Raise> {
    const MOST: f64 = 1024.0 * 1024.0;
    let label = call.string(2)?;
    let length = call.whole_number(3)?;
    let context = if call.is_absent(4) { None } else { Some(call.string(4)?) };
    established_or_nothing(call, |tls| {
        let error = || failed("error exporting keying material");
        if !(0.0..=MOST).contains(&length) {
            return error();
        }
        let mut room = vec![0; length as usize];
        if tls.export_keys(&mut room, label, context) { one(Value::Bytes(room)) } else { error() }
    })
}

/// What `f` finds in a connection that is not closed, or in the one in whose handshake the program is
/// called.
fn find(call: &Call<'_>, f: impl FnOnce(&SslRef) -> Option<&[u8]>) -> Result<Values, Raise> {
    let show = |ssl: &SslRef| optional(f(ssl).map(|found| Value::Bytes(found.to_vec())));
    if call.is_in_handshake(1) {
        return Ok(call.context.tls.program.with_ssl(call.address(1), show).unwrap_or_else(nothing));
    }
    open(call, |tls| show(tls.ssl()))
}

/// `getalpn(connection)`: the protocol that was agreed on, or nil.
fn alpn(call: &Call<'_>) -> Result<Values, Raise> {
    find(call, SslRef::selected_alpn_protocol)
}

/// `getsniname(connection)`: the name that was asked for, or nil.
fn server_name(call: &Call<'_>) -> Result<Values, Raise> {
    find(call, |ssl| ssl.servername_raw(NameType::HOST_NAME))
}

/// `negotiated(connection)`: a table of what `info` tells.
fn negotiated(tls: &Connection) -> Values {
    let Some(info) = Info::of(tls.ssl()) else {
        return one(Table::default());
    };
    let fields = vec![
        ("protocol", Value::from(info.protocol)),
        ("cipher", info.cipher.into()),
        ("key", info.key.into()),
        ("authentication", info.authentication.into()),
        ("encryption", info.encryption.into()),
        ("mac", info.mac.into()),
        ("export", info.export.into()),
        ("bits", info.bits.into()),
        ("algbits", info.algorithm_bits.into()),
    ];
    one(Table { array: Vec::new(), fields })
}

/// `role(connection)`: `"client"` or `"server"`, or `nil, "closed"`.
fn role(call: &Call<'_>) -> Result<Values, Raise> {
    open(call, |tls| {
        one(match tls.role() {
            Role::Client => "client",
            Role::Server => "server",
        })
    })
}

/// `sni(connection, name)`: nothing. A client asks for the server of this name.
fn ask_for(call: &Call<'_>) -> Result<Values, Raise> {
    let name = call.string(2)?;
    open(call, |tls| {
        tls.ask_for(name);
        nothing()
    })
}

/// `setdane(connection, host)`: whether it can be verified so.
fn enable_dane(call: &Call<'_>) -> Result<Values, Raise> {
    call.this()?;
    let host = call.string(2)?;
    open(call, |tls| one(tls.enable_dane(host)))
}

/// `settlsa(connection, usage, selector, kind, data)`: whether the record is of use.
fn add_record(call: &Call<'_>) -> Result<Values, Raise> {
    call.this()?;
    let numbers = [call.whole_number(2)?, call.whole_number(3)?, call.whole_number(4)?];
    let data = call.string(5)?;
    open(call, |tls| {
        // What is no byte is no number that means anything.
        let [Ok(usage), Ok(selector), Ok(kind)] = numbers.map(|number| u8::try_from(number as i64)) else {
            return one(false);
        };
        one(tls.add_record(usage, selector, kind, data))
    })
}
