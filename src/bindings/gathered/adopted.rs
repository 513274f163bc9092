//! Before Lua 5.5 there is no function that makes a string where its bytes are. But Lua asks its allocator for the block
//! of a new string, and copies the bytes to where they belong in it: so it gets the block in which they are already, and
//! copies them onto themselves. `memcpy` has to allow that, as compilers use it to assign structures, and mostly notices.
//! How much of a block is in front of a string's bytes, and behind them, is found out with strings made for that.

use std::cell::Cell;
use std::collections::hash_map::RandomState;
use std::ffi::{c_int, c_void};
use std::hash::{BuildHasher, Hasher};
use std::mem::MaybeUninit;
use std::ptr;
use std::rc::Rc;

use arrayvec::ArrayVec;
use mlua::ffi::{self, lua_State};
use mlua::{LightUserData, Lua, Value};

use super::collector::Collector;
use crate::bindings::allocator::{NewBlock, own_allocator, watch};
use crate::bindings::{closure, reference};
use crate::memory::gathered::{Gathered, Layout, StringBlock, StringMemory};

/// The strings of a state.
pub(in crate::bindings) struct Strings {
    memory: Rc<StringMemory>,
    maker: Maker,
}

impl Strings {
    /// Finds out where a state's strings lie; `None` if not in blocks of their own.
    ///
    /// # Errors
    /// Lua's for want of memory.
    pub(in crate::bindings) fn new(lua: &Lua) -> mlua::Result<Option<Self>> {
        let maker = Maker::new(lua)?;
        let mut memory = None;
        // SAFETY: there is room for a few values.
        unsafe { lua.exec_raw::<()>((), |state| memory = string_memory(state, &maker))? };
        Ok(memory.map(|memory| Strings { memory, maker }))
    }

    /// Where they lie.
    pub(in crate::bindings) fn memory(&self) -> &Rc<StringMemory> {
        &self.memory
    }

    /// Whether a string of this length can be made from what was gathered.
    ///
    /// # Safety
    /// The state must be open.
    pub(in crate::bindings) unsafe fn can_be_gathered(&self, state: *mut lua_State, length: usize) -> bool {
        let size = self.memory.layout().size_of_string(length);
        // SAFETY: as the caller vouches.
        unsafe {
            // What a hook does in the midst of it, nobody knows.
            if ffi::lua_gethook(state).is_some() {
                return false;
            }
            // Whoever asks for a block of that size must want this string. Where the collector is stopped, nobody else asks
            // but the table of all strings, whose size is a power of two. Elsewhere it may run, and work with arrays.
            if Collector::IS_STOPPED {
                !size.is_power_of_two()
            } else {
                !size.is_multiple_of(align_of::<usize>())
            }
        }
    }

    /// Pushes what was gathered as a string. Otherwise pushes an error to be raised, and returns the bytes, unless there is
    /// no memory for them any more.
    ///
    /// # Safety
    /// There must be room for two values on the stack, and [`Strings::can_be_gathered`] must be so.
    pub(in crate::bindings) unsafe fn push(
        &self,
        state: *mut lua_State,
        bytes: StringBlock,
    ) -> Result<(), Option<Gathered>> {
        let is_ours = Cell::new(true);
        // LuaJIT fills the last unit with zeros before it copies the bytes.
        // SAFETY: the block is ours now, and there are fewer bytes than that in its last unit.
        let end: ArrayVec<u8, { Layout::LARGEST_UNIT }> = unsafe { (*bytes.end()).iter().copied().collect() };
        // SAFETY: it is called when the block is a string's that is being made, and Lua has copied the bytes.
        let restore_end = || unsafe { (*bytes.end()).copy_from_slice(&end) };
        let new_block = |size, ask: &dyn Fn() -> *mut c_void| {
            if is_ours.get() && size == bytes.size {
                is_ours.set(false);
                return bytes.block.as_ptr();
            }
            if !is_ours.get() {
                // The table of all strings grows, and LuaJIT may look at their ends.
                restore_end();
            }
            ask()
        };
        // SAFETY: as the caller vouches. The block is one of the state's own allocator's, and given away once; while it is
        // ours, nothing has been written to it. If Lua has it and yet fails, there was an error when the string was there:
        // nothing was collected since, and with its end it is what it was.
        unsafe {
            let is_made = self.maker.make(state, bytes.bytes(), &new_block);
            if !is_ours.get() {
                restore_end();
            }
            let left = match is_ours.get() {
                // What is left of a string that was made otherwise goes, as that is a copy.
                true => Some(bytes.into_gathered()),
                false if !is_made => bytes.copy(),
                false => None,
            };
            if is_made { Ok(()) } else { Err(left) }
        }
    }
}

/// Where the strings of a state lie.
///
/// # Safety
/// The state must be that of the maker, with room for two values on its stack.
unsafe fn string_memory(state: *mut lua_State, maker: &Maker) -> Option<Rc<StringMemory>> {
    // SAFETY: as the caller vouches. A state's allocator lives as long as the state, and so does everything that is
    // gathered for it.
    unsafe {
        if Collector::IS_STOPPED && !Collector::can_be_stopped(state) {
            return None;
        }
        let (header, longer) = probe(state, maker, PROBES[0])?;
        let (_, shorter) = probe(state, maker, PROBES[1])?;
        let layout = Layout::found(header, [(PROBES[0], longer), (PROBES[1], shorter)])?;
        let (allocator, data) = own_allocator(state);
        Some(Rc::new(StringMemory::new(allocator, data, layout)))
    }
}

/// The lengths of strings that are made to see how they lie: long enough to have blocks of their own.
const PROBES: [usize; 2] = [64, 61];

/// Makes a string of this length. How much of its block is in front of it, and how large that is.
///
/// # Safety
/// As [`string_memory`].
unsafe fn probe(state: *mut lua_State, maker: &Maker, length: usize) -> Option<(usize, usize)> {
    // Like no other string, as equal ones may be one.
    let bytes: [u8; PROBES[0]] = std::array::from_fn(|_| RandomState::new().build_hasher().finish() as u8);
    let found = Cell::new(None);
    let new_block = |size, ask: &dyn Fn() -> *mut c_void| {
        let new = ask();
        if found.get().is_none() {
            found.set(Some((new, size)));
        }
        new
    };
    // SAFETY: as the caller vouches.
    unsafe {
        let is_made = maker.make(state, &raw const bytes[..length], &new_block);
        let start = ffi::lua_tolstring(state, -1, ptr::null_mut());
        ffi::lua_pop(state, 1);
        let (block, size) = found.get().filter(|_| is_made)?;
        Some((start.addr().checked_sub(block.addr())?, size))
    }
}

/// What makes strings.
struct Maker {
    /// The function [`make`], in the registry: it may take memory to push a function that is not there yet.
    function: c_int,
    /// Of what it makes a string. The function knows where this is.
    making: Rc<Cell<*const Making>>,
    collector: Rc<Collector>,
}

/// A string that is being made.
struct Making {
    bytes: *const [u8],
    /// The call in which it is made.
    frame: Cell<Option<Frame>>,
    collector: Rc<Collector>,
    /// How the collector is to be started again, if it was stopped.
    restart: Cell<Option<c_int>>,
}

impl Maker {
    fn new(lua: &Lua) -> mlua::Result<Self> {
        let making = Rc::new(Cell::new(ptr::null()));
        let place = Value::LightUserData(LightUserData(Rc::as_ptr(&making).cast_mut().cast()));
        // SAFETY: the upvalue is the one that the function documents.
        let function = reference(lua, unsafe { closure(lua, make, place)? })?;
        Ok(Maker { function, making, collector: Rc::default() })
    }

    /// Pushes a string of these bytes, or an error to be raised. Returns whether it is a string. New blocks that are asked
    /// for in making it come from `new_block`; but those of finalizers do not.
    ///
    /// # Safety
    /// The state must be the maker's, with room for two values on its stack. The bytes must be readable until Lua has made
    /// the string. What `new_block` gives must be as the allocator gives it.
    unsafe fn make(&self, state: *mut lua_State, bytes: *const [u8], new_block: NewBlock<'_>) -> bool {
        let making = Making {
            bytes,
            frame: Cell::new(None),
            collector: self.collector.clone(),
            restart: Cell::new(None),
        };
        let new_block = |size, ask: &dyn Fn() -> *mut c_void| {
            // SAFETY: Lua asks in the midst of a call. LuaJIT runs no compiled code from the moment on in which there is a
            // frame to compare with.
            let is_for_string = making.frame.get().is_some_and(|own| own == unsafe { frame(state) });
            if is_for_string { new_block(size, ask) } else { ask() }
        };
        self.making.set(&making);
        // SAFETY: as the caller vouches. To push what is in the registry takes no memory, and the call is protected;
        // `making` outlives it.
        let outcome = unsafe {
            ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, self.function.into());
            let outcome = watch(state, &new_block, || ffi::lua_pcall(state, 0, 1, 0));
            if let Some(how) = making.restart.get() {
                Collector::restart(state, how);
            }
            outcome
        };
        self.making.set(ptr::null());
        outcome == ffi::LUA_OK
    }
}

/// Called by Lua with an upvalue that says where a pointer to a [`Making`] is. Takes it, as a finalizer may make a string
/// meanwhile, and a program that looks into the registry may call this.
///
/// # Safety
/// As the description says.
unsafe extern "C-unwind" fn make(state: *mut lua_State) -> c_int {
    // SAFETY: as the caller vouches. There is room for a few values, as in every C function. The bytes are Lua's to read
    // until it has made the string; in its block they stay where they are.
    unsafe {
        let place = ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast::<Cell<*const Making>>();
        let Some(making) = (*place).replace(ptr::null()).as_ref() else {
            return ffi::luaL_error(state, c"there is no string to be made".as_ptr());
        };
        if Collector::IS_STOPPED {
            making.restart.set(making.collector.stop(state, making.bytes.len()));
        }
        making.frame.set(Some(frame(state)));
        ffi::lua_pushlstring(state, making.bytes.cast(), making.bytes.len());
    }
    1
}

/// Which call of a function a state is in. A finalizer's is another one than that in whose midst it runs.
type Frame = [u8; size_of::<ffi::lua_Debug>()];

/// # Safety
/// The state must be in a call, and not in compiled code.
unsafe fn frame(state: *mut lua_State) -> Frame {
    let mut record = MaybeUninit::<ffi::lua_Debug>::zeroed();
    // SAFETY: Lua notes in the record which call it is, and touches nothing else. As bytes, all of it is initialised.
    unsafe {
        ffi::lua_getstack(state, 0, record.as_mut_ptr());
        record.as_ptr().cast::<Frame>().read()
    }
}
