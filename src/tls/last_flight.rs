//! The last that a side has to say in a handshake, put off for a moment: most programs send something at once, and both go
//! out in one system call and one packet. It waits no longer than the task that made it runs on.

use std::cell::RefCell;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::rc::{Rc, Weak};

use socket2::{SockRef, Socket as Descriptor};

use super::connection::Connection;
use crate::net::socket::Socket;
use crate::net::stream::SEND_FLAGS;

/// What has been put off. It belongs to its connection, which may take it back at any time.
#[derive(Debug)]
pub struct LastFlight {
    bytes: RefCell<Vec<u8>>,
    descriptor: RawFd,
}

impl LastFlight {
    /// Sends what has not been taken back, as far as the system takes it. The rest is for the connection's next operation,
    /// which also finds out what is wrong if something is.
    pub fn send(&self) {
        let mut bytes = self.bytes.borrow_mut();
        if !bytes.is_empty() {
            // SAFETY: the connection is alive, as this is, and keeps its descriptor; when it is closed, that takes back what
            // was put off.
            let descriptor = unsafe { BorrowedFd::borrow_raw(self.descriptor) };
            let sent = SockRef::from(&descriptor).send_with_flags(&bytes, SEND_FLAGS).unwrap_or(0);
            bytes.drain(..sent);
        }
    }
}

impl Socket {
    /// Puts off what the handshake that has just ended has left to be sent, if anything: see [`Socket::shake_hands`].
    /// It is to be sent when the task that runs waits for something, or ends.
    pub fn put_off_last_flight(&mut self) -> Option<Weak<LastFlight>> {
        self.tls.as_mut()?.put_off(self.descriptor.as_ref()?)
    }
}

impl Connection {
    fn put_off(&mut self, descriptor: &Descriptor) -> Option<Weak<LastFlight>> {
        let bytes = self.wire().take_outgoing();
        if bytes.is_empty() {
            return None;
        }
        let flight = Rc::new(LastFlight { bytes: RefCell::new(bytes), descriptor: descriptor.as_raw_fd() });
        let weak = Rc::downgrade(&flight);
        self.last_flight = Some(flight);
        Some(weak)
    }

    /// Takes back what has been put off and not been sent since: it is to be sent with what comes next.
    pub(super) fn take_back_last_flight(&mut self) {
        if let Some(flight) = self.last_flight.take() {
            let bytes = flight.bytes.take();
            self.waits_for_data = !bytes.is_empty();
            self.wire().put_back_outgoing(bytes);
        }
    }
}
