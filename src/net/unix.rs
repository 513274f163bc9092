//! Unix sockets: addresses that are paths, or abstract names.

use std::ffi::OsStr;
use std::io;
use std::mem::offset_of;
use std::os::unix::ffi::OsStrExt;

use socket2::{SockAddr, Type};

use super::address::Family;
use super::error::{CLOSED, REFUSED};
use super::socket::{Failure, Socket, new_descriptor};
use crate::scheduler::Direction;

/// A path must have fewer bytes than this: the system has room for so many, the last one a NUL.
pub const PATH_ROOM: usize = size_of::<libc::sockaddr_un>() - offset_of!(libc::sockaddr_un, sun_path);

/// The address that a path is. On Linux, one that begins with a NUL is an abstract name, of which every
/// byte counts.
///
/// # Errors
/// Why it is none: what a program reads.
pub fn path_address(path: &[u8]) -> Result<SockAddr, &'static str> {
    let is_abstract = path.first() == Some(&0);
    if path.len() >= PATH_ROOM {
        Err("path too long")
    } else if !is_abstract && path.contains(&0) {
        // The system would stop there and take another file than the one that is named.
        Err("path contains a NUL")
    } else {
        SockAddr::unix(OsStr::from_bytes(path)).map_err(|_| "path too long")
    }
}

/// The path that an address is, as [`path_address`] takes it; empty if it is none.
pub fn path_of(address: &SockAddr) -> Vec<u8> {
    if let Some(name) = address.as_abstract_namespace() {
        return [b"\0", name].concat();
    }
    address.as_pathname().map(|path| path.as_os_str().as_bytes().to_vec()).unwrap_or_default()
}

impl Socket {
    /// An unbound unix socket.
    ///
    /// # Errors
    /// Those of `socket(2)`.
    pub fn new_unix(kind: Type) -> io::Result<Self> {
        Ok(Socket::new(Some(new_descriptor(Family::Unix, kind)?), Family::Unix))
    }

    /// The path that it is bound to: empty if there is none, or an abstract name.
    ///
    /// # Errors
    /// Those of `getsockname(2)`.
    pub fn local_path(&self) -> io::Result<Vec<u8>> {
        let address = self.open_descriptor()?.local_addr()?;
        Ok(if address.as_abstract_namespace().is_some() { Vec::new() } else { path_of(&address) })
    }

    /// Tries to connect to a path.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn connect_to_path(&mut self, address: &SockAddr) -> Result<(), Failure> {
        let Some(descriptor) = &self.descriptor else {
            return Err(CLOSED.into());
        };
        descriptor.connect(address).map_err(|error| unannounced(&error))
    }

    /// Tries to send one datagram to a path.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn send_datagram_to_path(&mut self, data: &[u8], address: &SockAddr) -> Result<usize, Failure> {
        let Some(descriptor) = &self.descriptor else {
            return Err(REFUSED.into());
        };
        let sent = descriptor.send_to(data, address).map_err(|error| unannounced(&error))?;
        self.statistics.sent += sent as f64;
        Ok(sent)
    }
}

/// The failure that a system call's error means for an operation on a socket without a peer.
///
/// What such an operation waits for is the other side, which has to accept or to receive. The system
/// reports what this socket is ready for, and nothing of the other.
fn unannounced(error: &io::Error) -> Failure {
    match Failure::from_system(error, Direction::Write) {
        Failure::Blocked(direction) => Failure::Unannounced(direction),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_path_comes_back_as_it_went_in(path in prop::collection::vec(1u8.., 0..PATH_ROOM)) {
            prop_assert_eq!(path_of(&path_address(&path).unwrap()), path);
        }

        #[test]
        #[cfg(any(target_os = "linux", target_os = "android"))]
        fn every_byte_of_an_abstract_name_counts(name in prop::collection::vec(any::<u8>(), 0..PATH_ROOM - 1)) {
            let path = [vec![0], name].concat();
            prop_assert_eq!(path_of(&path_address(&path).unwrap()), path);
        }

        #[test]
        fn what_the_system_has_no_room_for_is_refused(
            path in prop::collection::vec(any::<u8>(), PATH_ROOM..2 * PATH_ROOM),
        ) {
            prop_assert_eq!(path_address(&path).err(), Some("path too long"));
        }

        #[test]
        fn a_nul_within_a_path_is_refused(before in "[a-z/]{1,40}", after in "[a-z/]{0,40}") {
            let path = format!("{before}\0{after}");
            prop_assert_eq!(path_address(path.as_bytes()).err(), Some("path contains a NUL"));
        }
    }

    #[test]
    fn no_path_is_an_address_too() {
        assert_eq!(path_of(&path_address(b"").unwrap()), b"");
    }
}
