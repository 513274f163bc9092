//! How the scheduler and its callers name things.

#[cfg(doc)]
use super::Scheduler;
use super::index::Index;

/// Names a task from [`Scheduler::spawn`] until [`Scheduler::remove`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TaskId(Index);

impl TaskId {
    /// The task at the position `index`.
    pub fn new(index: usize) -> Self {
        TaskId(Index::new(index))
    }

    /// The position of this task; reused once the task is gone.
    pub fn index(self) -> usize {
        self.0.get()
    }
}

/// Names a source of readiness from [`Scheduler::add_source`] until [`Scheduler::remove_source`].
///
/// Ids are never mistaken for those of a later source in the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SourceId {
    pub(super) index: u32,
    pub(super) generation: u32,
}

/// How many bits of a source's key hold its index.
pub(super) const INDEX_BITS: u32 = usize::BITS / 2;

impl SourceId {
    /// The position of this source; reused once the source is gone.
    pub fn index(self) -> usize {
        self.index as usize
    }

    /// This id as one number, for an event queue to carry. Never `usize::MAX`.
    pub fn key(self) -> usize {
        // On machines of 32 bits the generation loses its upper half, which only makes it wrap
        // sooner.
        ((self.generation as usize) << INDEX_BITS) & (usize::MAX >> 1) | self.index as usize
    }
}

/// What a task waits to do with a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Receive, or accept.
    Read,
    /// Send, or finish connecting.
    Write,
}

impl Direction {
    /// The other one.
    pub fn opposite(self) -> Self {
        match self {
            Direction::Read => Direction::Write,
            Direction::Write => Direction::Read,
        }
    }
}

/// Names an alarm until it went off or was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AlarmId(pub usize);

/// Why a task runs again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It was spawned, yielded, was woken, or a source it waits for is ready or closed.
    Ready,
    /// Its deadline passed.
    Timeout,
}

/// What a task is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// In the ready queue.
    Ready(Reason),
    /// Handed out by [`Scheduler::next_task`]; has neither parked nor ended since.
    Running,
    /// Parked.
    Waiting,
}
