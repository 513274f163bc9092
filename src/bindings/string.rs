//! Strings for Lua.
//!
//! A very long one takes longer to get memory for than to be copied, as the system hands out every page by itself.
//! While such a string is made, the state's allocator is watched, so that the pages come all at once. And there may be
//! no memory for it: whoever owns the bytes learns of that, and can put them back before it raises the error.

use std::ffi::{c_int, c_void};
use std::{ptr, slice};

use mlua::ffi::{self, lua_State};

use crate::memory::{WORTH_ASKING, populate};

/// Pushes a string, behind the string at the index `prefix` if there is one. Returns whether that went well; else an error
/// to be raised has been pushed. Of less than [`WORTH_ASKING`] bytes the error is raised at once.
///
/// # Safety
/// There must be room for three values on the stack.
#[inline(always)]
pub(super) unsafe fn push_string(state: *mut lua_State, prefix: Option<c_int>, bytes: &[u8]) -> bool {
    // SAFETY: the bytes are readable for their length; Lua copies them. The rest as the caller vouches.
    unsafe {
        let length = bytes.len() + prefix.map_or(0, |index| ffi::lua_rawlen(state, index) as usize);
        if length >= WORTH_ASKING {
            return push_long(state, prefix, bytes);
        }
        if let Some(prefix) = prefix {
            ffi::lua_pushvalue(state, prefix);
        }
        push_bytes(state, bytes);
        if prefix.is_some() {
            ffi::lua_concat(state, 2);
        }
        true
    }
}

/// Pushes a string that is not long.
///
/// # Safety
/// There must be room for a value on the stack.
#[inline(always)]
pub(super) unsafe fn push_bytes(state: *mut lua_State, bytes: &[u8]) {
    // SAFETY: the bytes are readable for their length; Lua copies them.
    unsafe { ffi::lua_pushlstring(state, bytes.as_ptr().cast(), bytes.len()) };
}

/// The state's own allocator while it is watched.
struct Watched {
    allocator: ffi::lua_Alloc,
    data: *mut c_void,
}

/// # Safety
/// As [`push_string`].
#[cold]
unsafe fn push_long(state: *mut lua_State, prefix: Option<c_int>, bytes: &[u8]) -> bool {
    let mut data = ptr::null_mut();
    // SAFETY: `watched` and `bytes` outlive the protected call, after which nobody knows them; finalizers that run in it
    // may make long strings of their own, one within the other. There is room for the three values.
    unsafe {
        ffi::lua_pushcfunction(state, copy);
        ffi::lua_pushlightuserdata(state, ptr::from_ref(&bytes).cast_mut().cast());
        if let Some(prefix) = prefix {
            ffi::lua_pushvalue(state, prefix);
        }
        let watched = Watched { allocator: ffi::lua_getallocf(state, &mut data), data };
        ffi::lua_setallocf(state, allocate, ptr::from_ref(&watched).cast_mut().cast());
        let outcome = ffi::lua_pcall(state, 1 + c_int::from(prefix.is_some()), 1, 0);
        ffi::lua_setallocf(state, watched.allocator, watched.data);
        outcome == ffi::LUA_OK
    }
}

/// Called by Lua with a pointer to a slice of bytes, and perhaps a string: these bytes, behind that.
///
/// # Safety
/// As the description says.
unsafe extern "C-unwind" fn copy(state: *mut lua_State) -> c_int {
    // SAFETY: as the caller vouches. There is room for a few values, as in every C function.
    unsafe {
        let bytes = *ffi::lua_touserdata(state, 1).cast::<&[u8]>();
        push_bytes(state, bytes);
        ffi::lua_concat(state, ffi::lua_gettop(state) - 1);
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
