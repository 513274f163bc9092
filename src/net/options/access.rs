//! Reading and setting options: the system calls.

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;

use libc::{c_int, c_void, socklen_t};
use socket2::Socket as Descriptor;

#[cfg(doc)]
use super::Shape;
use super::{SocketOption, Value};
use crate::net::address::to_c;

impl SocketOption {
    /// Sets this option.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`.
    pub fn set(&self, socket: &Descriptor, value: &Value) -> io::Result<()> {
        match value {
            Value::Integer(value) => self.write(socket, value),
            Value::Linger { on, seconds } => {
                self.write(socket, &libc::linger { l_onoff: c_int::from(*on), l_linger: *seconds })
            }
            Value::Interface(name) => self.write_bytes(socket, name),
            Value::Address(address) => self.write(socket, &to_c(*address)),
            Value::Membership { group, interface } => self.write(
                socket,
                &libc::ip_mreq { imr_multiaddr: to_c(*group), imr_interface: to_c(*interface) },
            ),
            Value::Membership6 { group, interface } => self.write(
                socket,
                &libc::ipv6_mreq {
                    ipv6mr_multiaddr: libc::in6_addr { s6_addr: group.octets() },
                    ipv6mr_interface: *interface as _,
                },
            ),
        }
    }

    /// Reads an option whose value is a number or a boolean.
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn integer(&self, socket: &Descriptor) -> io::Result<c_int> {
        // SAFETY: the options of these shapes are of C's type `int`.
        unsafe { self.read::<c_int>(socket) }
    }

    /// Reads a [`Shape::Linger`].
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn linger(&self, socket: &Descriptor) -> io::Result<(bool, c_int)> {
        // SAFETY: `SO_LINGER` is of this type, which has no invalid values.
        let linger = unsafe { self.read::<libc::linger>(socket) }?;
        Ok((linger.l_onoff != 0, linger.l_linger))
    }

    /// Reads a [`Shape::Address`].
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn address(&self, socket: &Descriptor) -> io::Result<Ipv4Addr> {
        // SAFETY: `IP_MULTICAST_IF` is read as this type, which has no invalid values.
        let address = unsafe { self.read::<libc::in_addr>(socket) }?;
        Ok(Ipv4Addr::from(u32::from_be(address.s_addr)))
    }

    /// Reads a [`Shape::Interface`]: empty if the socket is bound to none.
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn interface(&self, socket: &Descriptor) -> io::Result<Vec<u8>> {
        let mut name = vec![0u8; libc::IFNAMSIZ];
        let length = self.read_bytes(socket, name.as_mut_ptr().cast(), name.len())?;
        name.truncate(length);
        name.truncate(name.iter().position(|&byte| byte == 0).unwrap_or(name.len()));
        Ok(name)
    }

    fn write<T>(&self, socket: &Descriptor, value: &T) -> io::Result<()> {
        self.write_raw(socket, std::ptr::from_ref(value).cast(), size_of::<T>())
    }

    fn write_bytes(&self, socket: &Descriptor, bytes: &[u8]) -> io::Result<()> {
        self.write_raw(socket, bytes.as_ptr().cast(), bytes.len())
    }

    fn write_raw(&self, socket: &Descriptor, value: *const c_void, length: usize) -> io::Result<()> {
        // SAFETY: both callers pass a value that is readable for its whole length.
        let status = unsafe {
            libc::setsockopt(socket.as_raw_fd(), self.level, self.code, value, length as socklen_t)
        };
        if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// # Safety
    /// Any bytes that the system writes must be a valid `T`.
    unsafe fn read<T>(&self, socket: &Descriptor) -> io::Result<T> {
        // Options that the system keeps in fewer bytes leave the rest as it is: zero.
        let mut value = MaybeUninit::<T>::zeroed();
        self.read_bytes(socket, value.as_mut_ptr().cast(), size_of::<T>())?;
        // SAFETY: zeroed, then written by the system; the caller vouches that this is valid.
        Ok(unsafe { value.assume_init() })
    }

    fn read_bytes(&self, socket: &Descriptor, room: *mut c_void, size: usize) -> io::Result<usize> {
        let mut length = size as socklen_t;
        let number = socket.as_raw_fd();
        // SAFETY: both callers pass `size` writable bytes.
        let status = unsafe { libc::getsockopt(number, self.level, self.code, room, &mut length) };
        if status == 0 { Ok(length as usize) } else { Err(io::Error::last_os_error()) }
    }
}
