//! Strings for Lua.
//!
//! A very long one takes longer to get memory for than to be copied, as the system hands out every page by itself.
//! While such a string is made, the state's allocator is watched, so that the pages come all at once. And there may be
//! no memory for it: whoever owns the bytes learns of that, and can put them back before it raises the error.

use std::ffi::c_int;
use std::ptr;

use mlua::ffi::{self, lua_State};

use crate::memory::WORTH_ASKING;

/// So long a string, in bytes, is worth a protected call: that there is no memory for it is likely enough.
pub(super) const WORTH_PROTECTING: usize = 64 * 1024;

/// Pushes a string, behind the string at the index `prefix` if there is one. Returns whether that went well; else an error
/// to be raised has been pushed. Of less than [`WORTH_PROTECTING`] bytes the error is raised at once.
///
/// # Safety
/// There must be room for three values on the stack.
#[inline(always)]
pub(super) unsafe fn push_string(state: *mut lua_State, prefix: Option<c_int>, bytes: &[u8]) -> bool {
    // SAFETY: the bytes are readable for their length; Lua copies them. The rest as the caller vouches.
    unsafe {
        let length = bytes.len() + prefix.map_or(0, |index| ffi::lua_rawlen(state, index) as usize);
        if length >= WORTH_PROTECTING {
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

/// # Safety
/// As [`push_string`].
#[cold]
unsafe fn push_long(state: *mut lua_State, prefix: Option<c_int>, bytes: &[u8]) -> bool {
    // SAFETY: `bytes` outlives the protected call, after which Lua does not know it. There is room for the three values.
    unsafe {
        ffi::lua_pushcfunction(state, copy);
        ffi::lua_pushlightuserdata(state, ptr::from_ref(&bytes).cast_mut().cast());
        if let Some(prefix) = prefix {
            ffi::lua_pushvalue(state, prefix);
        }
        let arguments = 1 + c_int::from(prefix.is_some());
        let call = || ffi::lua_pcall(state, arguments, 1, 0);
        (if bytes.len() >= WORTH_ASKING { populated(state, call) } else { call() }) == ffi::LUA_OK
    }
}

/// Runs `f`, in which the pages of what is large and new come all at once.
///
/// # Safety
/// `f` must not raise an error.
#[cfg(not(feature = "lua55"))]
unsafe fn populated<R>(state: *mut lua_State, f: impl FnOnce() -> R) -> R {
    use std::ffi::c_void;
    let new_block = |size, ask: &dyn Fn() -> *mut c_void| {
        let new = ask();
        if !new.is_null() && size >= WORTH_ASKING {
            // SAFETY: so much was allocated, and is not in use yet.
            crate::memory::populate(unsafe { std::slice::from_raw_parts_mut(new.cast(), size) });
        }
        new
    };
    // SAFETY: as the caller vouches.
    unsafe { super::allocator::watch(state, &new_block, f) }
}

/// Runs `f`. The strings of Lua's library would keep an allocator that watches, and nearly all that is long is gathered.
///
/// # Safety
/// None.
#[cfg(feature = "lua55")]
unsafe fn populated<R>(_state: *mut lua_State, f: impl FnOnce() -> R) -> R {
    f()
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
