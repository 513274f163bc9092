//! Waiting for name resolution: in a task by parking it, outside by blocking the program.

use std::net::SocketAddr;
use std::time::Instant;

use super::attempt::Attempt;
use super::call::Call;
use super::context::{PLAIN_COROUTINE, Place};
use super::dns::Answer;
use super::value::Raise;
use crate::net::error::{TIMEOUT, Text};
use crate::net::host::Query;
use crate::net::resolver::Lookup;
use crate::net::timeout::Timeouts;
use crate::scheduler::{Direction, TaskId};

impl Call<'_> {
    /// Tries to get the addresses that `query` asks for.
    pub(crate) fn resolve(
        &self,
        query: impl FnOnce() -> Query,
        timeouts: &Timeouts,
        began: Option<f64>,
    ) -> Result<Attempt<Vec<SocketAddr>>, Raise> {
        let answer = match self.pending_lookup(timeouts, began)? {
            Some(attempt) => attempt,
            None => {
                let query = query();
                if let Some(answer) = query.answer_at_once() {
                    return Ok(settle(answer));
                }
                self.look_up(timeouts, began, move || Answer::Addresses(query.answer()))?
            }
        };
        Ok(match answer {
            Attempt::Done(Answer::Addresses(answer)) => settle(answer),
            Attempt::Done(_) => unreachable!("a task waits for one lookup at a time"),
            Attempt::Failed(text) => Attempt::Failed(text),
            Attempt::Again(again) => Attempt::Again(again),
        })
    }

    /// Runs `job` where it blocks nobody else and answers when it is done.
    pub(crate) fn look_up(
        &self,
        timeouts: &Timeouts,
        began: Option<f64>,
        job: impl FnOnce() -> Answer + Send + 'static,
    ) -> Result<Attempt<Answer>, Raise> {
        match self.place() {
            Place::Outside => Ok(Attempt::Done(job())),
            Place::PlainCoroutine => Err(Raise::Message(PLAIN_COROUTINE.into())),
            Place::Task(task) => {
                let lookup = self.context.runtime.start_lookup(job);
                // Even if it should have ended by now: a task that looks up much lets others run.
                let attempt = self.wait_for_lookup(task, &lookup, timeouts, began);
                if !matches!(attempt, Attempt::Failed(_)) {
                    self.context.lookups.borrow_mut().insert(task, lookup);
                }
                Ok(attempt)
            }
        }
    }

    /// Whether this task waits for a lookup.
    pub(crate) fn has_lookup(&self) -> bool {
        match self.place() {
            Place::Task(task) => self.context.lookups.borrow().contains_key(&task),
            Place::Outside | Place::PlainCoroutine => false,
        }
    }

    /// How the lookup stands that this task waits for, if there is one.
    pub(crate) fn pending_lookup(
        &self,
        timeouts: &Timeouts,
        began: Option<f64>,
    ) -> Result<Option<Attempt<Answer>>, Raise> {
        let Place::Task(task) = self.place() else {
            return Ok(None);
        };
        let mut lookups = self.context.lookups.borrow_mut();
        let Some(lookup) = lookups.get(&task) else {
            return Ok(None);
        };
        if lookup.has_ended() {
            let answer = lookup.take();
            lookups.remove(&task);
            return Ok(Some(answer.map_or(Attempt::Failed(UNANSWERED.into()), Attempt::Done)));
        }
        let attempt = self.wait_for_lookup(task, lookup, timeouts, began);
        if matches!(attempt, Attempt::Failed(_)) {
            lookups.remove(&task);
        }
        Ok(Some(attempt))
    }

    /// Parks the task until the lookup has ended, or fails because the time is up.
    fn wait_for_lookup(
        &self,
        task: TaskId,
        lookup: &Lookup<Answer>,
        timeouts: &Timeouts,
        began: Option<f64>,
    ) -> Attempt<Answer> {
        // A program that will not wait for a connection still has to wait for the address, as
        // with LuaSocket: there is nothing it could do meanwhile.
        let limit = if timeouts.forbid_waiting() { None } else { self.time_left(timeouts, began) };
        if limit.is_some_and(|limit| limit.is_zero()) {
            return Attempt::Failed(TIMEOUT.into());
        }
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        self.context.runtime.scheduler.borrow_mut().wait_for(
            task,
            lookup.source(),
            Direction::Read,
            deadline,
        );
        Attempt::Again(self.again_later(timeouts, began))
    }
}

/// The error of a lookup that ended without an answer.
const UNANSWERED: &str = "unknown error";

fn settle(answer: Result<Vec<SocketAddr>, Text>) -> Attempt<Vec<SocketAddr>> {
    match answer {
        Ok(addresses) => Attempt::Done(addresses),
        Err(text) => Attempt::Failed(text),
    }
}
