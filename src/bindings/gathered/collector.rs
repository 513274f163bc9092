//! The garbage collector while a string is made.
//!
//! Blocks that a finalizer asks for are told from those of the string by the call that asks. LuaJIT does not know in which
//! call it is while compiled code runs: there the collector is stopped for that moment. Before that, it does what the
//! string makes it owe, and afterwards it waits for as long as it would have.

use std::cell::Cell;
use std::ffi::c_int;

use mlua::ffi::{self, lua_State};

/// `LUA_GCISRUNNING`, which LuaJIT 2.1 took from Lua 5.2.
const IS_RUNNING: c_int = 9;

/// What LuaJIT's collector can be started with: it goes on at once, or waits as when a cycle has ended.
const AT_ONCE: c_int = 0;
const AFTER_PAUSE: c_int = -1;

/// The collector of a state, as it is stopped while strings are made.
#[derive(Debug, Default)]
pub(super) struct Collector {
    /// How much was in use when a cycle ended last, in KiB, as far as is known; `None` in the midst of one.
    in_use: Cell<Option<c_int>>,
}

impl Collector {
    /// Whether it has to be stopped.
    pub(super) const IS_STOPPED: bool = cfg!(feature = "luajit");

    /// Whether it can be stopped and started again so that nobody notices.
    ///
    /// # Safety
    /// The state must be open.
    pub(super) unsafe fn can_be_stopped(state: *mut lua_State) -> bool {
        // SAFETY: as the caller vouches. LuaJIT 2.0 does not know the question, and answers with -1.
        unsafe { ffi::lua_gc(state, IS_RUNNING, 0) >= 0 }
    }

    /// Stops it, if it runs, for a string of this length. Returns how to start it again. Before that this may run
    /// finalizers, and raise their errors.
    ///
    /// # Safety
    /// The state must be open, and the call protected.
    pub(super) unsafe fn stop(&self, state: *mut lua_State, length: usize) -> Option<c_int> {
        // SAFETY: as the caller vouches.
        unsafe {
            if ffi::lua_gc(state, IS_RUNNING, 0) != 1 {
                return None;
            }
            let length = (length / 1024) as c_int;
            if self.is_due(state, length) {
                let has_ended = ffi::lua_gc(state, ffi::LUA_GCSTEP, length) == 1;
                self.in_use.set(has_ended.then(|| ffi::lua_gc(state, ffi::LUA_GCCOUNT, 0)));
            }
            let restart = if self.in_use.get().is_some() { AFTER_PAUSE } else { AT_ONCE };
            ffi::lua_gc(state, ffi::LUA_GCSTOP, 0);
            Some(restart)
        }
    }

    /// Whether it has work to do for so many KiB more.
    ///
    /// # Safety
    /// The state must be open.
    unsafe fn is_due(&self, state: *mut lua_State, more: c_int) -> bool {
        let Some(in_use) = self.in_use.get() else {
            return true;
        };
        // SAFETY: as the caller vouches.
        let (pause, now) = unsafe {
            // The percentage of what was in use that it lets there be. To set it is the only way to read it.
            let pause = ffi::lua_gc(state, ffi::LUA_GCSETPAUSE, 0);
            ffi::lua_gc(state, ffi::LUA_GCSETPAUSE, pause);
            (pause, ffi::lua_gc(state, ffi::LUA_GCCOUNT, 0))
        };
        f64::from(now) + f64::from(more) > f64::from(in_use) * f64::from(pause) / 100.0
    }

    /// Starts it again, as [`Collector::stop`] has said.
    ///
    /// # Safety
    /// The state must be open.
    pub(super) unsafe fn restart(state: *mut lua_State, how: c_int) {
        // SAFETY: as the caller vouches. Nothing is collected before somebody asks for memory.
        unsafe { ffi::lua_gc(state, ffi::LUA_GCRESTART, how) };
    }
}
