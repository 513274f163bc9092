//! Closing, which may have to wait until the peer has been told.

use std::time::Duration;

use crate::bindings::attempt::Attempt;
use crate::bindings::call::{Call, Function};
use crate::bindings::context::Place;
use crate::bindings::object::{self, TLS};
use crate::bindings::value::{Raise, Values, nothing, one};
use crate::net::socket::Failure;
use crate::scheduler::Direction;

/// Functions that close connections.
pub(super) const FUNCTIONS: &[Function] =
    &[Function::attempted("close", close).of(TLS), Function::direct("abandon", abandon).of(TLS)];

/// How long the peer may take to make room for the message that this is the end, in seconds, if the
/// program has set no shorter limit.
const PATIENCE: f64 = 10.0;
/// How long the peer may take at least to confirm what has been sent already, in seconds: it was reported as sent, so
/// it is not given up without need.
const GRACE: f64 = 0.5;

/// `close(connection, nil, nil, nil, began)`: 1.
fn close(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.this()?;
    let began = call.began();
    let socket = &mut *socket.borrow_mut();
    let runtime = &call.context.runtime;
    let Some(tls) = socket.tls.as_ref().filter(|_| call.place() != Place::PlainCoroutine) else {
        object::close(runtime, socket);
        return Ok(one(1));
    };
    if tls.is_established() {
        // Whoever waits is told now, whatever becomes of the rest, and is handed what has arrived.
        if !runtime.is_in_use(socket, Direction::Read) {
            socket.buffer.clear();
        }
        runtime.release_socket(socket);
    }
    if began.is_none() {
        let timeouts = &mut socket.timeouts;
        let limit = timeouts.next_wait(Duration::ZERO).map_or(PATIENCE, |limit| limit.as_secs_f64());
        (timeouts.block, timeouts.total) = (limit.min(PATIENCE), -1.0);
    }
    let mut buffers = call.context.tls.take_buffers();
    let attempt = call.attempt(socket, Direction::Write, began, |socket, _| {
        let outcome = socket.say_end(&mut buffers);
        if matches!(outcome, Err(Failure::Unannounced(_))) {
            socket.timeouts.block = socket.timeouts.block.max(GRACE);
        }
        outcome
    });
    call.context.tls.return_buffers(buffers);
    if let Attempt::Again(again) = attempt? {
        return Ok(again.values());
    }
    let for_those_who_waited = std::mem::take(&mut socket.buffer);
    object::close(runtime, socket);
    socket.buffer = for_those_who_waited;
    Ok(one(1))
}

/// `abandon(connection)`: nothing. Closes it without waiting.
fn abandon(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.this()?;
    object::close(&call.context.runtime, &mut socket.borrow_mut());
    Ok(nothing())
}
