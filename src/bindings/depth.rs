//! How deep coroutines are inside each other, where Lua leaves that to whoever resumes one.

use mlua::ffi::lua_State;

use super::context::Context;

impl Context {
    /// Tells a coroutine that is about to be resumed how deep it is, where Lua leaves that to the caller.
    ///
    /// # Safety
    /// `thread` must be a suspended coroutine and `state` the running one.
    #[inline(always)]
    pub(super) unsafe fn set_depth(&self, state: *mut lua_State, thread: *mut lua_State) {
        #[cfg(feature = "lua51")]
        if let Some(set_level) = self.set_level {
            // SAFETY: as the caller vouches.
            unsafe { set_level(state, thread) };
        }
        let _ = (state, thread);
    }
}

/// The function by which Lua 5.1 hands the depth of C calls on to a coroutine, so that coroutines
/// without end are an error and no crash. Looked up, because LuaJIT, which can load what was built for
/// 5.1, has none.
#[cfg(feature = "lua51")]
pub(super) fn set_level() -> Option<SetLevel> {
    // SAFETY: the name is a C string; the function found by that name has this signature.
    unsafe {
        let function = libc::dlsym(libc::RTLD_DEFAULT, c"lua_setlevel".as_ptr());
        std::mem::transmute::<*mut std::ffi::c_void, Option<SetLevel>>(function)
    }
}

/// `lua_setlevel(from, to)`.
#[cfg(feature = "lua51")]
pub(super) type SetLevel = unsafe extern "C-unwind" fn(*mut lua_State, *mut lua_State);
