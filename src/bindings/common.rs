//! What all socket objects can do.

use std::os::fd::RawFd;

use super::call::{Call, Function};
use super::object::{self, Accepted};
use super::value::{Raise, Values, failed, nothing, one};
use crate::net::address::{self, Family};
use crate::net::error;

/// The functions of all objects of a family.
pub(super) const fn functions(any: Accepted) -> [Function; 7] {
    [
        Function::direct("close", close).of(any),
        Function::direct("dirty", dirty).of(any),
        Function::direct("getfd", get_descriptor).of(any),
        Function::direct("setfd", set_descriptor).of(any),
        Function::direct("settimeout", set_timeout).of(any).with_strings(&[3]),
        Function::direct("gettimeout", get_timeout).of(any),
        Function::direct("tostring", to_string),
    ]
}

/// The functions of objects with internet addresses: of which classes they are, and of which those
/// that have a peer.
pub(super) const fn names(any: Accepted, with_peer: Accepted) -> [Function; 3] {
    [
        Function::direct("getfamily", get_family).of(any),
        Function::direct("getsockname", get_local_name).of(any),
        Function::direct("getpeername", get_peer_name).of(with_peer),
    ]
}

/// `close(socket)`: 1, also when it is closed already.
fn close(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.this()?;
    object::close(&call.context.runtime, &mut socket.borrow_mut());
    Ok(one(1))
}

/// `dirty(socket)`: whether received bytes wait in the buffer, or, over TLS, something that has to be looked at.
pub(super) fn dirty(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.this()?;
    Ok(one(socket.borrow().has_received()))
}

/// `getfd(socket)`: the descriptor, -1 if there is none.
pub(super) fn get_descriptor(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.this()?;
    Ok(one(socket.borrow().number()))
}

/// `setfd(socket, descriptor)`: nothing. The present descriptor is neither closed nor checked.
fn set_descriptor(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.this()?;
    let number = call.number(2)? as RawFd;
    let socket = &mut *socket.borrow_mut();
    object::take_descriptor(call.context, socket);
    // SAFETY: the program vouches for the number, as it does with LuaSocket.
    unsafe { socket.replace_descriptor(number) };
    Ok(nothing())
}

/// `getfamily(socket)`: `"inet4"` (also while undecided) or `"inet6"`.
fn get_family(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.this()?;
    let family = socket.borrow().family;
    Ok(one(if family == Family::Inet6 { "inet6" } else { "inet4" }))
}

/// `getsockname(socket)`: address, port, family; or `nil, error`.
fn get_local_name(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.this()?;
    let socket = socket.borrow();
    Ok(name(socket.local_address(), socket.family))
}

/// `getpeername(socket)`: address, port, family; or `nil, error`.
fn get_peer_name(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.this()?;
    let socket = socket.borrow();
    Ok(name(socket.peer_address(), socket.family))
}

fn name(address: std::io::Result<std::net::SocketAddr>, family: Family) -> Values {
    match address {
        Ok(address) => one(address::host_text(&address)).and(address.port()).and(family.name()),
        Err(error) => failed(error::system_error(&error)),
    }
}

/// `settimeout(socket, seconds, mode)`: 1.
pub(super) fn set_timeout(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.this()?;
    let seconds = call.number_or(2, -1.0)?;
    let mode = if call.is_absent(3) { b"b" } else { call.string(3)? };
    let timeouts = &mut socket.borrow_mut().timeouts;
    match mode.first() {
        Some(b'b') => timeouts.block = seconds,
        Some(b't' | b'r') => timeouts.total = seconds,
        _ => return Err(call.argument_error(3, "invalid timeout mode")),
    }
    Ok(one(1))
}

/// `gettimeout(socket)`: the block and the total timeout.
fn get_timeout(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.this()?;
    let timeouts = socket.borrow().timeouts;
    Ok(one(timeouts.block).and(timeouts.total))
}

/// `tostring(socket)`: class and address.
fn to_string(call: &Call<'_>) -> Result<Values, Raise> {
    match call.any_socket(1) {
        Some((_, class)) => Ok(one(format!("{}: {:p}", class.name(), call.address(1)))),
        None => Err(Raise::Message("invalid object passed to 'auxiliar.c:__tostring'".into())),
    }
}
