//! Before Lua 5.5 there is no function that makes a string where its bytes are. But Lua asks its allocator for the block
//! of a new string, and copies the bytes to where they belong in it: so it gets the block in which they are already, and
//! copies them onto themselves. `memcpy` has to allow that, as compilers use it to assign structures, and mostly notices.
//! How much of a block is in front of a string's bytes, and behind them, is found out with a string made for that.

use std::cell::Cell;
use std::collections::hash_map::RandomState;
use std::ffi::{c_int, c_void};
use std::hash::{BuildHasher, Hasher};
use std::mem::MaybeUninit;
use std::ptr;
use std::rc::Rc;

use mlua::ffi::{self, lua_State};

use crate::bindings::allocator::{own_allocator, watch};
use crate::bindings::string::push_bytes;
use crate::memory::gathered::{Gathered, StringBlock, StringMemory};

/// The memory of a state's strings; `None` if they do not lie in blocks of their own.
///
/// # Safety
/// The state must be open, with room for two values on its stack. This may raise Lua's error for want of memory.
pub(in crate::bindings) unsafe fn string_memory(state: *mut lua_State) -> Option<Rc<StringMemory>> {
    if cfg!(any(feature = "lua51", feature = "luajit")) {
        // There the calls around it may collect and raise errors, and LuaJIT does not always tell a finalizer's frame
        // from ours.
        return None;
    }
    // Long enough to have a block of its own, and like no other string, as equal ones may be one.
    let bytes: [u8; 64] = std::array::from_fn(|_| RandomState::new().build_hasher().finish() as u8);
    let probe = Probe { bytes, frame: Cell::new(None) };
    let found = Cell::new(None);
    let new_block = |size, ask: &dyn Fn() -> *mut c_void| {
        let new = ask();
        // SAFETY: Lua asks in the midst of a call.
        let frame = unsafe { frame(state) };
        if probe.frame.get() == Some(frame) && found.get().is_none() {
            found.set(Some((new, size)));
        }
        new
    };
    // SAFETY: as the caller vouches. The call is protected, and `probe` outlives it. A state's allocator lives as long as
    // the state, and so does everything that is gathered for it.
    unsafe {
        ffi::lua_pushcfunction(state, push_probe);
        ffi::lua_pushlightuserdata(state, ptr::from_ref(&probe).cast_mut().cast());
        let outcome = watch(state, &new_block, || ffi::lua_pcall(state, 1, 1, 0));
        let mut length = 0;
        let start = ffi::lua_tolstring(state, -1, &mut length);
        ffi::lua_pop(state, 1);
        let (block, size) = found.get().filter(|_| outcome == ffi::LUA_OK)?;
        let header = start.addr().checked_sub(block.addr())?;
        let trailer = size.checked_sub(header + length)?;
        let (allocator, data) = own_allocator(state);
        (trailer > 0).then(|| Rc::new(StringMemory::new(allocator, data, header, trailer)))
    }
}

/// A string that is made to see where it lies.
struct Probe {
    bytes: [u8; 64],
    /// The call in which it is made.
    frame: Cell<Option<Frame>>,
}

/// Called by Lua with a pointer to a [`Probe`].
///
/// # Safety
/// As the description says.
unsafe extern "C-unwind" fn push_probe(state: *mut lua_State) -> c_int {
    // SAFETY: as the caller vouches. There is room for a few values, as in every C function.
    unsafe {
        let probe = &*ffi::lua_touserdata(state, 1).cast::<Probe>();
        probe.frame.set(Some(frame(state)));
        push_bytes(state, &probe.bytes);
    }
    1
}

/// Whether a string of this length can be made from what was gathered.
pub(in crate::bindings) fn can_be_gathered(memory: &StringMemory, length: usize) -> bool {
    // Whoever asks for such a block must want this string: those of tables and other arrays have other sizes.
    !memory.size_of_string(length).is_multiple_of(align_of::<usize>())
}

/// The string that is being made.
struct Making {
    block: StringBlock,
    /// Whether Lua has not taken the block.
    is_ours: Cell<bool>,
    /// The call in which Lua is to take it.
    frame: Cell<Option<Frame>>,
}

/// Pushes what was gathered as a string. Otherwise pushes an error to be raised, and returns the bytes, unless there is no
/// memory for them any more.
///
/// # Safety
/// There must be room for two values on the stack, and [`can_be_gathered`] must be so.
pub(in crate::bindings) unsafe fn push_gathered(
    state: *mut lua_State,
    bytes: StringBlock,
) -> Result<(), Option<Gathered>> {
    let making = Making { block: bytes, is_ours: Cell::new(true), frame: Cell::new(None) };
    let new_block = |size, ask: &dyn Fn() -> *mut c_void| {
        if !making.is_ours.get() || size != making.block.size {
            return ask();
        }
        // SAFETY: Lua asks in the midst of a call.
        let frame = unsafe { frame(state) };
        if making.frame.get() != Some(frame) {
            return ask();
        }
        making.is_ours.set(false);
        making.block.block.as_ptr()
    };
    // SAFETY: neither push takes memory, and the call is protected; `making` outlives it. The block is one of the state's
    // own allocator's, and given away once; while it is ours, nothing has been written to it. If Lua has it and yet fails,
    // a finalizer has raised an error when the string was there (Lua 5.3): nothing was collected since.
    unsafe {
        ffi::lua_pushcfunction(state, make);
        ffi::lua_pushlightuserdata(state, ptr::from_ref(&making).cast_mut().cast());
        let is_made = watch(state, &new_block, || ffi::lua_pcall(state, 1, 1, 0)) == ffi::LUA_OK;
        let left = match making.is_ours.get() {
            // What is left of a string that was made otherwise goes, as that is a copy.
            true => Some(making.block.into_gathered()),
            false if !is_made => making.block.copy(),
            false => None,
        };
        if is_made { Ok(()) } else { Err(left) }
    }
}

/// Called by Lua with a pointer to a [`Making`].
///
/// # Safety
/// As the description says.
unsafe extern "C-unwind" fn make(state: *mut lua_State) -> c_int {
    // SAFETY: as the caller vouches. There is room for a few values, as in every C function. The bytes are Lua's to read
    // until it has made the string; in its block they stay where they are.
    unsafe {
        let making = &*ffi::lua_touserdata(state, 1).cast::<Making>();
        making.frame.set(Some(frame(state)));
        let (bytes, length) = making.block.bytes();
        ffi::lua_pushlstring(state, bytes.cast(), length);
    }
    1
}

/// Which call of a function a state is in. A finalizer's is another one than that in whose midst it runs, unless it was
/// compiled.
type Frame = [u8; size_of::<ffi::lua_Debug>()];

/// # Safety
/// The state must be in a call.
unsafe fn frame(state: *mut lua_State) -> Frame {
    let mut record = MaybeUninit::<ffi::lua_Debug>::zeroed();
    // SAFETY: Lua notes in the record which call it is, and touches nothing else. As bytes, all of it is initialised.
    unsafe {
        ffi::lua_getstack(state, 0, record.as_mut_ptr());
        record.as_ptr().cast::<Frame>().read()
    }
}
