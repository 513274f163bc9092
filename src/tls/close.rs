//! The end of a connection.

use std::io;
use std::mem::MaybeUninit;

use socket2::Socket as Descriptor;

use super::connection::Connection;
use super::wire::Buffers;
use crate::net::delivery::{held_back, unconfirmed};
use crate::net::error::CLOSED;
use crate::net::socket::{Failure, Socket};
use crate::scheduler::Direction;

impl Socket {
    /// Says to the peer that this is the end, after everything that has been sent before. From then on
    /// nothing can be sent or received.
    ///
    /// # Errors
    /// [`Failure`]. [`Failure::Unannounced`] says that all has been sent, and would be lost if the descriptor
    /// were closed now.
    pub fn say_end(&mut self, buffers: &mut Buffers) -> Result<(), Failure> {
        let (Some(tls), Some(descriptor)) = (&mut self.tls, &self.descriptor) else {
            return Err(CLOSED.into());
        };
        tls.with_buffers(buffers, |tls| {
            tls.say_end();
            match tls.push(descriptor) {
                Ok(true) => {
                    let arrived = drain(descriptor);
                    if arrived != Arrived::End && tls.may_break_off(descriptor, arrived) {
                        return Err(Failure::Unannounced(Direction::Write));
                    }
                    Ok(())
                }
                Ok(false) => Err(Failure::Blocked(Direction::Write)),
                Err(error) => Err(Failure::from_system(&error, Direction::Write)),
            }
        })
    }
}

impl Connection {
    /// Whether what has been sent may be lost if the descriptor is closed now. A server sends tickets for later
    /// connections when it gets to the end of the handshake; if they find nobody, the client's system breaks the
    /// connection off. Until they have come, whatever is on its way may have to be sent again; after that, what
    /// the server has no room for is still here.
    fn may_break_off(&mut self, descriptor: &Descriptor, arrived: Arrived) -> bool {
        self.has_tickets |= arrived == Arrived::Some;
        self.may_get_tickets()
            && (held_back(descriptor) > 0 || !self.has_tickets && unconfirmed(descriptor) > 0)
    }

    /// The same as far as it is possible at once, for a connection that is given up.
    pub fn end(mut self, descriptor: Option<&Descriptor>) {
        self.take_back_tickets();
        self.say_end();
        if let Some(descriptor) = descriptor {
            // If it cannot be sent, nobody waits until it can.
            let _ = self.push(descriptor);
            drain(descriptor);
        }
    }
}

/// How much a connection drops that the peer sent and nobody asked for, in pieces of [`PIECE`] bytes.
const PIECES: usize = 32;
/// See [`PIECES`].
const PIECE: usize = 4096;

/// What a connection has dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arrived {
    Nothing,
    Some,
    /// Nothing more can arrive.
    End,
}

/// Drops what has arrived. A descriptor that is closed with bytes unread makes the system break the
/// connection off, and what the peer has not received yet is lost; and there are such bytes at the end of
/// many connections, as servers send tickets for later ones after the handshake.
fn drain(descriptor: &Descriptor) -> Arrived {
    let mut room = [MaybeUninit::uninit(); PIECE];
    let mut arrived = Arrived::Nothing;
    for _ in 0..PIECES {
        match descriptor.recv(&mut room) {
            Ok(0) => return Arrived::End,
            Ok(PIECE) => arrived = Arrived::Some,
            Ok(_) => return Arrived::Some,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(_) => return Arrived::End,
        }
    }
    arrived
}
