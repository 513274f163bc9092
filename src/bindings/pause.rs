//! Waiting for what the system does not announce, by looking again and again.
//!
//! A unix stream that connects to a server whose backlog is full has to wait until somebody accepts,
//! and a datagram for a receiver whose queue is full until somebody receives. The socket itself counts
//! as writable all the while, so there is no event to wait for. Between two attempts passes as much
//! time as has passed already, up to a limit: a short wait ends soon after it could, and a long one
//! costs next to nothing.

use std::time::{Duration, Instant};

use super::attempt::{Again, Attempt};
use super::call::Call;
use super::context::{PLAIN_COROUTINE, Place};
use super::value::Raise;
use crate::net::error::{self, TIMEOUT};
use crate::net::readiness;
use crate::net::socket::Socket;
use crate::scheduler::Direction;

/// The longest time between two attempts.
const LONGEST: Duration = Duration::from_millis(32);

impl Call<'_> {
    /// Parks the task for a while, or until the socket is closed. Outside of tasks, blocks the program.
    /// Fails if the time is up.
    pub(super) fn pause<T>(
        &self,
        place: Place,
        socket: &mut Socket,
        direction: Direction,
        began: Option<f64>,
    ) -> Result<Attempt<T>, Raise> {
        let runtime = &self.context.runtime;
        // That a pause ended says nothing about the time of the operation.
        runtime.take_timed_out();
        // The beginning counts for the length of the pauses even if nothing limits the operation.
        let began = began.filter(|&began| began > 0.0).unwrap_or_else(|| runtime.seconds(Instant::now()));
        let elapsed = runtime.instant(began).elapsed();
        let limit = socket.timeouts.only_wait(elapsed);
        if limit == Some(Duration::ZERO) {
            self.end_turn(place, socket);
            return Ok(Attempt::Failed(TIMEOUT.into()));
        }
        let pause = elapsed.min(LONGEST).min(limit.unwrap_or(LONGEST));
        match place {
            Place::Task(task) => {
                runtime.pause(task, socket, direction, Instant::now() + pause);
                Ok(Attempt::Again(Again::new(began, false)))
            }
            Place::Outside => match readiness::poll_for(&mut [], Some(pause)) {
                Err(error) if error.kind() != std::io::ErrorKind::Interrupted => {
                    Ok(Attempt::Failed(error::system_error(&error)))
                }
                _ => Ok(Attempt::Again(Again::new(began, true))),
            },
            Place::PlainCoroutine => Err(Raise::Message(PLAIN_COROUTINE.into())),
        }
    }
}
