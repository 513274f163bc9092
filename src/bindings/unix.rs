//! Unix sockets: making, binding, connecting, sending to a path.

use socket2::{SockAddr, Type};

use super::attempt::Attempt;
use super::call::{Call, Function};
use super::datagram;
use super::object::{self, Accepted, Class, UNIX_DATAGRAM, UNIX_STREAM};
use super::value::{Raise, Value, Values, failed, one};
use crate::net::error;
use crate::net::socket::Socket;
use crate::net::unix::path_address;
use crate::scheduler::Direction;

/// Functions of unix stream objects.
pub(super) const STREAM_FUNCTIONS: &[Function] = &[
    Function::direct("stream", |_| create(Class::UnixStreamMaster, Type::STREAM)),
    Function::direct("bind", bind).of(MASTER).with_strings(&[2]),
    Function::attempted("connect", connect_stream).with_strings(&[2]),
    Function::direct("getsockname", get_local_name).of(UNIX_STREAM),
];

/// Functions of unix datagram objects.
pub(super) const DATAGRAM_FUNCTIONS: &[Function] = &[
    Function::direct("dgram", |_| create(Class::UnixDatagramUnconnected, Type::DGRAM)),
    Function::direct("bind", bind).of(UNCONNECTED).with_strings(&[2]),
    Function::direct("connect", connect_datagram).of(UNIX_DATAGRAM).with_strings(&[2]),
    Function::attempted("sendto", send_to).of(UNCONNECTED).with_strings(&[2, 3]),
    Function::direct("getsockname", get_local_name).of(UNIX_DATAGRAM),
];

pub(super) const MASTER: Accepted = Accepted(&[Class::UnixStreamMaster], "unixstream{master}");
pub(super) const SERVER: Accepted = Accepted(&[Class::UnixStreamServer], "unixstream{server}");
pub(super) const CLIENT: Accepted = Accepted(&[Class::UnixStreamClient], "unixstream{client}");
pub(super) const UNCONNECTED: Accepted =
    Accepted(&[Class::UnixDatagramUnconnected], "unixdgram{unconnected}");
pub(super) const CONNECTED: Accepted = Accepted(&[Class::UnixDatagramConnected], "unixdgram{connected}");

fn create(class: Class, kind: Type) -> Result<Values, Raise> {
    Ok(match Socket::new_unix(kind) {
        Ok(socket) => one((class, socket)),
        Err(error) => failed(error::system_error(&error)),
    })
}

/// `getsockname(socket)`: the path, or `nil, error`.
fn get_local_name(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.this()?;
    Ok(match socket.borrow().local_path() {
        Ok(path) => one(Value::Bytes(path)),
        Err(error) => failed(error::system_error(&error)),
    })
}

/// The address in argument `index`; in its place, the error that the function returns.
fn address(call: &Call<'_>, index: i32) -> Result<Result<SockAddr, Values>, Raise> {
    Ok(path_address(call.string(index)?).map_err(failed))
}

/// `bind(socket, path)`: 1, or `nil, error`; then the socket is closed.
fn bind(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.this()?;
    let address = match address(call, 2)? {
        Ok(address) => address,
        Err(values) => return Ok(values),
    };
    let socket = &mut *socket.borrow_mut();
    let bound = socket.open_descriptor().and_then(|descriptor| descriptor.bind(&address));
    Ok(match bound {
        Ok(()) => one(1),
        Err(error) => {
            object::close(&call.context.runtime, socket);
            failed(error::system_error(&error))
        }
    })
}

/// `connect(socket, path, nil, nil, began)`: 1, or `nil, error`; then the socket is closed.
fn connect_stream(call: &Call<'_>) -> Result<Values, Raise> {
    let began = call.began();
    let (socket, class) = call.socket(1, if began.is_none() { MASTER } else { UNIX_STREAM })?;
    if class != Class::UnixStreamMaster {
        // Another task has connected it while this one waited.
        return Ok(failed(error::errno_text(libc::EISCONN)));
    }
    let address = match address(call, 2)? {
        Ok(address) => address,
        Err(values) => return Ok(values),
    };
    let socket = &mut *socket.borrow_mut();
    let attempt =
        call.attempt(socket, Direction::Write, began, |socket, _| socket.connect_to_path(&address))?;
    Ok(match attempt {
        Attempt::Done(()) => {
            call.set_class(1, Class::UnixStreamClient);
            one(1)
        }
        Attempt::Again(again) => again.values(),
        Attempt::Failed(error) => {
            object::close(&call.context.runtime, socket);
            failed(error)
        }
    })
}

/// `connect(socket, path)`: 1, or `nil, error`; then the socket is closed.
fn connect_datagram(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.this()?;
    let address = match address(call, 2)? {
        Ok(address) => address,
        Err(values) => return Ok(values),
    };
    let socket = &mut *socket.borrow_mut();
    let Some(descriptor) = &socket.descriptor else {
        return Ok(failed(error::CLOSED));
    };
    Ok(match descriptor.connect(&address) {
        Ok(()) => {
            call.set_class(1, Class::UnixDatagramConnected);
            one(1)
        }
        Err(error) => {
            object::close(&call.context.runtime, socket);
            failed(error::system_error(&error))
        }
    })
}

/// `sendto(socket, data, path, nil, began)`: the number of bytes, or `nil, error`.
fn send_to(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.this()?;
    let data = call.string(2)?;
    let address = match address(call, 3)? {
        Ok(address) => address,
        Err(values) => return Ok(values),
    };
    let began = call.began();
    let socket = &mut *socket.borrow_mut();
    let attempt = call
        .attempt(socket, Direction::Write, began, |socket, _| socket.send_datagram_to_path(data, &address))?;
    Ok(datagram::count(attempt))
}
