//! Address families, and addresses as text.

use std::net::SocketAddr;

use socket2::{Domain, SockAddr};

/// Which kinds of address an object may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Not decided yet: the first address used decides.
    Unspecified,
    /// IPv4.
    Inet,
    /// IPv6.
    Inet6,
}

impl Family {
    /// The name that `getsockname` and `getpeername` give.
    pub fn name(self) -> &'static str {
        match self {
            Family::Unspecified => "unspec",
            Family::Inet => "inet",
            Family::Inet6 => "inet6",
        }
    }

    /// The family of an address.
    pub fn of(address: &SocketAddr) -> Self {
        match address {
            SocketAddr::V4(_) => Family::Inet,
            SocketAddr::V6(_) => Family::Inet6,
        }
    }

    /// The domain in which to open a socket, once decided.
    pub fn domain(self) -> Option<Domain> {
        match self {
            Family::Unspecified => None,
            Family::Inet => Some(Domain::IPV4),
            Family::Inet6 => Some(Domain::IPV6),
        }
    }

    /// The C library's constant.
    pub fn constant(self) -> i32 {
        match self {
            Family::Unspecified => libc::AF_UNSPEC,
            Family::Inet => libc::AF_INET,
            Family::Inet6 => libc::AF_INET6,
        }
    }
}

/// The numeric host of an address as text, with its zone if it has one.
pub fn host_text(address: &SocketAddr) -> String {
    match address {
        SocketAddr::V4(address) => address.ip().to_string(),
        SocketAddr::V6(address) if address.scope_id() == 0 => address.ip().to_string(),
        // The C library knows the names of the interfaces.
        SocketAddr::V6(address) => {
            dns_lookup::getnameinfo(&(*address).into(), libc::NI_NUMERICHOST)
                .map_or_else(|_| address.ip().to_string(), |(host, _)| host)
        }
    }
}

/// The address that dissolves a datagram socket's connection.
pub fn unspecified_address() -> SockAddr {
    // SAFETY: zero bytes are an initialised `sockaddr_storage` of family `AF_UNSPEC` (0), and
    // `sockaddr` is a valid length for it.
    let attempt = unsafe {
        SockAddr::try_init(|_, length| {
            *length = size_of::<libc::sockaddr>() as libc::socklen_t;
            Ok(())
        })
    };
    attempt.expect("the initialiser cannot fail").1
}
