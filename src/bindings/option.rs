//! `setoption` and `getoption`.

use std::ffi::CString;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::call::{Call, Function};
use super::object::Accepted;
use super::value::{Raise, Table, Value, Values, failed, nothing, one};
use crate::net::address::parse_ipv4;
use crate::net::error;
use crate::net::options::{self, Shape, SocketOption, Value as OptionValue};

/// The function that reads options of these objects.
pub(super) const fn getter(any: Accepted) -> Function {
    Function::direct("getoption", get).of(any).with_strings(&[2])
}

/// The function that sets options of these objects. Behind the value come the fields of a value that
/// is a table, read by the caller.
pub(super) const fn setter(any: Accepted) -> Function {
    Function::wrapped("setoption", set).of(any).with_strings(&[2])
}

/// How much of an unknown name an error shows.
const NAME_SHOWN: usize = 35;

/// `getoption(socket, name)`: the value, or `nil, error`.
fn get(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, class) = call.this()?;
    let option = find(call, |option| option.readable.include(class.family().kinds))?;
    let mut socket = socket.borrow_mut();
    let found_ahead = if option.shape == Shape::Error { socket.failed_ahead.take() } else { None };
    let Some(descriptor) = &socket.descriptor else {
        return Ok(failed("getsockopt failed"));
    };
    let value = match option.shape {
        Shape::Boolean => option.integer(descriptor).map(|value| one(value != 0)),
        Shape::Integer => option.integer(descriptor).map(one),
        Shape::Linger => option.linger(descriptor).map(|(on, seconds)| {
            let fields = vec![("on", Value::from(on)), ("timeout", Value::from(seconds))];
            one(Table { array: Vec::new(), fields })
        }),
        Shape::Interface => option.interface(descriptor).map(|name| one(Value::Bytes(name))),
        Shape::Address => option.address(descriptor).map(|address| one(address.to_string())),
        Shape::Error => option.integer(descriptor).map(|code| match found_ahead.unwrap_or(code) {
            0 => one(Value::Nil),
            code => one(error::errno_text(code)),
        }),
        Shape::Membership | Shape::Membership6 => return Ok(nothing()),
    };
    Ok(value.unwrap_or_else(|_| failed("getsockopt failed")))
}

/// `setoption(socket, name, value, on, timeout, multiaddr, interface)`: 1, or `nil, error`.
fn set(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, class) = call.this()?;
    let option = find(call, |option| option.writable.include(class.family().kinds))?;
    let value = value(call, option.shape)?;
    let socket = socket.borrow();
    let outcome = socket.open_descriptor().and_then(|descriptor| option.set(descriptor, &value));
    Ok(outcome.map_or_else(|_| failed("setsockopt failed"), |()| one(1)))
}

fn find(call: &Call<'_>, allowed: impl Fn(&SocketOption) -> bool) -> Result<&'static SocketOption, Raise> {
    let name = call.string(2)?;
    options::find(name).filter(|option| allowed(option)).ok_or_else(|| {
        let shown = String::from_utf8_lossy(&name[..name.len().min(NAME_SHOWN)]).into_owned();
        call.argument_error(2, format!("unsupported option `{shown}'"))
    })
}

/// Where the value is, and the fields of one that is a table.
const VALUE: i32 = 3;
const ON: i32 = 4;
const TIMEOUT: i32 = 5;
const GROUP: i32 = 6;
const INTERFACE: i32 = 7;

fn value(call: &Call<'_>, shape: Shape) -> Result<OptionValue, Raise> {
    let is_boolean = |index| call.kind(index) == mlua::ffi::LUA_TBOOLEAN;
    let table = || match call.kind(VALUE) {
        mlua::ffi::LUA_TTABLE => Ok(()),
        _ => Err(call.type_error(VALUE, "table")),
    };
    match shape {
        Shape::Boolean if is_boolean(VALUE) => Ok(OptionValue::Integer(call.truth(VALUE).into())),
        Shape::Boolean => Err(call.type_error(VALUE, "boolean")),
        // As LuaSocket: what is no number counts as 0.
        Shape::Integer => Ok(OptionValue::Integer(call.maybe_number(VALUE).unwrap_or(0.0) as i32)),
        Shape::Linger => {
            table()?;
            if !is_boolean(ON) {
                return Err(call.argument_error(VALUE, "boolean 'on' field expected"));
            }
            let seconds = field_number(call, TIMEOUT, VALUE, "number 'timeout' field expected")?;
            Ok(OptionValue::Linger { on: call.truth(ON), seconds: seconds as i32 })
        }
        Shape::Interface => Ok(OptionValue::Interface(call.string(VALUE)?.to_vec())),
        Shape::Address => {
            let text = text(call, VALUE).ok_or_else(|| call.type_error(VALUE, "string"))?;
            let address = address(text).ok_or_else(|| call.argument_error(VALUE, "ip expected"))?;
            Ok(OptionValue::Address(address))
        }
        Shape::Membership => {
            table()?;
            let group = field_text(call, GROUP, "string 'multiaddr' field expected")?;
            let group =
                address(group).ok_or_else(|| call.argument_error(VALUE, "invalid 'multiaddr' ip address"))?;
            let interface = field_text(call, INTERFACE, "string 'interface' field expected")?;
            let interface = address(interface)
                .ok_or_else(|| call.argument_error(VALUE, "invalid 'interface' ip address"))?;
            Ok(OptionValue::Membership { group, interface })
        }
        Shape::Membership6 => {
            table()?;
            let group = field_text(call, GROUP, "string 'multiaddr' field expected")?;
            let group: Ipv6Addr = String::from_utf8(group)
                .ok()
                .and_then(|text| text.parse().ok())
                .ok_or_else(|| call.argument_error(VALUE, "invalid 'multiaddr' ip address"))?;
            let interface = if call.is_absent(INTERFACE) {
                0.0
            } else {
                // The argument number is LuaSocket's slip.
                field_number(call, INTERFACE, -1, "number 'interface' field expected")?
            };
            Ok(OptionValue::Membership6 { group, interface: interface as u32 })
        }
        Shape::Error => Err(call.argument_error(2, "unsupported option `error'")),
    }
}

fn field_number(call: &Call<'_>, index: i32, blamed: i32, detail: &'static str) -> Result<f64, Raise> {
    call.maybe_number(index).ok_or_else(|| call.argument_error(blamed, detail))
}

fn field_text(call: &Call<'_>, index: i32, detail: &'static str) -> Result<Vec<u8>, Raise> {
    text(call, index).ok_or_else(|| call.argument_error(VALUE, detail))
}

/// A string, or a number as a string.
fn text(call: &Call<'_>, index: i32) -> Option<Vec<u8>> {
    let text = call.maybe_string(index).map(<[u8]>::to_vec);
    text.or_else(|| call.maybe_number(index).map(|number| number.to_string().into_bytes()))
}

/// An IPv4 address; `"*"` is any.
fn address(text: Vec<u8>) -> Option<Ipv4Addr> {
    if text == b"*" {
        return Some(Ipv4Addr::UNSPECIFIED);
    }
    parse_ipv4(&CString::new(text).ok()?)
}
