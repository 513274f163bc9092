//! What all socket objects can do.

use std::os::fd::RawFd;

use super::call::{Call, Function};
use super::object::{self, Accepted, Class, TCP, UDP};
use super::value::{Raise, Value, Values, failed, nothing, one};
use crate::net::address::{self, Family};
use crate::net::error;

/// Functions of TCP objects.
pub(super) const TCP_FUNCTIONS: &[Function] = &functions(TCP, TCP);
/// Functions of UDP objects.
pub(super) const UDP_FUNCTIONS: &[Function] = &functions(UDP, UDP_CONNECTED);
/// Functions of connected streams, which count bytes.
pub(super) const STREAM_FUNCTIONS: &[Function] = &[
    Function::direct("getstats", get_statistics).of(CLIENT),
    Function::direct("setstats", set_statistics).of(CLIENT),
];

const CLIENT: Accepted = Accepted(&[Class::TcpClient], "tcp{client}");
const UDP_CONNECTED: Accepted = Accepted(&[Class::UdpConnected], "udp{connected}");

/// The functions of a family: of which classes they are, and of which those that have a peer.
const fn functions(any: Accepted, with_peer: Accepted) -> [Function; 10] {
    [
        Function::direct("close", close).of(any),
        Function::direct("dirty", dirty).of(any),
        Function::direct("getfd", get_descriptor).of(any),
        Function::direct("setfd", set_descriptor).of(any),
        Function::direct("getfamily", get_family).of(any),
        Function::direct("getsockname", get_local_name).of(any),
        Function::direct("getpeername", get_peer_name).of(with_peer),
        Function::direct("settimeout", set_timeout).of(any).with_strings(&[3]),
        Function::direct("gettimeout", get_timeout).of(any),
        Function::direct("tostring", to_string),
    ]
}

/// `close(socket)`: 1, also when it is closed already.
fn close(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.this()?;
    object::close(&call.context.runtime, &mut socket.borrow_mut());
    Ok(one(1))
}

/// `dirty(socket)`: whether received bytes wait in the buffer.
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

/// `getstats(socket)`: bytes received, bytes sent, age in seconds.
pub(super) fn get_statistics(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.this()?;
    let statistics = socket.borrow().statistics;
    Ok(one(statistics.received).and(statistics.sent).and(Value::Float(statistics.age())))
}

/// `setstats(socket, received, sent, age)`: 1.
pub(super) fn set_statistics(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.this()?;
    let statistics = &mut socket.borrow_mut().statistics;
    statistics.received = call.number_or(2, statistics.received)?.trunc();
    statistics.sent = call.number_or(3, statistics.sent)?.trunc();
    if let Some(age) = call.maybe_number(4) {
        statistics.set_age(age);
    }
    Ok(one(1))
}

/// `tostring(socket)`: class and address.
fn to_string(call: &Call<'_>) -> Result<Values, Raise> {
    match call.any_socket(1) {
        Some((_, class)) => Ok(one(format!("{}: {:p}", class.name(), call.address(1)))),
        None => Err(Raise::Message("invalid object passed to 'auxiliar.c:__tostring'".into())),
    }
}
