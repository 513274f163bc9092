//! One attempt at an operation of a connection, which may have to wait for the direction that is not
//! its own: a read that has to write first, and the reverse.

use crate::bindings::attempt::Attempt;
use crate::bindings::call::Call;
use crate::bindings::value::Raise;
use crate::net::error::TIMEOUT;
use crate::net::socket::{Failure, Socket};
use crate::scheduler::Direction;

/// What ends an operation in whose midst the program has raised an error. Nobody reads it.
const RAISED: &str = "callback failed";

impl Call<'_> {
    /// [`Call::attempt`] for a connection. When the time is up, LuaSec tells by what it says what there
    /// was to wait for.
    pub(super) fn attempt_tls<T>(
        &self,
        socket: &mut Socket,
        direction: Direction,
        began: Option<f64>,
        operation: impl FnOnce(&mut Socket, bool) -> Result<T, Failure>,
    ) -> Result<Attempt<T>, Raise> {
        // Whoever has to queue waits for its own direction.
        let mut awaited = Some(direction);
        let mut raised = false;
        let attempt = self.attempt(socket, direction, began, |socket, may_block| {
            let mut outcome;
            (outcome, raised) = self.context.tls.program.run(self.state(), || operation(socket, may_block));
            if raised {
                outcome = Err(RAISED.into());
            }
            awaited = match outcome {
                Err(Failure::Blocked(direction)) => Some(direction),
                Err(Failure::Fruitless) => Some(Direction::Read),
                _ => None,
            };
            if socket.tls.as_mut().is_some_and(|tls| tls.take_across()) {
                self.context.runtime.wake_watchers(socket);
            }
            if awaited == Some(Direction::Read) && direction == Direction::Write {
                // What it has received so far is not for itself.
                self.context.runtime.pass_on(socket);
            }
            outcome
        })?;
        if raised {
            return Err(Raise::Top);
        }
        Ok(match (attempt, awaited) {
            (Attempt::Failed(error), Some(awaited)) if error == TIMEOUT => Attempt::Failed(match awaited {
                Direction::Read => "wantread".into(),
                Direction::Write => "wantwrite".into(),
            }),
            (attempt, _) => attempt,
        })
    }
}
