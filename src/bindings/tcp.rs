//! TCP objects: making, binding, connecting.

use socket2::Type;

use super::attempt::Attempt;
use super::call::{Call, Function};
use super::object::{Accepted, Class, TCP};
use super::value::{Raise, Values, failed, one};
use crate::net::address::Family;
use crate::net::connect::{Connecting, new_stream, peer_query};
use crate::net::error;
use crate::net::host::Query;
use crate::net::socket::{Failure, Socket};
use crate::net::timeout::Timeouts;
use crate::scheduler::Direction;

/// Functions of TCP objects.
pub(super) const FUNCTIONS: &[Function] = &[
    Function::direct("tcp", |_| Ok(one((Class::TcpMaster, Socket::new(None, Family::Unspecified))))),
    Function::direct("tcp4", |_| create(Family::Inet)),
    Function::direct("tcp6", |_| create(Family::Inet6)),
    Function::attempted("bind", bind).with_strings(&[2, 3]),
    Function::attempted("connect", connect).with_strings(&[2, 3]),
];

pub(super) const MASTER: Accepted = Accepted(&[Class::TcpMaster], "tcp{master}");
pub(super) const SERVER: Accepted = Accepted(&[Class::TcpServer], "tcp{server}");
pub(super) const CLIENT: Accepted = Accepted(&[Class::TcpClient], "tcp{client}");

fn create(family: Family) -> Result<Values, Raise> {
    Ok(match new_stream(family) {
        Ok(socket) => one((Class::TcpMaster, socket)),
        Err(error) => failed(error::system_error(&error)),
    })
}

/// `bind(socket, host, port, nil, began)`: 1, or `nil, error`.
fn bind(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.socket(1, MASTER)?;
    let (host, service) = (call.name(2)?, call.name(3)?);
    let began = call.began();
    let socket = &mut *socket.borrow_mut();
    let family = socket.family;
    let query = || local_query(&host, &service, family, Type::STREAM);
    Ok(match call.resolve(query, &Timeouts::default(), began)? {
        Attempt::Done(addresses) => bind_to_first(call, socket, &addresses, Type::STREAM),
        Attempt::Again(again) => again.values(),
        Attempt::Failed(error) => failed(error),
    })
}

/// The query for an address to bind to: `"*"` is every interface.
pub(super) fn local_query(host: &str, service: &str, family: Family, kind: Type) -> Query {
    Query {
        host: (host != "*").then(|| host.to_owned()),
        service: Some(service.to_owned()),
        family,
        kind,
        passive: true,
    }
}

/// Binds to the first of `addresses` that allows it.
pub(super) fn bind_to_first(
    call: &Call<'_>,
    socket: &mut Socket,
    addresses: &[std::net::SocketAddr],
    kind: Type,
) -> Values {
    let mut last = "no info on address".into();
    for address in addresses {
        match socket.bind_to(address, kind) {
            Ok(()) => return one(1),
            Err(Failure::Error(text)) => last = text,
            Err(_) => unreachable!("binding never waits"),
        }
        call.context.runtime.release_stale_source(socket);
    }
    failed(last)
}

/// `connect(socket, host, port, nil, began)`: 1, or `nil, error`. The object is a client ever after.
fn connect(call: &Call<'_>) -> Result<Values, Raise> {
    let (cell, _) = call.socket(1, TCP)?;
    let (host, service) = (call.name(2)?, call.name(3)?);
    let began = call.began();
    let socket = &mut *cell.borrow_mut();
    call.set_class(1, Class::TcpClient);
    if began.is_none() {
        socket.connecting = None;
        if socket.descriptor.is_none() {
            // What an earlier connection left unread is nobody's business any more.
            socket.buffer.clear();
        }
    }
    if socket.connecting.is_none() {
        if began.is_some() && !call.has_lookup() {
            // Closed while it waited.
            return Ok(failed(error::CLOSED));
        }
        let family = socket.family;
        match call.resolve(|| peer_query(&host, &service, family), &socket.timeouts, began)? {
            Attempt::Done(addresses) => socket.connecting = Some(Box::new(Connecting::new(addresses))),
            Attempt::Again(again) => return Ok(again.values()),
            Attempt::Failed(error) => return Ok(failed(error)),
        }
    }
    if socket.next_address_due().is_some() {
        // Only one address's share of the time has passed, which is for the attempt to see.
        call.context.runtime.take_timed_out();
    }
    let time_left = call.time_left(&socket.timeouts, began);
    let attempt =
        call.attempt(socket, Direction::Write, began, |socket, _| socket.advance_connection(time_left))?;
    Ok(match attempt {
        Attempt::Done(()) => one(1),
        Attempt::Again(again) => again.values(),
        Attempt::Failed(error) => {
            socket.connecting = None;
            failed(error)
        }
    })
}
