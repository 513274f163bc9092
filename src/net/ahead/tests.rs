use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use super::*;
use crate::net::buffer::Pattern;
use crate::net::error::CLOSED;
use crate::net::readiness;
use crate::net::socket::Failure;
use crate::net::stream::Received;
use crate::scheduler::Direction;

/// A connected socket and its peer.
fn pair() -> (Socket, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let peer = TcpStream::connect(listener.local_addr().expect("its address")).expect("a connection");
    let (accepted, _) = listener.accept().expect("the connection");
    accepted.set_nonblocking(true).expect("a socket that does not block");
    (Socket::new(Some(accepted.into()), Family::Inet), peer)
}

/// Waits until there is something to receive, be it the end.
fn until_readable(socket: &Socket) {
    let descriptor = socket.open_descriptor().expect("an open socket");
    let limit = Some(Duration::from_secs(10));
    let ready = readiness::wait_for(std::os::fd::AsFd::as_fd(descriptor), Direction::Read, limit);
    assert!(ready.expect("a wait"), "nothing arrived");
}

/// Has `peer` send bytes, and waits until they have arrived.
fn deliver(peer: &mut TcpStream, bytes: &[u8], socket: &Socket) {
    peer.write_all(bytes).expect("a send");
    until_readable(socket);
}

fn memory() -> Vec<u8> {
    Vec::with_capacity(MOST_AHEAD)
}

/// The line that the task behind `socket` gets, which has waited for it.
fn line(socket: &mut Socket) -> Result<Vec<u8>, Failure> {
    let mut scratch = vec![0; 2 * MOST_AHEAD];
    socket.woken = true;
    Ok(match socket.receive(Pattern::Line, &mut scratch, true)? {
        Received::InScratch(length) => scratch[..length].to_vec(),
        Received::InBuffer(found) => {
            let answer = socket.buffer.as_slice()[..found.answer].to_vec();
            socket.buffer.consume(found.used);
            answer
        }
    })
}

#[test]
fn what_has_arrived_lies_in_the_buffer() {
    let (mut socket, mut peer) = pair();
    deliver(&mut peer, b"one\ntwo\n", &socket);
    assert_eq!(socket.receive_ahead(memory), None);
    assert_eq!(socket.buffer.as_slice(), b"one\ntwo\n");
    assert_eq!(line(&mut socket).expect("a line"), b"one");
    assert_eq!(line(&mut socket).expect("a line"), b"two");
    // That was all there was: nobody needs to look again.
    assert!(socket.drained);
}

#[test]
fn a_task_that_needs_more_looks_again() {
    let (mut socket, mut peer) = pair();
    deliver(&mut peer, b"half", &socket);
    assert_eq!(socket.receive_ahead(memory), None);
    deliver(&mut peer, b" and half\n", &socket);
    assert_eq!(line(&mut socket).expect("a line"), b"half and half");
}

#[test]
fn what_completes_nothing_does_not_keep_the_memory() {
    let (mut socket, mut peer) = pair();
    deliver(&mut peer, b"half", &socket);
    assert_eq!(socket.receive_ahead(memory), None);
    assert!(matches!(line(&mut socket), Err(Failure::Blocked(Direction::Read))));
    assert!(socket.buffer.settle().is_some_and(|memory| memory.capacity() >= MOST_AHEAD));
    assert_eq!(socket.buffer.settle(), None);
    assert_eq!(socket.buffer.as_slice(), b"half");
}

#[test]
fn nothing_may_have_arrived_after_all() {
    let (mut socket, mut peer) = pair();
    assert_eq!(socket.receive_ahead(memory).map(|memory| memory.capacity()), Some(MOST_AHEAD));
    assert!(matches!(line(&mut socket), Err(Failure::Blocked(Direction::Read))));
    deliver(&mut peer, b"late\n", &socket);
    assert_eq!(line(&mut socket).expect("a line"), b"late");
}

#[test]
fn the_end_is_found_again() {
    let (mut socket, peer) = pair();
    drop(peer);
    until_readable(&socket);
    assert!(socket.receive_ahead(memory).is_some());
    assert!(matches!(line(&mut socket), Err(Failure::Error(text)) if text == CLOSED));
}

#[test]
fn a_failure_is_kept_until_somebody_receives() {
    let (mut socket, peer) = pair();
    // Closing resets the connection then.
    socket2::SockRef::from(&peer).set_linger(Some(Duration::ZERO)).expect("the option");
    drop(peer);
    until_readable(&socket);
    assert!(socket.receive_ahead(memory).is_some());
    assert_eq!(socket.failed_ahead, Some(libc::ECONNRESET));
    assert!(socket.receive_ahead(|| unreachable!("it has failed")).is_none());
    assert_eq!(socket.failed_ahead, Some(libc::ECONNRESET));
}

#[test]
fn the_task_gets_the_failure_once() {
    let (mut socket, _peer) = pair();
    socket.failed_ahead = Some(libc::EHOSTUNREACH);
    let expected = crate::net::error::errno_text(libc::EHOSTUNREACH);
    assert!(matches!(line(&mut socket), Err(Failure::Error(text)) if text == expected));
    assert!(matches!(line(&mut socket), Err(Failure::Blocked(Direction::Read))));
}

#[test]
fn who_receives_much_or_has_something_left_is_left_alone() {
    let (mut socket, mut peer) = pair();
    let long = [vec![b'x'; MOST_AHEAD], b"\nshort\n".to_vec()].concat();
    deliver(&mut peer, &long, &socket);
    assert_eq!(socket.receive_ahead(memory), None);
    assert!(socket.receives_much);
    assert_eq!(socket.buffer.len(), MOST_AHEAD);
    assert!(socket.receive_ahead(|| unreachable!("the buffer is not empty")).is_none());
    assert_eq!(line(&mut socket).expect("a line").len(), MOST_AHEAD);
    assert_eq!(line(&mut socket).expect("a line"), b"short");
    assert!(socket.buffer.is_empty());
    // The rest of a long message is no little one.
    assert!(socket.receives_much);
    assert!(socket.receive_ahead(|| unreachable!("it receives much")).is_none());
    deliver(&mut peer, b"little\n", &socket);
    assert_eq!(line(&mut socket).expect("a line"), b"little");
    assert!(!socket.receives_much);
}

#[test]
fn a_closed_socket_is_left_alone() {
    let mut socket = Socket::new(None, Family::Inet);
    assert!(socket.receive_ahead(|| unreachable!("there is no descriptor")).is_none());
}
