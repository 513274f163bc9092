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
    pub(in crate::bindings) fn can_be_gathered(&self, length: usize) -> bool {
        // Whoever asks for such a block must want this string: the interpreter's own tables, which it may make larger
        // meanwhile, have other sizes.
        let size = self.memory.layout().size_of_string(length);
        if Collector::IS_STOPPED {
            !size.is_power_of_two()
        } else {
            !size.is_multiple_of(align_of::<usize>())
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
        // SAFETY: the block is ours now, and there are no more bytes than that in its last unit.
        let end =
            unsafe { (*bytes.end()).iter().copied().collect::<ArrayVec<u8, { Layout::LARGEST_UNIT }>>() };
        let new_block = |size, ask: &dyn Fn() -> *mut c_void| {
            if !is_ours.get() || size != bytes.size {
                return ask();
            }
            is_ours.set(false);
            bytes.block.as_ptr()
        };
        // SAFETY: as the caller vouches. The block is one of the state's own allocator's, and given away once; while it is
        // ours, nothing has been written to it. If Lua has it and yet fails, there was an error when the string was there:
        // nothing was collected since.
        unsafe {
            let is_made = self.maker.make(state, bytes.bytes(), &new_block);
            if !is_ours.get() {
                (*bytes.end()).copy_from_slice(&end);
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
        if !Collector::can_be_kept_away(state) {
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
}

/// A string that is being made.
struct Making {
    bytes: *const [u8],
    /// The call in which it is made.
    frame: Cell<Option<Frame>>,
    collector: Collector,
}

impl Maker {
    fn new(lua: &Lua) -> mlua::Result<Self> {
        let making = Rc::new(Cell::new(ptr::null()));
        let place = Value::LightUserData(LightUserData(Rc::as_ptr(&making).cast_mut().cast()));
        // SAFETY: the upvalue is the one that the function documents. Only the maker has the function called.
        let function = reference(lua, unsafe { closure(lua, make, place)? })?;
        Ok(Maker { function, making })
    }

    /// Pushes a string of these bytes, or an error to be raised. Returns whether it is a string. New blocks that are asked
    /// for in making it come from `new_block`; but those of finalizers do not.
    ///
    /// # Safety
    /// The state must be the maker's, with room for two values on its stack. The bytes must be readable until Lua has made
    /// the string. What `new_block` gives must be as the allocator gives it.
    unsafe fn make(&self, state: *mut lua_State, bytes: *const [u8], new_block: NewBlock<'_>) -> bool {
        let making = Making { bytes, frame: Cell::new(None), collector: Collector::default() };
        let new_block = |size, ask: &dyn Fn() -> *mut c_void| {
            // SAFETY: Lua asks in the midst of a call.
            let frame = unsafe { frame(state) };
            if making.frame.get() == Some(frame) { new_block(size, ask) } else { ask() }
        };
        // Where a call is hooked, the hook may make another before this one begins.
        let outer = self.making.replace(&making);
        // SAFETY: as the caller vouches. To push what is in the registry takes no memory, and the call is protected;
        // `making` outlives it.
        let outcome = unsafe {
            ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, self.function.into());
            let outcome = watch(state, &new_block, || ffi::lua_pcall(state, 0, 1, 0));
            making.collector.let_run(state);
            outcome
        };
        self.making.set(outer);
        outcome == ffi::LUA_OK
    }
}

/// Called by Lua with an upvalue that says where a pointer to a [`Making`] is.
///
/// # Safety
/// As the description says.
unsafe extern "C-unwind" fn make(state: *mut lua_State) -> c_int {
    // SAFETY: as the caller vouches. There is room for a few values, as in every C function. The bytes are Lua's to read
    // until it has made the string; in its block they stay where they are.
    unsafe {
        let place = ffi::lua_touserdata(state, ffi::lua_upvalueindex(1));
        let making = &*(*place.cast::<Cell<*const Making>>()).get();
        making.collector.keep_away(state, making.bytes.len());
        making.frame.set(Some(frame(state)));
        ffi::lua_pushlstring(state, making.bytes.cast(), making.bytes.len());
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
