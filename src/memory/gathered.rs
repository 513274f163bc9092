//! Bytes that are gathered where an interpreter will keep them as a string.
//!
//! A string of Lua's is a block of memory with a header in front of its bytes and a zero behind them. Bytes that have room
//! for both around them, in a block from the interpreter's own allocator, can become a string where they are. So a long
//! answer is held once, and not twice while it is copied.

use std::ffi::c_void;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ops::{Deref, DerefMut};
use std::ptr::{self, NonNull};
use std::rc::Rc;
use std::slice;

/// An interpreter's allocator: it is given its data, a block or null, that block's size, and the size that is wanted, of
/// which 0 frees the block.
pub type Allocate = unsafe extern "C" fn(*mut c_void, *mut c_void, usize, usize) -> *mut c_void;

/// How a string lies in its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// How many bytes of the block lie in front of those of the string.
    pub header: usize,
    /// How many there are behind them.
    pub trailer: usize,
    /// Bytes and trailer are cut to a multiple of this, which is at most [`Layout::LARGEST_UNIT`].
    pub unit: usize,
}

impl Layout {
    pub const LARGEST_UNIT: usize = 8;

    /// That of strings with this header, of which two lengths have blocks of these sizes; `None` if it is none of those
    /// that are known.
    pub fn found(header: usize, [(length, size), other]: [(usize, usize); 2]) -> Option<Self> {
        let trailer = size.checked_sub(header + length).filter(|&trailer| trailer > 0)?;
        [1, 4, Self::LARGEST_UNIT].map(|unit| Layout { header, trailer, unit }).into_iter().find(|layout| {
            [(length, size), other].iter().all(|&(length, size)| layout.size_of_string(length) == size)
        })
    }

    /// How large the block of a string of this length is. More than there can be, if there can be none.
    pub fn size_of_string(&self, length: usize) -> usize {
        let behind = length.saturating_add(self.trailer);
        (behind - behind % self.unit).saturating_add(self.header)
    }
}

/// The memory of an interpreter's strings.
#[derive(Debug)]
pub struct StringMemory {
    allocate: Allocate,
    data: *mut c_void,
    layout: Layout,
}

impl StringMemory {
    /// # Safety
    /// The allocator must behave as Lua's manual says, for as long as anything gathered in its memory lives.
    pub unsafe fn new(allocate: Allocate, data: *mut c_void, layout: Layout) -> Self {
        StringMemory { allocate, data, layout }
    }

    /// How a string lies in its block.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The size of a block for so many bytes; `None` if there can be none.
    fn block_size(&self, capacity: usize) -> Option<usize> {
        Some(self.layout.size_of_string(capacity)).filter(|&size| isize::try_from(size).is_ok())
    }
}

/// Bytes in the memory of an interpreter's strings.
#[derive(Debug)]
pub struct Gathered {
    memory: Rc<StringMemory>,
    /// The first byte. In front of it, the block has room for a header.
    start: NonNull<u8>,
    length: usize,
    capacity: usize,
}

/// The block of bytes that are about to become a string, which nobody frees.
#[derive(Debug)]
pub struct StringBlock {
    memory: Rc<StringMemory>,
    /// Where the block begins.
    pub block: NonNull<c_void>,
    /// How large it is, in bytes.
    pub size: usize,
    /// How many bytes are the string's.
    length: usize,
}

impl Gathered {
    /// A copy of `bytes`, with room for as many more; `None` if there is no memory for it.
    pub fn copy(memory: &Rc<StringMemory>, bytes: &[u8]) -> Option<Self> {
        let capacity = bytes.len().checked_mul(2)?.max(1);
        let size = memory.block_size(capacity)?;
        // SAFETY: asks for a new block, as whoever made `memory` vouches.
        let block = unsafe { (memory.allocate)(memory.data, ptr::null_mut(), 0, size) };
        let block = NonNull::new(block.cast::<u8>())?;
        // SAFETY: the header is part of the block, and behind it there is room for the bytes.
        let start = unsafe {
            let start = block.add(memory.layout.header);
            start.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len());
            start
        };
        Some(Gathered { memory: memory.clone(), start, length: bytes.len(), capacity })
    }

    /// How many bytes there is room for.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Makes room for `room` more bytes. Returns whether there is memory for that.
    pub fn reserve(&mut self, room: usize) -> bool {
        let Some(needed) = self.length.checked_add(room) else {
            return false;
        };
        // Twice as much as there is, so that growing costs little; or what is needed, so that memory is enough.
        needed <= self.capacity
            || self.resize(needed.max(self.capacity.saturating_mul(2))).is_some()
            || self.resize(needed).is_some()
    }

    /// Room for more bytes, of which at least as many as were reserved.
    pub fn spare(&mut self) -> &mut [MaybeUninit<u8>] {
        // SAFETY: so much of the block is not in use.
        unsafe {
            let start = self.start.add(self.length).cast().as_ptr();
            slice::from_raw_parts_mut(start, self.capacity - self.length)
        }
    }

    /// Says that there are so many bytes now.
    ///
    /// # Safety
    /// There must be room for them, and all of them must be initialised.
    pub unsafe fn set_len(&mut self, length: usize) {
        debug_assert!(length <= self.capacity);
        self.length = length;
    }

    /// Forgets all bytes but the first `length`.
    pub fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    /// Forgets the first `count` bytes.
    pub fn remove_front(&mut self, count: usize) {
        self.copy_within(count.., 0);
        self.length -= count;
    }

    /// Gives back the memory that the bytes do not fill. Returns whether the interpreter let the block shrink, as it should.
    pub fn shrink(&mut self) -> bool {
        self.resize(self.length).is_some()
    }

    /// Gives away the block, which must have been shrunk: so it is of the size that a string of these bytes has.
    pub fn into_block(self) -> StringBlock {
        assert!(self.capacity == self.length, "a block with {} bytes for {}", self.capacity, self.length);
        let bytes = ManuallyDrop::new(self);
        let header = bytes.memory.layout.header;
        // SAFETY: the original is never dropped. The block begins where its header does.
        let (memory, block) = unsafe { (ptr::read(&bytes.memory), bytes.start.sub(header)) };
        let size = memory.layout.size_of_string(bytes.capacity);
        StringBlock { memory, block: block.cast(), size, length: bytes.length }
    }

    /// Lets the block be larger or smaller. `None` if there is no memory for it.
    fn resize(&mut self, capacity: usize) -> Option<()> {
        let memory = &self.memory;
        let (old_size, size) = (memory.block_size(self.capacity)?, memory.block_size(capacity)?);
        // SAFETY: the block is the allocator's, of this size; when it is moved, its contents come along. If it is not, it
        // stays as it was.
        unsafe {
            let old = self.start.sub(memory.layout.header);
            let new = (memory.allocate)(memory.data, old.as_ptr().cast(), old_size, size);
            self.start = NonNull::new(new.cast::<u8>())?.add(memory.layout.header);
        }
        self.capacity = capacity;
        Some(())
    }
}

impl StringBlock {
    /// The bytes that lie in it, if the block has become no string and nothing was written to it.
    ///
    /// # Safety
    /// As the description says.
    pub unsafe fn into_gathered(self) -> Gathered {
        let length = self.length;
        // SAFETY: the block begins with the header.
        let start = unsafe { self.block.cast::<u8>().add(self.memory.layout.header) };
        Gathered { memory: self.memory, start, length, capacity: length }
    }

    /// A copy of the bytes, if there is memory for it and nothing else was written to the block.
    ///
    /// # Safety
    /// The block must still be there.
    pub unsafe fn copy(&self) -> Option<Gathered> {
        // SAFETY: as the caller vouches.
        Gathered::copy(&self.memory, unsafe { &*self.bytes() })
    }

    /// Where the bytes are.
    pub fn bytes(&self) -> *const [u8] {
        let start = self.block.as_ptr().cast::<u8>().wrapping_add(self.memory.layout.header);
        ptr::slice_from_raw_parts(start, self.length)
    }

    /// Where those are that fill no whole unit, as the last ones may.
    pub fn end(&self) -> *mut [u8] {
        let count = self.length % self.memory.layout.unit;
        let start = self.bytes().cast::<u8>().cast_mut().wrapping_add(self.length - count);
        ptr::slice_from_raw_parts_mut(start, count)
    }
}

impl Deref for Gathered {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: these bytes are initialised.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl DerefMut for Gathered {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: these bytes are initialised, and nobody else's.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}

impl Drop for Gathered {
    fn drop(&mut self) {
        let memory = &self.memory;
        // SAFETY: the block is the allocator's, of this size, and nobody uses it any more.
        unsafe {
            let block = self.start.sub(memory.layout.header).as_ptr().cast();
            (memory.allocate)(memory.data, block, memory.layout.size_of_string(self.capacity), 0);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
