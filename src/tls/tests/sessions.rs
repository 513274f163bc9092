//! What a client's context keeps of its connections.

use super::super::session::{FOR_A_PEER, Kept, Place, SESSIONS};
use super::super::verification::Extensions;
use super::*;

/// A session of a client's that has received what comes behind the handshake.
fn session(version: SslVersion) -> openssl::ssl::SslSession {
    let [client, _server] = pair(Some(version));
    let session = client.tls.as_ref().and_then(|tls| tls.ssl().session()).expect("a session");
    session.to_owned()
}

fn place(number: usize) -> Place {
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 443));
    (address, Some(number.to_string().into_bytes()), None, Extensions::default())
}

#[test]
fn no_more_are_kept_than_there_is_room_for() {
    for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        let session = session(version);
        let mut kept = Kept::default();
        for number in 0..SESSIONS + 1000 {
            kept.keep(&place(number), session.clone());
            assert!(kept.count() <= SESSIONS);
        }
        let found = (0..SESSIONS + 1000).filter(|&number| kept.take(&place(number)).is_some()).count();
        assert_eq!(found, SESSIONS);
        // A ticket is good for once, and an older session for ever.
        assert_eq!(kept.count(), if version == SslVersion::TLS1_3 { 0 } else { SESSIONS });
    }
}

#[test]
fn a_peer_has_only_its_share() {
    for (version, share) in [(SslVersion::TLS1_2, 1), (SslVersion::TLS1_3, FOR_A_PEER)] {
        let session = session(version);
        let mut kept = Kept::default();
        kept.keep(&place(1), session.clone());
        for _ in 0..2 * FOR_A_PEER {
            kept.keep(&place(0), session.clone());
        }
        assert_eq!(kept.count(), 1 + share);
        kept.forget(&place(0));
        assert_eq!(kept.count(), 1);
        assert!(kept.take(&place(0)).is_none());
        assert!(kept.take(&place(1)).is_some());
    }
}
