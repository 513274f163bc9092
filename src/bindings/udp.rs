//! UDP objects.

use socket2::Type;

use super::attempt::Attempt;
use super::call::{Call, Function};
use super::datagram;
use super::object::{Accepted, Class, UDP};
use super::tcp::{bind_to_first, local_query};
use super::value::{Raise, Values, failed, one};
use crate::net::address::Family;
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
    Function::attempted("sendto", send_to).with_strings(&[2, 3, 4]),
];

pub(super) const UNCONNECTED: Accepted = Accepted(&[Class::UdpUnconnected], "udp{unconnected}");
pub(super) const CONNECTED: Accepted = Accepted(&[Class::UdpConnected], "udp{connected}");

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
    let began = call.began();
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
    let began = call.began();
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

/// `sendto(socket, data, ip, port, began)`: the number of bytes, or `nil, error`.
fn send_to(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.socket(1, UNCONNECTED)?;
    let (data, host, port) = (call.string(2)?, call.name(3)?, call.name(4)?);
    let began = call.began();
    let socket = &mut *socket.borrow_mut();
    let address = match numeric_address(&host, &port, socket.family) {
        Ok(address) => address,
        Err(text) => return Ok(failed(text)),
    };
    let attempt =
        call.attempt(socket, Direction::Write, began, |socket, _| socket.send_datagram_to(data, &address))?;
    Ok(datagram::count(attempt))
}
