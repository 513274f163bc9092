//! What stream sockets do for connections: listen, accept, shut down.

use std::net::Shutdown;

use super::attempt::Attempt;
use super::call::{Call, Function};
use super::object::Accepted;
use super::value::{Raise, Values, failed, one};
use crate::net::error;
use crate::net::stream::is_exhausted;
use crate::scheduler::Direction;

/// The functions of a family of stream sockets, each of objects of one class.
pub(super) const fn functions(master: Accepted, server: Accepted, client: Accepted) -> [Function; 3] {
    [
        Function::direct("listen", listen).of(master),
        Function::attempted("accept", accept).of(server),
        Function::direct("shutdown", shutdown).of(client).with_strings(&[2]),
    ]
}

/// How many connections may wait to be accepted if the program does not say.
const BACKLOG: f64 = 32.0;

/// `listen(socket, backlog)`: 1, or `nil, error`.
fn listen(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, class) = call.this()?;
    let backlog = call.number_or(2, BACKLOG)?;
    let listened = socket.borrow().open_descriptor().and_then(|descriptor| descriptor.listen(backlog as i32));
    Ok(match listened {
        Ok(()) => {
            call.set_class(1, class.server());
            one(1)
        }
        Err(error) => failed(error::system_error(&error)),
    })
}

/// `accept(socket, nil, nil, nil, began)`: a client, or `nil, error, exhausted`.
fn accept(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, class) = call.this()?;
    let began = call.began();
    let socket = &mut *socket.borrow_mut();
    Ok(match call.attempt(socket, Direction::Read, began, |socket, _| socket.accept())? {
        Attempt::Done(client) => one((class.client(), client)),
        Attempt::Again(again) => again.values(),
        Attempt::Failed(error) => {
            let exhausted = is_exhausted(&error);
            failed(error).and(exhausted)
        }
    })
}

/// `shutdown(socket, how)`: always 1.
fn shutdown(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.this()?;
    let how = if call.is_absent(2) { b"both" } else { call.string(2)? };
    let how = match how {
        b"both" => Shutdown::Both,
        b"send" => Shutdown::Write,
        b"receive" => Shutdown::Read,
        other => {
            let detail = format!("invalid option '{}'", String::from_utf8_lossy(other));
            return Err(call.argument_error(2, detail));
        }
    };
    if let Some(descriptor) = &socket.borrow().descriptor {
        // As LuaSocket: that there was nothing to shut down is no error.
        let _ = descriptor.shutdown(how);
    }
    Ok(one(1))
}
