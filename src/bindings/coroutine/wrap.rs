//! `wrap`, where a C function can be continued, so that it can raise what a coroutine failed with after
//! a wait. For Lua 5.1 and LuaJIT `coroutine.lua` does it.

use std::ffi::c_int;

use mlua::ffi::{self, lua_State};

use super::{CONTEXT, LINKS, OWN, Outcome, run};

/// `wrap(fn)`: as `coroutine.wrap`.
///
/// # Safety
/// As `resume`.
pub(super) unsafe extern "C-unwind" fn wrap(state: *mut lua_State) -> c_int {
    // SAFETY: as the caller vouches; the closure has the upvalues that it expects.
    unsafe {
        ffi::luaL_checktype(state, 1, ffi::LUA_TFUNCTION);
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(CONTEXT));
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(LINKS));
        let thread = ffi::lua_newthread(state);
        ffi::lua_pushvalue(state, 1);
        ffi::lua_xmove(state, thread, 1);
        ffi::lua_pushcclosure(state, call, 3);
    }
    1
}

/// What `wrap` returns.
///
/// # Safety
/// As `resume`; upvalue `OWN` is the coroutine.
unsafe extern "C-unwind" fn call(state: *mut lua_State) -> c_int {
    // SAFETY: as the caller vouches; the frame owns nothing when Lua leaves it.
    unsafe {
        let own = ffi::lua_upvalueindex(OWN);
        let arguments = ffi::lua_gettop(state);
        match run(state, ffi::lua_tothread(state, own), own, arguments, false) {
            Outcome::Values(count) => count,
            Outcome::Failed => fail(state),
            // The stack holds nothing else, and so nothing but the outcome when it goes on.
            Outcome::Waits => ffi::lua_yieldk(state, 2, 0, Some(go_on)),
        }
    }
}

/// Where `call` goes on after a wait, with what `resume` would have returned.
///
/// # Safety
/// As `call`.
#[cfg(not(feature = "lua52"))]
unsafe extern "C-unwind" fn go_on(state: *mut lua_State, _: c_int, _: ffi::lua_KContext) -> c_int {
    // SAFETY: as the caller vouches.
    unsafe { finish(state) }
}

/// The same, as Lua 5.2 calls it.
///
/// # Safety
/// As `call`.
#[cfg(feature = "lua52")]
unsafe extern "C-unwind" fn go_on(state: *mut lua_State) -> c_int {
    // SAFETY: as the caller vouches.
    unsafe { finish(state) }
}

/// Returns or raises what `resume` would have returned.
///
/// # Safety
/// As `call`.
unsafe fn finish(state: *mut lua_State) -> c_int {
    // SAFETY: as the caller vouches; the loop passes at least two values if the first is false.
    unsafe { if ffi::lua_toboolean(state, 1) != 0 { ffi::lua_gettop(state) - 1 } else { fail(state) } }
}

/// Raises the error on top of the stack as the interpreter's own `wrap` does: with the position of the
/// call in front, and after closing the coroutine if it has variables to be closed.
///
/// # Safety
/// As `call`.
#[cold]
unsafe fn fail(state: *mut lua_State) -> c_int {
    // SAFETY: as the caller vouches; there is room for two values.
    unsafe {
        close(state);
        let has_position = if cfg!(feature = "lua52") {
            ffi::lua_isstring(state, -1) != 0
        } else {
            ffi::lua_type(state, -1) == ffi::LUA_TSTRING
        };
        if has_position {
            ffi::luaL_where(state, 1);
            ffi::lua_insert(state, -2);
            ffi::lua_concat(state, 2);
        }
        ffi::lua_error(state)
    }
}

/// Closes the coroutine if it failed; the error may be another then.
///
/// # Safety
/// As `call`.
#[cfg(any(feature = "lua54", feature = "lua55"))]
unsafe fn close(state: *mut lua_State) {
    // SAFETY: as the caller vouches; a coroutine that failed does not run.
    unsafe {
        let thread = ffi::lua_tothread(state, ffi::lua_upvalueindex(OWN));
        if !matches!(ffi::lua_status(thread), ffi::LUA_OK | ffi::LUA_YIELD) {
            #[cfg(feature = "lua54")]
            ffi::lua_resetthread(thread);
            #[cfg(feature = "lua55")]
            ffi::lua_closethread(thread, state);
            ffi::lua_xmove(thread, state, 1);
        }
    }
}

/// Nothing: there are no variables to be closed.
///
/// # Safety
/// None to be kept.
#[cfg(any(feature = "lua52", feature = "lua53"))]
unsafe fn close(_: *mut lua_State) {}
