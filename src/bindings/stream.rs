//! What all connected byte streams can do: receive, send, and count.

use std::ffi::c_int;

use super::attempt::Attempt;
use super::call::{Call, Function};
use super::context::Place;
use super::object::Accepted;
use super::slice::Slice;
use super::value::{Raise, Value, Values, failed, one};
use crate::net::buffer::{Found, Pattern};
use crate::net::socket::{Failure, Socket};
use crate::net::stream::Received;
use crate::scheduler::Direction;

/// The argument of `receive` that comes before what is received.
const PREFIX: c_int = 3;

/// The functions of connected streams.
pub(super) const fn functions(client: Accepted) -> [Function; 4] {
    [
        Function::waiting("receive", receive).of(client).with_strings(&[3]),
        Function::waiting("send", send).of(client).with_strings(&[2]),
        Function::direct("getstats", get_statistics).of(client),
        Function::direct("setstats", set_statistics).of(client),
    ]
}

/// `receive(socket, pattern, prefix, most, began)`: `data`, or `nil, error, partial`.
fn receive(call: &Call<'_>) -> Result<Values, Raise> {
    let (place, _) = call.this()?;
    let Some((pattern, prefix)) = pattern(call)? else {
        // The prefix alone is as long as what was asked for.
        return Ok(succeeded(Value::Argument(3)));
    };
    let began = call.began();

    let socket = &mut *place.borrow_mut();
    if let Some(values) = at_once(call, socket, pattern, prefix, began) {
        return Ok(values);
    }
    let is_for_others = call.is_for_others(socket, began);
    let attempt = call.context.runtime.with_scratch(|scratch| {
        call.attempt(socket, Direction::Read, began, |socket, may_block| {
            let outcome = socket.receive(pattern, scratch, may_block);
            if began.is_some() && matches!(outcome, Err(Failure::Blocked(_))) {
                // Woken, yet there is nothing: perhaps only an urgent byte.
                socket.drop_urgent_byte();
            }
            outcome
        })
    })?;
    Ok(match attempt {
        Attempt::Done(Received::InScratch(length)) => succeeded(Value::Scratch(Slice { length, prefix })),
        Attempt::Done(Received::InBuffer(found)) => succeeded(buffered(socket, &found, prefix)),
        Attempt::Again(again) => {
            call.context.set_receiving(place, socket);
            if !socket.buffer.is_empty() {
                // A peer that sends a few bytes and then nothing shall not make the program hold more.
                if let Some(memory) = socket.buffer.settle() {
                    call.context.runtime.keep_memory(memory);
                }
                gather(call, socket, pattern, prefix);
            }
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

/// What `pattern` asks for, if that has been received already and nobody else is to go first. A [`Call::attempt`] comes to
/// the same, but what it has to tell is moved several times, which takes longer than the rest.
#[inline(always)]
pub(super) fn at_once(
    call: &Call<'_>,
    socket: &mut Socket,
    pattern: Pattern,
    prefix: Option<c_int>,
    began: Option<f64>,
) -> Option<Values> {
    if socket.buffer.is_empty() || began.is_some() || socket.descriptor.is_none() {
        return None;
    }
    let runtime = &call.context.runtime;
    let place = call.place();
    if let Place::Task(task) = place
        && !(runtime.may_go_on() && runtime.may_proceed(task, socket, Direction::Read))
    {
        return None;
    }
    let found = socket.buffer.find(pattern)?;
    if let Place::Task(task) = place {
        runtime.spend(task);
    }
    call.end_turn(place, socket);
    Some(succeeded(buffered(socket, &found, prefix)))
}

/// Sees to it that a long answer is gathered where Lua will keep it. To be called when there will be another attempt.
pub(super) fn gather(call: &Call<'_>, socket: &mut Socket, pattern: Pattern, prefix: Option<c_int>) {
    if prefix.is_none()
        && pattern.is_for_much()
        && let Some(strings) = &call.context.strings
    {
        socket.buffer.gather(strings.memory());
    }
}

/// As LuaSocket: three values, of which two are nil.
pub(super) fn succeeded(value: impl Into<Value>) -> Values {
    Values::Success(value.into())
}

/// An answer that lies in the socket's buffer.
pub(super) fn buffered(socket: &mut Socket, found: &Found, prefix: Option<i32>) -> Value {
    socket.statistics.received += found.used as f64;
    Value::Buffered(Slice { length: found.answer, prefix })
}

/// The pattern in argument 2, and the argument that is put in front of what is received; `None` if that
/// is all that is wanted.
#[inline(always)]
pub(super) fn pattern(call: &Call<'_>) -> Result<Option<(Pattern, Option<c_int>)>, Raise> {
    if call.argument_count() == 1 {
        return Ok(Some((Pattern::Line, None)));
    }
    let prefix = call.optional_string(PREFIX)?.filter(|prefix| !prefix.is_empty());
    let pattern = pattern_after(call, prefix.map_or(0, <[u8]>::len))?;
    Ok(pattern.map(|pattern| (pattern, prefix.map(|_| PREFIX))))
}

/// The pattern in argument 2, with its limit in argument 4, if so many bytes are there already; `None`
/// if no more are wanted.
#[inline(always)]
fn pattern_after(call: &Call<'_>, prefix_length: usize) -> Result<Option<Pattern>, Raise> {
    let invalid = || call.argument_error(2, "invalid receive pattern");
    // How much may come at most, as the prefix counts. LuaSocket ignores that argument: only what can be
    // meant as a number counts.
    let most = if call.is_number(4) { call.maybe_number(4) } else { None };
    let most = most.filter(|most| !most.is_nan()).map(|most| (most as usize).saturating_sub(prefix_length));
    let line = most.map_or(Pattern::Line, Pattern::LineUpTo);
    if call.is_absent(2) {
        return Ok(Some(line));
    }
    // First, as to find out that they are no numbers takes longer than everything else here.
    match call.maybe_string(2) {
        Some([b'*', b'l', ..]) => return Ok(Some(line)),
        Some([b'*', b'a', ..]) => return Ok(Some(Pattern::All)),
        _ => {}
    }
    let Some(number) = call.maybe_number(2) else {
        call.string(2)?;
        return Err(invalid());
    };
    // Cut to a whole number; NaN and negative ones are no count.
    if number.is_nan() || number < 0.0 {
        return Err(invalid());
    }
    let wanted = number as usize;
    Ok(match wanted.checked_sub(prefix_length) {
        None => None,
        Some(0) if prefix_length > 0 => None,
        // Nothing at all is a question whether there is something.
        Some(count) => Some(match most {
            Some(most) if count > 0 && most > count => Pattern::Between { least: count, most },
            _ => Pattern::Exactly(count),
        }),
    })
}

/// `send(socket, data, i, j, began, sent)`: the index of the last byte, or `nil, error, index`.
fn send(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.this()?;
    let data = call.string(2)?;
    let range = if call.argument_count() == 2 || call.is_absent(3) && call.is_absent(4) {
        0..data.len()
    } else {
        byte_range(data.len(), call.number_or(3, 1.0)?, call.number_or(4, -1.0)?)
    };
    let first = range.start;
    // From the second attempt on: how many bytes are out already.
    let mut sent = call.progress();
    let began = call.began();
    // An empty range may lie anywhere.
    let wanted = data.get(range).unwrap_or_default();
    if wanted.is_empty() {
        return Ok(succeeded(first));
    }

    let socket = &mut *socket.borrow_mut();
    let attempt =
        call.attempt(socket, Direction::Write, began, |socket, _| socket.send(wanted, &mut sent))?;
    Ok(match attempt {
        Attempt::Done(()) => succeeded(first + sent),
        Attempt::Again(again) => again.values_with(sent),
        Attempt::Failed(error) => one(Value::Nil).and(error).and(first + sent),
    })
}

/// The bytes from `i` to `j` as `string.sub` counts them: from 1, negative ones from the end.
pub(super) fn byte_range(length: usize, i: f64, j: f64) -> std::ops::Range<usize> {
    let length = length as f64;
    let from_start = |index: f64| {
        if index < 0.0 { index.trunc() + length + 1.0 } else { index.trunc() }
    };
    let start = from_start(i).max(1.0);
    let end = from_start(j).min(length);
    if start > end {
        // An empty range: the index before it is what was sent last.
        return (start - 1.0) as usize..(start - 1.0) as usize;
    }
    (start - 1.0) as usize..end as usize
}

/// `getstats(socket)`: bytes received, bytes sent, age in seconds.
pub(super) fn get_statistics(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.this()?;
    let statistics = socket.borrow().statistics;
    Ok(one(statistics.received).and(statistics.sent).and(Value::Float(statistics.age())))
}

/// `setstats(socket, received, sent, age)`: 1.
pub(super) fn set_statistics(call: &Call<'_>) -> Result<Values, Raise> {
    let (socket, _) = call.this()?;
    let statistics = &mut socket.borrow_mut().statistics;
    statistics.received = call.number_or(2, statistics.received)?.trunc();
    statistics.sent = call.number_or(3, statistics.sent)?.trunc();
    if let Some(age) = call.maybe_number(4) {
        statistics.set_age(age);
    }
    Ok(one(1))
}
