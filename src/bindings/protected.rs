//! Pushing what a frame of ours owns. Lua raises an error when it has no memory, and when the program's finalizers do, which
//! run whenever it wants some; that must not leave the frame, or what it owns is lost. A protected call catches the error, so
//! that the frame can drop what is its own before it goes on with it.

use std::ffi::c_int;
use std::ptr;

use mlua::ffi::{self, lua_State};
use mlua::{Lua, Result};

use super::reference;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Protected {
    /// The registry's reference to [`relay`]: to push that takes no memory.
    relay: c_int,
}

/// What pushes one value.
type Push<'a> = &'a mut dyn FnMut(*mut lua_State);

impl Protected {
    /// Prepares a Lua state.
    pub(super) fn new(lua: &Lua) -> Result<Self> {
        // SAFETY: the function raises nothing but what a protected call may catch.
        let relay = unsafe { lua.create_c_function(relay)? };
        Ok(Protected { relay: reference(lua, relay)? })
    }

    /// Pushes the value that `push` pushes, in a call of its own: it finds an empty stack. Returns whether that went well; else
    /// the error has been pushed.
    ///
    /// # Safety
    /// There must be room for two values on the stack, `push` must leave one value, and own nothing when it raises.
    pub(super) unsafe fn push(self, state: *mut lua_State, mut push: Push<'_>) -> bool {
        // SAFETY: as the caller vouches; `push` outlives the call, after which Lua does not know it.
        unsafe {
            ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, self.relay.into());
            ffi::lua_pushlightuserdata(state, ptr::from_mut(&mut push).cast());
            ffi::lua_pcall(state, 1, 1, 0) == ffi::LUA_OK
        }
    }
}

/// Called by [`Protected::push`], with what pushes.
///
/// # Safety
/// As the description says.
unsafe extern "C-unwind" fn relay(state: *mut lua_State) -> c_int {
    // SAFETY: as the caller vouches, and the stack is given to what pushes without the argument.
    unsafe {
        let push = ffi::lua_touserdata(state, 1).cast::<Push<'_>>();
        ffi::lua_settop(state, 0);
        (*push)(state);
    }
    1
}
