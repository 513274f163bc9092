//! Receiving from a socket that speaks TLS.

use std::io;
use std::mem::MaybeUninit;

use socket2::Socket as Descriptor;

use super::connection::Connection;
use super::wire::{Buffers, Pulled};
use crate::net::buffer::{Pattern, ReceiveBuffer};
use crate::net::error::{CLOSED, LINE_TOO_LONG};
use crate::net::socket::{Failure, Socket, Statistics};
use crate::net::stream::{CALLS_IN_A_ROW, ROOM, Received};
use crate::scheduler::Direction;

/// How much that is not decrypted yet is decrypted by way of the scratch buffer, in bytes.
const BY_WAY_OF_SCRATCH: usize = 16 * 1024;

impl Socket {
    /// Tries to receive what `pattern` asks for, by way of `scratch`: [`Socket::receive`] for a socket
    /// that speaks TLS.
    ///
    /// # Errors
    /// [`Failure`]; what has arrived so far stays, see [`Socket::partial`].
    pub fn receive_decrypted(
        &mut self,
        pattern: Pattern,
        scratch: &mut [u8],
        may_block: bool,
        buffers: &mut Buffers,
    ) -> Result<Received, Failure> {
        if !self.buffer.is_empty() {
            if let Some(found) = self.buffer.find(pattern) {
                return Ok(Received::InBuffer(found));
            } else if pattern.is_exceeded_by(self.buffer.len()) {
                return Err(LINE_TOO_LONG.into());
            }
        }
        self.look_again();
        let (Some(tls), Some(descriptor)) = (&mut self.tls, &self.descriptor) else {
            return Err(CLOSED.into());
        };
        if !tls.is_established() {
            return Err(CLOSED.into());
        }
        let outcome = tls.with_buffers(buffers, |tls| {
            let mut receiving = Receiving {
                tls,
                descriptor,
                buffer: &mut self.buffer,
                drained: &mut self.drained,
                statistics: &mut self.statistics,
            };
            receiving.receive(pattern, scratch, may_block)
        });
        tls.note(Direction::Read, &outcome);
        outcome
    }
}

/// The parts of a socket that receiving needs.
struct Receiving<'a> {
    tls: &'a mut Connection,
    descriptor: &'a Descriptor,
    buffer: &'a mut ReceiveBuffer,
    drained: &'a mut bool,
    statistics: &'a mut Statistics,
}

impl Receiving<'_> {
    fn receive(
        &mut self,
        pattern: Pattern,
        scratch: &mut [u8],
        may_block: bool,
    ) -> Result<Received, Failure> {
        let waits_for_a_byte = pattern == Pattern::Exactly(0);
        for _ in 0..CALLS_IN_A_ROW {
            let pending = self.tls.undecrypted();
            // What is no more than a record or two is mostly what was asked for, and needs no memory of its own.
            let in_scratch = self.buffer.is_empty() && pending <= BY_WAY_OF_SCRATCH;
            let decrypted = if in_scratch {
                self.tls.decrypt(uninitialised(scratch))
            } else {
                let wanted = match pattern {
                    Pattern::Exactly(count) => count - self.buffer.len(),
                    Pattern::Between { most, .. } => most - self.buffer.len(),
                    Pattern::Line | Pattern::LineUpTo(_) => 0,
                    Pattern::All => self.buffer.len(),
                };
                // All that was received is decrypted, else it would have to be kept.
                let room = wanted.max(pending).clamp(ROOM.start, ROOM.end);
                self.buffer.extend_with(room, |spare| self.tls.decrypt(spare))
            };
            let count = match decrypted {
                Err(end) if end == CLOSED && pattern == Pattern::All && !self.buffer.is_empty() => {
                    return Ok(Received::InBuffer(self.buffer.rest(pattern)));
                }
                Err(end) => return Err(Failure::Error(end)),
                Ok(count) => count,
            };
            if count == 0 {
                self.pull(may_block)?;
                continue;
            }
            if in_scratch {
                let arrived = &mut scratch[..count];
                if !waits_for_a_byte && let Some(found) = pattern.find(arrived, 0) {
                    self.buffer.extend(&arrived[found.used..]);
                    self.statistics.received += found.used as f64;
                    return Ok(Received::InScratch(found.answer));
                }
                self.buffer.extend(arrived);
            }
            if let Some(found) = self.buffer.find(pattern) {
                return Ok(Received::InBuffer(found));
            } else if pattern.is_exceeded_by(self.buffer.len()) {
                return Err(LINE_TOO_LONG.into());
            }
        }
        Err(Failure::Busy)
    }

    /// Receives more to decrypt.
    fn pull(&mut self, may_block: bool) -> Result<(), Failure> {
        // Decrypting may have made something to send: an answer to what the peer wants changed. If it
        // cannot be sent now, the next operation does that; only a handshake gets nowhere without.
        let pushed = self.tls.push(self.descriptor);
        let blocked = if matches!(pushed, Ok(false)) && self.tls.is_in_handshake() {
            Direction::Write
        } else {
            Direction::Read
        };
        if may_block && *self.drained {
            return Err(Failure::Blocked(blocked));
        }
        match self.tls.pull(self.descriptor) {
            Ok(Pulled::End) => {
                let end = self.tls.end_unexpectedly();
                // The next attempt at decrypting tells the end, once what is there has been dealt with.
                if end == CLOSED { Ok(()) } else { Err(Failure::Error(end)) }
            }
            Ok(pulled) => {
                *self.drained = pulled == Pulled::Some { all: true };
                Ok(())
            }
            Err(error) => {
                *self.drained = error.kind() == io::ErrorKind::WouldBlock;
                match Failure::from_system(&error, Direction::Read) {
                    Failure::Blocked(_) => Err(Failure::Blocked(blocked)),
                    failure => Err(failure),
                }
            }
        }
    }
}

/// Room for bytes, of which only what was written is looked at afterwards.
fn uninitialised(room: &mut [u8]) -> &mut [MaybeUninit<u8>] {
    // SAFETY: `MaybeUninit<u8>` has the layout of `u8`, and OpenSSL never writes uninitialised bytes.
    unsafe { &mut *(std::ptr::from_mut(room) as *mut [MaybeUninit<u8>]) }
}
