//! Receiving for a task before it goes on.
//!
//! When several tasks are ready, what has arrived for them is received for all of them in one go: the
//! system's part of it then runs in one piece, with its code and data in the processor's cache. It lies
//! in the socket's buffer afterwards, where anything that was received and not asked for lies, so it
//! makes no difference if the task is cancelled meanwhile or another one uses the socket first.

use std::io;

use super::address::Family;
use super::socket::Socket;

/// How much is received ahead at most, in bytes. Who receives more gains nothing by it.
pub const ROOM: usize = 4096;

/// What is known ahead of the next attempt to receive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ahead {
    /// Nothing.
    #[default]
    Nothing,
    /// Whether the socket is drained.
    Looked,
    /// That it fails with this `errno`, which the system tells once only.
    Failed(i32),
}

impl Socket {
    /// Receives for a task that was woken because something arrived, if that is likely to be little.
    /// `memory` gives the memory for it, of [`ROOM`] bytes. Returns it if nothing was put there.
    pub fn receive_ahead(&mut self, memory: impl FnOnce() -> Vec<u8>) -> Option<Vec<u8>> {
        let Some(descriptor) = &self.descriptor else {
            return None;
        };
        if !self.buffer.is_empty() || self.receives_much || self.family == Family::Device {
            return None;
        }
        let (received, memory) = self.buffer.begin(memory(), |room| descriptor.recv(room));
        match received {
            // The end of the stream is found again.
            Ok(0) => {}
            Ok(count) => {
                self.drained = count < ROOM;
                self.receives_much = !self.drained;
                self.ahead = Ahead::Looked;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.drained = true;
                self.ahead = Ahead::Looked;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                self.drained = false;
                self.ahead = error.raw_os_error().map_or(Ahead::Nothing, Ahead::Failed);
            }
        }
        memory
    }

    /// Gives back the memory of what was received ahead when it does not complete what a task asked for, so
    /// that a peer who sends a few bytes and then nothing does not keep it.
    pub fn settle(&mut self) -> Option<Vec<u8>> {
        self.buffer.settle(ROOM)
    }

    /// Notes that a wait is over: whatever ended it, the socket is worth a look now, unless it was
    /// looked at already.
    pub fn end_wait(&mut self) {
        match self.ahead {
            Ahead::Nothing => self.drained = false,
            Ahead::Looked => self.ahead = Ahead::Nothing,
            Ahead::Failed(_) => {}
        }
    }

    /// Forgets what was known about a descriptor that is not the socket's any more.
    pub fn forget_knowledge(&mut self) {
        self.drained = false;
        self.ahead = Ahead::Nothing;
        self.receives_much = false;
    }

    /// The failure that was found ahead, once.
    pub(super) fn take_failure(&mut self) -> Option<io::Error> {
        match self.ahead {
            Ahead::Failed(code) => {
                self.ahead = Ahead::Nothing;
                Some(io::Error::from_raw_os_error(code))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
