//! Decides which task runs next. Knows no Lua, no socket and no clock.
//!
//! Task ids, source ids and instants go in; ids of tasks that are ready come out. The rules:
//!
//! 1. Ready tasks run first in, first out.
//! 2. A task waits for any number of sources, or a deadline, or an explicit [`Scheduler::wake`]; the
//!    first of them to happen makes it ready, once, and ends all its waits.
//! 3. Several tasks may wait for one source. Those that will consume what they wait for (exclusive
//!    waits) are woken one at a time, first come, first served; the one that was woken keeps its
//!    turn until its operation ends, so nobody overtakes it. Tasks that only look (`select`) are
//!    woken along with it.
//! 4. Closing a source wakes all who wait for it. A stale id of a closed source wakes nobody.
//! 5. A task that was removed never runs again and leaves nothing behind.

mod deadlines;
mod id;
mod index;
mod queue;
mod sources;
mod timers;

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use slab::Slab;

pub use id::{AlarmId, Direction, Reason, SourceId, Status, TaskId};

use queue::{Place, Wait, WaitIndex, Waits};
use sources::Source;
use timers::{TimerId, Timers};

#[derive(Debug)]
struct Task {
    /// Tells this task from earlier ones with the same id.
    serial: u32,
    status: Status,
    waits: Option<WaitIndex>,
    timer: Option<TimerId>,
    turn: Option<(SourceId, Direction)>,
    /// When it last began to run: see [`Scheduler::begin_round`].
    last_run: Option<NonZeroU64>,
}

#[derive(Clone, Copy, Debug)]
enum TimerOwner {
    Task(TaskId),
    Alarm(AlarmId),
}

/// The tasks of one Lua state.
#[derive(Debug)]
pub struct Scheduler {
    tasks: Slab<Task>,
    ready: VecDeque<(TaskId, u32)>,
    sources: Slab<Source>,
    waits: Waits,
    timers: Timers<TimerOwner>,
    alarms: Slab<TimerId>,
    due_alarms: VecDeque<AlarmId>,
    next_serial: u32,
    next_generation: u32,
    /// Tasks that may still run before the world is looked at again.
    left_in_round: usize,
    /// When the first round began.
    epoch: Option<Instant>,
    /// When this one did, in nanoseconds from the epoch, counted from 1.
    now: Option<NonZeroU64>,
}

impl Default for Scheduler {
    fn default() -> Self {
        Self::new()
    }
}

impl Scheduler {
    /// A scheduler without tasks.
    pub fn new() -> Self {
        Scheduler {
            tasks: Slab::new(),
            ready: VecDeque::new(),
            sources: Slab::new(),
            waits: Waits::default(),
            timers: Timers::new(),
            alarms: Slab::new(),
            due_alarms: VecDeque::new(),
            next_serial: 0,
            next_generation: 0,
            left_in_round: 0,
            epoch: None,
            now: None,
        }
    }

    // Tasks

    /// Adds a task, which becomes the last of the ready ones.
    pub fn spawn(&mut self) -> TaskId {
        let serial = self.next_serial;
        self.next_serial = serial.wrapping_add(1);
        let id = TaskId::new(self.tasks.insert(Task {
            serial,
            status: Status::Running,
            waits: None,
            timer: None,
            turn: None,
            last_run: None,
        }));
        self.make_ready(id, Reason::Ready);
        id
    }

    /// Removes a task that ended or was cancelled. Unknown ids are ignored.
    pub fn remove(&mut self, task: TaskId) {
        let Some(entry) = self.tasks.get(task.index()) else {
            return;
        };
        let awaited = entry.waits.map(|index| self.waits.get(index)).filter(|wait| wait.exclusive);
        let place = entry.turn.or(awaited.map(|wait| (wait.source, wait.direction)));
        self.end_waits(task);
        self.release_turn(task);
        let removed = self.tasks.remove(task.index());
        if let Some(timer) = removed.timer {
            self.timers.remove(timer);
        }
        // What this task was woken for, or had gathered, may be all that the next one in line needs.
        if let Some((source, direction)) = place {
            self.notify(source, direction);
        }
    }

    /// Whether there are no tasks at all.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Gives back the memory that many tasks took.
    pub fn shrink(&mut self) {
        self.tasks.shrink_to_fit();
        self.ready.shrink_to_fit();
        self.waits.shrink();
    }

    /// What a task is doing, or `None` if there is no such task.
    pub fn status(&self, task: TaskId) -> Option<Status> {
        self.tasks.get(task.index()).map(|task| task.status)
    }

    /// When a task last began to run, by the clock of [`Scheduler::begin_round`].
    pub fn last_run(&self, task: TaskId) -> Option<Instant> {
        let elapsed = self.tasks.get(task.index())?.last_run?.get() - 1;
        self.epoch?.checked_add(Duration::from_nanos(elapsed))
    }

    /// For how many sources a task waits in each direction: to read, and to write.
    pub fn waits(&self, task: TaskId) -> (usize, usize) {
        let mut counts = (0, 0);
        let mut next = self.tasks.get(task.index()).and_then(|task| task.waits);
        while let Some(index) = next {
            let wait = self.waits.get(index);
            match wait.direction {
                Direction::Read => counts.0 += 1,
                Direction::Write => counts.1 += 1,
            }
            next = wait.next_of_task;
        }
        counts
    }

    // Running

    /// Begins a round: what is due by `now` becomes ready, and [`Scheduler::next_task`] hands out the
    /// tasks that are ready now, but not those that become ready meanwhile, so that the caller gets
    /// to look at the world in between.
    pub fn begin_round(&mut self, now: Instant) {
        self.expire(now);
        let elapsed = now.saturating_duration_since(*self.epoch.get_or_insert(now)).as_nanos();
        self.now = NonZeroU64::MIN.checked_add(u64::try_from(elapsed).unwrap_or_default());
        self.left_in_round = self.ready.len();
    }

    /// Whether some task is ready.
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The next task of this round, which is running from then on, and why it runs.
    pub fn next_task(&mut self) -> Option<(TaskId, Reason)> {
        while self.left_in_round > 0 {
            self.left_in_round -= 1;
            let (id, serial) = self.ready.pop_front()?;
            let Some(task) = self.tasks.get_mut(id.index()).filter(|task| task.serial == serial) else {
                continue; // removed while it was ready
            };
            if let Status::Ready(reason) = task.status {
                task.status = Status::Running;
                task.last_run = self.now;
                return Some((id, reason));
            }
        }
        None
    }

    /// The tasks that [`Scheduler::next_task`] hands out next in this round, as things are.
    pub fn upcoming(&self) -> impl Iterator<Item = TaskId> {
        let ready = self.ready.iter().take(self.left_in_round);
        ready
            .filter(|(id, serial)| self.tasks.get(id.index()).is_some_and(|task| task.serial == *serial))
            .map(|(id, _)| *id)
    }

    /// Whether nothing here can ever make a task ready again: no task is ready, no deadline and no
    /// alarm is set, and nobody waits for a source.
    pub fn is_stalled(&mut self) -> bool {
        self.ready.is_empty()
            && self.due_alarms.is_empty()
            && self.waits.is_empty()
            && self.timers.next_deadline().is_none()
    }

    // Parking

    /// Parks a task until `source` is ready in `direction`, closed, or `deadline` has passed.
    ///
    /// The task is going to consume what it waits for: see rule 3.
    pub fn wait_for(
        &mut self,
        task: TaskId,
        source: SourceId,
        direction: Direction,
        deadline: Option<Instant>,
    ) {
        let holds_turn = self.tasks[task.index()].turn == Some((source, direction));
        self.park(task, deadline);
        let place = if holds_turn { Place::Front } else { Place::Back };
        self.enqueue(task, source, direction, true, place);
    }

    /// Parks a task until one of several sources is ready or closed, or `deadline` has passed.
    ///
    /// The task only looks: see rule 3. Sources that are gone are ignored.
    pub fn wait_for_any(
        &mut self,
        task: TaskId,
        sources: impl IntoIterator<Item = (SourceId, Direction)>,
        deadline: Option<Instant>,
    ) {
        self.park(task, deadline);
        for (source, direction) in sources {
            self.enqueue(task, source, direction, false, Place::Back);
        }
    }

    /// Parks a task in the midst of an operation on `source` until that is ready in the other
    /// direction: `direction`. The task only looks there, and keeps, or gets, the turn in its own.
    pub fn wait_across(
        &mut self,
        task: TaskId,
        source: SourceId,
        direction: Direction,
        deadline: Option<Instant>,
    ) {
        self.wait_for_any(task, [(source, direction)], deadline);
        self.give_turn(task, source, direction.opposite());
    }

    /// Parks a task until it is woken by [`Scheduler::wake`] or `deadline` has passed.
    pub fn park(&mut self, task: TaskId, deadline: Option<Instant>) {
        self.end_waits(task);
        self.release_turn(task);
        let entry = &mut self.tasks[task.index()];
        entry.status = Status::Waiting;
        match (deadline, entry.timer) {
            (Some(deadline), Some(timer)) => self.timers.set(timer, deadline),
            (Some(deadline), None) => {
                let timer = self.timers.add(TimerOwner::Task(task));
                entry.timer = Some(timer);
                self.timers.set(timer, deadline);
            }
            (None, Some(timer)) => self.timers.clear(timer),
            (None, None) => {}
        }
    }

    /// Puts a running task behind the ready ones.
    pub fn yield_now(&mut self, task: TaskId) {
        self.release_turn(task);
        self.make_ready(task, Reason::Ready);
    }

    /// Puts a running task behind the ready ones in the midst of an operation on `source`: it keeps,
    /// or gets, the turn.
    pub fn yield_within(&mut self, task: TaskId, source: SourceId, direction: Direction) {
        self.yield_now(task);
        self.give_turn(task, source, direction);
    }

    /// Makes a parked task ready. Returns whether it was parked.
    pub fn wake(&mut self, task: TaskId) -> bool {
        let parked = self.status(task) == Some(Status::Waiting);
        if parked {
            self.rouse(task, Reason::Ready);
        }
        parked
    }

    // Inside

    fn enqueue(
        &mut self,
        task: TaskId,
        source: SourceId,
        direction: Direction,
        exclusive: bool,
        place: Place,
    ) {
        let Some(entry) =
            self.sources.get_mut(source.index()).filter(|entry| entry.generation == source.generation)
        else {
            return;
        };
        let first = self.tasks[task.index()].waits;
        let wait = Wait::new(task, source, direction, exclusive, first);
        self.tasks[task.index()].waits = Some(self.waits.push(entry.queue(direction), place, wait));
    }

    /// Makes a parked task ready and ends all that it waits for.
    fn rouse(&mut self, task: TaskId, reason: Reason) {
        self.end_waits(task);
        self.make_ready(task, reason);
    }

    fn make_ready(&mut self, task: TaskId, reason: Reason) {
        let entry = &mut self.tasks[task.index()];
        entry.status = Status::Ready(reason);
        self.ready.push_back((task, entry.serial));
    }

    fn end_waits(&mut self, task: TaskId) {
        let entry = &mut self.tasks[task.index()];
        if let Some(timer) = entry.timer {
            self.timers.clear(timer);
        }
        let mut next = entry.waits.take();
        while let Some(index) = next {
            let (source, direction) = {
                let wait = self.waits.get(index);
                (wait.source, wait.direction)
            };
            let queue = self.sources[source.index()].queue(direction);
            next = self.waits.remove(queue, index).next_of_task;
        }
    }
}

#[cfg(test)]
mod tests;
