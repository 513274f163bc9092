//! When more is likely to come by itself.

use super::super::receive::STREAM;
use super::*;

#[test]
fn much_that_comes_by_itself_is_a_stream() {
    const PIECE: usize = 32 * 1024;
    let [mut client, mut server] = pair(None);
    let mut buffers = Buffers::default();
    let mut pass = |server: &mut Socket, length| {
        client.send_encrypted(&vec![b'x'; length], &mut 0, &mut buffers).expect("there is room");
        receive(server, Pattern::Exactly(length), &mut buffers).expect("all of it");
    };
    for _ in 0..2 {
        for _ in 0..40 {
            assert!(!server.is_streaming());
            pass(&mut server, 1);
        }
        for _ in 0..STREAM / PIECE {
            assert!(!server.is_streaming());
            pass(&mut server, PIECE);
        }
        assert!(server.is_streaming());
        pass(&mut server, 1);
    }
    for _ in 0..=STREAM / PIECE {
        pass(&mut server, PIECE);
    }
    assert!(server.is_streaming());
    server.send_encrypted(b"question", &mut 0, &mut Buffers::default()).expect("there is room");
    assert!(!server.is_streaming());
}

#[test]
fn what_could_not_be_sent_does_not_count_as_sent() {
    let [mut client, server] = pair(None);
    drop(server);
    let mut sent = 0;
    let failure = loop {
        match client.send_encrypted(&[b'x'; 1024 * 1024], &mut sent, &mut Buffers::default()) {
            Err(Failure::Busy) => {}
            outcome => break outcome,
        }
    };
    assert!(matches!(failure, Err(Failure::Error(text)) if text == CLOSED));
    assert_eq!(sent, 0);
}
