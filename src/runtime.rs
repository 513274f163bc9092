//! All that belongs to one Lua state: its scheduler, its reactor, its resolver.
//!
//! Two Lua states in one process have two runtimes that know nothing of each other.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use arrayvec::ArrayVec;

use crate::net::ahead::MOST_AHEAD;
use crate::net::resolver::{Lookup, Resolver};
use crate::net::socket::Socket;
use crate::reactor::Reactor;
use crate::scheduler::{AlarmId, Direction, Reason, Scheduler, SourceId, TaskId};

/// How many operations a task may do without parking before others run.
const OPERATIONS_IN_A_ROW: u32 = 128;
/// Of how many events the records are looked at together, before any of them is dealt with.
const LOOK_AHEAD: usize = 8;
/// How many blocks of memory for what is received ahead are kept.
const BLOCKS: usize = 16;
/// The size of the buffer that all sockets of a state receive through.
pub const SCRATCH_SIZE: usize = 64 * 1024;

/// What the loop has to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Resume this task.
    Resume(TaskId, Reason),
    /// Call this timer's function.
    Alarm(AlarmId),
    /// A signal arrived: let the interpreter have a look.
    Interrupted,
    /// There are no tasks.
    Finished,
    /// There are tasks, and nothing can ever wake one.
    Deadlock,
}

/// The state of one Lua state.
#[derive(Debug)]
pub struct Runtime {
    /// Decides who runs.
    pub scheduler: RefCell<Scheduler>,
    reactor: RefCell<Reactor>,
    resolver: RefCell<Resolver>,
    /// For how many tasks of this round everything has been prepared, if none of them was removed since.
    pub prepared: Cell<usize>,
    /// The task that runs now.
    current: Cell<Option<TaskId>>,
    /// Whether it runs because its deadline passed.
    timed_out: Cell<bool>,
    /// What is left of its operations in a row.
    budget: Cell<u32>,
    scratch: RefCell<Vec<u8>>,
    /// Memory for what is received ahead.
    memory: RefCell<ArrayVec<Vec<u8>, BLOCKS>>,
    epoch: Instant,
}

impl Runtime {
    /// A runtime without tasks.
    ///
    /// # Errors
    /// Those of opening the system's event queue.
    pub fn new() -> io::Result<Self> {
        let reactor = Reactor::new()?;
        let resolver = Resolver::new(reactor.poller());
        Ok(Runtime {
            scheduler: RefCell::new(Scheduler::new()),
            reactor: RefCell::new(reactor),
            resolver: RefCell::new(resolver),
            prepared: Cell::new(0),
            current: Cell::new(None),
            timed_out: Cell::new(false),
            budget: Cell::new(OPERATIONS_IN_A_ROW),
            scratch: RefCell::new(Vec::new()),
            memory: RefCell::default(),
            epoch: Instant::now(),
        })
    }

    // The loop

    /// Finds out what to do next, waiting for it if need be.
    ///
    /// It goes in rounds: a look at the reactor and at the deadlines, without waiting if some task is
    /// ready, then everything that is due, then every task that was ready when the round began.
    ///
    /// # Errors
    /// Those of the reactor.
    pub fn next_step(&self) -> io::Result<Step> {
        self.settle_current();
        loop {
            let mut scheduler = self.scheduler.borrow_mut();
            if let Some(alarm) = scheduler.next_alarm() {
                return Ok(Step::Alarm(alarm));
            }
            if let Some((task, reason)) = scheduler.next_task() {
                self.current.set(Some(task));
                self.timed_out.set(reason == Reason::Timeout);
                self.budget.set(OPERATIONS_IN_A_ROW);
                return Ok(Step::Resume(task, reason));
            }
            if scheduler.is_empty() {
                scheduler.shrink();
                return Ok(Step::Finished);
            }
            if scheduler.is_stalled() {
                return Ok(Step::Deadlock);
            }
            let limit = if scheduler.has_ready() {
                Some(Duration::ZERO)
            } else {
                scheduler.next_deadline().map(|deadline| deadline.saturating_duration_since(Instant::now()))
            };
            drop(scheduler);
            let outcome = self.look_at_the_world(limit);
            let mut scheduler = self.scheduler.borrow_mut();
            scheduler.begin_round(Instant::now());
            self.prepared.set(0);
            match outcome {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    return Ok(Step::Interrupted);
                }
                outcome => outcome?,
            }
        }
    }

    /// A task that was handed out and has neither parked nor ended was lost by an error in the loop
    /// itself (a signal's, for one): it goes on with the next turn.
    fn settle_current(&self) {
        if let Some(task) = self.current.take() {
            let mut scheduler = self.scheduler.borrow_mut();
            if scheduler.status(task) == Some(crate::scheduler::Status::Running) {
                scheduler.yield_now(task);
            }
        }
    }

    /// Collects events, waiting up to `limit` for them, and wakes who waited for them.
    fn look_at_the_world(&self, limit: Option<Duration>) -> io::Result<()> {
        let mut reactor = self.reactor.borrow_mut();
        reactor.wait(limit)?;
        let mut scheduler = self.scheduler.borrow_mut();
        let mut looked_at: usize = 0;
        while let Some(event) = reactor.next_event() {
            if looked_at == 0 {
                scheduler.touch(reactor.upcoming(LOOK_AHEAD));
                looked_at = LOOK_AHEAD;
            }
            looked_at -= 1;
            let Some(source) = scheduler.source_of_key(event.key) else {
                continue;
            };
            for (direction, happened) in
                [(Direction::Read, event.readable), (Direction::Write, event.writable)]
            {
                if happened && !scheduler.notify(source, direction) {
                    reactor.ignore(source, direction);
                }
            }
        }
        let resolver = self.resolver.borrow();
        for source in resolver.finished() {
            scheduler.notify(source, Direction::Read);
        }
        for source in resolver.abandoned() {
            scheduler.remove_source(source);
        }
        Ok(())
    }

    // The running task

    /// The task that runs now.
    pub fn current(&self) -> Option<TaskId> {
        self.current.get()
    }

    /// Whether the running task's last wait ended because its deadline passed. Asked once.
    pub fn take_timed_out(&self) -> bool {
        self.timed_out.take()
    }

    /// Says that no task runs any more.
    pub fn leave_task(&self) {
        self.current.set(None);
    }

    /// Whether the running task may do one operation more before others run.
    pub fn may_go_on(&self) -> bool {
        self.budget.get() > 0
    }

    /// Counts one operation of the running task. Returns whether it has to let others run first;
    /// then it is ready again, behind them.
    pub fn spend(&self, task: TaskId) -> bool {
        match self.budget.get().checked_sub(1) {
            Some(left) => {
                self.budget.set(left);
                false
            }
            None => {
                self.scheduler.borrow_mut().yield_now(task);
                true
            }
        }
    }

    /// Lets others run in the midst of an operation of the running task, which is ready again behind
    /// them; nobody else uses the socket in that direction meanwhile.
    pub fn yield_within(&self, task: TaskId, socket: &mut Socket, direction: Direction) {
        let source = self.source_of(socket);
        self.scheduler.borrow_mut().yield_within(task, source, direction);
    }

    // Waiting

    /// Parks `task` until `socket` is ready in `direction` or `deadline` has passed.
    ///
    /// # Errors
    /// Those of the event queue; then the task is not parked.
    pub fn wait_for_socket(
        &self,
        task: TaskId,
        socket: &mut Socket,
        direction: Direction,
        deadline: Option<Instant>,
    ) -> io::Result<()> {
        let source = self.watch_socket(socket, direction)?;
        self.scheduler.borrow_mut().wait_for(task, source, direction, deadline);
        Ok(())
    }

    /// Parks `task` until `deadline`, or until `socket` is closed. What the system reports about the
    /// socket meanwhile is not what the task waits for.
    pub fn pause(&self, task: TaskId, socket: &mut Socket, direction: Direction, deadline: Instant) {
        let source = self.source_of(socket);
        self.reactor.borrow_mut().ignore(source, direction);
        self.scheduler.borrow_mut().wait_for_any(task, [(source, direction)], Some(deadline));
    }

    /// Parks `task` in the midst of an operation in the other direction until `socket` is ready in
    /// `direction`, it is woken by [`Runtime::wake_watchers`], or `deadline` has passed.
    ///
    /// # Errors
    /// As [`Runtime::wait_for_socket`].
    pub fn wait_across(
        &self,
        task: TaskId,
        socket: &mut Socket,
        direction: Direction,
        deadline: Option<Instant>,
    ) -> io::Result<()> {
        let source = self.watch_socket(socket, direction)?;
        self.scheduler.borrow_mut().wait_across(task, source, direction, deadline);
        Ok(())
    }

    /// Wakes whoever only looks at a socket.
    pub fn wake_watchers(&self, socket: &Socket) {
        if let Some(source) = socket.source {
            self.scheduler.borrow_mut().wake_watchers(source);
        }
    }

    /// Sees to it that a socket's events in `direction` reach whoever waits for its source.
    ///
    /// # Errors
    /// Those of the event queue.
    pub fn watch_socket(&self, socket: &mut Socket, direction: Direction) -> io::Result<SourceId> {
        let source = self.source_of(socket);
        let descriptor = socket.open_descriptor()?;
        let mut reactor = self.reactor.borrow_mut();
        reactor.watch(source, descriptor.as_fd(), direction, || {
            self.scheduler.borrow_mut().is_awaited(source, Direction::Write)
        })?;
        reactor.expect(socket.is_streaming() && direction == Direction::Read);
        Ok(source)
    }

    /// The source that stands for a socket.
    pub fn source_of(&self, socket: &mut Socket) -> SourceId {
        *socket.source.get_or_insert_with(|| self.scheduler.borrow_mut().add_source())
    }

    /// Whether some task is in the midst of an operation on a socket in `direction`.
    pub fn is_in_use(&self, socket: &Socket, direction: Direction) -> bool {
        socket.source.is_some_and(|source| self.scheduler.borrow_mut().is_in_use(source, direction))
    }

    /// Whether `task` may use a socket now, or has to queue behind others that wait for it.
    pub fn may_proceed(&self, task: TaskId, socket: &Socket, direction: Direction) -> bool {
        socket.source.is_none_or(|source| self.scheduler.borrow_mut().may_proceed(task, source, direction))
    }

    /// Wakes the next task that waits to receive from a socket, if something is left in its buffer, or may be
    /// left in its connection, where no event tells of it; and the next that waits to send, if that is in vain.
    pub fn pass_on(&self, socket: &Socket) {
        let Some(source) = socket.source else { return };
        if socket.buffer.has_more() || socket.speaks_tls() {
            self.scheduler.borrow_mut().notify(source, Direction::Read);
        }
        if socket.is_ready(Direction::Write) {
            self.scheduler.borrow_mut().notify(source, Direction::Write);
        }
    }

    /// Gives up a source: whoever waits for it wakes.
    pub fn remove_source(&self, source: SourceId) {
        self.reactor.borrow_mut().forget(source);
        self.scheduler.borrow_mut().remove_source(source);
    }

    /// Takes a socket out of the loop: whoever waits for it wakes. Must come before its descriptor
    /// is closed or replaced.
    pub fn release_socket(&self, socket: &mut Socket) {
        if let Some(source) = socket.source.take() {
            self.remove_source(source);
        }
        self.release_stale_source(socket);
    }

    /// Gives up the place of a descriptor that the socket has discarded.
    pub fn release_stale_source(&self, socket: &mut Socket) {
        if let Some(source) = socket.stale_source.take() {
            self.remove_source(source);
        }
    }

    /// Runs `job` on a resolver thread.
    pub fn start_lookup<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Lookup<T> {
        let source = self.scheduler.borrow_mut().add_source();
        self.resolver.borrow_mut().start(source, job)
    }

    // Things that all sockets share

    /// Lends out the buffer that sockets receive through; give it back with
    /// [`Runtime::return_scratch`].
    pub fn take_scratch(&self) -> Vec<u8> {
        let scratch = self.scratch.take();
        if scratch.is_empty() { vec![0; SCRATCH_SIZE] } else { scratch }
    }

    /// Lends it to `f`.
    pub fn with_scratch<R>(&self, f: impl FnOnce(&mut [u8]) -> R) -> R {
        let mut scratch = self.scratch.borrow_mut();
        if scratch.is_empty() {
            scratch.resize(SCRATCH_SIZE, 0);
        }
        f(&mut scratch)
    }

    /// Takes the buffer back.
    pub fn return_scratch(&self, scratch: Vec<u8>) {
        self.scratch.replace(scratch);
    }

    /// Memory for what is received ahead, of [`MOST_AHEAD`] bytes.
    pub fn take_memory(&self) -> Vec<u8> {
        self.memory.borrow_mut().pop().unwrap_or_else(|| Vec::with_capacity(MOST_AHEAD))
    }

    /// Takes such memory back. Other memory is freed.
    pub fn keep_memory(&self, memory: Vec<u8>) {
        if memory.capacity() == MOST_AHEAD {
            // What is too much is freed.
            let _ = self.memory.borrow_mut().try_push(memory);
        }
    }

    /// Seconds on the monotonic clock since this runtime began.
    pub fn seconds(&self, instant: Instant) -> f64 {
        instant.saturating_duration_since(self.epoch).as_secs_f64()
    }

    /// The instant that [`Runtime::seconds`] gave as `seconds`.
    pub fn instant(&self, seconds: f64) -> Instant {
        let offset = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default();
        self.epoch.checked_add(offset).unwrap_or(self.epoch)
    }
}

/// The instant `seconds` from now; `None` for no limit: negative, not a number, or beyond what the
/// clock can count.
pub fn deadline_after(seconds: f64) -> Option<Instant> {
    if seconds.is_nan() || seconds < 0.0 {
        return None;
    }
    Instant::now().checked_add(Duration::try_from_secs_f64(seconds).ok()?)
}
