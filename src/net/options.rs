//! Socket options by the names that `setoption` and `getoption` take.

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;

use libc::{c_int, c_void, socklen_t};
use socket2::Socket as Descriptor;

use super::address::to_c;

/// How an option's value looks to a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Integer,
    /// `{on = boolean, timeout = seconds}`.
    Linger,
    /// The name of an interface.
    Interface,
    /// An IPv4 address, `"*"` for any.
    Address,
    /// `{multiaddr = IPv4 address, interface = IPv4 address}`.
    Membership,
    /// `{multiaddr = IPv6 address, interface = index}`.
    Membership6,
    /// The pending error, which reading clears.
    Error,
}

/// A value to set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// For [`Shape::Boolean`] and [`Shape::Integer`].
    Integer(c_int),
    /// For [`Shape::Linger`].
    Linger { on: bool, seconds: c_int },
    /// For [`Shape::Interface`].
    Interface(Vec<u8>),
    /// For [`Shape::Address`].
    Address(Ipv4Addr),
    /// For [`Shape::Membership`].
    Membership {
        group: Ipv4Addr,
        interface: Ipv4Addr,
    },
    /// For [`Shape::Membership6`].
    Membership6 { group: Ipv6Addr, interface: u32 },
}

/// A socket option: its name here, its place in the system, and what may be done with it.
#[derive(Clone, Copy, Debug)]
pub struct SocketOption {
    /// The name that programs use.
    pub name: &'static str,
    /// How its value looks.
    pub shape: Shape,
    level: c_int,
    code: c_int,
    /// Which kinds of socket may read it.
    pub readable: Kinds,
    /// Which kinds of socket may set it.
    pub writable: Kinds,
}

/// A set of kinds of socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds(u8);

impl Kinds {
    /// No kind.
    pub const NONE: Kinds = Kinds(0);
    /// TCP.
    pub const TCP: Kinds = Kinds(1);
    /// UDP.
    pub const UDP: Kinds = Kinds(2);
    /// Unix stream.
    pub const UNIX_STREAM: Kinds = Kinds(4);
    /// Unix datagram.
    pub const UNIX_DATAGRAM: Kinds = Kinds(8);

    const fn and(self, other: Kinds) -> Kinds {
        Kinds(self.0 | other.0)
    }

    /// Whether every kind of `other` is among these.
    pub fn include(self, other: Kinds) -> bool {
        self.0 & other.0 == other.0
    }
}

const TCP: Kinds = Kinds::TCP;
const UDP: Kinds = Kinds::UDP;
const INTERNET: Kinds = TCP.and(UDP);
const ANY: Kinds = INTERNET.and(Kinds::UNIX_STREAM).and(Kinds::UNIX_DATAGRAM);
const STREAMS: Kinds = TCP.and(Kinds::UNIX_STREAM);
const NONE: Kinds = Kinds::NONE;

const fn option(
    name: &'static str,
    shape: Shape,
    (level, code): (c_int, c_int),
    readable: Kinds,
    writable: Kinds,
) -> SocketOption {
    SocketOption {
        name,
        shape,
        level,
        code,
        readable,
        writable,
    }
}

/// The system's numbers where they have other names elsewhere.
mod system {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) const TCP_KEEPIDLE: libc::c_int = libc::TCP_KEEPIDLE;
    #[cfg(any(target_os = "macos", target_os = "ios"))]
    pub(super) const TCP_KEEPIDLE: libc::c_int = libc::TCP_KEEPALIVE;
    #[cfg(not(any(
        target_os = "linux",
        target_os = "android",
        target_os = "macos",
        target_os = "ios"
    )))]
    pub(super) const TCP_KEEPIDLE: libc::c_int = libc::TCP_KEEPIDLE;

    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) use libc::{IPV6_ADD_MEMBERSHIP as JOIN_GROUP, IPV6_DROP_MEMBERSHIP as LEAVE_GROUP};
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(super) use libc::{IPV6_JOIN_GROUP as JOIN_GROUP, IPV6_LEAVE_GROUP as LEAVE_GROUP};
}

/// Every option that some kind of socket has.
pub const OPTIONS: &[SocketOption] = {
    use Shape::{Address, Boolean, Error, Integer, Linger, Membership, Membership6};
    use libc::{IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, SOL_SOCKET};
    &[
        option(
            "reuseaddr",
            Boolean,
            (SOL_SOCKET, libc::SO_REUSEADDR),
            INTERNET,
            ANY,
        ),
        option(
            "reuseport",
            Boolean,
            (SOL_SOCKET, libc::SO_REUSEPORT),
            INTERNET,
            INTERNET,
        ),
        option(
            "keepalive",
            Boolean,
            (SOL_SOCKET, libc::SO_KEEPALIVE),
            TCP,
            STREAMS,
        ),
        option(
            "linger",
            Linger,
            (SOL_SOCKET, libc::SO_LINGER),
            TCP,
            STREAMS,
        ),
        option(
            "dontroute",
            Boolean,
            (SOL_SOCKET, libc::SO_DONTROUTE),
            UDP,
            UDP,
        ),
        option(
            "broadcast",
            Boolean,
            (SOL_SOCKET, libc::SO_BROADCAST),
            UDP,
            UDP,
        ),
        option("error", Error, (SOL_SOCKET, libc::SO_ERROR), INTERNET, NONE),
        option(
            "recv-buffer-size",
            Integer,
            (SOL_SOCKET, libc::SO_RCVBUF),
            INTERNET,
            INTERNET,
        ),
        option(
            "send-buffer-size",
            Integer,
            (SOL_SOCKET, libc::SO_SNDBUF),
            INTERNET,
            INTERNET,
        ),
        option(
            "tcp-nodelay",
            Boolean,
            (IPPROTO_TCP, libc::TCP_NODELAY),
            TCP,
            TCP,
        ),
        option(
            "tcp-keepidle",
            Integer,
            (IPPROTO_TCP, system::TCP_KEEPIDLE),
            TCP,
            TCP,
        ),
        option(
            "tcp-keepcnt",
            Integer,
            (IPPROTO_TCP, libc::TCP_KEEPCNT),
            TCP,
            TCP,
        ),
        option(
            "tcp-keepintvl",
            Integer,
            (IPPROTO_TCP, libc::TCP_KEEPINTVL),
            TCP,
            TCP,
        ),
        #[cfg(any(
            target_os = "linux",
            target_os = "android",
            target_os = "freebsd",
            target_os = "macos"
        ))]
        option(
            "tcp-fastopen",
            Integer,
            (IPPROTO_TCP, libc::TCP_FASTOPEN),
            NONE,
            TCP,
        ),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        option(
            "tcp-fastopen-connect",
            Integer,
            (IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT),
            NONE,
            TCP,
        ),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        option(
            "tcp-defer-accept",
            Integer,
            (IPPROTO_TCP, libc::TCP_DEFER_ACCEPT),
            NONE,
            TCP,
        ),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        option(
            "bindtodevice",
            Shape::Interface,
            (SOL_SOCKET, libc::SO_BINDTODEVICE),
            TCP,
            TCP,
        ),
        option(
            "ipv6-v6only",
            Boolean,
            (IPPROTO_IPV6, libc::IPV6_V6ONLY),
            UDP,
            INTERNET,
        ),
        option(
            "ip-multicast-if",
            Address,
            (IPPROTO_IP, libc::IP_MULTICAST_IF),
            UDP,
            UDP,
        ),
        option(
            "ip-multicast-ttl",
            Integer,
            (IPPROTO_IP, libc::IP_MULTICAST_TTL),
            NONE,
            UDP,
        ),
        option(
            "ip-multicast-loop",
            Boolean,
            (IPPROTO_IP, libc::IP_MULTICAST_LOOP),
            UDP,
            UDP,
        ),
        option(
            "ipv6-multicast-loop",
            Boolean,
            (IPPROTO_IPV6, libc::IPV6_MULTICAST_LOOP),
            UDP,
            UDP,
        ),
        option(
            "ipv6-unicast-hops",
            Integer,
            (IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS),
            UDP,
            UDP,
        ),
        // LuaSocket's slip, and what programs have come to see: the unicast limit.
        option(
            "ipv6-multicast-hops",
            Integer,
            (IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS),
            UDP,
            UDP,
        ),
        option(
            "ip-add-membership",
            Membership,
            (IPPROTO_IP, libc::IP_ADD_MEMBERSHIP),
            NONE,
            UDP,
        ),
        option(
            "ip-drop-membership",
            Membership,
            (IPPROTO_IP, libc::IP_DROP_MEMBERSHIP),
            NONE,
            UDP,
        ),
        option(
            "ipv6-add-membership",
            Membership6,
            (IPPROTO_IPV6, system::JOIN_GROUP),
            NONE,
            UDP,
        ),
        option(
            "ipv6-drop-membership",
            Membership6,
            (IPPROTO_IPV6, system::LEAVE_GROUP),
            NONE,
            UDP,
        ),
    ]
};

/// The option of that name, if there is one.
pub fn find(name: &[u8]) -> Option<&'static SocketOption> {
    OPTIONS.iter().find(|option| option.name.as_bytes() == name)
}

impl SocketOption {
    /// Sets this option.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`.
    pub fn set(&self, socket: &Descriptor, value: &Value) -> io::Result<()> {
        match value {
            Value::Integer(value) => self.write(socket, value),
            Value::Linger { on, seconds } => self.write(
                socket,
                &libc::linger {
                    l_onoff: c_int::from(*on),
                    l_linger: *seconds,
                },
            ),
            Value::Interface(name) => self.write_bytes(socket, name),
            Value::Address(address) => self.write(socket, &to_c(*address)),
            Value::Membership { group, interface } => self.write(
                socket,
                &libc::ip_mreq {
                    imr_multiaddr: to_c(*group),
                    imr_interface: to_c(*interface),
                },
            ),
            Value::Membership6 { group, interface } => self.write(
                socket,
                &libc::ipv6_mreq {
                    ipv6mr_multiaddr: libc::in6_addr {
                        s6_addr: group.octets(),
                    },
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
        name.truncate(
            name.iter()
                .position(|&byte| byte == 0)
                .unwrap_or(name.len()),
        );
        Ok(name)
    }

    fn write<T>(&self, socket: &Descriptor, value: &T) -> io::Result<()> {
        self.write_raw(socket, std::ptr::from_ref(value).cast(), size_of::<T>())
    }

    fn write_bytes(&self, socket: &Descriptor, bytes: &[u8]) -> io::Result<()> {
        self.write_raw(socket, bytes.as_ptr().cast(), bytes.len())
    }

    fn write_raw(
        &self,
        socket: &Descriptor,
        value: *const c_void,
        length: usize,
    ) -> io::Result<()> {
        // SAFETY: both callers pass a value that is readable for its whole length.
        let status = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                self.level,
                self.code,
                value,
                length as socklen_t,
            )
        };
        if status == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
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
        // SAFETY: both callers pass `size` writable bytes.
        let status = unsafe {
            libc::getsockopt(socket.as_raw_fd(), self.level, self.code, room, &mut length)
        };
        if status == 0 {
            Ok(length as usize)
        } else {
            Err(io::Error::last_os_error())
        }
    }
}
