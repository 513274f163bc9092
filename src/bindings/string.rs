//! Strings for Lua.
//!
//! A very long one takes longer to get memory for than to be copied, as the system hands out every page by itself.
//! While such a string is made, the state's allocator is watched, so that the pages come all at once.

use std::ffi::{c_int, c_void};
use std::{ptr, slice};

use mlua::ffi::{self, lua_State};

use crate::memory::{WORTH_ASKING, populate};

/// Pushes a string.
///
/// # Safety
/// There must be room for three values on the stack; may raise an error.
#[inline(always)]
pub(super) unsafe fn push_bytes(state: *mut lua_State, bytes: &[u8]) {
    // SAFETY: the bytes are readable for their length; Lua copies them. The rest as the caller vouches.
    unsafe {
        if bytes.len() < WORTH_ASKING {
            ffi::lua_pushlstring(state, bytes.as_ptr().cast(), bytes.len());
        } else {
            push_long(state, bytes);
        }
    }
}

/// The state's own allocator while it is watched.
struct Watched {
    allocator: ffi::lua_Alloc,
    data: *mut c_void,
}

/// # Safety
/// As [`push_bytes`].
#[cold]
unsafe fn push_long(state: *mut lua_State, bytes: &[u8]) {
    let mut data = ptr::null_mut();
    // SAFETY: `watched` and `bytes` outlive the protected call, after which nobody knows them; finalizers that run in it
    // may make long strings of their own, one within the other. There is room for the two values.
    unsafe {
        ffi::lua_pushcfunction(state, copy);
        ffi::lua_pushlightuserdata(state, ptr::from_ref(&bytes).cast_mut().cast());
        let watched = Watched { allocator: ffi::lua_getallocf(state, &mut data), data };
        ffi::lua_setallocf(state, allocate, ptr::from_ref(&watched).cast_mut().cast());
        let outcome = ffi::lua_pcall(state, 1, 1, 0);
        ffi::lua_setallocf(state, watched.allocator, watched.data);
        if outcome != ffi::LUA_OK {
            ffi::lua_error(state);
        }
    }
}

/// Called by Lua with a pointer to a slice of bytes: a string of these.
///
/// # Safety
/// As the description says.
unsafe extern "C-unwind" fn copy(state: *mut lua_State) -> c_int {
    // SAFETY: as the caller vouches.
    unsafe {
        let bytes = *ffi::lua_touserdata(state, 1).cast::<&[u8]>();
        ffi::lua_pushlstring(state, bytes.as_ptr().cast(), bytes.len());
    }
    1
}

/// What the state's own allocator does, with all pages of what is large and new.
///
/// # Safety
/// To be called by Lua only, with a [`Watched`] as its data.
unsafe extern "C" fn allocate(
    watched: *mut c_void,
    old: *mut c_void,
    old_size: usize,
    size: usize,
) -> *mut c_void {
    // SAFETY: as the caller vouches; what was allocated is not in use yet.
    unsafe {
        let watched = &*watched.cast::<Watched>();
        let new = (watched.allocator)(watched.data, old, old_size, size);
        if old.is_null() && !new.is_null() && size >= WORTH_ASKING {
            populate(slice::from_raw_parts_mut(new.cast(), size));
        }
        new
    }
}
