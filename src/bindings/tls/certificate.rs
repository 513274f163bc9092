//! Certificates.

use openssl::error::ErrorStack;
use openssl::x509::X509VerifyResult;

use crate::bindings::call::{Call, Function};
use crate::bindings::value::{Raise, Table, Value, Values, failed, one};
use crate::tls::certificate::{Certificate, Encoding, Entry};
use crate::tls::error::reason;

/// Functions of certificates.
pub(super) const FUNCTIONS: &[Function] = &[
    Function::direct("loadcertificate", load).with_strings(&[1]),
    Function::direct("subject", |call| Ok(entries(call.certificate(1)?.subject()))),
    Function::direct("issuer", |call| Ok(entries(call.certificate(1)?.issuer()))),
    Function::direct("alternative_names", alternative_names),
    Function::direct("setencode", set_encoding).with_strings(&[2]),
    Function::direct("notbefore", |call| Ok(one(call.certificate(1)?.not_before()))),
    Function::direct("notafter", |call| Ok(one(call.certificate(1)?.not_after()))),
    Function::direct("validat", is_valid_at),
    Function::direct("serial", |call| outcome(call.certificate(1)?.serial())),
    Function::direct("digest", digest).with_strings(&[2]),
    Function::direct("pubkey", public_key),
    Function::direct("pem", |call| outcome(call.certificate(1)?.to_pem().map(Value::Bytes))),
    Function::direct("getsignaturename", signature_name),
    Function::direct("issued", issued),
];

/// A value, or `nil, error`.
fn outcome(result: Result<impl Into<Value>, ErrorStack>) -> Result<Values, Raise> {
    Ok(match result {
        Ok(value) => one(value),
        Err(stack) => failed(reason(&stack)),
    })
}

/// `loadcertificate(pem)`: a certificate, or nil.
fn load(call: &Call<'_>) -> Result<Values, Raise> {
    Ok(one(Certificate::from_pem(call.string(1)?).map_or(Value::Nil, Value::from)))
}

/// An array of `{oid, name, value}`.
fn entries(entries: Vec<Entry>) -> Values {
    let entry = |entry: Entry| {
        let fields = vec![
            ("oid", Value::from(entry.oid)),
            ("name", Value::from(entry.name)),
            ("value", entry.value.map_or(Value::Nil, Value::Bytes)),
        ];
        Value::from(Table { array: Vec::new(), fields })
    };
    one(Table { array: entries.into_iter().map(entry).collect(), fields: Vec::new() })
}

/// `alternative_names(certificate)`: an array of `{kind, title, value}`, or nil.
fn alternative_names(call: &Call<'_>) -> Result<Values, Raise> {
    let Some(names) = call.certificate(1)?.alternative_names() else {
        return Ok(one(Value::Nil));
    };
    let array = names.into_iter().map(|name| {
        let title = name.title.map_or(Value::Nil, Value::from);
        let value = name.value.map_or(Value::Nil, Value::Bytes);
        let fields = vec![("kind", Value::from(name.kind)), ("title", title), ("value", value)];
        Value::from(Table { array: Vec::new(), fields })
    });
    Ok(one(Table { array: array.collect(), fields: Vec::new() }))
}

/// `setencode(certificate, encoding)`: whether there is such an encoding.
fn set_encoding(call: &Call<'_>) -> Result<Values, Raise> {
    let certificate = call.certificate(1)?;
    let encoding = match call.string(2)? {
        [b'a', b'i', b'5', ..] => Encoding::Raw,
        [b'u', b't', b'f', b'8', ..] => Encoding::Utf8,
        _ => return Ok(one(false)),
    };
    certificate.set_encoding(encoding);
    Ok(one(true))
}

/// `validat(certificate, time)`: whether it is valid at that time, in seconds since 1970.
fn is_valid_at(call: &Call<'_>) -> Result<Values, Raise> {
    let certificate = call.certificate(1)?;
    Ok(one(certificate.is_valid_at(call.whole_number(2)? as i64)))
}

/// `digest(certificate, algorithm)`: a fingerprint in hexadecimal, or `nil, error`.
fn digest(call: &Call<'_>) -> Result<Values, Raise> {
    let certificate = call.certificate(1)?;
    let algorithm = if call.is_absent(2) { b"sha1" } else { call.string(2)? };
    match certificate.digest(algorithm) {
        Some(digest) => outcome(digest),
        None => {
            let algorithm = String::from_utf8_lossy(algorithm);
            Ok(failed(format!("digest algorithm not supported ({algorithm})")))
        }
    }
}

/// `pubkey(certificate)`: the key as PEM, its kind, its size in bits; or `nil, error`.
fn public_key(call: &Call<'_>) -> Result<Values, Raise> {
    Ok(match call.certificate(1)?.public_key() {
        Ok(key) => one(Value::Bytes(key.pem)).and(key.kind).and(f64::from(key.bits)),
        Err(stack) => failed(reason(&stack)),
    })
}

/// `getsignaturename(certificate)`: a name, or nil.
fn signature_name(call: &Call<'_>) -> Result<Values, Raise> {
    Ok(one(call.certificate(1)?.signature_name().map_or(Value::Nil, Value::from)))
}

/// `issued(certificate, other, intermediate...)`: whether it vouches for the other one: true, or
/// `nil, error`.
fn issued(call: &Call<'_>) -> Result<Values, Raise> {
    let root = call.certificate(1)?;
    let other = call.certificate(2)?;
    let intermediates: Vec<&Certificate> =
        (3..=call.argument_count()).map(|index| call.certificate(index)).collect::<Result<_, _>>()?;
    Ok(match root.vouches_for(other, &intermediates) {
        Ok(X509VerifyResult::OK) => one(true),
        Ok(result) => failed(result.error_string()),
        Err(stack) => failed(reason(&stack)),
    })
}
