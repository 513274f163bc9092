//! What the loop and the Lua side of tasks need from the scheduler.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::call::{Call, Function};
use super::context::Place;
use super::turn;
use super::value::{Raise, Value, Values, nothing, one};
use crate::net::stream;
use crate::runtime::deadline_after;
use crate::scheduler::{AlarmId, TaskId};

/// Functions about tasks and time.
pub(super) const FUNCTIONS: &[Function] = &[
    Function::direct("spawn", spawn),
    Function::direct("remove", remove),
    Function::direct("next", turn::next),
    Function::direct("set_resumable", set_resumable),
    Function::direct("leave", leave),
    Function::direct("wake", wake),
    Function::wrapped("park", park),
    Function::direct("ready_again", ready_again),
    Function::direct("spend", spend),
    Function::direct("in_task", |call| Ok(one(matches!(call.place(), Place::Task(_))))),
    Function::attempted("current", |call| call.task().map(|task| one(to_lua(task)))),
    Function::direct("is_current", is_current),
    Function::direct("is_outside", |call| Ok(one(call.place() == Place::Outside))),
    Function::wrapped("check_task", |call| call.task().map(|_| nothing())),
    Function::direct("is_socket", |call| Ok(one(call.any_socket(1).is_some()))),
    Function::direct("facts", facts),
    Function::direct("waits", waits),
    Function::direct("set_alarm", set_alarm),
    Function::direct("cancel_alarm", cancel_alarm),
    Function::direct("next_alarm", next_alarm),
    Function::direct("next_alarm_in", next_alarm_in),
    Function::direct("wall_clock", |_| Ok(one(Value::Float(wall_clock())))),
    Function::direct("clock", |call| Ok(one(Value::Float(call.context.runtime.seconds(Instant::now()))))),
    Function::direct("trim", trim),
    Function::direct("descriptor_limit", |_| Ok(one(descriptor_limit()))),
    Function::direct("is_exhausted", is_exhausted),
];

/// `spawn(thread)`: the id of a new task that runs in this coroutine.
fn spawn(call: &Call<'_>) -> Result<Values, Raise> {
    let task = call.context.runtime.scheduler.borrow_mut().spawn();
    call.context.set_thread(task, call.thread(1));
    Ok(one(to_lua(task)))
}

/// Ids count from 1 in Lua, whose arrays do.
pub(super) fn to_lua(task: TaskId) -> usize {
    task.index() + 1
}

pub(super) fn task(call: &Call<'_>, index: i32) -> Result<TaskId, Raise> {
    Ok(TaskId::new((call.number(index)? as usize).wrapping_sub(1)))
}

/// `remove(id)`: forgets a task that ended or was cancelled, with all that it waits for.
fn remove(call: &Call<'_>) -> Result<Values, Raise> {
    let task = task(call, 1)?;
    call.context.set_thread(task, std::ptr::null_mut());
    call.context.lookups.borrow_mut().remove(&task);
    call.context.runtime.scheduler.borrow_mut().remove(task);
    Ok(nothing())
}

/// `set_resumable(id, yes)`: whether this task needs nothing but to be resumed.
fn set_resumable(call: &Call<'_>) -> Result<Values, Raise> {
    call.context.set_resumable(task(call, 1)?, call.truth(2));
    Ok(nothing())
}

/// `leave()`: no task runs any more.
fn leave(call: &Call<'_>) -> Result<Values, Raise> {
    call.context.runtime.leave_task();
    Ok(nothing())
}

/// `is_current(id)`: whether this task was resumed last, and has neither ended nor given way to another.
fn is_current(call: &Call<'_>) -> Result<Values, Raise> {
    let task = task(call, 1)?;
    Ok(one(call.context.runtime.current() == Some(task)))
}

/// `wake(id)`: makes a parked task ready. Whether it was parked.
fn wake(call: &Call<'_>) -> Result<Values, Raise> {
    let task = task(call, 1)?;
    Ok(one(call.context.runtime.scheduler.borrow_mut().wake(task)))
}

/// `park(seconds)`: parks the running task until it is woken or the time is up (nil: never).
fn park(call: &Call<'_>) -> Result<Values, Raise> {
    let task = call.task()?;
    let deadline = if call.is_absent(1) { None } else { deadline_after(call.number(1)?) };
    call.context.runtime.scheduler.borrow_mut().park(task, deadline);
    Ok(nothing())
}

/// `ready_again(id)`: puts a task that runs behind the ready ones.
fn ready_again(call: &Call<'_>) -> Result<Values, Raise> {
    let task = task(call, 1)?;
    call.context.runtime.scheduler.borrow_mut().yield_now(task);
    Ok(nothing())
}

/// `spend()`: counts one operation of the running task; whether it has to yield, being ready again.
fn spend(call: &Call<'_>) -> Result<Values, Raise> {
    Ok(one(match call.place() {
        Place::Task(task) => call.context.runtime.spend(task),
        Place::Outside | Place::PlainCoroutine => false,
    }))
}

/// `facts(id)`: seconds to a task's deadline, or nil; seconds since it last began to run, or nil.
fn facts(call: &Call<'_>) -> Result<Values, Raise> {
    let task = task(call, 1)?;
    let scheduler = call.context.runtime.scheduler.borrow();
    let now = Instant::now();
    let left = scheduler.deadline(task).map(|deadline| deadline.saturating_duration_since(now).as_secs_f64());
    let since = scheduler.last_run(task).map(|last| now.saturating_duration_since(last).as_secs_f64());
    let optional = |seconds: Option<f64>| seconds.map_or(Value::Nil, Value::Float);
    Ok(one(optional(left)).and(optional(since)))
}

/// `waits(id)`: for how many sockets a task waits to read, and to write.
fn waits(call: &Call<'_>) -> Result<Values, Raise> {
    let (reads, writes) = call.context.runtime.scheduler.borrow().waits(task(call, 1)?);
    Ok(one(reads).and(writes))
}

/// `set_alarm(seconds)`: the id of an alarm that the loop will report once; nil if the time is too
/// long to be counted.
fn set_alarm(call: &Call<'_>) -> Result<Values, Raise> {
    let Some(deadline) = deadline_after(call.number(1)?.max(0.0)) else {
        return Ok(one(Value::Nil));
    };
    Ok(one(call.context.runtime.scheduler.borrow_mut().set_alarm(deadline).0))
}

/// `cancel_alarm(id)`: the loop will not report it.
fn cancel_alarm(call: &Call<'_>) -> Result<Values, Raise> {
    let alarm = AlarmId(call.number(1)? as usize);
    call.context.runtime.scheduler.borrow_mut().cancel_alarm(alarm);
    Ok(nothing())
}

/// `next_alarm()`: the id of an alarm that is due, which is spent then; or nil.
fn next_alarm(call: &Call<'_>) -> Result<Values, Raise> {
    let scheduler = &mut *call.context.runtime.scheduler.borrow_mut();
    scheduler.expire(Instant::now());
    Ok(one(scheduler.next_alarm().map_or(Value::Nil, |alarm| alarm.0.into())))
}

/// `next_alarm_in()`: seconds to the earliest alarm, or nil.
fn next_alarm_in(call: &Call<'_>) -> Result<Values, Raise> {
    let next = call.context.runtime.scheduler.borrow().earliest_alarm();
    let left = next.map(|deadline| deadline.saturating_duration_since(Instant::now()).as_secs_f64());
    Ok(one(left.map_or(Value::Nil, Value::Float)))
}

/// `trim()`: gives memory that was freed back to the system, where the allocator keeps it.
fn trim(_: &Call<'_>) -> Result<Values, Raise> {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: may be called at any time.
    unsafe {
        libc::malloc_trim(0);
    }
    Ok(nothing())
}

/// Seconds since 1970.
fn wall_clock() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// `is_exhausted(error)`: whether it says that the process or the system has no descriptor left, or no memory for one.
fn is_exhausted(call: &Call<'_>) -> Result<Values, Raise> {
    let text = call.maybe_string(1).and_then(|text| std::str::from_utf8(text).ok());
    Ok(one(text.is_some_and(stream::is_exhausted)))
}

/// How many descriptors this process may have.
fn descriptor_limit() -> f64 {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current.map_or(f64::from(i32::MAX), |limit| limit as f64)
}
