//! What every socket object has: a descriptor that may be missing, timeouts and statistics.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, RawFd};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockAddr, Type};

use super::address::Family;
use super::buffer::ReceiveBuffer;
use super::connect::Connecting;
use super::error::{self, NOT_ENOUGH_MEMORY, Text};
use super::timeout::Timeouts;
use crate::memory::Exhausted;
use crate::scheduler::{Direction, SourceId};

/// Why an operation did not succeed.
#[derive(Debug)]
pub enum Failure {
    /// It has to wait until the socket is ready in this direction.
    Blocked(Direction),
    /// It has to wait in this direction too, but the system does not tell until when.
    Unannounced(Direction),
    /// It goes on, but others should run first.
    Busy,
    /// The same, but nothing has come of it so far: its time runs out as if it had waited.
    Fruitless,
    /// It failed for good.
    Error(Text),
}

impl Failure {
    /// The failure that a system call's error means for an operation in `direction`.
    #[cold]
    pub fn from_system(error: &io::Error, direction: Direction) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock => Failure::Blocked(direction),
            io::ErrorKind::Interrupted => Failure::Busy,
            _ => Failure::Error(error::system_error(error)),
        }
    }
}

impl From<Exhausted> for Failure {
    #[cold]
    fn from(_: Exhausted) -> Self {
        NOT_ENOUGH_MEMORY.into()
    }
}

impl From<&'static str> for Failure {
    #[cold]
    fn from(text: &'static str) -> Self {
        Failure::Error(text.into())
    }
}

/// Counts of what went through a socket.
#[derive(Clone, Copy, Debug)]
pub struct Statistics {
    /// Bytes handed to the program, or dropped as line ends.
    pub received: f64,
    /// Bytes sent.
    pub sent: f64,
    /// When the object was made.
    pub since: Instant,
}

impl Statistics {
    /// The age of the object in seconds.
    pub fn age(&self) -> f64 {
        self.since.elapsed().as_secs_f64()
    }

    /// Makes the object appear `seconds` old.
    pub fn set_age(&mut self, seconds: f64) {
        let age = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default();
        let now = Instant::now();
        self.since = now.checked_sub(age).unwrap_or(now);
    }
}

/// A socket object's state, apart from its class.
#[derive(Debug)]
pub struct Socket {
    /// The open descriptor, if there is one.
    pub descriptor: Option<socket2::Socket>,
    /// The kind of addresses it uses.
    pub family: Family,
    /// Its place in the scheduler and the reactor, once somebody waited for it.
    pub source: Option<SourceId>,
    /// The place of a descriptor that was discarded, to be given up by whoever keeps the places.
    pub stale_source: Option<SourceId>,
    /// Its limits.
    pub timeouts: Timeouts,
    /// Its counts.
    pub statistics: Statistics,
    /// What was received and not asked for yet.
    pub buffer: ReceiveBuffer,
    /// Whether the last receive took everything there was, so that the next would block unless the
    /// reactor says otherwise.
    pub drained: bool,
    /// Whether a wait has just ended: whatever ended it, the socket is worth a look now.
    pub woken: bool,
    /// The `errno` with which receiving ahead failed, for the next receive.
    pub failed_ahead: Option<i32>,
    /// Whether what was received last was more than is received ahead.
    pub receives_much: bool,
    /// A connection attempt under way.
    pub connecting: Option<Box<Connecting>>,
    /// What there is besides if it speaks TLS.
    #[cfg(feature = "tls")]
    pub tls: Option<Box<crate::tls::connection::Connection>>,
}

impl Socket {
    /// An object around a descriptor, or one that has none yet.
    pub fn new(descriptor: Option<socket2::Socket>, family: Family) -> Self {
        Socket {
            descriptor,
            family,
            source: None,
            stale_source: None,
            timeouts: Timeouts::default(),
            statistics: Statistics { received: 0.0, sent: 0.0, since: Instant::now() },
            buffer: ReceiveBuffer::default(),
            drained: false,
            woken: false,
            failed_ahead: None,
            receives_much: false,
            connecting: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Whether it speaks TLS.
    pub fn speaks_tls(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        false
    }

    /// Whether an end of what is received is none that the peer has told by TLS.
    pub fn is_cut_off(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.as_ref().is_some_and(|tls| !tls.is_content_with_end());
        #[cfg(not(feature = "tls"))]
        false
    }

    /// Whether more is likely to come by itself: much has come in large pieces, and nothing has been sent since. Not known
    /// without TLS, where looking for it gains nothing.
    pub fn is_streaming(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.as_ref().is_some_and(|tls| tls.is_streaming());
        #[cfg(not(feature = "tls"))]
        false
    }

    /// Forgets that the socket was drained if a wait has ended since.
    pub fn look_again(&mut self) {
        if std::mem::take(&mut self.woken) {
            self.drained = false;
        }
    }

    /// Whether something has been received that the program has not asked for yet.
    pub fn has_received(&self) -> bool {
        #[cfg(feature = "tls")]
        if self.tls.as_ref().is_some_and(|tls| tls.has_received()) {
            return true;
        }
        !self.buffer.is_empty()
    }

    /// Whether a receive or a send would come to an end at once, be it a bad one, as far as that is known without the
    /// system.
    pub fn is_ready(&self, direction: Direction) -> bool {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls
            && (tls.is_broken() || direction == Direction::Read && tls.has_ended())
        {
            return true;
        }
        direction == Direction::Read && self.has_received()
    }

    /// The descriptor's number, -1 if there is none.
    pub fn number(&self) -> RawFd {
        self.descriptor.as_ref().map_or(-1, AsRawFd::as_raw_fd)
    }

    /// The descriptor, or the error of a system call on a missing one.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn open_descriptor(&self) -> io::Result<&socket2::Socket> {
        self.descriptor.as_ref().ok_or_else(|| io::Error::from_raw_os_error(libc::EBADF))
    }

    /// Makes sure that there is a descriptor for addresses of `family`.
    ///
    /// # Errors
    /// Those of `socket(2)`.
    pub fn open(&mut self, family: Family, kind: Type) -> io::Result<&socket2::Socket> {
        if self.descriptor.is_none() {
            self.descriptor = Some(new_descriptor(family, kind)?);
        }
        self.open_descriptor()
    }

    /// Puts a descriptor from elsewhere in place of the present one, which stays open and is from
    /// now on somebody else's. -1 leaves the object without a descriptor.
    ///
    /// # Safety
    /// As [`FromRawFd::from_raw_fd`]: the number must be a descriptor that this object may close.
    pub unsafe fn replace_descriptor(&mut self, number: RawFd) {
        if let Some(old) = self.descriptor.take() {
            let _ = old.into_raw_fd();
        }
        if number >= 0 {
            // SAFETY: the caller vouches for the number.
            self.descriptor = Some(unsafe { socket2::Socket::from_raw_fd(number) });
        }
        self.forget_knowledge();
    }

    /// Closes the descriptor so that another can be opened in its place.
    pub fn discard_descriptor(&mut self) {
        self.descriptor = None;
        self.forget_knowledge();
        self.stale_source = self.source.take().or(self.stale_source);
    }

    /// The local address.
    ///
    /// # Errors
    /// Those of `getsockname(2)`.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        internet_address(&self.open_descriptor()?.local_addr()?)
    }

    /// The peer's address.
    ///
    /// # Errors
    /// Those of `getpeername(2)`.
    pub fn peer_address(&self) -> io::Result<SocketAddr> {
        internet_address(&self.open_descriptor()?.peer_addr()?)
    }
}

/// Opens a non-blocking descriptor. IPv6 ones never take IPv4 traffic.
///
/// # Errors
/// Those of `socket(2)`.
pub fn new_descriptor(family: Family, kind: Type) -> io::Result<socket2::Socket> {
    let domain = family.domain().unwrap_or(Domain::IPV4);
    let protocol = match family {
        Family::Unix => None,
        _ if kind == Type::STREAM => Some(Protocol::TCP),
        _ => Some(Protocol::UDP),
    };
    let socket = new_nonblocking(domain, kind, protocol)?;
    if domain == Domain::IPV6 {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

#[cfg(not(any(target_os = "macos", target_os = "ios")))]
fn new_nonblocking(domain: Domain, kind: Type, protocol: Option<Protocol>) -> io::Result<socket2::Socket> {
    // One system call where setting it takes two more.
    socket2::Socket::new(domain, kind.nonblocking(), protocol)
}

#[cfg(any(target_os = "macos", target_os = "ios"))]
fn new_nonblocking(domain: Domain, kind: Type, protocol: Option<Protocol>) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(domain, kind, protocol)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn internet_address(address: &SockAddr) -> io::Result<SocketAddr> {
    address.as_socket().ok_or_else(|| io::Error::from_raw_os_error(libc::EAFNOSUPPORT))
}
