//! When a server's tickets go out.

use super::*;

/// How much has arrived at a socket's descriptor by one call of the system's, without taking it.
fn arrived(socket: &Socket) -> usize {
    let mut room = [std::mem::MaybeUninit::uninit(); 16 * 1024];
    socket.descriptor.as_ref().and_then(|descriptor| descriptor.peek(&mut room).ok()).unwrap_or(0)
}

/// A client, and its server at the end of a handshake that has left tickets to be sent. What one call sends is not joined
/// to what others send.
fn server_at_the_end() -> [Socket; 2] {
    let ends = after_handshake(ends(Type::DGRAM, Some(SslVersion::TLS1_3)), [false, true]);
    assert_eq!(arrived(&ends[0]), 0);
    ends
}

#[test]
fn tickets_go_out_with_the_first_data() {
    let mut buffers = Buffers::default();
    // All ways to send them, and how much that is.
    let mut lengths = Vec::new();

    let [mut client, mut server] = server_at_the_end();
    let tickets = server.put_off_tickets().and_then(|tickets| tickets.upgrade()).expect("there are tickets");
    server.send_encrypted(b"hello", &mut 0, &mut buffers).expect("there is room");
    let with_data = arrived(&client);
    tickets.send();
    assert_eq!(arrived(&client), with_data, "they were taken back");
    assert_eq!(receive(&mut client, Pattern::Exactly(5), &mut buffers).expect("data"), b"hello");

    let [mut client, mut server] = server_at_the_end();
    let tickets = server.put_off_tickets().and_then(|tickets| tickets.upgrade()).expect("there are tickets");
    tickets.send();
    lengths.push(arrived(&client));
    tickets.send();
    server.send_encrypted(b"hello", &mut 0, &mut buffers).expect("there is room");
    assert_eq!(receive(&mut client, Pattern::Exactly(5), &mut buffers).expect("data"), b"hello");

    let [client, mut server] = server_at_the_end();
    let _tickets = server.put_off_tickets();
    server.send_encrypted(b"", &mut 0, &mut buffers).expect("there is room");
    lengths.push(arrived(&client));

    let [client, mut server] = server_at_the_end();
    let _tickets = server.put_off_tickets();
    assert!(receive(&mut server, Pattern::Line, &mut buffers).is_err());
    lengths.push(arrived(&client));

    let [client, mut server] = server_at_the_end();
    let _tickets = server.put_off_tickets();
    server.shake_hands(true, &mut buffers).expect("it is over");
    lengths.push(arrived(&client));

    // Whoever does not ask for them does not lose them.
    let [client, mut server] = server_at_the_end();
    assert!(receive(&mut server, Pattern::Line, &mut buffers).is_err());
    lengths.push(arrived(&client));

    assert!(lengths[0] > 0 && lengths[0] < with_data);
    assert!(lengths.iter().all(|length| *length == lengths[0]), "{lengths:?}");
}

#[test]
fn tickets_go_out_although_what_is_asked_for_is_there() {
    let mut buffers = Buffers::default();
    let [mut client, mut server] = ends(Type::STREAM, Some(SslVersion::TLS1_3));
    while !is_established(&client) {
        let _ = client.shake_hands(false, &mut buffers);
        if !is_established(&client) {
            let _ = server.shake_hands(false, &mut buffers);
        }
    }
    client.send_encrypted(b"question\n", &mut 0, &mut buffers).expect("there is room");
    server.woken = true;
    server.shake_hands(true, &mut buffers).expect("the end of the handshake is there");
    let _tickets = server.put_off_tickets().expect("there are tickets");
    assert_eq!(arrived(&client), 0);
    assert_eq!(receive(&mut server, Pattern::Line, &mut buffers).expect("a line"), b"question");
    assert!(arrived(&client) > 0);
}

#[test]
fn tickets_go_out_before_the_end() {
    let mut buffers = Buffers::default();
    for given_up in [false, true] {
        let [mut client, mut server] = server_at_the_end();
        let tickets = server.put_off_tickets().expect("there are tickets");
        if given_up {
            server.tls.take().expect("it speaks TLS").end(server.descriptor.as_ref());
            assert!(tickets.upgrade().is_none());
        } else {
            server.say_end(&mut buffers).expect("there is room");
        }
        let outcome = receive(&mut client, Pattern::Line, &mut buffers);
        assert!(outcome.is_err_and(|failure| matches!(failure, Failure::Error(text) if text == CLOSED)));
    }
}
