//! The state's allocator, watched while a string is made.

use std::ffi::c_void;
use std::ptr;

use mlua::ffi::{self, lua_State};

/// Gives Lua a new block: it is told the size, and how to ask the state's own allocator for one.
pub(super) type NewBlock<'a> = &'a dyn Fn(usize, &dyn Fn() -> *mut c_void) -> *mut c_void;

/// The state's own allocator while it is watched.
struct Watched<'a> {
    allocator: ffi::lua_Alloc,
    data: *mut c_void,
    new_block: NewBlock<'a>,
}

/// Runs `f`, during which all new blocks of this state's come from `new_block`: also those that finalizers ask for, which
/// may watch the allocator themselves meanwhile.
///
/// # Safety
/// `f` must not raise an error. What `new_block` gives must be as the allocator gives it.
pub(super) unsafe fn watch<R>(state: *mut lua_State, new_block: NewBlock<'_>, f: impl FnOnce() -> R) -> R {
    let mut data = ptr::null_mut();
    // SAFETY: `watched` outlives the time in which Lua knows of it.
    unsafe {
        let watched = Watched { allocator: ffi::lua_getallocf(state, &mut data), data, new_block };
        ffi::lua_setallocf(state, allocate, ptr::from_ref(&watched).cast_mut().cast());
        let result = f();
        ffi::lua_setallocf(state, watched.allocator, watched.data);
        result
    }
}

/// The state's own allocator and its data, even while it is watched.
///
/// # Safety
/// The state must be open.
pub(super) unsafe fn own_allocator(state: *mut lua_State) -> (ffi::lua_Alloc, *mut c_void) {
    let mut data = ptr::null_mut();
    // SAFETY: as the caller vouches; this allocator has no other data than that.
    unsafe {
        let mut allocator = ffi::lua_getallocf(state, &mut data);
        while ptr::fn_addr_eq(allocator, allocate as ffi::lua_Alloc) {
            let watched = &*data.cast::<Watched<'_>>();
            (allocator, data) = (watched.allocator, watched.data);
        }
        (allocator, data)
    }
}

/// What the state's own allocator does, but for new blocks.
///
/// # Safety
/// To be called by Lua only, with a [`Watched`] as its data.
unsafe extern "C" fn allocate(
    watched: *mut c_void,
    old: *mut c_void,
    old_size: usize,
    size: usize,
) -> *mut c_void {
    // SAFETY: as the caller vouches.
    unsafe {
        let watched = &*watched.cast::<Watched<'_>>();
        let ask = || (watched.allocator)(watched.data, old, old_size, size);
        if old.is_null() && size > 0 { (watched.new_block)(size, &ask) } else { ask() }
    }
}
