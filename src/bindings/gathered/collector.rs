//! The garbage collector while a string is made.
//!
//! Blocks that a finalizer asks for are told from those of the string by the call that asks. On LuaJIT they are not always,
//! as a compiled function has no frame: there the collector is stopped for that moment.

use std::cell::Cell;
use std::ffi::c_int;

use mlua::ffi::{self, lua_State};

/// `LUA_GCISRUNNING`, which LuaJIT took from Lua 5.2.
const IS_RUNNING: c_int = 9;

/// The collector of a state in which a string is made.
#[derive(Default)]
pub(super) struct Collector {
    /// Whether it is to be started again.
    was_stopped: Cell<bool>,
}

impl Collector {
    /// Whether it has to be stopped.
    pub(super) const IS_STOPPED: bool = cfg!(feature = "luajit");

    /// Whether it can be kept away from strings in this state.
    ///
    /// # Safety
    /// The state must be open.
    pub(super) unsafe fn can_be_kept_away(state: *mut lua_State) -> bool {
        // SAFETY: as the caller vouches. LuaJIT 2.0 does not know the question, and answers with -1.
        !Self::IS_STOPPED || unsafe { ffi::lua_gc(state, IS_RUNNING, 0) } >= 0
    }

    /// Sees to it that no finalizer is taken for the string of this length. This may run some, and raise their errors.
    ///
    /// # Safety
    /// The state must be open, and the call protected.
    pub(super) unsafe fn keep_away(&self, state: *mut lua_State, length: usize) {
        // SAFETY: as the caller vouches.
        unsafe {
            if Self::IS_STOPPED && ffi::lua_gc(state, IS_RUNNING, 0) == 1 {
                // When it starts again, it does not see that anything was added. So it works for that beforehand.
                ffi::lua_gc(state, ffi::LUA_GCSTEP, (length / 1024) as c_int);
                ffi::lua_gc(state, ffi::LUA_GCSTOP, 0);
                self.was_stopped.set(true);
            }
        }
    }

    /// Starts it again.
    ///
    /// # Safety
    /// The state must be open.
    pub(super) unsafe fn let_run(&self, state: *mut lua_State) {
        if self.was_stopped.take() {
            // SAFETY: as the caller vouches. Nothing is collected before somebody asks for memory.
            unsafe { ffi::lua_gc(state, ffi::LUA_GCRESTART, 0) };
        }
    }
}
