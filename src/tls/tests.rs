//! Both ends of a connection in one thread, without an interpreter.

use std::io::{Read, Write};
use std::rc::Rc;

use foreign_types::ForeignTypeRef;
use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::SslVersion;
use openssl::x509::{X509, X509Name};
use proptest::prelude::*;
use socket2::{Domain, Type};

use super::connection::Connection;
use super::context::Context;
use super::protocol::Role;
use super::wire::Buffers;
use crate::net::address::Family;
use crate::net::buffer::{Pattern, ReceiveBuffer};
use crate::net::error::CLOSED;
use crate::net::socket::{Failure, Socket};
use crate::net::stream::Received;
use crate::scheduler::Direction;

mod flood;
mod sessions;
mod stream;
mod tickets;

fn self_signed() -> (X509, PKey<Private>) {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).expect("a usual curve");
    let key = EcKey::generate(&group).and_then(PKey::from_ec_key).expect("a key");
    let make = || {
        let mut name = X509Name::builder()?;
        name.append_entry_by_nid(Nid::COMMONNAME, "localhost")?;
        let name = name.build();
        let mut certificate = X509::builder()?;
        certificate.set_version(2)?;
        certificate.set_subject_name(&name)?;
        certificate.set_issuer_name(&name)?;
        certificate.set_pubkey(&key)?;
        certificate.set_not_before(&*Asn1Time::days_from_now(0)?)?;
        certificate.set_not_after(&*Asn1Time::days_from_now(1)?)?;
        certificate.sign(&key, MessageDigest::sha256())?;
        Ok::<_, openssl::error::ErrorStack>(certificate.build())
    };
    (make().expect("a certificate"), key)
}

fn context(role: Role, version: Option<SslVersion>) -> Rc<Context> {
    let context = Context::new(version, None).expect("a context");
    context.set_role(Some(role));
    if role == Role::Server {
        let (certificate, key) = self_signed();
        let set = context.change(|builder| {
            builder.set_private_key(&key)?;
            builder.set_certificate(&certificate)
        });
        set.expect("key and certificate belong together");
    }
    Rc::new(context)
}

/// Two ends of a connection before the handshake.
fn ends(kind: Type, version: Option<SslVersion>) -> [Socket; 2] {
    let (one, other) = socket2::Socket::pair(Domain::UNIX, kind, None).expect("a pair of sockets");
    let mut roles = [Role::Client, Role::Server].into_iter();
    [one, other].map(|descriptor| {
        descriptor.set_nonblocking(true).expect("a socket can be made non-blocking");
        let context = context(roles.next().expect("two roles"), version);
        let mut socket = Socket::new(Some(descriptor), Family::Unspecified);
        let connection = Connection::new(context).expect("a role").expect("a connection");
        socket.tls = Some(Box::new(connection));
        socket
    })
}

/// The same after it.
fn pair(version: Option<SslVersion>) -> [Socket; 2] {
    after_handshake(ends(Type::STREAM, version), [false; 2])
}

/// The same after it. A server that `may_block` has not sent its tickets.
fn after_handshake(mut ends: [Socket; 2], may_block: [bool; 2]) -> [Socket; 2] {
    let mut buffers = Buffers::default();
    while !ends.iter().all(is_established) {
        for (socket, may_block) in
            ends.iter_mut().zip(may_block).filter(|(socket, _)| !is_established(socket))
        {
            socket.woken = true;
            match socket.shake_hands(may_block, &mut buffers) {
                Ok(()) | Err(Failure::Blocked(_) | Failure::Busy) => {}
                Err(failure) => panic!("the handshake failed: {failure:?}"),
            }
        }
    }
    ends
}

fn is_established(socket: &Socket) -> bool {
    socket.tls.as_ref().is_some_and(|tls| tls.is_established())
}

fn receive(socket: &mut Socket, pattern: Pattern, buffers: &mut Buffers) -> Result<Vec<u8>, Failure> {
    let mut scratch = vec![0; 64 * 1024];
    let outcome = match socket.receive_buffered(pattern) {
        Some(outcome) => outcome,
        None => socket.receive_decrypted(pattern, &mut scratch, false, buffers),
    };
    match outcome? {
        Received::InScratch(length) => Ok(scratch[..length].to_vec()),
        Received::InBuffer(found) => {
            let answer = socket.buffer.as_slice()[..found.answer].to_vec();
            socket.buffer.consume(found.used);
            Ok(answer)
        }
    }
}

#[test]
fn lines_go_both_ways() {
    for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        let [mut client, mut server] = pair(Some(version));
        let mut buffers = Buffers::default();
        let mut sent = 0;
        client.send_encrypted(b"question\nrest", &mut sent, &mut buffers).expect("there is room");
        assert_eq!(sent, 13);
        assert_eq!(receive(&mut server, Pattern::Line, &mut buffers).expect("a line"), b"question");
        assert_eq!(receive(&mut server, Pattern::Exactly(4), &mut buffers).expect("the rest"), b"rest");
        server.send_encrypted(b"answer\r\n", &mut 0, &mut buffers).expect("there is room");
        assert_eq!(receive(&mut client, Pattern::Line, &mut buffers).expect("a line"), b"answer");
    }
}

#[test]
fn nothing_can_be_exchanged_before_the_handshake() {
    let [mut client, _server] = ends(Type::STREAM, None);
    let mut buffers = Buffers::default();
    let is_closed = |failure: Failure| matches!(failure, Failure::Error(text) if text == CLOSED);
    let outcome = client.send_encrypted(b"x", &mut 0, &mut buffers);
    assert!(outcome.is_err_and(is_closed));
    assert!(receive(&mut client, Pattern::Line, &mut buffers).is_err_and(is_closed));
}

#[test]
fn what_the_system_does_not_take_is_sent_later() {
    let [mut client, mut server] = pair(None);
    let mut buffers = Buffers::default();
    let data: Vec<u8> = (0..8_000_000u32).map(|number| number as u8).collect();
    let (mut sent, mut received, mut blocked) = (0, Vec::new(), false);
    while received.len() < data.len() {
        match client.send_encrypted(&data, &mut sent, &mut buffers) {
            Err(Failure::Blocked(direction)) => {
                assert_eq!(direction, Direction::Write);
                assert_eq!(client.tls.as_ref().and_then(|tls| tls.want), Some(Direction::Write));
                blocked = true;
            }
            Ok(()) | Err(Failure::Busy) => {}
            Err(failure) => panic!("sending failed: {failure:?}"),
        }
        let wanted = (data.len() - received.len()).min(100_000);
        match receive(&mut server, Pattern::Exactly(wanted), &mut buffers) {
            Ok(piece) => received.extend_from_slice(&piece),
            Err(Failure::Blocked(_) | Failure::Busy) => {}
            Err(failure) => panic!("receiving failed: {failure:?}"),
        }
    }
    assert!(blocked, "the system took everything at once");
    assert!(received == data);
}

#[test]
fn an_idle_connection_has_received_nothing() {
    let [mut client, mut server] = pair(None);
    let mut buffers = Buffers::default();
    assert!(!server.has_received());
    client.send_encrypted(b"ab", &mut 0, &mut buffers).expect("there is room");
    assert_eq!(receive(&mut server, Pattern::Exactly(1), &mut buffers).expect("a byte"), b"a");
    assert!(server.has_received());
    assert_eq!(receive(&mut server, Pattern::Exactly(1), &mut buffers).expect("a byte"), b"b");
    assert!(!server.has_received());
}

#[test]
fn the_beginning_of_a_record_is_not_received_yet() {
    let [mut client, mut server] = pair(None);
    let mut buffers = Buffers::default();
    // Whatever the client sends goes by way of this test.
    let (ours, theirs) = socket2::Socket::pair(Domain::UNIX, Type::STREAM, None).expect("a pair of sockets");
    let _original = client.descriptor.replace(ours);
    let mut records = Vec::new();
    for data in [vec![b'a'; 10_000], vec![b'b'; 6_000]] {
        client.send_encrypted(&data, &mut 0, &mut buffers).expect("there is room");
        let mut room = vec![0; 20_000];
        let count = (&theirs).read(&mut room).expect("a record was sent");
        records.push(room[..count].to_vec());
    }
    let (ours, theirs) = socket2::Socket::pair(Domain::UNIX, Type::STREAM, None).expect("a pair of sockets");
    theirs.set_nonblocking(true).expect("a socket can be made non-blocking");
    let _original = server.descriptor.replace(theirs);

    let cut = records[1].len() / 2;
    (&ours).write_all(&[&records[0], &records[1][..cut]].concat()).expect("there is room");
    for half in ["the first", "the second"] {
        let answer = receive(&mut server, Pattern::Exactly(5_000), &mut buffers);
        assert_eq!(answer.expect("half of the first record"), [b'a'; 5_000]);
        assert_eq!(server.has_received(), half == "the first");
    }
    // Half of the second record is there.
    assert!(server.tls.as_ref().is_some_and(|tls| tls.may_decrypt()));
    let outcome = receive(&mut server, Pattern::Exactly(1), &mut buffers);
    assert!(matches!(outcome, Err(Failure::Blocked(Direction::Read))));
    assert!(!server.has_received(), "still");
    (&ours).write_all(&records[1][cut..]).expect("there is room");
    assert_eq!(
        receive(&mut server, Pattern::Exactly(6_000), &mut buffers).expect("all of it"),
        [b'b'; 6_000]
    );
    assert!(!server.has_received());
}

// SAFETY: the declaration is that of OpenSSL's header.
unsafe extern "C" {
    fn SSL_renegotiate(connection: *mut openssl_sys::SSL) -> std::ffi::c_int;
}

#[test]
fn a_handshake_in_between_holds_up_what_is_sent_and_nothing_else() {
    let [mut client, mut server] = pair(Some(SslVersion::TLS1_2));
    let mut buffers = Buffers::default();
    let is_blocked_to =
        |failure: Failure, direction| matches!(failure, Failure::Blocked(found) if found == direction);
    server.send_encrypted(b"before,", &mut 0, &mut buffers).expect("there is room");
    if let Some(tls) = &server.tls {
        // SAFETY: the pointer is the connection's.
        assert_eq!(unsafe { SSL_renegotiate(tls.ssl().as_ptr()) }, 1);
    }
    // The server asks for a handshake; data of the client's that are under way already are no error.
    client.send_encrypted(b"under way,", &mut 0, &mut buffers).expect("there is room");
    assert!(server.send_encrypted(b"", &mut 0, &mut buffers).is_ok());
    let outcome = receive(&mut server, Pattern::Line, &mut buffers);
    assert!(outcome.is_err_and(|failure| is_blocked_to(failure, Direction::Read)));
    let outcome = receive(&mut client, Pattern::Line, &mut buffers);
    assert!(outcome.is_err_and(|failure| is_blocked_to(failure, Direction::Read)));
    assert_eq!(client.buffer.as_slice(), b"before,");

    // Now the client is in the midst of it, and cannot send until the server has answered.
    let mut sent = 0;
    let outcome = client.send_encrypted(b"after\n", &mut sent, &mut buffers);
    assert!(outcome.is_err_and(|failure| is_blocked_to(failure, Direction::Read)));
    assert_eq!(sent, 0);
    assert!(!client.tls.as_mut().expect("it speaks TLS").take_across());
    for _ in 0..10 {
        let _ = receive(&mut server, Pattern::Line, &mut buffers);
        if client.send_encrypted(b"after\n", &mut sent, &mut buffers).is_ok() {
            break;
        }
    }
    assert_eq!(sent, 6);
    assert!(client.tls.as_mut().expect("it speaks TLS").take_across());
    assert_eq!(receive(&mut server, Pattern::Line, &mut buffers).expect("a line"), b"under way,after");
    server.send_encrypted(b"after\n", &mut 0, &mut buffers).expect("there is room");
    assert_eq!(receive(&mut client, Pattern::Line, &mut buffers).expect("a line"), b"before,after");
}

#[test]
fn the_end_is_told_in_tls() {
    for (pattern, answer) in [(Pattern::All, "last words\n"), (Pattern::Line, "last words")] {
        let [mut client, mut server] = pair(None);
        let mut buffers = Buffers::default();
        client.send_encrypted(b"last words\n", &mut 0, &mut buffers).expect("there is room");
        client.say_end(&mut buffers).expect("there is room");
        assert_eq!(receive(&mut server, pattern, &mut buffers).expect("everything"), answer.as_bytes());
        // No event tells of the end, as the connection below stays.
        assert!(server.is_ready(Direction::Read) && !server.has_received());
        let outcome = receive(&mut server, pattern, &mut buffers);
        assert!(matches!(outcome, Err(Failure::Error(text)) if text == CLOSED));
        assert!(server.is_ready(Direction::Read));
    }
}

#[test]
fn whoever_waits_owns_no_memory() {
    let [_client, mut server] = pair(None);
    let mut buffers = Buffers::default();
    for pattern in [Pattern::Exactly(0), Pattern::Exactly(1_000_000), Pattern::Line, Pattern::All] {
        let outcome = receive(&mut server, pattern, &mut buffers);
        assert!(matches!(outcome, Err(Failure::Blocked(Direction::Read))));
        assert!(server.buffer.owns_nothing(), "{pattern:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the sizes in which data are sent and asked for, they arrive once and in order, both ways
    /// at once.
    #[test]
    fn data_arrive_in_order(
        pieces in proptest::collection::vec((1usize..40_000, 1usize..40_000), 1..12),
        wanted in 1usize..50_000,
    ) {
        let mut ends = pair(None);
        let mut buffers = Buffers::default();
        let data = [pieces.iter().map(|piece| piece.0).sum(), pieces.iter().map(|piece| piece.1).sum()]
            .map(|length: usize| (0..length).map(|number| (number * 31 % 251) as u8).collect::<Vec<_>>());
        let mut sent = [0; 2];
        let mut received = [Vec::new(), Vec::new()];
        let mut limit = [0; 2];
        let mut next = pieces.iter();
        while received[0].len() < data[0].len() || received[1].len() < data[1].len() {
            if let Some(piece) = next.next() {
                limit = [limit[0] + piece.0, limit[1] + piece.1];
            }
            for (side, other) in [(0, 1), (1, 0)] {
                match ends[side].send_encrypted(&data[side][..limit[side]], &mut sent[side], &mut buffers) {
                    Ok(()) | Err(Failure::Blocked(_) | Failure::Busy) => {}
                    Err(failure) => panic!("sending failed: {failure:?}"),
                }
                let count = (data[side].len() - received[side].len()).min(wanted);
                if count > 0 {
                    match receive(&mut ends[other], Pattern::Exactly(count), &mut buffers) {
                        Ok(piece) => received[side].extend_from_slice(&piece),
                        Err(Failure::Blocked(_) | Failure::Busy) => {}
                        Err(failure) => panic!("receiving failed: {failure:?}"),
                    }
                }
            }
        }
        prop_assert!(received == data);
    }

    /// Whatever is asked for, the answers are those of a buffer that holds all of it.
    #[test]
    fn any_pattern_finds_what_it_finds_in_memory(
        lines in proptest::collection::vec(0usize..30_000, 1..8),
        patterns in proptest::collection::vec(pattern(), 1..30),
    ) {
        let mut data = Vec::new();
        for (number, length) in lines.iter().enumerate() {
            data.extend((0..*length).map(|index| b'a' + ((index + number) % 26) as u8));
            data.extend(b"\r\n");
        }
        let mut whole = ReceiveBuffer::default();
        whole.extend(&data);
        let [mut client, mut server] = pair(None);
        let mut buffers = Buffers::default();
        let mut sent = 0;
        for pattern in patterns {
            let Some(found) = whole.find(pattern) else { break };
            let expected = whole.as_slice()[..found.answer].to_vec();
            let answer = loop {
                match client.send_encrypted(&data, &mut sent, &mut buffers) {
                    Ok(()) | Err(Failure::Blocked(_) | Failure::Busy) => {}
                    Err(failure) => panic!("sending failed: {failure:?}"),
                }
                match receive(&mut server, pattern, &mut buffers) {
                    Ok(answer) => break answer,
                    Err(Failure::Blocked(_) | Failure::Busy) => {}
                    Err(failure) => panic!("receiving failed: {failure:?}"),
                }
            };
            if let Pattern::Between { least, .. } = pattern {
                // How much of what may come has come is nobody's promise.
                prop_assert!(answer.len() >= least && expected.starts_with(&answer));
                whole.consume(answer.len());
            } else {
                prop_assert!(answer == expected);
                whole.consume(found.used);
            }
        }
    }
}

fn pattern() -> impl Strategy<Value = Pattern> {
    prop_oneof![
        2 => Just(Pattern::Line),
        2 => (0usize..5_000).prop_map(Pattern::Exactly),
        4 => (0usize..90_000).prop_map(Pattern::Exactly),
        1 => (1usize..20_000, 0usize..20_000)
            .prop_map(|(least, more)| Pattern::Between { least, most: least + more }),
    ]
}
