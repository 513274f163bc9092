//! Address families, and addresses as text.

use std::ffi::{CStr, c_char, c_int};
use std::net::{Ipv4Addr, SocketAddr};

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
    /// Paths in the file system, and abstract names.
    Unix,
    /// None: it is no socket but a device.
    Device,
}

impl Family {
    /// The name that `getsockname` and `getpeername` give.
    pub fn name(self) -> &'static str {
        match self {
            Family::Unspecified | Family::Device => "unspec",
            Family::Unix => "unix",
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
            Family::Unspecified | Family::Device => None,
            Family::Unix => Some(Domain::UNIX),
            Family::Inet => Some(Domain::IPV4),
            Family::Inet6 => Some(Domain::IPV6),
        }
    }

    /// The C library's constant.
    pub fn constant(self) -> i32 {
        match self {
            Family::Unspecified | Family::Device => libc::AF_UNSPEC,
            Family::Unix => libc::AF_UNIX,
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
        SocketAddr::V6(address) => dns_lookup::getnameinfo(&(*address).into(), libc::NI_NUMERICHOST)
            .map_or_else(|_| address.ip().to_string(), |(host, _)| host),
    }
}

// SAFETY: the declarations are those of the C library.
unsafe extern "C" {
    fn inet_aton(text: *const c_char, address: *mut libc::in_addr) -> c_int;
}

/// The IPv4 address that `text` is, in any of the forms that C knows: `127.1` is one.
pub fn parse_ipv4(text: &CStr) -> Option<Ipv4Addr> {
    let mut address = libc::in_addr { s_addr: 0 };
    // SAFETY: both pointers are valid for the call.
    let valid = unsafe { inet_aton(text.as_ptr(), &mut address) } != 0;
    valid.then(|| Ipv4Addr::from(u32::from_be(address.s_addr)))
}

/// An IPv4 address as the C library takes it.
pub fn to_c(address: Ipv4Addr) -> libc::in_addr {
    libc::in_addr { s_addr: u32::from(address).to_be() }
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
