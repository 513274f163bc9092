//! Receiving and sending.

use crate::bindings::attempt::Attempt;
use crate::bindings::call::{Call, Function};
use crate::bindings::object::TLS;
use crate::bindings::slice::Slice;
use crate::bindings::stream::{at_once, buffered, byte_range, gather, pattern, succeeded};
use crate::bindings::value::{Raise, Value, Values, failed, one};
use crate::net::stream::Received;
use crate::scheduler::Direction;

/// Functions of connections that take or give data.
pub(super) const FUNCTIONS: &[Function] = &[
    Function::waiting("receive", receive).of(TLS).with_strings(&[3]),
    Function::waiting("send", send).of(TLS).with_strings(&[2]),
];

/// `receive(connection, pattern, prefix, nil, began)`: `data`, or `nil, error, partial`.
fn receive(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.this()?;
    let Some((pattern, prefix)) = pattern(call)? else {
        // The prefix alone is as long as what was asked for.
        return Ok(succeeded(Value::Argument(3)));
    };
    let began = call.began();

    let socket = &mut *socket.borrow_mut();
    if let Some(values) = at_once(call, socket, pattern, prefix, began) {
        return Ok(values);
    }
    let is_for_others = call.is_for_others(socket, began);
    let attempt = call.attempt_tls(socket, Direction::Read, began, |socket, may_block| {
        if let Some(outcome) = socket.receive_buffered(pattern) {
            return outcome;
        }
        let (runtime, tls) = (&call.context.runtime, &call.context.tls);
        let (mut scratch, mut buffers) = (runtime.take_scratch(), tls.take_buffers());
        let outcome = socket.receive_decrypted(pattern, &mut scratch, may_block, &mut buffers);
        tls.return_buffers(buffers);
        runtime.return_scratch(scratch);
        outcome
    })?;
    Ok(match attempt {
        Attempt::Done(Received::InScratch(length)) => succeeded(Value::Scratch(Slice { length, prefix })),
        Attempt::Done(Received::InBuffer(found)) => succeeded(buffered(socket, &found, prefix)),
        Attempt::Again(again) => {
            gather(call, socket, pattern, prefix);
            again.values()
        }
        // What has arrived is handed over, once.
        Attempt::Failed(error) if socket.buffer.is_empty() || is_for_others => {
            failed(error).and(prefix.map_or(Value::from(""), Value::Argument))
        }
        Attempt::Failed(error) => {
            let found = socket.partial(pattern);
            failed(error).and(buffered(socket, &found, prefix))
        }
    })
}

/// `send(connection, data, i, j, began, sent)`: the index of the last byte, or `nil, error, index`.
fn send(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.this()?;
    let data = call.string(2)?;
    let range = if call.is_absent(3) && call.is_absent(4) {
        0..data.len()
    } else {
        byte_range(data.len(), call.number_or(3, 1.0)?, call.number_or(4, -1.0)?)
    };
    let first = range.start;
    // From the second attempt on: how many bytes are out already.
    let mut sent = call.progress();
    let began = call.began();
    // An empty range may lie anywhere. It is not left out: there may be something left to send.
    let data = data.get(range).unwrap_or_default();

    let socket = &mut *socket.borrow_mut();
    let mut buffers = call.context.tls.take_buffers();
    let attempt = call.attempt_tls(socket, Direction::Write, began, |socket, _| {
        socket.send_encrypted(data, &mut sent, &mut buffers)
    });
    call.context.tls.return_buffers(buffers);
    Ok(match attempt? {
        Attempt::Done(()) => succeeded(first + sent),
        Attempt::Again(again) => again.values_with(sent),
        Attempt::Failed(error) => one(Value::Nil).and(error).and(first + sent),
    })
}
