//! Byte streams: receiving by pattern, sending whole strings, listening.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::ops::Range;

use socket2::Socket as Descriptor;

use super::address::Family;
use super::ahead::MOST_AHEAD;
use super::buffer::{Found, Pattern};
use super::error::{self, CLOSED, LINE_TOO_LONG};
use super::serial;
use super::socket::{Failure, Socket};
use crate::scheduler::Direction;

/// How many system calls one attempt makes before it lets others run.
pub(crate) const CALLS_IN_A_ROW: usize = 16;
/// The least and the most that is received at once behind bytes that wait already.
pub(crate) const ROOM: Range<usize> = 8 * 1024..256 * 1024;

#[cfg(not(any(target_os = "macos", target_os = "ios")))]
pub(crate) const SEND_FLAGS: libc::c_int = libc::MSG_NOSIGNAL;
// There the socket itself is told not to raise SIGPIPE.
#[cfg(any(target_os = "macos", target_os = "ios"))]
pub(crate) const SEND_FLAGS: libc::c_int = 0;

/// Where a received answer lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// So many bytes at the start of the scratch buffer; what followed them is kept by the socket.
    InScratch(usize),
    /// In the socket's own buffer, until that is told to consume it.
    InBuffer(Found),
}

impl Socket {
    /// Tries to receive what `pattern` asks for, by way of `scratch`.
    ///
    /// `may_block` says that the caller will wait for the socket when this blocks; then a system
    /// call that is known to find nothing is left out.
    ///
    /// # Errors
    /// [`Failure`]; what has arrived so far stays, see [`Socket::partial`].
    pub fn receive(
        &mut self,
        pattern: Pattern,
        scratch: &mut [u8],
        may_block: bool,
    ) -> Result<Received, Failure> {
        // What is left of it then is for whoever was in the midst of receiving, as a part.
        if self.descriptor.is_none() {
            return Err(CLOSED.into());
        }
        let waits_for_a_byte = pattern == Pattern::Exactly(0);
        let is_device = self.family == Family::Device;
        for _ in 0..CALLS_IN_A_ROW {
            if !self.buffer.is_empty() {
                if let Some(found) = self.buffer.find(pattern) {
                    return Ok(Received::InBuffer(found));
                } else if pattern.is_exceeded_by(self.buffer.len()) {
                    return Err(LINE_TOO_LONG.into());
                }
            }
            if let Some(code) = self.failed_ahead.take() {
                return Err(Failure::from_system(&io::Error::from_raw_os_error(code), Direction::Read));
            }
            self.look_again();
            let Some(descriptor) = &self.descriptor else {
                return Err(CLOSED.into());
            };
            if may_block && self.drained {
                return Err(Failure::Blocked(Direction::Read));
            }
            let (room, received) = if self.buffer.is_empty() {
                (scratch.len(), read(descriptor, is_device, scratch))
            } else {
                let wanted = match pattern {
                    Pattern::Exactly(count) => count - self.buffer.len(),
                    Pattern::Between { most, .. } => most - self.buffer.len(),
                    Pattern::Line | Pattern::LineUpTo(_) => 0,
                    Pattern::All => self.buffer.len(),
                };
                // What is gathered is to be the answer and nothing else.
                let least = if self.buffer.is_gathered() { wanted.clamp(1, ROOM.start) } else { ROOM.start };
                let room = wanted.clamp(least, ROOM.end);
                let received = self.buffer.extend_with(room, |spare| {
                    if is_device {
                        serial::read_into_spare(descriptor, spare)
                    } else {
                        descriptor.recv(spare)
                    }
                });
                (room, received)
            };
            let count = match received {
                Ok(0) if pattern == Pattern::All && !self.buffer.is_empty() => {
                    let found = self.buffer.rest(pattern);
                    return Ok(Received::InBuffer(found));
                }
                Ok(0) => return Err(CLOSED.into()),
                Ok(count) => count,
                Err(error) => {
                    self.drained = error.kind() == io::ErrorKind::WouldBlock;
                    return Err(Failure::from_system(&error, Direction::Read));
                }
            };
            // A device may hand over less than it has.
            self.drained = count < room && !is_device;
            if self.buffer.is_empty() {
                self.receives_much = count >= MOST_AHEAD;
                let arrived = &mut scratch[..count];
                if !waits_for_a_byte && let Some(found) = pattern.find(arrived, 0) {
                    self.buffer.extend(&arrived[found.used..]);
                    self.statistics.received += found.used as f64;
                    return Ok(Received::InScratch(found.answer));
                }
                self.buffer.extend(arrived);
            }
        }
        Err(Failure::Busy)
    }

    /// All that has arrived for a `pattern` that was not completed.
    pub fn partial(&mut self, pattern: Pattern) -> Found {
        self.buffer.rest(pattern)
    }

    /// Whether the connection is open and nothing has arrived on it.
    pub fn is_quiet(&self) -> bool {
        let mut byte = [std::mem::MaybeUninit::uninit()];
        let peeked = self.descriptor.as_ref().map(|descriptor| descriptor.peek(&mut byte));
        self.buffer.is_empty()
            && peeked.is_some_and(
                |peeked| matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock),
            )
    }

    /// Drops an urgent byte, which no pattern ever asks for, so that it does not keep the socket
    /// looking ready.
    pub fn drop_urgent_byte(&self) {
        if let Some(descriptor) = &self.descriptor
            && self.family != Family::Device
        {
            let mut byte = [std::mem::MaybeUninit::uninit()];
            // An error says that there is none.
            let _ = descriptor.recv_out_of_band(&mut byte);
        }
    }

    /// Tries to send `data` from `*sent` on, which tells afterwards how far it got.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn send(&mut self, data: &[u8], sent: &mut usize) -> Result<(), Failure> {
        for _ in 0..CALLS_IN_A_ROW {
            let rest = &data[*sent..];
            if rest.is_empty() {
                return Ok(());
            }
            let Some(descriptor) = &self.descriptor else {
                return Err(CLOSED.into());
            };
            let taken = if self.family == Family::Device {
                serial::write(descriptor, rest)
            } else {
                descriptor.send_with_flags(rest, SEND_FLAGS)
            };
            match taken {
                Ok(count) => {
                    *sent += count;
                    self.statistics.sent += count as f64;
                }
                Err(error) => return Err(Failure::from_system(&error, Direction::Write)),
            }
        }
        if *sent == data.len() { Ok(()) } else { Err(Failure::Busy) }
    }

    /// Tries to accept a connection.
    ///
    /// # Errors
    /// [`Failure`]. Handshakes that were aborted are skipped.
    pub fn accept(&mut self) -> Result<Socket, Failure> {
        let Some(descriptor) = &self.descriptor else {
            return Err(CLOSED.into());
        };
        loop {
            match accept_nonblocking(descriptor) {
                Ok(accepted) => return Ok(Socket::new(Some(accepted), self.family)),
                Err(error) => match error.raw_os_error() {
                    Some(libc::ECONNABORTED | libc::EPROTO) => {}
                    _ => return Err(Failure::from_system(&error, Direction::Read)),
                },
            }
        }
    }

    /// Binds to one address, on a new descriptor if there is none.
    ///
    /// # Errors
    /// The system's.
    pub fn bind_to(&mut self, address: &SocketAddr, kind: socket2::Type) -> Result<(), Failure> {
        let family = Family::of(address);
        if self.family == Family::Unspecified {
            // What an earlier attempt that failed has left may be of the other family.
            self.discard_descriptor();
        }
        self.open(family, kind)
            .and_then(|descriptor| descriptor.bind(&(*address).into()))
            .map_err(|error| Failure::Error(error::system_error(&error)))?;
        self.family = family;
        Ok(())
    }
}

/// Reads initialised bytes: those of the scratch buffer.
fn read(descriptor: &Descriptor, is_device: bool, room: &mut [u8]) -> io::Result<usize> {
    if is_device {
        return serial::read(descriptor, room);
    }
    let mut reader = descriptor;
    reader.read(room)
}

/// Whether an error means that the process or the system ran out of something that a socket takes, so that
/// trying again at once would be in vain.
pub fn is_exhausted(text: &str) -> bool {
    [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM]
        .iter()
        .any(|&code| error::errno_text(code) == text)
}

#[cfg(not(any(target_os = "macos", target_os = "ios")))]
fn accept_nonblocking(descriptor: &Descriptor) -> io::Result<Descriptor> {
    use rustix::net::SocketFlags;
    // One system call where socket2 needs two.
    let accepted = rustix::net::accept_with(descriptor, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
    Ok(accepted.into())
}

#[cfg(any(target_os = "macos", target_os = "ios"))]
fn accept_nonblocking(descriptor: &Descriptor) -> io::Result<Descriptor> {
    let (accepted, _) = descriptor.accept()?;
    accepted.set_nonblocking(true)?;
    Ok(accepted)
}
