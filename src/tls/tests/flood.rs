//! Peers that send without end what is no data, or no data that anybody wants.

use super::super::receive::MOST_ANSWERS;
use super::super::send::MOST_UNASKED;
use super::*;
use crate::net::stream::CALLS_IN_A_ROW;

/// The peer wants the other side's key changed, too (RFC 8446, section 4.6.3).
const UPDATE_REQUESTED: std::ffi::c_int = 1;

// SAFETY: the declarations are those of OpenSSL's header.
unsafe extern "C" {
    fn SSL_key_update(connection: *mut openssl_sys::SSL, kind: std::ffi::c_int) -> std::ffi::c_int;
    fn SSL_do_handshake(connection: *mut openssl_sys::SSL) -> std::ffi::c_int;
    fn SSL_set_block_padding(connection: *mut openssl_sys::SSL, size: usize) -> std::ffi::c_int;
}

/// Has a server make records, each padded to so many bytes, and sends them to its client as fast as that takes them.
/// `make` is called so many times with the server. Returns the client.
fn flooded(count: usize, size: usize, make: impl Fn(&mut Socket)) -> (Socket, std::thread::JoinHandle<()>) {
    let [mut client, mut server] = pair(Some(SslVersion::TLS1_3));
    // The tickets and whatever else there is come first.
    let outcome = receive(&mut client, Pattern::Line, &mut Buffers::default());
    assert!(matches!(outcome, Err(Failure::Blocked(Direction::Read))));
    let mut records = Vec::new();
    for _ in 0..count {
        if let Some(tls) = &mut server.tls {
            // SAFETY: the pointer is the connection's.
            assert_eq!(unsafe { SSL_set_block_padding(tls.ssl().as_ptr(), size) }, 1);
        }
        make(&mut server);
        records.extend(server.tls.as_mut().map(|tls| tls.wire().take_outgoing()).unwrap_or_default());
    }
    let mut descriptor = server.descriptor.take().expect("it is open");
    descriptor.set_nonblocking(false).expect("a socket can be made blocking");
    let feeding = std::thread::spawn(move || descriptor.write_all(&records).expect("the client takes all"));
    (client, feeding)
}

#[test]
fn padded_records_without_data_are_fruitless() {
    const COUNT: usize = 4000;
    let (mut client, feeding) = flooded(COUNT, 2500, |server| {
        let connection = server.tls.as_ref().map(|tls| tls.ssl().as_ptr()).expect("it speaks TLS");
        // SAFETY: the pointer is the connection's.
        assert!(unsafe { SSL_key_update(connection, 0) == 1 && SSL_do_handshake(connection) == 1 });
    });
    let mut buffers = Buffers::default();
    loop {
        // Never busy, as then it would not look at the time.
        match receive(&mut client, Pattern::Line, &mut buffers) {
            Err(Failure::Fruitless | Failure::Blocked(Direction::Read)) => {}
            Err(Failure::Error(text)) => break assert_eq!(text, "unexpected eof while reading"),
            outcome => panic!("{outcome:?}"),
        }
    }
    feeding.join().expect("it sends all");
}

#[test]
fn padded_records_with_a_byte_each_leave_time_for_others() {
    const COUNT: usize = 2000;
    // What is at most received in an attempt: in each of its steps by OpenSSL itself, and what one call has brought.
    const AT_ONCE: usize = CALLS_IN_A_ROW * (CALLS_IN_A_ROW + 5);
    let (mut client, feeding) = flooded(COUNT, 16 * 1024, |server| {
        let Some(tls) = &mut server.tls else { return };
        let (nobody, _) = socket2::Socket::pair(Domain::UNIX, Type::STREAM, None).expect("a pair of sockets");
        // Whom it cannot be sent to at once.
        assert_eq!(tls.encrypt(b"x", &nobody).expect("it is encrypted"), 1);
    });
    let mut buffers = Buffers::default();
    let mut most = 0;
    while client.buffer.len() < COUNT {
        let before = client.buffer.len();
        match receive(&mut client, Pattern::Exactly(COUNT + 1), &mut buffers) {
            Err(
                Failure::Fruitless | Failure::Busy | Failure::Blocked(Direction::Read) | Failure::Error(_),
            ) => {}
            outcome => panic!("{outcome:?}"),
        }
        most = most.max(client.buffer.len() - before);
    }
    assert!(most <= AT_ONCE, "{most}");
    feeding.join().expect("it sends all");
}

/// Has the server want new keys so many times. Returns whether the system took it all.
fn request_updates(server: &mut Socket, count: usize) -> bool {
    let (Some(tls), Some(descriptor)) = (&mut server.tls, &server.descriptor) else { return false };
    let connection = tls.ssl().as_ptr();
    for _ in 0..count {
        // SAFETY: the pointer is the connection's, which nobody else uses meanwhile.
        let done =
            unsafe { SSL_key_update(connection, UPDATE_REQUESTED) == 1 && SSL_do_handshake(connection) == 1 };
        assert!(done);
    }
    tls.push(descriptor).expect("the client is there")
}

#[test]
fn records_without_data_leave_time_for_others() {
    let [mut client, mut server] = pair(Some(SslVersion::TLS1_3));
    let mut buffers = Buffers::default();
    // So many are looked at in two attempts, and no more.
    assert!(request_updates(&mut server, 700));
    server.send_encrypted(b"data", &mut 0, &mut buffers).expect("there is room");
    let mut attempts = 0;
    let answer = loop {
        attempts += 1;
        match receive(&mut client, Pattern::Exactly(4), &mut buffers) {
            Err(Failure::Fruitless) => {
                assert_eq!(client.tls.as_ref().and_then(|tls| tls.want), Some(Direction::Read));
                // What is left begins with a record.
                assert!(client.has_received());
            }
            outcome => break outcome,
        }
    };
    assert_eq!(answer.expect("data"), b"data");
    assert_eq!(attempts, 2);
    // Those that hold data are as many as there are.
    for _ in 0..100 {
        server.send_encrypted(b"x", &mut 0, &mut buffers).expect("there is room");
    }
    assert_eq!(receive(&mut client, Pattern::Exactly(100), &mut buffers).expect("data"), [b'x'; 100]);
}

#[test]
fn a_peer_that_takes_no_answers_gets_no_more_of_them() {
    let [mut client, mut server] = pair(Some(SslVersion::TLS1_3));
    let mut buffers = Buffers::default();
    let outgoing = |client: &Socket| client.tls.as_ref().map_or(0, |tls| tls.outgoing());
    let mut most = 0;
    let failure = loop {
        // As fast as the client takes them.
        request_updates(&mut server, 100);
        match receive(&mut client, Pattern::Line, &mut buffers) {
            Err(Failure::Fruitless | Failure::Busy | Failure::Blocked(Direction::Read)) => {
                most = most.max(outgoing(&client));
                assert!(most < 2 * MOST_ANSWERS);
            }
            outcome => break outcome,
        }
    };
    assert!(matches!(failure, Err(Failure::Blocked(Direction::Write))));
    assert!(client.tls.as_ref().is_some_and(|tls| tls.waits_across()));
    assert!(outgoing(&client) > MOST_ANSWERS);

    // It goes on when they have been taken.
    let mut room = vec![0; 64 * 1024];
    while outgoing(&client) > 0 {
        let mut server: &socket2::Socket = server.descriptor.as_ref().expect("it is open");
        while server.read(&mut room).is_ok() {}
        client.send_encrypted(b"", &mut 0, &mut buffers).map_or_else(
            |failure| assert!(matches!(failure, Failure::Blocked(Direction::Write))),
            |()| assert_eq!(outgoing(&client), 0),
        );
    }
    assert!(client.tls.as_mut().is_some_and(|tls| tls.take_across()));
}

#[test]
fn data_in_the_midst_of_a_handshake_are_not_kept_for_ever() {
    let [mut client, mut server] = pair(Some(SslVersion::TLS1_2));
    let mut buffers = Buffers::default();
    if let Some(tls) = &server.tls {
        // SAFETY: the pointer is the connection's.
        assert_eq!(unsafe { SSL_renegotiate(tls.ssl().as_ptr()) }, 1);
        // SAFETY: as above.
        unsafe { SSL_do_handshake(tls.ssl().as_ptr()) };
    }
    let piece = vec![b'x'; 64 * 1024];
    let (mut received, mut kept) = (0, 0);
    let failure = loop {
        let mut sent = 0;
        while server.send_encrypted(&piece, &mut sent, &mut buffers).is_ok() {
            sent = 0;
        }
        // Whoever receives as well may have as much as comes.
        while received < 2 * MOST_UNASKED
            && receive(&mut client, Pattern::Exactly(1024), &mut buffers).is_ok()
        {
            received += 1024;
        }
        match client.send_encrypted(b"question", &mut 0, &mut buffers) {
            Err(Failure::Blocked(_) | Failure::Busy | Failure::Fruitless) => {}
            outcome => break outcome,
        }
        kept = client.buffer.len();
    };
    assert!(received >= 2 * MOST_UNASKED);
    assert!(kept <= MOST_UNASKED);
    assert!(
        matches!(failure, Err(Failure::Error(text)) if text == "too much data in the midst of a handshake")
    );
    let again = client.send_encrypted(b"question", &mut 0, &mut buffers);
    assert!(matches!(again, Err(Failure::Error(text)) if text == CLOSED));
}
