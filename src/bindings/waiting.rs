//! Functions that wait by themselves, for what a program does all the time.
//!
//! Everywhere else a Lua function stands between the program and the native one: it yields when the
//! task has been parked, and tries again (see `waiting.lua`). From Lua 5.2 on a C function may yield
//! and go on in another one, which saves that Lua function, its frame and its copies of all arguments
//! and results. Nothing of ours is on the stack when it yields: Lua throws our frames away, as it does
//! for an error, and they own nothing then.

use mlua::ffi;

/// The entry point of functions that wait by themselves, if the interpreter allows it.
pub(super) const ENTRY: Option<ffi::lua_CFunction> = entry();

#[cfg(any(feature = "lua51", feature = "luajit"))]
const fn entry() -> Option<ffi::lua_CFunction> {
    None
}

#[cfg(not(any(feature = "lua51", feature = "luajit")))]
const fn entry() -> Option<ffi::lua_CFunction> {
    Some(continued::enter)
}

/// What a task yields when the scheduler knows already what it waits for. A function, because
/// comparing functions runs no metamethod.
///
/// # Safety
/// May be called by Lua; does nothing.
pub(super) unsafe extern "C-unwind" fn park(_: *mut ffi::lua_State) -> std::ffi::c_int {
    0
}

#[cfg(not(any(feature = "lua51", feature = "luajit")))]
mod continued {
    use std::ffi::c_int;

    use mlua::ffi::{self, lua_State};

    use super::super::attempt::Earlier;
    use super::super::call::{Ran, run};
    use super::park;

    /// The entry point.
    ///
    /// # Safety
    /// As that of [`run`].
    pub(super) unsafe extern "C-unwind" fn enter(state: *mut lua_State) -> c_int {
        // SAFETY: as the caller vouches.
        unsafe { attempt(state, Earlier::Known(None)) }
    }

    /// Where Lua goes on when the task is resumed, with whatever it was resumed with on top of
    /// `arguments` values.
    ///
    /// # Safety
    /// To be called by Lua only, in place of [`enter`].
    #[cfg(not(feature = "lua52"))]
    unsafe extern "C-unwind" fn go_on(
        state: *mut lua_State,
        _: c_int,
        arguments: ffi::lua_KContext,
    ) -> c_int {
        // SAFETY: as the caller vouches.
        unsafe {
            ffi::lua_settop(state, arguments as c_int);
            attempt(state, Earlier::Kept)
        }
    }

    /// The same, as Lua 5.2 calls it.
    ///
    /// # Safety
    /// To be called by Lua only, in place of [`enter`].
    #[cfg(feature = "lua52")]
    unsafe extern "C-unwind" fn go_on(state: *mut lua_State) -> c_int {
        let mut arguments = 0;
        // SAFETY: as the caller vouches.
        unsafe {
            ffi::lua_getctx(state, &mut arguments);
            ffi::lua_settop(state, arguments);
            attempt(state, Earlier::Kept)
        }
    }

    /// Tries until there is a result, or the task has to yield.
    ///
    /// # Safety
    /// As that of [`run`].
    #[inline(always)]
    unsafe fn attempt(state: *mut lua_State, mut earlier: Earlier) -> c_int {
        loop {
            // SAFETY: as the caller vouches, there is room for a few values; this frame owns nothing
            // when Lua leaves it by `lua_error`, `lua_yieldk`, or an error in a hook.
            unsafe {
                let again = match run(state, earlier) {
                    Ran::Returned(count) => return count,
                    Ran::Raised => ffi::lua_error(state),
                    Ran::Again(again) => again,
                };
                ffi::lua_pushcfunction(state, park);
                if !again.blocked {
                    let arguments = ffi::lua_gettop(state) - 1;
                    return ffi::lua_yieldk(state, 1, arguments as _, Some(go_on));
                }
                // The program was blocked, perhaps until a signal came: a call gives the interpreter's
                // hooks their chance.
                ffi::lua_call(state, 0, 0);
                earlier = Earlier::Known(Some(again));
            }
        }
    }
}
