//! Looking at many sockets at once.

use std::os::fd::{BorrowedFd, RawFd};
use std::time::Duration;

use super::call::{Call, Function};
use super::object::Class;
use super::task::task;
use super::value::{Raise, Table, Value, Values, failed, nothing, one};
use crate::net::address::Family;
use crate::net::error;
use crate::net::readiness;
use crate::net::socket::Socket;
use crate::runtime::deadline_after;
use crate::scheduler::Direction;

/// Functions that take two arrays, of sockets to read from and of sockets to write to; and one that
/// makes a socket for these arrays out of any descriptor.
pub(super) const FUNCTIONS: &[Function] = &[
    Function::wrapped("poll", poll),
    Function::wrapped("park_any", park_any),
    Function::direct("has_only_sockets", has_only_sockets),
    Function::direct("duplicate", duplicate),
];

const DIRECTIONS: [(i32, Direction); 2] = [(1, Direction::Read), (2, Direction::Write)];

/// `poll(readers, writers, seconds)`: the positions of those that are ready now or become so in
/// that time (nil: as long as it takes), in two arrays; nothing if a signal came in between.
///
/// Elements that are no open socket are never ready. Sockets that are known to be ready come first,
/// then the others by their descriptor's number.
fn poll(call: &Call<'_>) -> Result<Values, Raise> {
    let mut ready = [Vec::new(), Vec::new()];
    let mut polled: Vec<(RawFd, Direction, i32)> = Vec::new();
    for (argument, direction) in DIRECTIONS {
        for position in 1..=call.array_length(argument) {
            let state = call.with_element(argument, position, |element| {
                let (socket, _) = call.any_socket(element)?;
                let socket = socket.try_borrow().ok()?;
                Some((socket.number(), socket.is_ready(direction)))
            });
            match state {
                Some((number, true)) if number >= 0 => {
                    ready[usize::from(direction == Direction::Write)].push(position);
                }
                Some((number, _)) if number >= 0 => polled.push((number, direction, position)),
                _ => {}
            }
        }
    }
    let limit = if ready.iter().all(Vec::is_empty) { seconds(call, 3)? } else { Some(Duration::ZERO) };
    polled.sort_by_key(|&(number, ..)| number);
    let descriptors: Vec<_> = polled
        .iter()
        // SAFETY: the sockets are open, and stay so as long as this call lasts.
        .map(|&(number, direction, _)| (unsafe { BorrowedFd::borrow_raw(number) }, direction))
        .collect();
    match readiness::wait_for_any(&descriptors, limit) {
        Ok(found) => {
            for index in found {
                let (_, direction, position) = polled[index];
                ready[usize::from(direction == Direction::Write)].push(position);
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => return Ok(nothing()),
        Err(error) => return Ok(failed(error::system_error(&error))),
    }
    let [readers, writers] = ready.map(|positions| Table {
        array: positions.into_iter().map(Value::from).collect(),
        fields: Vec::new(),
    });
    Ok(one(readers).and(writers))
}

/// `park_any(readers, writers, seconds, id)`: parks the task with this id (nil: the running one) until one of the sockets is ready or
/// closed, it is woken, or the time is up (nil: never). `true`, or `nil, error`.
fn park_any(call: &Call<'_>) -> Result<Values, Raise> {
    let task = if call.is_absent(4) { call.task()? } else { task(call, 4)? };
    let deadline = if call.is_absent(3) { None } else { deadline_after(call.number(3)?) };
    let mut sources = Vec::new();
    for (argument, direction) in DIRECTIONS {
        for position in 1..=call.array_length(argument) {
            let watched = call.with_element(argument, position, |element| {
                let (socket, _) = call.any_socket(element)?;
                let socket = &mut *socket.try_borrow_mut().ok()?;
                socket.descriptor.is_some().then(|| call.context.runtime.watch_socket(socket, direction))
            });
            match watched {
                Some(Ok(source)) => sources.push((source, direction)),
                Some(Err(error)) => return Ok(failed(error::system_error(&error))),
                None => {}
            }
        }
    }
    call.context.runtime.scheduler.borrow_mut().wait_for_any(task, sources, deadline);
    Ok(one(true))
}

/// `has_only_sockets(readers, writers)`: whether every element of both is a socket, open or not.
fn has_only_sockets(call: &Call<'_>) -> Result<Values, Raise> {
    let all = DIRECTIONS.iter().all(|&(argument, _)| {
        (1..=call.array_length(argument)).all(|position| {
            call.with_element(argument, position, |element| call.any_socket(element).is_some())
        })
    });
    Ok(one(all))
}

/// `duplicate(number)`: a socket object around a duplicate of the descriptor with this number, which may
/// be of any kind and somebody else's; or `nil, error`. To be closed by the caller.
fn duplicate(call: &Call<'_>) -> Result<Values, Raise> {
    let number = call.number(1)? as RawFd;
    if number < 0 {
        return Err(call.argument_error(1, "no descriptor"));
    }
    // SAFETY: the number is used to duplicate what it stands for now, which fails if that is nothing.
    match unsafe { BorrowedFd::borrow_raw(number) }.try_clone_to_owned() {
        Ok(descriptor) => {
            Ok(one((Class::UdpUnconnected, Socket::new(Some(descriptor.into()), Family::Unspecified))))
        }
        Err(error) => Ok(failed(error::system_error(&error))),
    }
}

/// A time in seconds: nil or negative is no limit.
fn seconds(call: &Call<'_>, index: i32) -> Result<Option<Duration>, Raise> {
    if call.is_absent(index) {
        return Ok(None);
    }
    let seconds = call.number(index)?;
    Ok(if seconds < 0.0 { None } else { Duration::try_from_secs_f64(seconds).ok() })
}
