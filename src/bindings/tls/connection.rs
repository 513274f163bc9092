//! Connections: making one of a socket, the handshake, and what they tell about themselves.

use std::os::fd::{IntoRawFd, RawFd};
use std::rc::Rc;

use crate::bindings::attempt::Attempt;
use crate::bindings::call::{Call, Function};
use crate::bindings::common;
use crate::bindings::object::{Class, TLS};
use crate::bindings::stream;
use crate::bindings::value::{Raise, Values, failed, nothing, one};
use crate::net::address::Family;
use crate::net::error::CLOSED;
use crate::net::socket::Socket;
use crate::scheduler::Direction;
use crate::tls::connection::Connection;
use crate::tls::verification::Hostname;

use super::context::invalid_hostname;

/// Functions of connections.
pub(super) const FUNCTIONS: &[Function] = &[
    Function::direct("create", create),
    Function::direct("adopt", adopt).of(TLS),
    Function::direct("setfd", set_descriptor).of(TLS),
    Function::direct("expect", expect).of(TLS).with_strings(&[2]),
    Function::attempted("dohandshake", shake_hands).of(TLS),
    Function::direct("want", want).of(TLS),
    Function::direct("dirty", dirty).of(TLS),
    Function::direct("getfd", common::get_descriptor).of(TLS),
    Function::direct("settimeout", common::set_timeout).of(TLS).with_strings(&[3]),
    Function::direct("getstats", stream::get_statistics).of(TLS),
    Function::direct("setstats", stream::set_statistics).of(TLS),
    Function::direct("tostring", to_string).of(TLS),
];

/// `create(context)`: a connection without a descriptor, or `nil, error`.
fn create(call: &Call<'_>) -> Result<Values, Raise> {
    let context = call.tls_context(1)?;
    Ok(match Connection::new(Rc::clone(context)) {
        None => failed("invalid mode"),
        Some(Err(reason)) => failed(format!("error creating SSL object ({reason})")),
        Some(Ok(connection)) => {
            let mut socket = Socket::new(None, Family::Unspecified);
            socket.tls = Some(Box::new(connection));
            one((Class::Tls, socket))
        }
    })
}

/// `adopt(connection, socket)`: whether the socket is one of ours. Then its descriptor is the
/// connection's, with what was received on it already.
fn adopt(call: &Call<'_>) -> Result<Values, Raise> {
    let (connection, _) = call.this()?;
    let Some((socket, _)) = call.any_socket(2).filter(|(_, class)| *class != Class::Tls) else {
        return Ok(one(false));
    };
    let (connection, socket) = (&mut *connection.borrow_mut(), &mut *socket.borrow_mut());
    call.context.runtime.release_socket(socket);
    connection.descriptor = socket.descriptor.take();
    connection.family = socket.family;
    if let Some(tls) = &mut connection.tls {
        tls.take_over(socket.buffer.as_slice());
    }
    socket.buffer.clear();
    socket.forget_knowledge();
    Ok(one(true))
}

/// `setfd(connection, descriptor)`: nothing. Only for a connection that has none yet.
fn set_descriptor(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.this()?;
    let number = call.number(2)? as RawFd;
    let socket = &mut *socket.borrow_mut();
    // SAFETY: the program vouches for the number, as it does with LuaSec.
    unsafe { socket.replace_descriptor(number) };
    if let Some(descriptor) = socket.descriptor.take() {
        // What is no descriptor fails here, and is not ours to close.
        match descriptor.set_nonblocking(true) {
            Ok(()) => socket.descriptor = Some(descriptor),
            Err(_) => drop(descriptor.into_raw_fd()),
        }
    }
    Ok(nothing())
}

/// `expect(connection, hostname)`: true, or `nil, error`. Whom a client is to find at the other end.
fn expect(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.this()?;
    let name = call.string(2)?;
    let Some(hostname) = Hostname::of_bytes(name) else {
        return Ok(failed(invalid_hostname(name)));
    };
    Ok(match &mut socket.borrow_mut().tls {
        None => failed(CLOSED),
        Some(tls) => match tls.expect(hostname) {
            Ok(()) => one(true),
            Err(reason) => failed(format!("error setting hostname ({reason})")),
        },
    })
}

/// `dohandshake(connection, nil, nil, nil, began)`: true, or `false, error`; `nil, error` if it is closed.
fn shake_hands(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.this()?;
    let began = call.began();
    let socket = &mut *socket.borrow_mut();
    if socket.tls.is_none() {
        return Ok(failed(CLOSED));
    }
    let mut buffers = call.context.tls.take_buffers();
    let attempt = call.attempt_tls(socket, Direction::Read, began, |socket, may_block| {
        socket.shake_hands(may_block, &mut buffers)
    });
    call.context.tls.return_buffers(buffers);
    Ok(match attempt? {
        Attempt::Done(()) => {
            call.context.tls.put_off.borrow_mut().extend(socket.put_off_tickets());
            one(true)
        }
        Attempt::Again(again) => again.values(),
        Attempt::Failed(error) => one(false).and(error),
    })
}

/// `want(connection)`: what the last operation had to wait for.
fn want(call: &Call<'_>) -> Result<Values, Raise> {
    if call.is_in_handshake(1) {
        return Ok(one("nothing"));
    }
    let (socket, _) = call.this()?;
    Ok(one(match socket.borrow().tls.as_ref().and_then(|tls| tls.want) {
        None => "nothing",
        Some(Direction::Read) => "read",
        Some(Direction::Write) => "write",
    }))
}

/// `dirty(connection)`: whether something has been received and not handed out.
fn dirty(call: &Call<'_>) -> Result<Values, Raise> {
    if call.is_in_handshake(1) { Ok(one(false)) } else { common::dirty(call) }
}

/// `tostring(connection)`.
fn to_string(call: &Call<'_>) -> Result<Values, Raise> {
    let is_open = call.is_in_handshake(1) || call.this()?.0.borrow().tls.is_some();
    let closed = if is_open { "" } else { " (closed)" };
    Ok(one(format!("SSL connection: {:p}{closed}", call.address(1))))
}
