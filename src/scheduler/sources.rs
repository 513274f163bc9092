//! Sources of readiness: who is woken when one is ready, and whose turn it is.

use arrayvec::ArrayVec;

use super::id::INDEX_BITS;
use super::queue::{Queue, Wait};
use super::{Direction, Reason, Scheduler, SourceId, TaskId};

/// The most sources that [`Scheduler::touch`] looks at.
const TOUCHED: usize = 16;

/// What tasks wait for, in two directions.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) generation: u32,
    read: Queue,
    write: Queue,
}

impl Source {
    /// The line in front of a direction.
    pub(super) fn queue(&mut self, direction: Direction) -> &mut Queue {
        match direction {
            Direction::Read => &mut self.read,
            Direction::Write => &mut self.write,
        }
    }
}

impl Scheduler {
    /// Adds a source of readiness.
    pub fn add_source(&mut self) -> SourceId {
        let generation = self.next_generation;
        self.next_generation = self.next_generation.wrapping_add(1);
        let index =
            self.sources.insert(Source { generation, read: Queue::default(), write: Queue::default() });
        SourceId { index: u32::try_from(index).expect("fewer than 2^32 sources"), generation }
    }

    /// Removes a source and wakes every task that waits for it.
    pub fn remove_source(&mut self, source: SourceId) {
        for direction in [Direction::Read, Direction::Write] {
            while let Some(head) = self.source(source).and_then(|entry| entry.queue(direction).head()) {
                let task = self.waits.get(head).task;
                self.rouse(task, Reason::Ready);
            }
        }
        if self.source(source).is_some() {
            self.sources.remove(source.index());
        }
    }

    /// The source that an event's key stands for, unless it is gone.
    pub fn source_of_key(&self, key: usize) -> Option<SourceId> {
        let index = key & ((1 << INDEX_BITS) - 1);
        let source = SourceId { index: index as u32, generation: self.sources.get(index)?.generation };
        (source.key() == key).then_some(source)
    }

    /// Wakes whoever is to be woken because `source` is ready in `direction`: those who only look, up
    /// to the first who will consume, unless somebody has the turn already. Returns whether anybody
    /// wanted to know.
    pub fn notify(&mut self, source: SourceId, direction: Direction) -> bool {
        let mut wanted = false;
        while let Some(queue) = self.source(source).map(|entry| entry.queue(direction)) {
            let has_turn = queue.turn.is_some();
            wanted |= has_turn;
            let Some(head) = queue.head() else { break };
            wanted = true;
            let Wait { task, exclusive, .. } = *self.waits.get(head);
            if exclusive && has_turn {
                break;
            }
            self.rouse(task, Reason::Ready);
            if exclusive {
                self.give_turn(task, source, direction);
                break;
            }
        }
        wanted
    }

    /// Wakes every task that only looks at `source`.
    pub fn wake_watchers(&mut self, source: SourceId) {
        for direction in [Direction::Read, Direction::Write] {
            let mut next = self.source(source).and_then(|entry| entry.queue(direction).head());
            while let Some(index) = next {
                let wait = self.waits.get(index);
                next = wait.next();
                if !wait.exclusive {
                    self.rouse(wait.task, Reason::Ready);
                    // That ended all waits of the task, perhaps the next one too.
                    next = self.source(source).and_then(|entry| entry.queue(direction).head());
                }
            }
        }
    }

    /// Whether some task waits for `source` in `direction`.
    pub fn is_awaited(&mut self, source: SourceId, direction: Direction) -> bool {
        self.source(source).is_some_and(|entry| !entry.queue(direction).is_empty())
    }

    /// Whether some task is in the midst of an operation on `source` in `direction`, be it that it waits or that it only
    /// lets others run.
    pub fn is_in_use(&mut self, source: SourceId, direction: Direction) -> bool {
        self.source(source).is_some_and(|entry| {
            let queue = entry.queue(direction);
            queue.turn.is_some() || !queue.is_empty()
        })
    }

    /// Whether `task` may use `source` now, or has to queue behind others that wait for it.
    pub fn may_proceed(&mut self, task: TaskId, source: SourceId, direction: Direction) -> bool {
        self.source(source).is_none_or(|entry| {
            let queue = entry.queue(direction);
            match queue.turn {
                Some(holder) => holder == task,
                None => !queue.has_exclusive(),
            }
        })
    }

    /// The source that `task` has the turn to read from, unless it is gone.
    pub fn turn_to_read(&self, task: TaskId) -> Option<SourceId> {
        match self.tasks.get(task.index())?.turn {
            Some((source, Direction::Read)) => {
                let entry = self.sources.get(source.index())?;
                (entry.generation == source.generation).then_some(source)
            }
            _ => None,
        }
    }

    /// Ends the turn of a task whose operation is over.
    pub fn release_turn(&mut self, task: TaskId) {
        let Some((source, direction)) = self.tasks[task.index()].turn.take() else {
            return;
        };
        if let Some(entry) = self.source(source) {
            let queue = entry.queue(direction);
            if queue.turn == Some(task) {
                queue.turn = None;
            }
        }
    }

    /// Brings what is kept about a few sources, by their events' keys, and about who waits for them into
    /// the processor's cache. One after another each would be waited for; together they come at once.
    pub fn touch(&self, keys: impl Iterator<Item = usize>) {
        let mut heads = ArrayVec::<_, TOUCHED>::new();
        for key in keys.take(TOUCHED) {
            let source = self.sources.get(key & ((1 << INDEX_BITS) - 1));
            heads.extend(source.and_then(|source| source.read.head()));
        }
        let tasks: ArrayVec<_, TOUCHED> = heads.into_iter().map(|head| self.waits.get(head).task).collect();
        let serials =
            tasks.into_iter().filter_map(|task| self.tasks.get(task.index())).map(|task| task.serial);
        std::hint::black_box(serials.fold(0, u32::wrapping_add));
    }

    // Inside

    pub(super) fn source(&mut self, source: SourceId) -> Option<&mut Source> {
        self.sources.get_mut(source.index()).filter(|entry| entry.generation == source.generation)
    }

    pub(super) fn give_turn(&mut self, task: TaskId, source: SourceId, direction: Direction) {
        self.tasks[task.index()].turn = Some((source, direction));
        if let Some(entry) = self.source(source) {
            entry.queue(direction).turn = Some(task);
        }
    }
}
