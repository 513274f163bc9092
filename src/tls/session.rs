//! Sessions: what a client remembers of a connection, so that the next one to the same peer needs less
//! of a handshake. A context keeps them for all its connections.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;

use openssl::ssl::{SslContextBuilder, SslSession, SslSessionCacheMode, SslVersion};
use openssl::x509::X509VerifyResult;
use socket2::Socket as Descriptor;

use super::connection::Connection;
use super::local::{Local, guarded};
use super::protocol::Role;
use super::verification::Hostname;

/// How many sessions are kept for a peer. Servers give two at a time.
const FOR_A_PEER: usize = 4;
/// For how many peers sessions are kept.
const PEERS: usize = 1024;

/// Whom a session is for: an address, the name that was asked for there, and who was to be found there. A
/// session that is resumed is not verified again, so it must not serve for another host behind the same address.
pub(super) type Place = (SocketAddr, Option<Vec<u8>>, Option<Hostname>);

/// The sessions of a context.
#[derive(Default)]
pub(super) struct Sessions {
    /// Those that OpenSSL has handed out in the operation that runs.
    fresh: Rc<RefCell<Vec<SslSession>>>,
    by_place: RefCell<HashMap<Place, Vec<SslSession>>>,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Sessions are secrets.
        formatter
            .debug_struct("Sessions")
            .field("peers", &self.by_place.borrow().len())
            .finish_non_exhaustive()
    }
}

impl Sessions {
    /// Has OpenSSL hand out the sessions of a context's clients. Those of servers are not kept at all:
    /// their clients keep them for them.
    pub(super) fn remember_those_of(&self, builder: &mut SslContextBuilder) {
        builder.set_session_cache_mode(SslSessionCacheMode::CLIENT | SslSessionCacheMode::NO_INTERNAL);
        let fresh = Local::new(Rc::clone(&self.fresh));
        builder.set_new_session_callback(move |_, session| {
            guarded((), || fresh.get().borrow_mut().push(session));
        });
    }

    /// Forgets all.
    pub(super) fn forget(&self) {
        self.by_place.borrow_mut().clear();
    }

    /// The session to resume at a place, if there is one. It is not to be used again, unless the protocol
    /// gives no others.
    fn take(&self, place: &Place) -> Option<SslSession> {
        let mut by_place = self.by_place.borrow_mut();
        let sessions = by_place.get_mut(place)?;
        let session = sessions.pop()?;
        if session.protocol_version() != SslVersion::TLS1_3 {
            sessions.push(session.clone());
        } else if sessions.is_empty() {
            by_place.remove(place);
        }
        Some(session)
    }

    fn keep(&self, place: &Place, session: SslSession) {
        let mut by_place = self.by_place.borrow_mut();
        if by_place.len() >= PEERS && !by_place.contains_key(place) {
            // Any of them: there are many, and losing one costs its peer a few milliseconds.
            let victim = by_place.keys().next().cloned();
            victim.map(|victim| by_place.remove(&victim));
        }
        let sessions = by_place.entry(place.clone()).or_default();
        if session.protocol_version() != SslVersion::TLS1_3 {
            sessions.clear();
        } else if sessions.len() == FOR_A_PEER {
            sessions.remove(0);
        }
        sessions.push(session);
    }
}

impl Connection {
    /// Before the first step of a client's handshake: offers to resume what was kept for this peer.
    pub(super) fn resume(&mut self, descriptor: &Descriptor) {
        if self.place.is_some() || self.role() == Role::Server || self.is_established() {
            return;
        }
        let Some(sessions) = self.context().sessions() else { return };
        let Some(address) = descriptor.peer_addr().ok().and_then(|address| address.as_socket()) else {
            return;
        };
        let name = self.ssl().servername_raw(openssl::ssl::NameType::HOST_NAME).map(<[u8]>::to_vec);
        let place = (address, name, self.hostname.clone());
        if let Some(session) = sessions.take(&place) {
            self.set_session(&session);
        }
        self.place = Some(place);
    }

    /// After an operation: keeps the sessions that the peer has given in it.
    pub(super) fn keep_sessions(&mut self) {
        if self.role() == Role::Server {
            return;
        }
        let Some(sessions) = self.context().sessions() else { return };
        let fresh = sessions.fresh.take();
        let Some(place) = &self.place else { return };
        // What is resumed is not verified again, so errors that were passed over must not be lost.
        let is_fine = self.ssl().verify_result() == X509VerifyResult::OK || self.recorded_errors().is_none();
        for session in fresh.into_iter().filter(|_| is_fine) {
            sessions.keep(place, session);
        }
    }

    /// After a handshake that failed: what was kept for this peer may be why.
    pub(super) fn forget_sessions_of_peer(&self) {
        if let (Some(place), Some(sessions)) = (&self.place, self.context().sessions()) {
            sessions.by_place.borrow_mut().remove(place);
        }
    }
}
