//! Memory for much: all of it at once, and where it is to stay.
//!
//! The system hands a process its pages one by one, each when it is touched, and the interruptions cost more than the
//! pages. Where it is known that all of a large piece will be written, they can be had in one go.

pub mod gathered;

use std::collections::TryReserveError;
use std::io;
use std::mem::MaybeUninit;

/// There is no memory for what was to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted;

impl From<TryReserveError> for Exhausted {
    fn from(_: TryReserveError) -> Self {
        Exhausted
    }
}

impl From<Exhausted> for io::Error {
    fn from(_: Exhausted) -> Self {
        io::ErrorKind::OutOfMemory.into()
    }
}

/// Less memory, in bytes, is not worth a system call.
pub const WORTH_ASKING: usize = 1024 * 1024;

/// Gets the pages of memory that will be written soon. Should the system not have them, or not know how, it is as if this
/// had not been called.
pub fn populate(memory: &mut [MaybeUninit<u8>]) {
    system::populate(memory);
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use std::mem::MaybeUninit;

    pub fn populate(memory: &mut [MaybeUninit<u8>]) {
        // SAFETY: may be called at any time.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(usize::MAX);
        // Pages at either end may be shared with something else, and come when they are touched.
        let first = memory.as_ptr().align_offset(page).min(memory.len());
        let inner = &mut memory[first..];
        let size = inner.len() - inner.len() % page;
        if size == 0 || is_resident(&inner[size - page..size]) {
            return;
        }
        // SAFETY: the pages are those of `memory`, which this function borrows alone, and keep what they hold.
        // `MADV_POPULATE_WRITE` (Linux 5.14) touches them as writing would.
        unsafe { libc::madvise(inner.as_mut_ptr().cast(), size, libc::MADV_POPULATE_WRITE) };
    }

    /// Whether the process has this page. Memory that has been used before mostly has all of its pages.
    fn is_resident(page: &[MaybeUninit<u8>]) -> bool {
        let mut answer = 0;
        // SAFETY: there is room for an answer on a single page.
        let outcome = unsafe { libc::mincore(page.as_ptr().cast_mut().cast(), page.len(), &raw mut answer) };
        outcome == 0 && answer & 1 == 1
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod system {
    use std::mem::MaybeUninit;

    pub fn populate(_memory: &mut [MaybeUninit<u8>]) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn populated_memory_keeps_what_it_holds(before in 0usize..9000, size in 0usize..20_000) {
            let mut memory: Vec<u8> = (0..before + size + 100).map(|index| (index % 251) as u8).collect();
            let expected = memory.clone();
            memory.truncate(before);
            populate(&mut memory.spare_capacity_mut()[..size]);
            // SAFETY: all of it was written above.
            unsafe { memory.set_len(expected.len()) };
            prop_assert_eq!(memory, expected);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn populated_memory_is_there() {
        const SIZE: usize = 4 * WORTH_ASKING;
        // SAFETY: may be called at any time.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).expect("a size");
        // Fresh from the system: what an allocator gives may have been used before.
        // SAFETY: the mapping is nobody else's.
        let start = unsafe {
            let (access, kind) =
                (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
            libc::mmap(std::ptr::null_mut(), SIZE, access, kind, -1, 0)
        };
        assert_ne!(start, libc::MAP_FAILED);
        let missing = || {
            let mut resident = vec![0u8; SIZE / page];
            // SAFETY: there is a byte for each page of the mapping.
            assert_eq!(unsafe { libc::mincore(start, SIZE, resident.as_mut_ptr()) }, 0);
            resident.iter().filter(|&&page| page & 1 == 0).count()
        };
        assert_eq!(missing(), SIZE / page);
        // SAFETY: the mapping is as long, and nothing else refers to it.
        populate(unsafe { std::slice::from_raw_parts_mut(start.cast(), SIZE) });
        // SAFETY: no memory is concerned; before Linux 5.14 there is no such request.
        let is_known = unsafe { libc::madvise(std::ptr::null_mut(), 0, libc::MADV_POPULATE_WRITE) } == 0;
        assert_eq!(missing(), if is_known { 0 } else { SIZE / page });
        // SAFETY: nobody uses it any more.
        assert_eq!(unsafe { libc::munmap(start, SIZE) }, 0);
    }
}
