//! `socket.dns`.

use std::net::SocketAddr;

use super::attempt::Attempt;
use super::call::{Call, Function};
use super::value::{Raise, Table, Value, Values, failed, one};
use crate::net::error::Text;
use crate::net::host::{self, HostAddress, HostEntry};
use crate::net::timeout::Timeouts;

/// Functions of `socket.dns`.
pub(super) const FUNCTIONS: &[Function] = &[
    Function::attempted("getaddrinfo", addresses).with_strings(&[1]),
    Function::attempted("getnameinfo", names).with_strings(&[1, 2]),
    Function::attempted("toip", to_ip).with_strings(&[1]),
    Function::attempted("tohostname", to_host_name).with_strings(&[1]),
    Function::direct("gethostname", |_| Ok(host::own_name().map_or_else(failed, one))),
];

/// What a resolver thread answers.
#[derive(Debug)]
pub(super) enum Answer {
    /// To a connection or a binding.
    Addresses(Result<Vec<SocketAddr>, Text>),
    HostAddresses(Result<Vec<HostAddress>, Text>),
    Names(Result<(Vec<String>, Option<String>), Text>),
    Entry(Result<HostEntry, Text>),
}

/// Runs `job` where it blocks nobody else, and turns its answer into values.
fn look_up(
    call: &Call<'_>,
    job: impl FnOnce() -> Answer + Send + 'static,
    values: impl FnOnce(Answer) -> Values,
) -> Result<Values, Raise> {
    let began = call.began();
    let patience = Timeouts::default();
    let attempt = match call.pending_lookup(&patience, began)? {
        Some(attempt) => attempt,
        None => call.look_up(&patience, began, job)?,
    };
    Ok(match attempt {
        Attempt::Done(answer) => values(answer),
        Attempt::Again(again) => again.values(),
        Attempt::Failed(error) => failed(error),
    })
}

/// `getaddrinfo(host, nil, nil, nil, began)`: an array of `{family, addr}`, or `nil, error`.
fn addresses(call: &Call<'_>) -> Result<Values, Raise> {
    let host = call.name(1)?.into_owned();
    look_up(
        call,
        move || Answer::HostAddresses(host::addresses(&host)),
        |answer| match answer {
            Answer::HostAddresses(Ok(found)) => {
                let array = found.into_iter().map(|HostAddress { family, address }| {
                    Value::from(Table {
                        array: Vec::new(),
                        fields: vec![("family", family.name().into()), ("addr", address.into())],
                    })
                });
                one(Table { array: array.collect(), fields: Vec::new() })
            }
            other => unexpected(other),
        },
    )
}

/// `getnameinfo(host, service, nil, nil, began)`: an array of names and the service's name, or `nil, error`.
fn names(call: &Call<'_>) -> Result<Values, Raise> {
    let optional = |index| match call.is_absent(index) {
        true => Ok(None),
        false => call.name(index).map(|name| Some(name.into_owned())),
    };
    let (host, service) = (optional(1)?, optional(2)?);
    if host.is_none() && service.is_none() {
        return Err(Raise::Message("host and serv cannot be both nil".into()));
    }
    let job = move || Answer::Names(host::names(host.as_deref(), service.as_deref()));
    look_up(call, job, |answer| match answer {
        Answer::Names(Ok((names, service))) => {
            let values =
                one(Table { array: names.into_iter().map(Value::from).collect(), fields: Vec::new() });
            match service {
                Some(service) => values.and(service),
                None => values,
            }
        }
        other => unexpected(other),
    })
}

/// `toip(host, nil, nil, nil, began)`: the first IPv4 address and an info table, or `nil, error`.
fn to_ip(call: &Call<'_>) -> Result<Values, Raise> {
    entry(call, |entry| entry.addresses.first().cloned().map_or(Value::Nil, Value::from))
}

/// `tohostname(address, nil, nil, nil, began)`: the canonical name and an info table, or `nil, error`.
fn to_host_name(call: &Call<'_>) -> Result<Values, Raise> {
    entry(call, |entry| entry.name.clone().into())
}

fn entry(call: &Call<'_>, first: impl FnOnce(&HostEntry) -> Value) -> Result<Values, Raise> {
    let host = call.name(1)?.into_owned();
    look_up(
        call,
        move || Answer::Entry(host::by_address_or_name(&host)),
        |answer| match answer {
            Answer::Entry(Ok(entry)) => {
                let first = first(&entry);
                let list = |items: Vec<String>| {
                    Value::from(Table {
                        array: items.into_iter().map(Value::from).collect(),
                        fields: Vec::new(),
                    })
                };
                let fields = vec![
                    ("name", entry.name.into()),
                    ("alias", list(entry.aliases)),
                    ("ip", list(entry.addresses)),
                ];
                one(first).and(Table { array: Vec::new(), fields })
            }
            other => unexpected(other),
        },
    )
}

/// The values for a failed lookup.
fn unexpected(answer: Answer) -> Values {
    match answer {
        Answer::Addresses(Err(text))
        | Answer::HostAddresses(Err(text))
        | Answer::Names(Err(text))
        | Answer::Entry(Err(text)) => failed(text),
        _ => unreachable!("a task waits for one lookup at a time"),
    }
}
