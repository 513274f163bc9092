//! What a server of TLS 1.3 sends at the end of a handshake: tickets for later connections. Nobody waits for them, so they are
//! put off for a moment: many servers have something to say at once, and both go out in one system call and one packet.
//! They wait no longer than the task that made them runs on.

use std::cell::RefCell;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::rc::{Rc, Weak};

use openssl::ssl::SslVersion;
use socket2::{SockRef, Socket as Descriptor};

use super::connection::Connection;
use super::protocol::Role;
use crate::net::socket::Socket;
use crate::net::stream::SEND_FLAGS;

/// What has been put off. It belongs to its connection, which may take it back at any time.
#[derive(Debug)]
pub struct Tickets {
    bytes: RefCell<Vec<u8>>,
    descriptor: RawFd,
}

impl Tickets {
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
    /// That is to be sent when the task that runs waits for something, or ends.
    pub fn put_off_tickets(&mut self) -> Option<Weak<Tickets>> {
        self.tls.as_mut()?.put_off(self.descriptor.as_ref()?)
    }
}

/// How much may be put off, in bytes: so much finds room after a handshake.
const MOST: usize = 4 * 1024;

impl Connection {
    /// At the end of the handshake: whether what is to be sent may be put off.
    pub(super) fn has_tickets_only(&self) -> bool {
        self.role() == Role::Server
            && self.ssl().version2() == Some(SslVersion::TLS1_3)
            && (1..=MOST).contains(&self.outgoing())
    }

    fn put_off(&mut self, descriptor: &Descriptor) -> Option<Weak<Tickets>> {
        let bytes = self.wire().take_outgoing();
        if bytes.is_empty() {
            return None;
        }
        let tickets = Rc::new(Tickets { bytes: RefCell::new(bytes), descriptor: descriptor.as_raw_fd() });
        let weak = Rc::downgrade(&tickets);
        self.tickets = Some(tickets);
        Some(weak)
    }

    /// Takes back what has been put off and not been sent since: it is to be sent with what comes next.
    pub(super) fn take_back_tickets(&mut self) {
        if let Some(tickets) = self.tickets.take() {
            let bytes = tickets.bytes.take();
            self.waits_for_data = !bytes.is_empty();
            self.wire().put_back_outgoing(bytes);
        }
    }
}
