//! Socket options by the names that `setoption` and `getoption` take.

use std::net::{Ipv4Addr, Ipv6Addr};

use libc::c_int;

mod access;

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
    Membership { group: Ipv4Addr, interface: Ipv4Addr },
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
    SocketOption { name, shape, level, code, readable, writable }
}

/// The system's numbers where they have other names elsewhere.
mod system {
    #[cfg(any(target_os = "macos", target_os = "ios"))]
    pub(super) use libc::{SO_LINGER_SEC as LINGER, TCP_KEEPALIVE as TCP_KEEPIDLE};

    #[cfg(not(any(target_os = "macos", target_os = "ios")))]
    pub(super) use libc::SO_LINGER as LINGER;
    #[cfg(not(any(target_os = "macos", target_os = "ios", target_os = "openbsd")))]
    pub(super) use libc::TCP_KEEPIDLE;

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
        option("reuseaddr", Boolean, (SOL_SOCKET, libc::SO_REUSEADDR), INTERNET, ANY),
        option("reuseport", Boolean, (SOL_SOCKET, libc::SO_REUSEPORT), INTERNET, INTERNET),
        option("keepalive", Boolean, (SOL_SOCKET, libc::SO_KEEPALIVE), TCP, STREAMS),
        option("linger", Linger, (SOL_SOCKET, system::LINGER), TCP, STREAMS),
        option("dontroute", Boolean, (SOL_SOCKET, libc::SO_DONTROUTE), UDP, UDP),
        option("broadcast", Boolean, (SOL_SOCKET, libc::SO_BROADCAST), UDP, UDP),
        option("error", Error, (SOL_SOCKET, libc::SO_ERROR), INTERNET, NONE),
        option("recv-buffer-size", Integer, (SOL_SOCKET, libc::SO_RCVBUF), INTERNET, INTERNET),
        option("send-buffer-size", Integer, (SOL_SOCKET, libc::SO_SNDBUF), INTERNET, INTERNET),
        option("tcp-nodelay", Boolean, (IPPROTO_TCP, libc::TCP_NODELAY), TCP, TCP),
        #[cfg(not(target_os = "openbsd"))]
        option("tcp-keepidle", Integer, (IPPROTO_TCP, system::TCP_KEEPIDLE), TCP, TCP),
        #[cfg(not(target_os = "openbsd"))]
        option("tcp-keepcnt", Integer, (IPPROTO_TCP, libc::TCP_KEEPCNT), TCP, TCP),
        #[cfg(not(target_os = "openbsd"))]
        option("tcp-keepintvl", Integer, (IPPROTO_TCP, libc::TCP_KEEPINTVL), TCP, TCP),
        #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_os = "macos"))]
        option("tcp-fastopen", Integer, (IPPROTO_TCP, libc::TCP_FASTOPEN), NONE, TCP),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        option("tcp-fastopen-connect", Integer, (IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT), NONE, TCP),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        option("tcp-defer-accept", Integer, (IPPROTO_TCP, libc::TCP_DEFER_ACCEPT), NONE, TCP),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        option("bindtodevice", Shape::Interface, (SOL_SOCKET, libc::SO_BINDTODEVICE), TCP, TCP),
        option("ipv6-v6only", Boolean, (IPPROTO_IPV6, libc::IPV6_V6ONLY), UDP, INTERNET),
        option("ip-multicast-if", Address, (IPPROTO_IP, libc::IP_MULTICAST_IF), UDP, UDP),
        option("ip-multicast-ttl", Integer, (IPPROTO_IP, libc::IP_MULTICAST_TTL), NONE, UDP),
        option("ip-multicast-loop", Boolean, (IPPROTO_IP, libc::IP_MULTICAST_LOOP), UDP, UDP),
        option("ipv6-multicast-loop", Boolean, (IPPROTO_IPV6, libc::IPV6_MULTICAST_LOOP), UDP, UDP),
        option("ipv6-unicast-hops", Integer, (IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS), UDP, UDP),
        // LuaSocket's slip, and what programs have come to see: the unicast limit.
        option("ipv6-multicast-hops", Integer, (IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS), UDP, UDP),
        option("ip-add-membership", Membership, (IPPROTO_IP, libc::IP_ADD_MEMBERSHIP), NONE, UDP),
        option("ip-drop-membership", Membership, (IPPROTO_IP, libc::IP_DROP_MEMBERSHIP), NONE, UDP),
        option("ipv6-add-membership", Membership6, (IPPROTO_IPV6, system::JOIN_GROUP), NONE, UDP),
        option("ipv6-drop-membership", Membership6, (IPPROTO_IPV6, system::LEAVE_GROUP), NONE, UDP),
    ]
};

/// The option of that name, if there is one.
pub fn find(name: &[u8]) -> Option<&'static SocketOption> {
    OPTIONS.iter().find(|option| option.name.as_bytes() == name)
}
