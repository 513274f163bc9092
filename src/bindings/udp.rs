//! UDP objects.

use socket2::Type;

use super::attempt::{Attempt, BEGAN};
use super::call::{Call, Function};
use super::object::{Accepted, Class, UDP};
use super::tcp::{bind_to_first, local_query};
use super::value::{Raise, Value, Values, failed, one};
use crate::net::address::{self, Family};
use crate::net::error;
use crate::net::host::{Query, numeric_address};
use crate::net::socket::{Failure, Socket, new_descriptor};
use crate::net::timeout::Timeouts;
use crate::scheduler::Direction;

/// Functions of UDP objects.
pub(super) const FUNCTIONS: &[Function] = &[
    Function::direct("udp", |_| Ok(one((Class::UdpUnconnected, Socket::new(None, Family::Unspecified))))),
    Function::direct("udp4", |_| create(Family::Inet)),
    Function::direct("udp6", |_| create(Family::Inet6)),
    Function::attempted("setsockname", set_local_name).with_strings(&[2, 3]),
    Function::attempted("setpeername", set_peer_name).with_strings(&[2, 3]),
    Function::attempted("send", send).with_strings(&[2]),
    Function::attempted("sendto", send_to).with_strings(&[2, 3, 4]),
    Function::attempted("receive", receive),
    Function::attempted("receivefrom", receive_from),
];

const UNCONNECTED: Accepted = Accepted(&[Class::UdpUnconnected], "udp{unconnected}");
const CONNECTED: Accepted = Accepted(&[Class::UdpConnected], "udp{connected}");

/// How large a datagram may be if the program does not say, in bytes.
pub(super) const DATAGRAM_SIZE: f64 = 8192.0;
/// The largest room for a datagram: none is larger than 64 KiB, whatever the program allows for.
const LARGEST: f64 = 1024.0 * 1024.0 * 1024.0;

fn create(family: Family) -> Result<Values, Raise> {
    Ok(match new_descriptor(family, Type::DGRAM) {
        Ok(descriptor) => one((Class::UdpUnconnected, Socket::new(Some(descriptor), family))),
        Err(error) => failed(error::system_error(&error)),
    })
}

/// `setsockname(socket, host, port, nil, began)`: 1, or `nil, error`.
fn set_local_name(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.socket(1, UNCONNECTED)?;
    let (host, service) = (call.name(2)?, call.name(3)?);
    let began = call.maybe_number(BEGAN);
    let socket = &mut *socket.borrow_mut();
    let family = socket.family;
    let query = || local_query(&host, &service, family, Type::DGRAM);
    Ok(match call.resolve(query, &Timeouts::default(), began)? {
        Attempt::Done(addresses) => bind_to_first(call, socket, &addresses, Type::DGRAM),
        Attempt::Again(again) => again.values(),
        Attempt::Failed(error) => failed(error),
    })
}

/// `setpeername(socket, host, port, nil, began)`: 1, or `nil, error`. `"*"` dissolves the connection.
fn set_peer_name(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.socket(1, UDP)?;
    let host = call.name(2)?;
    let socket = &mut *socket.borrow_mut();
    if host == "*" {
        socket.disconnect_datagram();
        call.set_class(1, Class::UdpUnconnected);
        return Ok(one(1));
    }
    let service = call.name(3)?;
    let began = call.maybe_number(BEGAN);
    let family = socket.family;
    let query = || Query {
        host: Some(host.into_owned()),
        service: Some(service.into_owned()),
        family,
        kind: Type::DGRAM,
        passive: false,
    };
    let addresses = match call.resolve(query, &socket.timeouts, began)? {
        Attempt::Done(addresses) => addresses,
        Attempt::Again(again) => return Ok(again.values()),
        Attempt::Failed(error) => return Ok(failed(error)),
    };
    let mut last = error::CLOSED.into();
    for address in addresses {
        match socket.connect_datagram(&address) {
            Ok(()) => {
                call.set_class(1, Class::UdpConnected);
                return Ok(one(1));
            }
            Err(Failure::Error(text)) => last = text,
            Err(_) => unreachable!("connecting a datagram socket never waits"),
        }
    }
    Ok(failed(last))
}

/// `send(socket, data, nil, nil, began)`: the number of bytes, or `nil, error`.
fn send(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.socket(1, CONNECTED)?;
    let data = call.string(2)?;
    let began = call.maybe_number(BEGAN);
    let socket = &mut *socket.borrow_mut();
    let attempt = call.attempt(socket, Direction::Write, began, |socket, _| socket.send_datagram(data))?;
    Ok(count(attempt))
}

/// `sendto(socket, data, ip, port, began)`: the number of bytes, or `nil, error`.
fn send_to(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.socket(1, UNCONNECTED)?;
    let (data, host, port) = (call.string(2)?, call.name(3)?, call.name(4)?);
    let began = call.maybe_number(BEGAN);
    let socket = &mut *socket.borrow_mut();
    let address = match numeric_address(&host, &port, socket.family) {
        Ok(address) => address,
        Err(text) => return Ok(failed(text)),
    };
    let attempt =
        call.attempt(socket, Direction::Write, began, |socket, _| socket.send_datagram_to(data, &address))?;
    Ok(count(attempt))
}

fn count(attempt: Attempt<usize>) -> Values {
    match attempt {
        Attempt::Done(count) => one(count),
        Attempt::Again(again) => again.values(),
        Attempt::Failed(error) => failed(error),
    }
}

/// `receive(socket, size, nil, nil, began)`: a datagram, or `nil, error`.
fn receive(call: &Call<'_>) -> Result<Values, Raise> {
    call.socket(1, UDP)?;
    receive_any(call, false)
}

/// `receivefrom(socket, size, nil, nil, began)`: a datagram, its sender's address and port, or `nil, error`.
fn receive_from(call: &Call<'_>) -> Result<Values, Raise> {
    call.socket(1, UNCONNECTED)?;
    receive_any(call, true)
}

fn receive_any(call: &Call<'_>, with_sender: bool) -> Result<Values, Raise> {
    let (socket, _) = call.socket(1, UDP)?;
    let size = call.number_or(2, DATAGRAM_SIZE)?;
    if !(0.0..=LARGEST).contains(&size) {
        return Ok(failed("out of memory"));
    }
    let began = call.maybe_number(BEGAN);
    let socket = &mut *socket.borrow_mut();
    if with_sender && began.is_none() && socket.descriptor.is_none() {
        // LuaSocket's text: it asks for the name of an address that nobody has filled in.
        return Ok(failed("ai_family not supported"));
    }
    let size = size as usize;
    // The scratch buffer holds any datagram there is.
    let mut room = call.context.runtime.take_scratch();
    let wanted = size.min(room.len());
    let attempt = call
        .attempt(socket, Direction::Read, began, |socket, _| socket.receive_datagram(&mut room[..wanted]));
    let values = match attempt {
        Ok(Attempt::Done((count, sender))) => {
            let sender = sender.and_then(|sender| sender.as_socket());
            let mut values = one(Value::Bytes(room[..count].to_vec()));
            if let Some(sender) = sender.filter(|_| with_sender) {
                values = values.and(address::host_text(&sender)).and(sender.port());
            }
            Ok(values)
        }
        Ok(Attempt::Again(again)) => Ok(again.values()),
        Ok(Attempt::Failed(error)) => Ok(failed(error)),
        Err(raise) => Err(raise),
    };
    call.context.runtime.return_scratch(room);
    values
}
