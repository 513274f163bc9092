//! What the loop does next.
//!
//! Most turns are alike: a task that has waited goes on, and waits again. Such turns are taken here,
//! one after another, as the loop's Lua would take them; with hundreds of connections that saves a
//! tenth of the time. Whatever else a task does (it ends, fails, or waits by the wait protocol) is for
//! the loop, which gets what came of resuming it.

use mlua::ffi::{self, lua_State};

use super::call::Call;
use super::context::Context;
use super::task::to_lua;
use super::value::{Raise, Value, Values, one};
use super::waiting::park;
use crate::net::error;
use crate::runtime::Step;
use crate::scheduler::{Reason, TaskId};

/// How many turns are taken before the loop's Lua goes on, as it is there that the interpreter looks
/// whether a signal came.
const TURNS_IN_A_ROW: usize = 64;

/// `next()`: finds out what is to be done next, waiting for it, and resumes tasks that need nothing else.
///
/// `id, ok, first, second, third`: this task was resumed, and did not just wait; the rest is what came
/// of it. `nil, what, detail` otherwise, where what is `"step"` or, if its deadline passed, `"timeout"`
/// (with a task's id), `"alarm"` (with its id), `"finished"` (with how many tasks there were at a time),
/// `"deadlock"`, or `"look"`: nothing but that the interpreter may look for signals.
pub(super) fn next(call: &Call<'_>) -> Result<Values, Raise> {
    let context = call.context;
    context.set_loop_thread(call.state());
    for _ in 0..TURNS_IN_A_ROW {
        #[cfg(feature = "tls")]
        context.tls.send_put_off();
        let step = context.runtime.next_step().map_err(|error| {
            Raise::Message(format!("waiting for events failed: {}", error::system_error(&error)).into())
        })?;
        let (task, reason) = match step {
            Step::Resume(task, reason) => (task, reason),
            Step::Alarm(alarm) => return Ok(one(Value::Nil).and("alarm").and(alarm.0)),
            Step::Interrupted => break,
            Step::Finished => return Ok(one(Value::Nil).and("finished").and(context.forget_threads())),
            Step::Deadlock => return Ok(one(Value::Nil).and("deadlock")),
        };
        context.prepare(task);
        let found = context.kept(task);
        context.active.set(found.thread);
        if !found.resumable {
            let what = if reason == Reason::Timeout { "timeout" } else { "step" };
            return Ok(one(Value::Nil).and(what).and(to_lua(task)));
        }
        // SAFETY: the coroutine of a task in the scheduler is alive.
        if let Some(outcome) = unsafe { resume(call.state(), context, found.thread, task, reason) } {
            return Ok(outcome);
        }
    }
    Ok(one(Value::Nil).and("look"))
}

/// Resumes a task. `None` if it waits again; else what came of it.
///
/// # Safety
/// `thread` must be the coroutine of that task, and `state` the one in which `next` was called.
#[inline(always)]
unsafe fn resume(
    state: *mut lua_State,
    context: &Context,
    thread: *mut lua_State,
    task: TaskId,
    reason: Reason,
) -> Option<Values> {
    // SAFETY: as the caller vouches. The coroutine yielded, which leaves room for a value; `lua_resume`
    // raises nothing. Both stacks have room for the few values that are pushed, popped or moved.
    unsafe {
        if ffi::lua_status(thread) != ffi::LUA_YIELD {
            return Some(one(to_lua(task)).and(false).and("cannot resume dead coroutine"));
        }
        match reason {
            Reason::Timeout => ffi::lua_pushboolean(thread, 1),
            Reason::Ready => ffi::lua_pushnil(thread),
        }
        context.set_depth(state, thread);
        let mut count = 0;
        let code = ffi::lua_resume(thread, state, 1, &mut count);
        if code == ffi::LUA_YIELD && count == 1 && is_park(thread) {
            ffi::lua_pop(thread, 1);
            return None;
        }
        Some(outcome(state, thread, task, code, count))
    }
}

/// What came of resuming a task that did not just wait, for the loop.
///
/// # Safety
/// As [`resume`], after `lua_resume`.
#[cold]
unsafe fn outcome(
    state: *mut lua_State,
    thread: *mut lua_State,
    task: TaskId,
    code: i32,
    count: i32,
) -> Values {
    let succeeded = code == ffi::LUA_OK || code == ffi::LUA_YIELD;
    // SAFETY: as the caller vouches: the coroutine's stack ends with `count` values, or an error, and
    // there is room for three here.
    unsafe {
        let count = if succeeded { count } else { 1 };
        ffi::lua_pop(thread, (count - 3).max(0));
        ffi::lua_settop(state, 0);
        ffi::lua_xmove(thread, state, count.min(3));
        ffi::lua_settop(state, 3);
    }
    one(to_lua(task)).and(succeeded).and(Value::Arguments(3))
}

/// Whether the value on top of a stack is [`park`].
///
/// # Safety
/// There must be a value.
unsafe fn is_park(thread: *mut lua_State) -> bool {
    // SAFETY: as the caller vouches.
    let found = unsafe { ffi::lua_tocfunction(thread, -1) };
    found.is_some_and(|found| std::ptr::fn_addr_eq(found, park as ffi::lua_CFunction))
}
