//! What a coroutine is doing, as a program sees it, and what follows from that: whether it may be resumed or closed.

use std::ffi::{CStr, c_int};

use mlua::ffi::{self, lua_State};

use super::{LINKS, OWN, checked_thread};

/// What a coroutine is doing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    Running,
    Suspended,
    Normal,
    Dead,
}

impl Status {
    fn name(self) -> &'static CStr {
        match self {
            Status::Running => c"running",
            Status::Suspended => c"suspended",
            Status::Normal => c"normal",
            Status::Dead => c"dead",
        }
    }
}

/// What `thread`, the value at index `own`, is doing. One that waits is normal: it goes on when the
/// loop says so.
///
/// # Safety
/// As `resume`.
unsafe fn status_of(state: *mut lua_State, thread: *mut lua_State, own: c_int) -> Status {
    // SAFETY: as the caller vouches; two values are pushed and popped, and looking into a stack
    // changes nothing.
    unsafe {
        if thread == state {
            return Status::Running;
        }
        ffi::lua_pushvalue(state, own);
        ffi::lua_rawget(state, ffi::lua_upvalueindex(LINKS));
        let link = ffi::lua_type(state, -1);
        ffi::lua_pop(state, 1);
        match (link, ffi::lua_status(thread)) {
            (ffi::LUA_TNIL, ffi::LUA_YIELD) => Status::Suspended,
            (ffi::LUA_TNIL, ffi::LUA_OK) => {
                let mut record: ffi::lua_Debug = std::mem::zeroed();
                if ffi::lua_getstack(thread, 0, &mut record) != 0 {
                    Status::Normal
                } else if ffi::lua_gettop(thread) == 0 {
                    Status::Dead
                } else {
                    Status::Suspended
                }
            }
            (ffi::LUA_TTHREAD, _) => Status::Normal,
            _ => Status::Dead,
        }
    }
}

/// `status(thread)`: as `coroutine.status`.
///
/// # Safety
/// As `resume`.
pub(super) unsafe extern "C-unwind" fn status(state: *mut lua_State) -> c_int {
    // SAFETY: as the caller vouches.
    unsafe {
        let thread = checked_thread(state);
        let status = status_of(state, thread, 1);
        ffi::lua_pushstring(state, status.name().as_ptr());
    }
    1
}

/// `close(thread)`: as `coroutine.close`.
///
/// # Safety
/// As `resume`.
pub(super) unsafe extern "C-unwind" fn close(state: *mut lua_State) -> c_int {
    // SAFETY: as the caller vouches; the frame owns nothing when Lua leaves it.
    unsafe {
        if cfg!(feature = "lua55") && ffi::lua_gettop(state) == 0 {
            ffi::lua_pushthread(state);
        }
        let thread = checked_thread(state);
        let status = status_of(state, thread, 1);
        // From Lua 5.5 on, a coroutine can close itself.
        if status == Status::Normal || status == Status::Running && cfg!(not(feature = "lua55")) {
            ffi::luaL_where(state, 1);
            ffi::lua_pushstring(state, c"cannot close a ".as_ptr());
            ffi::lua_pushstring(state, status.name().as_ptr());
            ffi::lua_pushstring(state, c" coroutine".as_ptr());
            ffi::lua_concat(state, 4);
            ffi::lua_error(state);
        }
        ffi::lua_settop(state, 1);
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(OWN));
        ffi::lua_insert(state, 1);
        ffi::lua_call(state, 1, ffi::LUA_MULTRET);
        ffi::lua_gettop(state)
    }
}

/// Why a coroutine cannot be resumed, in the interpreter's words.
///
/// # Safety
/// As `resume`.
pub(super) unsafe fn refusal(
    state: *mut lua_State,
    thread: *mut lua_State,
    own: c_int,
) -> Option<&'static CStr> {
    // SAFETY: as the caller vouches.
    let status = unsafe { status_of(state, thread, own) };
    match status {
        Status::Suspended => None,
        Status::Dead => Some(c"cannot resume dead coroutine"),
        #[cfg(feature = "lua51")]
        Status::Normal => Some(c"cannot resume normal coroutine"),
        #[cfg(any(feature = "lua51", feature = "luajit"))]
        _ => Some(c"cannot resume running coroutine"),
        // These take a coroutine for dead whose function has nothing on its stack.
        // SAFETY: likewise.
        #[cfg(any(feature = "lua52", feature = "lua53"))]
        _ if unsafe { ffi::lua_gettop(thread) } == 0 => Some(c"cannot resume dead coroutine"),
        #[cfg(not(any(feature = "lua51", feature = "luajit")))]
        _ => Some(c"cannot resume non-suspended coroutine"),
    }
}
