//! Sessions: what a client remembers of a connection, so that the next one to the same peer needs less
//! of a handshake. A context keeps them for all its connections.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::ptr;
use std::rc::Rc;

use foreign_types::ForeignTypeRef;
use openssl::ssl::{SslContextBuilder, SslSession, SslSessionCacheMode, SslVersion};
use openssl::x509::X509VerifyResult;
use socket2::Socket as Descriptor;

use super::connection::Connection;
use super::ffi::{SSL_get_sigalgs, SSL_get0_peer_CA_list};
use super::local::{Local, guarded};
use super::protocol::Role;
use super::verification::{Extensions, Hostname};

/// How many sessions are kept for a peer. Servers give two at a time, and a program may begin many
/// connections at once.
pub(super) const FOR_A_PEER: usize = 64;
/// How many sessions are kept for all of them.
pub(super) const SESSIONS: usize = 4096;

/// Whom a session is for: an address, the name that was asked for there, who was to be found there, and how that was verified.
/// A session that is resumed is not verified again, so it must not serve for another host behind the same address, nor in
/// place of a stricter look at it.
pub(super) type Place = (SocketAddr, Option<Vec<u8>>, Option<Hostname>, Extensions);

/// The sessions of a context.
#[derive(Default)]
pub(super) struct Sessions {
    /// Those that OpenSSL has handed out in the operation that runs.
    fresh: Rc<RefCell<Vec<SslSession>>>,
    kept: RefCell<Kept>,
}

/// What is there to be resumed, the latest session of a place last.
#[derive(Default)]
pub(super) struct Kept {
    by_place: HashMap<Place, Vec<SslSession>>,
    /// How many sessions that is.
    count: usize,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Sessions are secrets.
        formatter.debug_struct("Sessions").field("count", &self.kept.borrow().count).finish_non_exhaustive()
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
}

impl Kept {
    /// The session to resume at a place, if there is one. It is not to be used again, unless the protocol
    /// gives no others.
    pub(super) fn take(&mut self, place: &Place) -> Option<SslSession> {
        let sessions = self.by_place.get_mut(place)?;
        let session = sessions.pop()?;
        if session.protocol_version() != SslVersion::TLS1_3 {
            sessions.push(session.clone());
            return Some(session);
        }
        self.count -= 1;
        if sessions.is_empty() {
            self.by_place.remove(place);
        }
        Some(session)
    }

    pub(super) fn keep(&mut self, place: &Place, session: SslSession) {
        if session.protocol_version() != SslVersion::TLS1_3 {
            self.forget(place);
        } else if self.by_place.get(place).is_some_and(|sessions| sessions.len() >= FOR_A_PEER) {
            self.by_place.get_mut(place).map(|sessions| sessions.remove(0));
            self.count -= 1;
        }
        if self.count >= SESSIONS {
            // Any of them: there are many, and losing one costs its peer a few milliseconds.
            let victim = self.by_place.keys().next().cloned();
            victim.inspect(|victim| self.forget(victim));
        }
        self.by_place.entry(place.clone()).or_default().push(session);
        self.count += 1;
    }

    /// How many sessions there are.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn forget(&mut self, place: &Place) {
        self.count -= self.by_place.remove(place).map_or(0, |sessions| sessions.len());
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
        let place = (address, name, self.hostname.clone(), self.extensions);
        if let Some(session) = sessions.kept.borrow_mut().take(&place) {
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
        let Some(place) = self.place.as_ref().filter(|_| !fresh.is_empty()) else { return };
        // What is resumed is not verified again, so errors that were passed over must not be lost. And the server verifies
        // its client no more either: some that want to, LuaSec's among them, break off instead.
        let is_fine = (self.ssl().verify_result() == X509VerifyResult::OK
            || self.recorded_errors().is_none())
            && !self.was_asked_for_certificate();
        for session in fresh.into_iter().filter(|_| is_fine) {
            sessions.kept.borrow_mut().keep(place, session);
        }
    }

    /// Up to TLS 1.2, no connection of this client's context goes on from an earlier one's session any more.
    pub fn resume_no_more(&self) {
        if self.role() == Role::Client && self.ssl().version2() != Some(SslVersion::TLS1_3) {
            self.context().forget_sessions();
        }
    }

    /// Whether the server of a client has wanted to know who that is.
    fn was_asked_for_certificate(&self) -> bool {
        let connection = self.ssl().as_ptr();
        let nothing = ptr::null_mut;
        // SAFETY: the pointer is the connection's; with that index, nothing is written. A server names algorithms and, before
        // TLS 1.2, authorities when it asks for a certificate, and nowhere else.
        unsafe {
            SSL_get_sigalgs(connection, -1, nothing(), nothing(), nothing(), ptr::null_mut(), ptr::null_mut())
                > 0
                || !SSL_get0_peer_CA_list(connection).is_null()
        }
    }

    /// After a handshake that failed: what was kept for this peer may be why.
    pub(super) fn forget_sessions_of_peer(&self) {
        if let (Some(place), Some(sessions)) = (&self.place, self.context().sessions()) {
            sessions.kept.borrow_mut().forget(place);
        }
    }
}
