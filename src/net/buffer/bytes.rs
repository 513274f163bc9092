//! The memory of a receive buffer.

use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};

use crate::memory::Exhausted;
use crate::memory::gathered::{Gathered, StringBlock};

/// Bytes in memory of our own, or in that of an interpreter's strings. Owns no memory while it is new.
#[derive(Debug)]
pub(super) enum Bytes {
    Own(Vec<u8>),
    Gathered(Box<Gathered>),
}

impl Bytes {
    /// The memory, if it is our own.
    pub(super) fn into_own(self) -> Option<Vec<u8>> {
        match self {
            Bytes::Own(bytes) => Some(bytes),
            Bytes::Gathered(_) => None,
        }
    }

    /// The block, if the bytes fill one that can become a string.
    pub(super) fn into_block(self) -> Option<StringBlock> {
        match self {
            Bytes::Own(_) => None,
            Bytes::Gathered(bytes) => Some(bytes.into_block()),
        }
    }

    pub(super) fn capacity(&self) -> usize {
        match self {
            Bytes::Own(bytes) => bytes.capacity(),
            Bytes::Gathered(bytes) => bytes.capacity(),
        }
    }

    /// Makes room for `room` more bytes and hands it out.
    ///
    /// # Errors
    /// That there is no memory for it.
    pub(super) fn spare(&mut self, room: usize) -> Result<&mut [MaybeUninit<u8>], Exhausted> {
        if let Bytes::Gathered(bytes) = self
            && !bytes.reserve(room)
        {
            // The interpreter may have more once it has collected garbage, as it does for a string that it makes itself.
            let mut own = Vec::new();
            own.try_reserve_exact(bytes.len().saturating_add(room))?;
            own.extend_from_slice(bytes);
            *self = Bytes::Own(own);
        }
        match self {
            Bytes::Own(bytes) => {
                // Twice as much as there is, so that growing costs little; or what is needed, so that memory is enough.
                bytes.try_reserve(room).or_else(|_| bytes.try_reserve_exact(room))?;
                Ok(&mut bytes.spare_capacity_mut()[..room])
            }
            Bytes::Gathered(bytes) => Ok(&mut bytes.spare()[..room]),
        }
    }

    /// Says that there are `count` more bytes.
    ///
    /// # Safety
    /// So many must have been initialised in what [`Bytes::spare`] handed out.
    pub(super) unsafe fn add_len(&mut self, count: usize) {
        let length = self.len() + count;
        // SAFETY: as the caller vouches.
        unsafe {
            match self {
                Bytes::Own(bytes) => bytes.set_len(length),
                Bytes::Gathered(bytes) => bytes.set_len(length),
            }
        }
    }

    /// Adds bytes at the end. The process ends if there is no memory for them.
    pub(super) fn extend(&mut self, more: &[u8]) {
        if let Bytes::Own(bytes) = self {
            bytes.extend_from_slice(more);
        } else if let Ok(room) = self.spare(more.len()) {
            // SAFETY: the room is as long, and nobody else's.
            unsafe {
                room.as_mut_ptr().cast::<u8>().copy_from_nonoverlapping(more.as_ptr(), more.len());
                self.add_len(more.len());
            }
        } else {
            *self = Bytes::Own([self, more].concat());
        }
    }

    pub(super) fn truncate(&mut self, length: usize) {
        match self {
            Bytes::Own(bytes) => bytes.truncate(length),
            Bytes::Gathered(bytes) => bytes.truncate(length),
        }
    }

    /// Forgets the first `count` bytes.
    pub(super) fn remove_front(&mut self, count: usize) {
        match self {
            Bytes::Own(bytes) => drop(bytes.drain(..count)),
            Bytes::Gathered(bytes) => bytes.remove_front(count),
        }
    }
}

impl Default for Bytes {
    fn default() -> Self {
        Bytes::Own(Vec::new())
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Own(bytes) => bytes,
            Bytes::Gathered(bytes) => bytes,
        }
    }
}

impl DerefMut for Bytes {
    fn deref_mut(&mut self) -> &mut [u8] {
        match self {
            Bytes::Own(bytes) => bytes,
            Bytes::Gathered(bytes) => bytes,
        }
    }
}
