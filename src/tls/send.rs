//! Sending through a socket that speaks TLS.

use std::mem;

use socket2::Socket as Descriptor;

use super::connection::Connection;
use super::wire::{Buffers, Pulled};
use crate::net::buffer::ReceiveBuffer;
use crate::net::error::CLOSED;
use crate::net::socket::{Failure, Socket};
use crate::net::stream::{CALLS_IN_A_ROW, ROOM};
use crate::scheduler::Direction;

/// How much is encrypted before it is sent, in bytes: a few records, of 16 KiB at most each.
const PIECE: usize = 64 * 1024;

/// So many bytes may come, in the midst of a handshake, while the program sends and does not receive. It is about what the
/// systems of both ends hold at most, so a peer that waits for the handshake does not send more.
pub(super) const MOST_UNASKED: usize = 8 * 1024 * 1024;

impl Socket {
    /// Tries to send `data` from `*sent` on, which tells afterwards how far it got: [`Socket::send`] for
    /// a socket that speaks TLS.
    ///
    /// What counts as sent has been encrypted. If the system does not take all of that, the rest is sent
    /// first by whatever operation comes next.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn send_encrypted(
        &mut self,
        data: &[u8],
        sent: &mut usize,
        buffers: &mut Buffers,
    ) -> Result<(), Failure> {
        let (Some(tls), Some(descriptor)) = (&mut self.tls, &self.descriptor) else {
            return Err(CLOSED.into());
        };
        if !tls.is_established() {
            return Err(CLOSED.into());
        }
        tls.streamed = 0;
        let before = *sent;
        let outcome = tls.with_buffers(buffers, |tls| {
            let outcome = send(tls, descriptor, &mut self.buffer, data, sent);
            if tls.is_broken() {
                // The peer shall know why. An error is no news.
                let _ = tls.push(descriptor);
            }
            outcome
        });
        self.statistics.sent += (*sent - before) as f64;
        tls.note(Direction::Write, &outcome);
        outcome
    }
}

fn send(
    tls: &mut Connection,
    descriptor: &Descriptor,
    buffer: &mut ReceiveBuffer,
    data: &[u8],
    sent: &mut usize,
) -> Result<(), Failure> {
    let mut taken = *sent;
    for _ in 0..CALLS_IN_A_ROW {
        if tls.is_broken() {
            return Err(CLOSED.into());
        }
        let comes_with_data = mem::take(&mut tls.waits_for_data) && *sent < data.len();
        let pushed = if comes_with_data { Ok(true) } else { tls.push(descriptor) };
        match pushed {
            Ok(true) => taken = *sent,
            Ok(false) => return Err(Failure::Blocked(Direction::Write)),
            Err(error) => {
                // What was encrypted in vain is not sent.
                *sent = taken;
                return Err(Failure::from_system(&error, Direction::Write));
            }
        }
        let rest = &data[*sent..];
        if rest.is_empty() {
            return Ok(());
        }
        if tls.is_in_handshake() {
            finish_handshake(tls, descriptor, buffer)?;
        } else {
            *sent += tls.encrypt(&rest[..rest.len().min(PIECE)], descriptor).map_err(Failure::Error)?;
        }
    }
    Err(if tls.is_in_handshake() { Failure::Fruitless } else { Failure::Busy })
}

/// Goes on with a handshake that the peer began in the midst of the exchange of data.
///
/// This is done by receiving. Were OpenSSL to do it while it sends, it would take data of the peer's
/// that come in between for an error. They are kept for whoever receives, and must not be ever more.
fn finish_handshake(
    tls: &mut Connection,
    descriptor: &Descriptor,
    buffer: &mut ReceiveBuffer,
) -> Result<(), Failure> {
    if !tls.may_decrypt() {
        match tls.pull(descriptor) {
            Ok(Pulled::End) => return Err(Failure::Error(tls.end_unexpectedly())),
            Ok(_) => {}
            Err(error) => return Err(Failure::from_system(&error, Direction::Read)),
        }
    }
    tls.unasked += buffer.extend_with(ROOM.end, |spare| tls.decrypt(spare).map_err(Failure::Error))?;
    if tls.unasked > MOST_UNASKED {
        tls.break_off();
        return Err("too much data in the midst of a handshake".into());
    }
    Ok(())
}
