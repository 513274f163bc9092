//! The handshake of a socket that speaks TLS.

use std::io;

use socket2::Socket as Descriptor;

use super::connection::Connection;
use super::error::UNEXPECTED_EOF;
use super::wire::{Buffers, Pulled};
use crate::net::error::{CLOSED, Text, system_error};
use crate::net::socket::{Failure, Socket};
use crate::net::stream::CALLS_IN_A_ROW;
use crate::scheduler::Direction;

impl Socket {
    /// Goes on with the handshake as far as possible without waiting. `may_block` as in
    /// [`Socket::receive`]; then the caller is also to ask for what may be put off at the end, see
    /// [`Socket::put_off_tickets`].
    ///
    /// # Errors
    /// [`Failure`]. A handshake that has failed fails again for the same reason.
    pub fn shake_hands(&mut self, may_block: bool, buffers: &mut Buffers) -> Result<(), Failure> {
        self.look_again();
        let Some(tls) = &mut self.tls else {
            return Err(CLOSED.into());
        };
        let Some(descriptor) = &self.descriptor else {
            // As the system would say, were it asked.
            return Err(Failure::Error(system_error(&io::Error::from_raw_os_error(libc::EBADF))));
        };
        if let Some(reason) = &tls.failure {
            return Err(Failure::Error(reason.clone()));
        }
        tls.resume(descriptor);
        let outcome = tls.with_buffers(buffers, |tls| go_on(tls, descriptor, &mut self.drained, may_block));
        if let Err(Failure::Error(reason)) = &outcome {
            tls.failure = Some(reason.clone());
            tls.forget_sessions_of_peer();
        }
        tls.note(Direction::Read, &outcome);
        outcome
    }
}

fn go_on(
    tls: &mut Connection,
    descriptor: &Descriptor,
    drained: &mut bool,
    may_block: bool,
) -> Result<(), Failure> {
    for call in 1..=CALLS_IN_A_ROW {
        let may_put_off = may_block && tls.is_fresh() && !tls.waits_across();
        let advanced = tls.shake_hands();
        if may_put_off && matches!(advanced, Ok(true)) && tls.has_tickets_only() {
            return Ok(());
        }
        // Whatever came of it, the peer has to know: what it is to answer, or why it has failed.
        let is_peers_turn = tls.outgoing() > 0;
        let pushed = tls.push(descriptor);
        if advanced.map_err(Failure::Error)? {
            return match pushed {
                Ok(true) => Ok(()),
                Ok(false) => Err(Failure::Blocked(Direction::Write)),
                Err(error) => Err(Failure::Error(system_error(&error))),
            };
        }
        if may_block && (is_peers_turn || *drained) && matches!(pushed, Ok(true)) {
            // Nobody answers as fast as we could look.
            return Err(Failure::Blocked(Direction::Read));
        }
        if call == CALLS_IN_A_ROW {
            break; // what has been received must not wait for more
        }
        let pulled = match tls.pull(descriptor) {
            // The peer is gone; if it had said why, that would have been received.
            Err(_) | Ok(Pulled::End) if pushed.is_err() => return Err(Failure::Error(broken(pushed))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && matches!(pushed, Ok(false)) => {
                return Err(Failure::Blocked(Direction::Write));
            }
            Err(error) => return Err(Failure::from_system(&error, Direction::Read)),
            Ok(Pulled::End) => return Err(UNEXPECTED_EOF.into()),
            Ok(pulled) => pulled,
        };
        *drained = pulled == Pulled::Some { all: true };
    }
    Err(Failure::Fruitless)
}

/// Why what was to be sent could not be sent.
fn broken(pushed: io::Result<bool>) -> Text {
    pushed.map_or_else(|error| system_error(&error), |_| CLOSED.into())
}
