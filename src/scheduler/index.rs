//! Positions in the scheduler's tables.

use std::num::NonZeroU32;

/// A position in a table, in four bytes, also where there may be none: what the scheduler keeps for a
/// connection is small, so that more of it stays in the processor's cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Index(NonZeroU32);

impl Index {
    /// The position `index`, counted from 0.
    pub(super) fn new(index: usize) -> Self {
        let number = u32::try_from(index).ok().and_then(|index| NonZeroU32::MIN.checked_add(index));
        Index(number.expect("fewer than 2^32 entries"))
    }

    /// The position, counted from 0.
    pub(super) fn get(self) -> usize {
        self.0.get() as usize - 1
    }
}
