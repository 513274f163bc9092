//! Datagrams: every send and every receive is one message.

use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;

use socket2::{SockAddr, Type};

use super::address::{Family, unspecified_address};
use super::error::{self, CLOSED, REFUSED};
use super::socket::{Failure, Socket};
use crate::scheduler::Direction;

impl Socket {
    /// Tries to send one datagram to the connected peer.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn send_datagram(&mut self, data: &[u8]) -> Result<usize, Failure> {
        let Some(descriptor) = &self.descriptor else {
            return Err(REFUSED.into());
        };
        let sent = descriptor.send(data).map_err(|error| datagram_failure(&error, Direction::Write))?;
        self.statistics.sent += sent as f64;
        Ok(sent)
    }

    /// Tries to send one datagram to `address`, on a new descriptor if there is none.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn send_datagram_to(&mut self, data: &[u8], address: &SocketAddr) -> Result<usize, Failure> {
        let family = Family::of(address);
        if self.descriptor.is_none() && self.family != Family::Unspecified {
            // It was closed; only what was never open is opened by its first use.
            return Err(REFUSED.into());
        }
        let sent = self
            .open(family, Type::DGRAM)
            .and_then(|descriptor| descriptor.send_to(data, &(*address).into()))
            .map_err(|error| datagram_failure(&error, Direction::Write))?;
        if self.family == Family::Unspecified {
            self.family = family;
        }
        self.statistics.sent += sent as f64;
        Ok(sent)
    }

    /// Tries to receive one datagram into `room` and tells its length and its sender; what does not
    /// fit is lost.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn receive_datagram(&mut self, room: &mut [u8]) -> Result<(usize, SockAddr), Failure> {
        // SAFETY: `MaybeUninit<u8>` has the layout of `u8`, and `receive_into` never writes
        // uninitialised bytes.
        self.receive_into(unsafe { &mut *(std::ptr::from_mut(room) as *mut [MaybeUninit<u8>]) })
    }

    /// The same, into memory of its own: an empty vector's capacity.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn receive_large_datagram(&mut self, room: &mut Vec<u8>) -> Result<(usize, SockAddr), Failure> {
        room.clear();
        let (count, sender) = self.receive_into(room.spare_capacity_mut())?;
        // SAFETY: that many bytes of the capacity have been written.
        unsafe { room.set_len(count) };
        Ok((count, sender))
    }

    fn receive_into(&mut self, room: &mut [MaybeUninit<u8>]) -> Result<(usize, SockAddr), Failure> {
        let Some(descriptor) = &self.descriptor else {
            return Err(CLOSED.into());
        };
        let (count, sender) =
            descriptor.recv_from(room).map_err(|error| datagram_failure(&error, Direction::Read))?;
        self.statistics.received += count as f64;
        Ok((count, sender))
    }

    /// Connects to one address, on a new descriptor if there is none.
    ///
    /// # Errors
    /// The system's.
    pub fn connect_datagram(&mut self, address: &SocketAddr) -> Result<(), Failure> {
        let family = Family::of(address);
        self.open(family, Type::DGRAM)
            .and_then(|descriptor| descriptor.connect(&(*address).into()))
            .map_err(|error| Failure::Error(error::system_error(&error)))?;
        self.family = family;
        Ok(())
    }

    /// Dissolves the connection, if there is one.
    pub fn disconnect_datagram(&mut self) {
        if let Some(descriptor) = &self.descriptor {
            // Dissolving what is not connected is an error that changes nothing.
            let _ = descriptor.connect(&unspecified_address());
        }
    }
}

pub(super) fn datagram_failure(error: &io::Error, direction: Direction) -> Failure {
    match error.raw_os_error() {
        Some(libc::EPIPE) => REFUSED.into(),
        _ => Failure::from_system(error, direction),
    }
}
