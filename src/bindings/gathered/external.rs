//! Since Lua 5.5 a string's bytes may lie wherever they are, if they end with a zero and there is a function that frees
//! them: here the state's own allocator, as this module may be gone before the last string is.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::rc::Rc;

use mlua::Lua;
use mlua::ffi::{self, lua_State};

use crate::memory::gathered::{Gathered, Layout, StringBlock, StringMemory};

/// More than the header of a string takes, in bytes.
const HEADER: usize = 256;

/// There is nothing in front of the bytes.
const LAYOUT: Layout = Layout { header: 0, trailer: 1, unit: 1 };

/// The strings of a state.
pub(in crate::bindings) struct Strings {
    memory: Rc<StringMemory>,
}

impl Strings {
    /// Finds out where a state's strings lie.
    ///
    /// # Errors
    /// Lua's for want of memory.
    pub(in crate::bindings) fn new(lua: &Lua) -> mlua::Result<Option<Self>> {
        let mut memory = None;
        // SAFETY: a state's allocator lives as long as the state, and so does everything that is gathered for it.
        unsafe {
            lua.exec_raw::<()>((), |state| {
                let mut data = ptr::null_mut();
                let allocator = ffi::lua_getallocf(state, &mut data);
                memory = Some(Rc::new(StringMemory::new(allocator, data, LAYOUT)));
            })?;
        }
        Ok(memory.map(|memory| Strings { memory }))
    }

    /// Where they lie.
    pub(in crate::bindings) fn memory(&self) -> &Rc<StringMemory> {
        &self.memory
    }

    /// Whether a string of this length can be made from what was gathered.
    ///
    /// # Safety
    /// None.
    pub(in crate::bindings) unsafe fn can_be_gathered(&self, _state: *mut lua_State, _length: usize) -> bool {
        true
    }

    /// Pushes what was gathered as a string. Otherwise pushes an error to be raised, and returns the bytes unless Lua has
    /// lost them.
    ///
    /// # Safety
    /// There must be room for two values on the stack.
    pub(in crate::bindings) unsafe fn push(
        &self,
        state: *mut lua_State,
        block: StringBlock,
    ) -> Result<(), Option<Gathered>> {
        let (bytes, length) = (block.bytes().cast::<u8>().cast_mut(), block.bytes().len());
        let mut data = ptr::null_mut();
        // SAFETY: the block is the state's own allocator's, and given away once: as long as it is ours, it is whole. `making`
        // outlives the protected call.
        unsafe {
            let allocator = ffi::lua_getallocf(state, &mut data);
            let making = Making { bytes, length, allocator, data, is_ours: Cell::new(true) };
            ffi::lua_pushcfunction(state, make);
            ffi::lua_pushlightuserdata(state, ptr::from_ref(&making).cast_mut().cast());
            let outcome = ffi::lua_pcall(state, 1, 1, 0);
            let left = making.is_ours.get().then(|| block.into_gathered());
            if outcome == ffi::LUA_OK { Ok(()) } else { Err(left) }
        }
    }
}

/// The string that is being made.
struct Making {
    bytes: *mut u8,
    length: usize,
    allocator: ffi::lua_Alloc,
    data: *mut c_void,
    /// Whether Lua has not taken the bytes.
    is_ours: Cell<bool>,
}

/// Called by Lua with a pointer to a [`Making`].
///
/// # Safety
/// As the description says.
unsafe extern "C-unwind" fn make(state: *mut lua_State) -> c_int {
    // SAFETY: as the caller vouches. There is room for a few values, as in every C function. Behind the bytes there is a
    // byte more.
    unsafe {
        let making = &*ffi::lua_touserdata(state, 1).cast::<Making>();
        // Should there be no memory for the string's header, Lua frees the bytes. So there is some.
        let header = (making.allocator)(making.data, ptr::null_mut(), 0, HEADER);
        if header.is_null() {
            return ffi::luaL_error(state, c"not enough memory".as_ptr());
        }
        (making.allocator)(making.data, header, HEADER, 0);
        making.bytes.add(making.length).write(0);
        making.is_ours.set(false);
        ffi::lua_pushexternalstring(
            state,
            making.bytes.cast(),
            making.length,
            Some(making.allocator),
            making.data,
        );
        // The collector does not see what is not in the string's own block. Lua's library does the same.
        if ffi::lua_gc(state, ffi::LUA_GCISRUNNING) != 0 {
            ffi::lua_gc(state, ffi::LUA_GCSTEP, making.length);
        }
    }
    1
}
