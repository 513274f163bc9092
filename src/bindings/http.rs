//! What HTTP asks of a socket beyond receiving and sending.

use mlua::ffi::{self, lua_State};

use super::call::{Call, Function};
use super::object::Class;
use super::value::{Raise, Value, Values, one};
use crate::net::headers::{LONGEST_NAME, PlainHeaders, plain_headers};

/// The functions.
pub(super) const FUNCTIONS: &[Function] = &[
    Function::direct("is_cut_off", is_cut_off),
    Function::direct("is_quiet", is_quiet),
    Function::direct("take_headers", take_headers),
];

/// `is_cut_off(socket)`: whether an end of what is received is none that the peer has told by TLS. False without TLS, and if the
/// object is none of our sockets.
fn is_cut_off(call: &Call<'_>) -> Result<Values, Raise> {
    Ok(one(call.any_socket(1).is_some_and(|(socket, _)| socket.borrow().is_cut_off())))
}

/// `is_quiet(socket)`: whether it is open and nothing has arrived; nil if that cannot be told, as the
/// object is none of our sockets, or speaks TLS, where not all that arrives is for the program.
fn is_quiet(call: &Call<'_>) -> Result<Values, Raise> {
    Ok(match call.any_socket(1) {
        Some((socket, Class::TcpClient | Class::UnixStreamClient)) => one(socket.borrow().is_quiet()),
        _ => one(Value::Nil),
    })
}

/// `take_headers(socket, most_headers, most_bytes)`: a table of headers by their names in lower case.
/// nil, with nothing taken, if they are not all there, or not of the plain kind, or too many; and if
/// the object is none of our sockets.
fn take_headers(call: &Call<'_>) -> Result<Values, Raise> {
    let (most_headers, most_bytes) = (call.number(2)? as usize, call.number(3)? as usize);
    let Some((socket, _)) = call.any_socket(1) else {
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
pub(super) unsafe fn push_headers(state: *mut lua_State, bytes: &[u8], headers: &PlainHeaders) {
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
