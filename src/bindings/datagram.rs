//! What all datagram sockets can do: send to their peer, and receive.

use socket2::SockAddr;

use super::attempt::Attempt;
use super::call::{Call, Function};
use super::object::Accepted;
use super::slice::Slice;
use super::value::{Raise, Value, Values, failed, one};
use crate::net::address::{Family, host_text};
use crate::net::socket::Socket;
use crate::net::unix::path_of;
use crate::runtime::SCRATCH_SIZE;
use crate::scheduler::Direction;

/// The functions of a family of datagram sockets: of all of them, and of those without and with a peer.
pub(super) const fn functions(any: Accepted, unconnected: Accepted, connected: Accepted) -> [Function; 3] {
    [
        Function::attempted("send", send).of(connected).with_strings(&[2]),
        Function::attempted("receive", receive).of(any),
        Function::attempted("receivefrom", receive_from).of(unconnected),
    ]
}

/// How large a datagram may be if the program does not say, in bytes.
pub(super) const DATAGRAM_SIZE: f64 = 8192.0;
/// The largest room for a datagram that a program may ask for.
const LARGEST: f64 = 1024.0 * 1024.0 * 1024.0;
/// What a program reads that asks for more, or for so much that there is not enough memory.
const OUT_OF_MEMORY: &str = "out of memory";

/// `send(socket, data, nil, nil, began)`: the number of bytes, or `nil, error`.
fn send(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.this()?;
    let data = call.string(2)?;
    let began = call.began();
    let socket = &mut *socket.borrow_mut();
    let attempt = call.attempt(socket, Direction::Write, began, |socket, _| socket.send_datagram(data))?;
    Ok(count(attempt))
}

/// The result of a function that sends.
pub(super) fn count(attempt: Attempt<usize>) -> Values {
    match attempt {
        Attempt::Done(count) => one(count),
        Attempt::Again(again) => again.values(),
        Attempt::Failed(error) => failed(error),
    }
}

/// `receive(socket, size, nil, nil, began)`: a datagram, or `nil, error`.
fn receive(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.this()?;
    let Some(size) = size(call)? else {
        return Ok(failed(OUT_OF_MEMORY));
    };
    Ok(match receive_one(call, &mut socket.borrow_mut(), size)? {
        Attempt::Done((datagram, _)) => one(datagram),
        Attempt::Again(again) => again.values(),
        Attempt::Failed(error) => failed(error),
    })
}

/// `receivefrom(socket, size, nil, nil, began)`: a datagram and who sent it, or `nil, error`. The sender
/// is an address and a port, or a path.
fn receive_from(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.this()?;
    let Some(size) = size(call)? else {
        return Ok(failed(OUT_OF_MEMORY));
    };
    let socket = &mut *socket.borrow_mut();
    if socket.descriptor.is_none() && call.began().is_none() && socket.family != Family::Unix {
        // LuaSocket's text: it asks for the name of an address that nobody has filled in.
        return Ok(failed("ai_family not supported"));
    }
    Ok(match receive_one(call, socket, size)? {
        Attempt::Done((datagram, sender)) => match sender.as_socket() {
            Some(sender) => one(datagram).and(host_text(&sender)).and(sender.port()),
            None => one(datagram).and(Value::Bytes(path_of(&sender))),
        },
        Attempt::Again(again) => again.values(),
        Attempt::Failed(error) => failed(error),
    })
}

/// How large a datagram the program allows for; `None` if that is more than there can be memory for.
fn size(call: &Call<'_>) -> Result<Option<usize>, Raise> {
    let size = call.number_or(2, DATAGRAM_SIZE)?;
    Ok((0.0..=LARGEST).contains(&size).then_some(size as usize))
}

/// Tries to receive a datagram of up to `size` bytes.
fn receive_one(
    call: &Call<'_>,
    socket: &mut Socket,
    size: usize,
) -> Result<Attempt<(Value, SockAddr)>, Raise> {
    let began = call.began();
    if size > SCRATCH_SIZE && socket.family == Family::Unix {
        // Only there may a datagram be larger than the scratch buffer.
        let mut room = Vec::new();
        if room.try_reserve_exact(size).is_err() {
            return Ok(Attempt::Failed(OUT_OF_MEMORY.into()));
        }
        let attempt = call
            .attempt(socket, Direction::Read, began, |socket, _| socket.receive_large_datagram(&mut room))?;
        return Ok(attempt.map(|(_, sender)| (Value::Bytes(room), sender)));
    }
    let attempt = call.context.runtime.with_scratch(|scratch| {
        let room = &mut scratch[..size.min(SCRATCH_SIZE)];
        call.attempt(socket, Direction::Read, began, |socket, _| socket.receive_datagram(room))
    })?;
    Ok(attempt.map(|(length, sender)| (Value::Scratch(Slice { length, prefix: None }), sender)))
}
