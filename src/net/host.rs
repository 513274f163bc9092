//! Names and addresses of hosts, from the C library. Every function here may take long.

use std::net::{IpAddr, SocketAddr};

use dns_lookup::{AddrInfoHints, LookupError};
use socket2::Type;

use super::address::{self, Family};
use super::error::{self, Text};

mod entry;

pub use entry::{HostEntry, by_address_or_name};

/// What an address is looked up for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// A name or a numeric address; `None` stands for this host.
    pub host: Option<String>,
    /// A port number or the name of a service; `None` is port 0.
    pub service: Option<String>,
    /// The kind of address wanted.
    pub family: Family,
    /// The kind of socket it is for.
    pub kind: Type,
    /// Whether the address is to bind to, so that no host means all interfaces.
    pub passive: bool,
}

impl Query {
    /// The answer, if it can be had without asking anybody: the host is numeric, or there is none.
    pub fn answer_at_once(&self) -> Option<Result<Vec<SocketAddr>, Text>> {
        if let Some(address) = self.numeric_address() {
            return Some(Ok(vec![address]));
        }
        let flags = if self.host.is_some() { libc::AI_NUMERICHOST } else { 0 };
        match self.look_up(flags) {
            Err(error) if error.error_num() == libc::EAI_NONAME && self.host.is_some() => None,
            answer => Some(answer.map_err(error::resolver_error)),
        }
    }

    /// The answer, whatever it takes.
    ///
    /// # Errors
    /// The resolver's, in LuaSocket's words.
    pub fn answer(&self) -> Result<Vec<SocketAddr>, Text> {
        self.look_up(0).map_err(error::resolver_error)
    }

    /// The address if host and port are both plain numbers of the right family.
    fn numeric_address(&self) -> Option<SocketAddr> {
        let host: IpAddr = self.host.as_deref()?.parse().ok()?;
        let service = self.service.as_deref().unwrap_or("0");
        let plain = (1..=5).contains(&service.len()) && service.bytes().all(|byte| byte.is_ascii_digit());
        let address = SocketAddr::new(host, plain.then(|| service.parse().ok()).flatten()?);
        (self.family == Family::Unspecified || self.family == Family::of(&address)).then_some(address)
    }

    fn look_up(&self, flags: i32) -> Result<Vec<SocketAddr>, LookupError> {
        let hints = AddrInfoHints {
            flags: flags | if self.passive { libc::AI_PASSIVE } else { 0 },
            address: self.family.constant(),
            socktype: self.kind.into(),
            protocol: 0,
        };
        let found = dns_lookup::getaddrinfo(self.host.as_deref(), self.service.as_deref(), Some(hints))?;
        Ok(found.flatten().map(|entry| entry.sockaddr).collect())
    }
}

/// The address of a datagram's receiver: numbers only, never looked up.
///
/// # Errors
/// The C library's own text.
pub fn numeric_address(host: &str, port: &str, family: Family) -> Result<SocketAddr, Text> {
    let hints = AddrInfoHints {
        flags: libc::AI_NUMERICHOST | libc::AI_NUMERICSERV,
        address: family.constant(),
        socktype: libc::SOCK_DGRAM,
        protocol: 0,
    };
    dns_lookup::getaddrinfo(Some(host), Some(port), Some(hints))
        .and_then(|mut found| found.next().transpose()?.ok_or_else(|| LookupError::new(libc::EAI_NONAME)))
        .map(|entry| entry.sockaddr)
        .map_err(error::c_library_resolver_error)
}

/// An address of a host, as `dns.getaddrinfo` gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostAddress {
    /// Its family.
    pub family: Family,
    /// It in numbers.
    pub address: String,
}

/// All addresses of a host.
///
/// # Errors
/// The resolver's, in LuaSocket's words.
pub fn addresses(host: &str) -> Result<Vec<HostAddress>, Text> {
    let query = Query {
        host: Some(host.to_owned()),
        service: None,
        family: Family::Unspecified,
        kind: Type::STREAM,
        passive: false,
    };
    let found = query.answer()?;
    let described = found
        .iter()
        .map(|entry| HostAddress { family: Family::of(entry), address: address::host_text(entry) });
    Ok(described.collect())
}

/// The names of every address of a host, and the name of a service if one is given.
///
/// # Errors
/// The resolver's, in LuaSocket's words.
pub fn names(host: Option<&str>, service: Option<&str>) -> Result<(Vec<String>, Option<String>), Text> {
    let query = Query {
        host: host.map(str::to_owned),
        service: service.map(str::to_owned),
        family: Family::Unspecified,
        kind: Type::STREAM,
        passive: false,
    };
    let mut names = Vec::new();
    let mut service_name = None;
    for entry in query.answer()? {
        let (name, port) = dns_lookup::getnameinfo(&entry, 0).map_err(error::c_library_resolver_error)?;
        if host.is_some() {
            names.push(name);
        }
        if service.is_some() {
            service_name.get_or_insert(port);
        }
    }
    Ok((names, service_name))
}

/// This host's own name.
///
/// # Errors
/// Those of `gethostname(3)`.
pub fn own_name() -> Result<String, Text> {
    dns_lookup::get_hostname().map_err(|error| error::system_error(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(host: &str, service: &str, family: Family) -> Query {
        Query {
            host: Some(host.into()),
            service: Some(service.into()),
            family,
            kind: Type::STREAM,
            passive: false,
        }
    }

    fn at_once(host: &str, service: &str, family: Family) -> Option<Result<Vec<SocketAddr>, Text>> {
        query(host, service, family).answer_at_once()
    }

    #[test]
    fn numbers_need_no_resolver() {
        let answer = at_once("127.0.0.1", "80", Family::Unspecified);
        assert_eq!(answer, Some(Ok(vec!["127.0.0.1:80".parse().unwrap()])));
        let answer = at_once("::1", "80", Family::Inet6);
        assert_eq!(answer, Some(Ok(vec!["[::1]:80".parse().unwrap()])));
    }

    #[test]
    fn short_forms_and_ports_beyond_65535_are_the_c_librarys_business() {
        let answer = at_once("127.1", "99999", Family::Unspecified);
        assert_eq!(answer, Some(Ok(vec!["127.0.0.1:34463".parse().unwrap()])));
    }

    #[test]
    fn an_address_of_the_other_family_is_refused_at_once() {
        let answer = at_once("::1", "80", Family::Inet);
        assert_eq!(answer, Some(Err("Address family for hostname not supported".into())));
    }

    #[test]
    fn a_name_has_to_be_looked_up() {
        assert_eq!(at_once("localhost", "80", Family::Unspecified), None);
        let found = query("localhost", "80", Family::Inet).answer();
        assert_eq!(found, Ok(vec!["127.0.0.1:80".parse().unwrap()]));
    }

    #[test]
    fn datagrams_go_to_numbers_only() {
        assert_eq!(
            numeric_address("localhost", "1", Family::Unspecified),
            Err("Name or service not known".into())
        );
        assert_eq!(
            numeric_address("127.0.0.1", "9", Family::Unspecified),
            Ok("127.0.0.1:9".parse().unwrap())
        );
    }
}
