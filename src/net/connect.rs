//! Connecting a stream to the first of a host's addresses that answers.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use socket2::Type;

use super::address::{Family, unspecified_address};
use super::error::{self, Text};
use super::host::Query;
use super::socket::{Failure, Socket, new_descriptor};
use crate::scheduler::Direction;

/// A connection attempt under way.
#[derive(Debug)]
pub struct Connecting {
    /// The addresses not given up yet.
    addresses: VecDeque<SocketAddr>,
    /// Whether none of them has been tried yet.
    fresh: bool,
    /// Whether the first of them is being connected to.
    under_way: bool,
    /// When to give up on the first of them if there are others.
    until: Option<Instant>,
    /// What goes wrong if no address answers.
    last_error: Text,
}

impl Connecting {
    /// An attempt at these addresses, in this order.
    pub fn new(addresses: Vec<SocketAddr>) -> Self {
        Connecting {
            addresses: addresses.into(),
            fresh: true,
            under_way: false,
            until: None,
            last_error: error::CLOSED.into(),
        }
    }
}

/// The query for a stream's peer.
pub fn peer_query(host: &str, service: &str, family: Family) -> Query {
    Query {
        host: (host != "*").then(|| host.to_owned()),
        service: Some(service.to_owned()),
        family,
        kind: Type::STREAM,
        passive: false,
    }
}

impl Socket {
    /// Goes on with the attempt in [`Socket::connecting`] as far as possible without waiting.
    ///
    /// `time_left` is what is left of the program's patience (`None`: no limit): while there are
    /// further addresses to try, an address that does not answer gets only its share of it.
    ///
    /// # Errors
    /// [`Failure`]; unless it says to wait, the attempt is over.
    pub fn advance_connection(&mut self, time_left: Option<Duration>) -> Result<(), Failure> {
        let Some(mut connecting) = self.connecting.take() else {
            return Err(error::CLOSED.into());
        };
        let outcome = self.step(&mut connecting, time_left);
        if matches!(outcome, Err(Failure::Blocked(_))) {
            self.connecting = Some(connecting);
        }
        outcome
    }

    /// When to go on with the attempt even if nothing happens: the next address is due then.
    pub fn next_address_due(&self) -> Option<Instant> {
        let connecting = self.connecting.as_deref().filter(|connecting| connecting.addresses.len() > 1)?;
        connecting.until
    }

    fn step(&mut self, connecting: &mut Connecting, time_left: Option<Duration>) -> Result<(), Failure> {
        let Connecting { addresses, fresh, under_way, until, last_error } = connecting;
        if self.timeouts.forbid_waiting() {
            addresses.truncate(1);
        }
        while let Some(address) = addresses.front() {
            let outcome = if *under_way {
                self.pending_connection()
            } else {
                let share = time_left.map(|left| left / addresses.len() as u32);
                *until = share.and_then(|share| Instant::now().checked_add(share));
                if std::mem::take(fresh) && self.family == Family::Unspecified {
                    // What an earlier attempt that failed has left is of no use.
                    self.discard_descriptor();
                }
                self.connect_to(address)
            };
            match outcome {
                Ok(()) => {
                    self.family = Family::of(address);
                    return Ok(());
                }
                Err(error) if is_in_progress(&error) => {
                    *under_way = true;
                    if self.timeouts.forbid_waiting() {
                        // The program goes on with this descriptor whatever becomes of it.
                        self.family = Family::of(address);
                    }
                    if addresses.len() == 1 || until.is_none_or(|until| Instant::now() < until) {
                        return Err(Failure::Blocked(Direction::Write));
                    }
                    *last_error = error::TIMEOUT.into();
                }
                Err(error) => *last_error = error::system_error(&error),
            }
            if addresses.len() > 1 {
                self.abandon_connection();
            }
            addresses.pop_front();
            *under_way = false;
        }
        Err(Failure::Error(last_error.clone()))
    }

    /// Makes the descriptor fit for another address, keeping its options and its local address.
    fn abandon_connection(&mut self) {
        let dissolved =
            self.open_descriptor().and_then(|descriptor| descriptor.connect(&unspecified_address()));
        if dissolved.is_err() {
            self.discard_descriptor();
        }
    }

    fn connect_to(&mut self, address: &SocketAddr) -> io::Result<()> {
        let family = Family::of(address);
        let wrong_family =
            self.descriptor.is_some() && self.local_address().is_ok_and(|local| Family::of(&local) != family);
        if wrong_family {
            self.discard_descriptor();
        }
        self.open(family, Type::STREAM)?.connect(&(*address).into())
    }

    /// How a connection under way stands: made, failed, or still `EINPROGRESS`.
    fn pending_connection(&self) -> io::Result<()> {
        let descriptor = self.open_descriptor()?;
        if let Some(error) = descriptor.take_error()? {
            return Err(error);
        }
        match descriptor.peer_addr() {
            Ok(_) => Ok(()),
            Err(error) if error.raw_os_error() == Some(libc::ENOTCONN) => {
                Err(io::Error::from_raw_os_error(libc::EINPROGRESS))
            }
            Err(error) => Err(error),
        }
    }
}

fn is_in_progress(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::EAGAIN))
}

/// Opens a listening or bound stream's descriptor ahead of its first use.
///
/// # Errors
/// Those of `socket(2)`.
pub fn new_stream(family: Family) -> io::Result<Socket> {
    Ok(Socket::new(Some(new_descriptor(family, Type::STREAM)?), family))
}
