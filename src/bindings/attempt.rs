//! One attempt at an operation, and how to go on if it has to wait.
//!
//! In a task, an operation that has to wait parks the task and tells Lua to yield and try again. On
//! the main thread it blocks the program, as LuaSocket does, up to its limit; Lua then tries again
//! at once, which gives the interpreter a chance to act on a signal.
//!
//! What Lua sees of an attempt that has to be repeated: `nil, nil, began, blocked, progress`. `began`
//! and `progress` are to be passed to the next attempt; `blocked` says that there is no need to yield.
//! Functions that wait by themselves (see `waiting.rs`) are called again without Lua's help.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::call::Call;
use super::context::{PLAIN_COROUTINE, Place};
use super::value::{Raise, Values, repeat};
use crate::net::error::{self, TIMEOUT, Text};
use crate::net::readiness;
use crate::net::socket::{Failure, Socket};
use crate::net::timeout::Timeouts;
use crate::scheduler::{Direction, TaskId};

/// The argument in which Lua passes `began`, in every function that may have to be repeated.
const BEGAN: i32 = 5;
/// The argument in which it passes the progress.
const PROGRESS: i32 = 6;

/// How an attempt went.
pub(crate) enum Attempt<T> {
    /// It succeeded.
    Done(T),
    /// It failed for good.
    Failed(Text),
    /// It has to be repeated.
    Again(Again),
}

impl<T> Attempt<T> {
    /// The same with another result.
    pub(crate) fn map<U>(self, f: impl FnOnce(T) -> U) -> Attempt<U> {
        match self {
            Attempt::Done(value) => Attempt::Done(f(value)),
            Attempt::Failed(text) => Attempt::Failed(text),
            Attempt::Again(again) => Attempt::Again(again),
        }
    }
}

/// What to pass to the next attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Again {
    /// When the operation began, in seconds of the runtime's clock; 0 if nothing limits it.
    pub(super) began: f64,
    /// Whether the program was blocked, so that there is no need to yield.
    pub(super) blocked: bool,
    /// How far the operation got, in its own unit.
    pub(super) progress: usize,
}

impl Again {
    pub(super) fn new(began: f64, blocked: bool) -> Self {
        Again { began, blocked, progress: 0 }
    }

    /// What the function returns.
    pub(crate) fn values(self) -> Values {
        repeat(self)
    }

    /// The same, with the progress made so far.
    pub(crate) fn values_with(self, progress: usize) -> Values {
        repeat(Again { progress, ..self })
    }
}

/// Where a call finds what an earlier attempt at the same operation said.
#[cfg_attr(
    any(feature = "lua51", feature = "luajit"),
    expect(dead_code, reason = "there all operations go on through arguments")
)]
#[derive(Clone, Copy, Debug)]
pub(super) enum Earlier {
    /// In its arguments.
    Arguments,
    /// Here, unless this is the first attempt.
    Known(Option<Again>),
    /// With what is kept for the running task.
    Kept,
}

impl Call<'_> {
    /// When the operation began, if this is not the first attempt at it.
    pub(crate) fn began(&self) -> Option<f64> {
        match self.earlier {
            Some(earlier) => earlier.map(|again| again.began),
            None if self.count < BEGAN => None,
            None => self.maybe_number(BEGAN),
        }
    }

    /// How far the earlier attempts got.
    pub(crate) fn progress(&self) -> usize {
        match self.earlier {
            Some(earlier) => earlier.map_or(0, |again| again.progress),
            None if self.count < PROGRESS => 0,
            None => self.maybe_number(PROGRESS).map_or(0, |progress| progress as usize),
        }
    }

    /// Tries `operation` once.
    ///
    /// `began` is what the previous attempt at the same operation said, if this is not the first.
    /// The operation is told whether it may leave out system calls that would block.
    pub(crate) fn attempt<T>(
        &self,
        socket: &mut Socket,
        direction: Direction,
        began: Option<f64>,
        operation: impl FnOnce(&mut Socket, bool) -> Result<T, Failure>,
    ) -> Result<Attempt<T>, Raise> {
        let runtime = &self.context.runtime;
        let place = self.place();
        if let Place::Task(task) = place {
            if began.is_none() && runtime.spend(task) {
                return Ok(Attempt::Again(Again::new(self.beginning(&socket.timeouts), false)));
            }
            if !runtime.may_proceed(task, socket, direction) {
                return Ok(self.wait(task, socket, direction, direction, began));
            }
        }
        socket.woken = began.is_some();
        let may_block = matches!(place, Place::Task(_))
            && socket.timeouts.next_wait(Duration::ZERO) != Some(Duration::ZERO);
        let outcome = operation(socket, may_block);
        runtime.release_stale_source(socket);
        let (outcome, began) = match outcome {
            Err(Failure::Fruitless) => {
                let (began, limit) = self.limit(&socket.timeouts, began);
                let is_over = limit == Some(Duration::ZERO);
                (Err(if is_over { Failure::Error(TIMEOUT.into()) } else { Failure::Busy }), Some(began))
            }
            outcome => (outcome, began),
        };
        match (outcome, place) {
            (Ok(value), _) => {
                self.end_turn(place, socket);
                Ok(Attempt::Done(value))
            }
            (Err(Failure::Error(text)), _) => {
                self.end_turn(place, socket);
                Ok(Attempt::Failed(text))
            }
            (Err(Failure::Busy), Place::Task(task)) => {
                let began = began.unwrap_or_else(|| self.beginning(&socket.timeouts));
                runtime.yield_within(task, socket, direction);
                Ok(Attempt::Again(Again::new(began, false)))
            }
            (Err(Failure::Busy), _) => {
                let began = began.unwrap_or_else(|| self.beginning(&socket.timeouts));
                Ok(Attempt::Again(Again::new(began, true)))
            }
            (Err(Failure::Unannounced(direction)), _) => self.pause(place, socket, direction, began),
            (Err(Failure::Blocked(awaited)), Place::Task(task)) => {
                Ok(self.wait(task, socket, direction, awaited, began))
            }
            (Err(Failure::Fruitless), _) => unreachable!("it has become another failure"),
            (Err(Failure::Blocked(direction)), Place::Outside) => Ok(self.block(socket, direction, began)),
            (Err(Failure::Blocked(_)), Place::PlainCoroutine) => {
                let limit = self.limit(&socket.timeouts, began).1;
                if limit == Some(Duration::ZERO) {
                    return Ok(Attempt::Failed(TIMEOUT.into()));
                }
                Err(Raise::Message(PLAIN_COROUTINE.into()))
            }
        }
    }

    /// The operation is over: the next in line may go.
    pub(super) fn end_turn(&self, place: Place, socket: &Socket) {
        if let Place::Task(task) = place {
            self.context.runtime.scheduler.borrow_mut().release_turn(task);
            self.context.runtime.pass_on(socket);
        }
    }

    /// Whether what has been received already is for others: those behind whom the running task has to queue, or who were
    /// in the midst of receiving when the socket was closed. `began` as in [`Call::attempt`].
    pub(super) fn is_for_others(&self, socket: &Socket, began: Option<f64>) -> bool {
        match self.place() {
            Place::Task(task) if !socket.buffer.is_empty() => {
                began.is_none() && socket.descriptor.is_none()
                    || !self.context.runtime.may_proceed(task, socket, Direction::Read)
            }
            _ => false,
        }
    }

    /// Parks the task, or fails because the time is up. What an operation waits for may be the other
    /// direction.
    fn wait<T>(
        &self,
        task: TaskId,
        socket: &mut Socket,
        direction: Direction,
        awaited: Direction,
        began: Option<f64>,
    ) -> Attempt<T> {
        // Between two waits the time may begin anew (see `Timeouts`), but not after one that failed;
        // unless it was only one of several addresses whose time was up.
        let gave_up =
            self.context.runtime.take_timed_out() && began.is_some() && socket.next_address_due().is_none();
        let (began, limit) = self.limit(&socket.timeouts, began);
        if gave_up || limit == Some(Duration::ZERO) {
            self.end_turn(Place::Task(task), socket);
            return Attempt::Failed(TIMEOUT.into());
        }
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let deadline = earlier(deadline, socket.next_address_due());
        self.context.set_socket(task, socket);
        let parked = if awaited == direction {
            self.context.runtime.wait_for_socket(task, socket, direction, deadline)
        } else {
            self.context.runtime.wait_across(task, socket, awaited, deadline)
        };
        match parked {
            Ok(()) => Attempt::Again(Again::new(began, false)),
            Err(error) => {
                self.end_turn(Place::Task(task), socket);
                Attempt::Failed(error::system_error(&error))
            }
        }
    }

    /// Blocks the program, or fails because the time is up.
    #[cold]
    fn block<T>(&self, socket: &Socket, direction: Direction, began: Option<f64>) -> Attempt<T> {
        let (began, limit) = self.limit(&socket.timeouts, began);
        if limit == Some(Duration::ZERO) {
            return Attempt::Failed(TIMEOUT.into());
        }
        let next_address = socket.next_address_due().map(|due| due.saturating_duration_since(Instant::now()));
        let waited = socket.open_descriptor().and_then(|descriptor| {
            readiness::wait_for(descriptor.as_fd(), direction, earlier(limit, next_address))
        });
        match waited {
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => {
                Attempt::Failed(error::system_error(&error))
            }
            Ok(false) if next_address.is_none() => Attempt::Failed(TIMEOUT.into()),
            _ => Attempt::Again(Again::new(began, true)),
        }
    }

    /// When the operation began, and how long it may still wait.
    fn limit(&self, timeouts: &Timeouts, began: Option<f64>) -> (f64, Option<Duration>) {
        let began = began.unwrap_or_else(|| self.beginning(timeouts));
        (began, self.time_left(timeouts, Some(began)))
    }

    /// How long an operation that began then may still wait; `None` for ever.
    pub(crate) fn time_left(&self, timeouts: &Timeouts, began: Option<f64>) -> Option<Duration> {
        if timeouts.are_unlimited() {
            return None;
        }
        // 0 says that nothing limited the operation when it began: its time starts now.
        let elapsed = match began {
            Some(began) if began > 0.0 => self.context.runtime.instant(began).elapsed(),
            _ => Duration::ZERO,
        };
        timeouts.next_wait(elapsed)
    }

    /// Now, if anything limits the operation that begins.
    fn beginning(&self, timeouts: &Timeouts) -> f64 {
        if timeouts.are_unlimited() { 0.0 } else { self.context.runtime.seconds(Instant::now()) }
    }

    /// What the next attempt needs if the task has been parked otherwise than by [`Call::attempt`].
    pub(crate) fn again_later(&self, timeouts: &Timeouts, began: Option<f64>) -> Again {
        Again::new(began.unwrap_or_else(|| self.beginning(timeouts)), false)
    }
}

fn earlier<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
