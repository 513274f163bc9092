//! Who waits for what: first-come-first-served queues in front of every source.
//!
//! A wait is a node of two lists, its source's queue and its task's wait set, so that waking,
//! cancelling and closing all take time proportional to the waits they end and to nothing else.

use slab::Slab;

use super::index::Index;
use super::{Direction, SourceId, TaskId};

/// Names a wait from [`Waits::push`] until [`Waits::remove`].
pub(super) type WaitIndex = Index;

/// One task waiting for one direction of one source.
#[derive(Debug)]
pub(super) struct Wait {
    pub(super) task: TaskId,
    pub(super) source: SourceId,
    pub(super) direction: Direction,
    /// Whether the task will consume what it waits for: only one such task is woken at a time.
    pub(super) exclusive: bool,
    /// The next wait of the same task.
    pub(super) next_of_task: Option<WaitIndex>,
    previous: Option<WaitIndex>,
    next: Option<WaitIndex>,
}

impl Wait {
    /// A wait that is in no queue yet.
    pub(super) fn new(
        task: TaskId,
        source: SourceId,
        direction: Direction,
        exclusive: bool,
        next_of_task: Option<WaitIndex>,
    ) -> Self {
        Wait { task, source, direction, exclusive, next_of_task, previous: None, next: None }
    }

    /// The next one in its line.
    pub(super) fn next(&self) -> Option<WaitIndex> {
        self.next
    }
}

/// The line in front of one direction of a source.
#[derive(Debug, Default)]
pub(super) struct Queue {
    head: Option<WaitIndex>,
    tail: Option<WaitIndex>,
    exclusive: u32,
    /// The task that was woken from the head of this line and has not finished its operation:
    /// nobody goes before it.
    pub(super) turn: Option<TaskId>,
}

impl Queue {
    pub(super) fn head(&self) -> Option<WaitIndex> {
        self.head
    }

    pub(super) fn is_empty(&self) -> bool {
        self.head.is_none()
    }

    /// Whether a task in this line is going to consume what it waits for.
    pub(super) fn has_exclusive(&self) -> bool {
        self.exclusive > 0
    }
}

/// The storage of all waits.
#[derive(Debug, Default)]
pub(super) struct Waits {
    nodes: Slab<Wait>,
}

/// Where a wait joins its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Front,
    Back,
}

impl Waits {
    pub(super) fn get(&self, index: WaitIndex) -> &Wait {
        &self.nodes[index.get()]
    }

    /// Adds a wait to `queue`, which must be that of its source and direction.
    pub(super) fn push(&mut self, queue: &mut Queue, place: Place, wait: Wait) -> WaitIndex {
        let (previous, next) = match place {
            Place::Front => (None, queue.head),
            Place::Back => (queue.tail, None),
        };
        queue.exclusive += u32::from(wait.exclusive);
        let index = Index::new(self.nodes.insert(Wait { previous, next, ..wait }));
        match previous {
            Some(previous) => self.nodes[previous.get()].next = Some(index),
            None => queue.head = Some(index),
        }
        match next {
            Some(next) => self.nodes[next.get()].previous = Some(index),
            None => queue.tail = Some(index),
        }
        index
    }

    /// Takes a wait out of `queue`, which must be the one it was pushed to.
    pub(super) fn remove(&mut self, queue: &mut Queue, index: WaitIndex) -> Wait {
        let wait = self.nodes.remove(index.get());
        match wait.previous {
            Some(previous) => self.nodes[previous.get()].next = wait.next,
            None => queue.head = wait.next,
        }
        match wait.next {
            Some(next) => self.nodes[next.get()].previous = wait.previous,
            None => queue.tail = wait.previous,
        }
        queue.exclusive -= u32::from(wait.exclusive);
        wait
    }

    /// Gives back the memory that many waits took.
    pub(super) fn shrink(&mut self) {
        self.nodes.shrink_to_fit();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}
