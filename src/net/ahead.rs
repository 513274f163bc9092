//! Receiving for a task before it goes on.
//!
//! When several tasks are ready, what has arrived for them is received for all of them in one go: the
//! system's part of it then runs in one piece, with its code and data in the processor's cache. It lies
//! in the socket's buffer afterwards, where anything lies that was received and not asked for, so whoever
//! uses the socket next gets it, even if the task is cancelled meanwhile.

use std::io;

use super::address::Family;
use super::socket::Socket;

/// The most that is received ahead, in bytes. Who receives more gains nothing by it.
pub const MOST_AHEAD: usize = 4096;

impl Socket {
    /// Receives for a task that was woken because something arrived, if that is likely to be little.
    /// `memory` gives the memory for it, of [`MOST_AHEAD`] bytes. Returns it if nothing was put there.
    pub fn receive_ahead(&mut self, memory: impl FnOnce() -> Vec<u8>) -> Option<Vec<u8>> {
        let Some(descriptor) = &self.descriptor else {
            return None;
        };
        if !self.buffer.is_empty()
            || self.receives_much
            || self.failed_ahead.is_some()
            || self.family == Family::Device
        {
            return None;
        }
        let (received, memory) = self.buffer.begin(memory(), |room| descriptor.recv(room));
        match received {
            // The task finds the end again.
            Ok(0) => {}
            Ok(count) => {
                self.drained = count < MOST_AHEAD;
                self.receives_much = !self.drained;
            }
            Err(error) => {
                // The task finds again that there is nothing, but the system tells of a failure once only.
                let passes = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted);
                self.failed_ahead = error.raw_os_error().filter(|_| !passes);
            }
        }
        memory
    }

    /// Forgets what was known about a descriptor that is not the socket's any more.
    pub fn forget_knowledge(&mut self) {
        self.drained = false;
        self.failed_ahead = None;
        self.receives_much = false;
    }
}

#[cfg(test)]
mod tests;
