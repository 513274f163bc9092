//! Receiving from a socket that speaks TLS.

use std::io;
use std::mem::{self, MaybeUninit};

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

/// How much is decrypted into the buffer at a time, in bytes: so that the calls in a row take no longer than for others.
const AT_A_TIME: usize = 64 * 1024;

/// So much, in bytes, is worth a call of OpenSSL's of its own. Less is taken from what a call for more has decrypted.
const WORTH_A_CALL: usize = 4 * 1024;

/// When so much waits to be sent, in bytes, nothing more is received that wants an answer. What `send` leaves is less: a
/// peer that sends without receiving must not make this side wait for it.
pub(super) const MOST_ANSWERS: usize = 256 * 1024;

/// A piece of so many bytes, received at once, is a large one.
const LARGE: usize = 4 * 1024;

/// So many bytes in large pieces are no answer to a question any more, but a stream.
pub(super) const STREAM: usize = 1024 * 1024;

impl Socket {
    /// What has been decrypted already, if that decides: what `pattern` asks for, or that it cannot come.
    pub fn receive_buffered(&mut self, pattern: Pattern) -> Option<Result<Received, Failure>> {
        if self.buffer.is_empty() || !self.tls.as_ref().is_some_and(|tls| tls.is_established()) {
            None
        } else if let Some(found) = self.buffer.find(pattern) {
            Some(Ok(Received::InBuffer(found)))
        } else {
            pattern.is_exceeded_by(self.buffer.len()).then(|| Err(LINE_TOO_LONG.into()))
        }
    }

    /// Tries to receive what `pattern` asks for, by way of `scratch`, when [`Socket::receive_buffered`] has found nothing:
    /// [`Socket::receive`] for a socket that speaks TLS.
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
        self.look_again();
        let (Some(tls), Some(descriptor)) = (&mut self.tls, &self.descriptor) else {
            return Err(CLOSED.into());
        };
        if !tls.is_established() {
            return Err(CLOSED.into());
        }
        tls.unasked = 0;
        let outcome = tls.with_buffers(buffers, |tls| {
            let mut receiving = Receiving {
                tls,
                descriptor,
                buffer: &mut self.buffer,
                drained: &mut self.drained,
                statistics: &mut self.statistics,
            };
            let outcome = receiving.receive(pattern, scratch, may_block);
            // What was received was there already, and the program may do anything next; or the peer shall know at once
            // what is wrong with what it has sent. An error is found again.
            if tls.waits_for_data || tls.is_broken() {
                let _ = tls.push(descriptor);
            }
            outcome
        });
        tls.note(Direction::Read, &outcome);
        outcome
    }
}

impl Connection {
    /// Whether more is likely to come by itself. [`Socket::is_streaming`] asks this.
    pub fn is_streaming(&self) -> bool {
        self.streamed >= STREAM
    }

    /// Whether an end of what is received is the peer's own word, or need not be. [`Socket::is_cut_off`] asks this.
    pub fn is_content_with_end(&self) -> bool {
        self.has_ended_well() || self.context().ignores_unexpected_eof()
    }

    /// Notes how much has just been pulled.
    fn note_piece(&mut self) {
        let length = self.expected();
        self.streamed = if length >= LARGE { self.streamed.saturating_add(length) } else { 0 };
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
        let mut filled = 0;
        let outcome = self.decrypt(pattern, scratch, &mut filled, may_block);
        self.buffer.extend(&scratch[..filled]);
        if outcome.is_err() && pattern == Pattern::All && self.tls.has_ended_well() && !self.buffer.is_empty()
        {
            return Ok(Received::InBuffer(self.buffer.rest(pattern)));
        }
        outcome
    }

    /// Decrypts until there is what `pattern` asks for. The first `filled` bytes of `scratch` are to be kept.
    ///
    /// For a large piece no more is decrypted than it can take, as the rest would have to be moved. What has been
    /// pulled is decrypted before this returns, as far as there is room; so what the wire keeps begins with a
    /// record.
    fn decrypt(
        &mut self,
        pattern: Pattern,
        scratch: &mut [u8],
        filled: &mut usize,
        may_block: bool,
    ) -> Result<Received, Failure> {
        let most = match pattern {
            Pattern::Exactly(most) | Pattern::Between { most, .. } if most >= WORTH_A_CALL => Some(most),
            _ => None,
        };
        let mut fruitless = true;
        for call in 1..=CALLS_IN_A_ROW {
            let in_scratch = self.buffer.is_empty()
                && match most {
                    Some(most) => most <= scratch.len(),
                    // What is no more than a record or two is mostly what was asked for, and needs no memory of
                    // its own; unless it is to stay.
                    None => {
                        *filled + self.tls.expected() <= BY_WAY_OF_SCRATCH && pattern != Pattern::Exactly(0)
                    }
                };
            if in_scratch {
                let end = most.unwrap_or(scratch.len());
                let room = uninitialised(&mut scratch[*filled..end]);
                let count = self.tls.receive(room, self.descriptor, self.drained).map_err(Failure::Error)?;
                if count > 0 {
                    fruitless = false;
                    let seen = *filled;
                    *filled += count;
                    if let Some(found) = pattern.find(&mut scratch[..*filled], seen) {
                        self.buffer.extend(&scratch[found.used..*filled]);
                        *filled = 0;
                        self.statistics.received += found.used as f64;
                        return Ok(Received::InScratch(found.answer));
                    } else if pattern.is_exceeded_by(*filled) {
                        return Err(LINE_TOO_LONG.into());
                    }
                    continue;
                }
            } else {
                self.buffer.extend(&scratch[..mem::take(filled)]);
                let there = self.buffer.len();
                let room = match most {
                    Some(most) => (most - there).min(AT_A_TIME),
                    None => there.max(self.tls.expected()).clamp(ROOM.start, AT_A_TIME),
                };
                if self.decrypt_into_buffer(room)? > 0 {
                    fruitless = false;
                    if let Some(found) = self.buffer.find(pattern) {
                        return Ok(Received::InBuffer(found));
                    } else if pattern.is_exceeded_by(self.buffer.len()) {
                        return Err(LINE_TOO_LONG.into());
                    }
                    continue;
                }
            }
            // Else a few of many records without data have been dealt with.
            if self.tls.undecrypted() == 0 && call < CALLS_IN_A_ROW {
                self.pull(may_block)?;
            }
        }
        Err(if fruitless { Failure::Fruitless } else { Failure::Busy })
    }

    /// Decrypts up to `room` bytes into the buffer, which owns no memory if it stays empty.
    fn decrypt_into_buffer(&mut self, room: usize) -> Result<usize, Failure> {
        if !self.tls.may_decrypt() {
            return self.tls.decrypt(&mut []).map_err(Failure::Error);
        }
        let count = self.buffer.extend_with(room, |spare| {
            self.tls.receive(spare, self.descriptor, self.drained).map_err(Failure::Error)
        });
        if self.buffer.is_empty() {
            self.buffer.clear();
        }
        count
    }

    /// Receives more to decrypt.
    fn pull(&mut self, may_block: bool) -> Result<(), Failure> {
        // Decrypting may have made something to send: an answer to what the peer wants changed. If it
        // cannot be sent now, the next operation does that; only a handshake gets nowhere without, and
        // there must not be ever more of it.
        let pushed = self.tls.push(self.descriptor);
        if matches!(pushed, Ok(false)) && self.tls.outgoing() > MOST_ANSWERS {
            return Err(Failure::Blocked(Direction::Write));
        }
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
                self.tls.note_piece();
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
