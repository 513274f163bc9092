//! Taking the headers of an HTTP message out of a socket's receive buffer.

use mlua::ffi::{self, lua_State};

use super::call::{Call, Function};
use super::object::{Accepted, Class};
use super::value::{Raise, Value, Values, one};
use crate::net::headers::{LONGEST_NAME, PlainHeaders, plain_headers};

/// Functions of connected streams.
pub(super) const FUNCTIONS: &[Function] = &[Function::direct("take_headers", take_headers)];

const STREAM: Accepted = Accepted(&[Class::TcpClient], "tcp{client}");

/// `take_headers(socket, most_headers, most_bytes)`: a table of headers by their names in lower case.
/// nil, with nothing taken, if they are not all there, or not of the plain kind, or too many; and if
/// the object is no socket of this kind.
fn take_headers(call: &Call<'_>) -> Result<Values, Raise> {
    let (most_headers, most_bytes) = (call.number(2)? as usize, call.number(3)? as usize);
    let Ok((socket, _)) = call.socket(1, STREAM) else {
        return Ok(one(Value::Nil));
    };
    let socket = &mut *socket.borrow_mut();
    Ok(one(match plain_headers(socket.buffer.as_slice(), most_headers, most_bytes) {
        Some(found) => {
            socket.statistics.received += found.used as f64;
            Value::Headers(Box::new(found))
        }
        None => Value::Nil,
    }))
}

/// Pushes a table of headers that lie in `bytes`.
///
/// # Safety
/// As `Values::push`.
pub(super) unsafe fn push(state: *mut lua_State, bytes: &[u8], headers: &PlainHeaders) {
    let mut lower = [0; LONGEST_NAME];
    // SAFETY: as the caller vouches; there is room for three values, and the slices are readable for
    // their lengths.
    unsafe {
        ffi::lua_createtable(state, 0, headers.list.len() as _);
        for header in &headers.list {
            let name = &mut lower[..header.name.len()];
            name.copy_from_slice(&bytes[header.name.clone()]);
            name.make_ascii_lowercase();
            let value = &bytes[header.value.clone()];
            ffi::lua_pushlstring(state, name.as_ptr().cast(), name.len());
            ffi::lua_pushlstring(state, value.as_ptr().cast(), value.len());
            ffi::lua_rawset(state, -3);
        }
    }
}
