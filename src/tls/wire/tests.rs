//! One end of a wire is a descriptor, and the other is read and written as OpenSSL does.

use super::*;
use proptest::prelude::*;

fn pair() -> (Descriptor, Descriptor) {
    let (one, other) =
        Descriptor::pair(socket2::Domain::UNIX, socket2::Type::STREAM, None).expect("a pair of sockets");
    one.set_nonblocking(true).expect("a socket can be made non-blocking");
    other.set_nonblocking(true).expect("a socket can be made non-blocking");
    (one, other)
}

fn is_blocked<T>(outcome: &io::Result<T>) -> bool {
    matches!(outcome, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

#[test]
fn reading_blocks_while_nothing_was_received() {
    let (ours, theirs) = pair();
    let mut wire = Wire::default();
    wire.lend(&mut Buffers::default());
    let mut room = [0; 8];
    assert!(is_blocked(&wire.read(&mut room)));
    assert!(is_blocked(&wire.pull(&ours)));
    theirs.send(b"hello").expect("a pair takes a few bytes");
    assert_eq!(wire.pull(&ours).expect("bytes have arrived"), Pulled::Some { all: true });
    assert_eq!(wire.read(&mut room).expect("bytes were received"), 5);
    assert_eq!(&room[..5], b"hello");
    drop(theirs);
    assert_eq!(wire.pull(&ours).expect("the end has arrived"), Pulled::End);
}

#[test]
fn what_is_left_over_survives_between_operations() {
    let mut buffers = Buffers::default();
    let mut wire = Wire::new(b"received".to_vec());
    wire.lend(&mut buffers);
    wire.write_all(b"to send").expect("memory takes everything");
    let mut room = [0; 3];
    wire.read_exact(&mut room).expect("there is enough");
    wire.give_back(&mut buffers);
    assert_eq!(wire.incoming(), 5);
    assert_eq!(wire.outgoing(), 7);

    let mut other = Wire::default();
    other.lend(&mut buffers);
    assert_eq!(other.incoming(), 0);
    assert_eq!(other.outgoing(), 0);
    other.give_back(&mut buffers);

    wire.lend(&mut buffers);
    let mut room = [0; 5];
    wire.read_exact(&mut room).expect("there is enough");
    assert_eq!(&room, b"eived");
    assert_eq!(wire.incoming(), 0);
}

#[test]
fn much_that_is_left_over_stays_where_it_is() {
    let mut buffers = Buffers::default();
    let mut wire = Wire::default();
    wire.lend(&mut buffers);
    let bytes: Vec<u8> = (0..ROOM).map(|number| (number % 251) as u8).collect();
    wire.incoming.copy_from_slice(&bytes);
    wire.filled = ROOM;
    let address = wire.incoming.as_ptr();
    wire.give_back(&mut buffers);

    // Another connection has a buffer all the same.
    let mut other = Wire::default();
    other.lend(&mut buffers);
    assert_eq!((other.incoming(), other.incoming.len()), (0, ROOM));
    other.give_back(&mut buffers);

    let mut room = vec![0; ROOM];
    let mut arrived = 0;
    for count in [ROOM / 2, ROOM / 3, 100, ROOM] {
        assert_eq!(wire.incoming.as_ptr() == address, wire.incoming() >= ROOM / WORTH_KEEPING);
        wire.lend(&mut buffers);
        arrived += wire.read(&mut room[arrived..][..count.min(ROOM - arrived)]).expect("there is more");
        wire.give_back(&mut buffers);
    }
    assert!(room == bytes);
    assert_eq!(wire.incoming.capacity(), 0);
}

#[test]
fn a_record_is_there_when_all_of_it_is() {
    let has_record = |bytes: &[u8]| Wire::new(bytes.to_vec()).has_record();
    assert!(!has_record(b""));
    assert!(!has_record(b"\x17\x03\x03\x00"));
    assert!(!has_record(b"\x17\x03\x03\x00\x03ab"));
    assert!(has_record(b"\x17\x03\x03\x00\x03abc"));
    assert!(has_record(b"\x17\x03\x03\x00\x03abc\x17\x03"));
    assert!(!has_record(b"\x17\x03\x03\x01\x00abc"));
    assert!(has_record(b"\x17\x03\x03\xff\xffabc"));
    // That it is none is found out by looking at it.
    assert!(has_record(b"GET / HTTP/1.1"));
}

/// A record of so many bytes, without contents that mean anything.
fn record(length: usize) -> Vec<u8> {
    let [high, low] = u16::try_from(length).expect("a record's length").to_be_bytes();
    let mut bytes = vec![23, 3, 3, high, low];
    bytes.extend((0..length).map(|number| (number % 251) as u8));
    bytes
}

/// Reads a record as OpenSSL does.
fn read_record(wire: &mut Wire) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; HEADER];
    wire.read_exact(&mut bytes)?;
    bytes.resize(HEADER + usize::from(u16::from_be_bytes([bytes[3], bytes[4]])), 0);
    wire.read_exact(&mut bytes[HEADER..])?;
    Ok(bytes)
}

#[test]
fn long_records_are_received_where_they_are_decrypted() {
    let (ours, theirs) = pair();
    let mut wire = Wire::default();
    wire.lend(&mut Buffers::default());
    let (long, short) = (record(MUCH), record(MUCH - 1));
    for bytes in [&long, &long, &short] {
        theirs.send(bytes).expect("a pair takes a few bytes");
    }
    // As if no more had been received.
    wire.filled = (&ours).read(&mut wire.incoming[..HEADER]).expect("bytes have arrived");
    assert_eq!(wire.expected(), long.len());
    wire.receive_at_once(&ours, false);
    for _ in 0..2 {
        assert_eq!(read_record(&mut wire).expect("a record"), long);
        assert_eq!(wire.incoming(), HEADER);
    }
    assert_eq!(wire.expected(), short.len());
    // The third is too short to be worth it.
    assert!(is_blocked(&read_record(&mut wire)));
    assert!(!wire.stop_receiving());
    assert_eq!(wire.pull(&ours).expect("bytes have arrived"), Pulled::Some { all: true });
    assert_eq!(wire.incoming(), MUCH - 1);
}

#[cfg(target_os = "linux")] // elsewhere such a pair knows no reset
#[test]
fn what_ends_receiving_at_once_is_told_by_the_next_pull() {
    let (ours, theirs) = pair();
    let mut wire = Wire::default();
    wire.lend(&mut Buffers::default());
    // Whoever leaves something unread resets the connection, which the system tells once.
    ours.send(b"?").expect("a pair takes a few bytes");
    let long = record(MUCH);
    theirs.send(&long).expect("a pair takes a few bytes");
    drop(theirs);
    wire.filled = (&ours).read(&mut wire.incoming[..HEADER]).expect("bytes have arrived");
    wire.receive_at_once(&ours, false);
    let mut bytes = vec![0; long.len()];
    wire.read_exact(&mut bytes[..HEADER]).expect("a header");
    wire.read_exact(&mut bytes[HEADER..]).expect("the rest of a record");
    assert_eq!(bytes, long);
    wire.receive_at_once(&ours, false);
    assert!(is_blocked(&wire.read(&mut [0; MUCH])));
    wire.stop_receiving();
    let told = wire.pull(&ours).expect_err("a reset");
    assert_eq!(told.kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(wire.pull(&ours).expect("the end"), Pulled::End);
}

#[test]
fn nothing_is_received_at_once_from_what_has_given_all() {
    let (ours, theirs) = pair();
    let mut wire = Wire::default();
    wire.lend(&mut Buffers::default());
    let bytes = record(2 * MUCH);
    theirs.send(&bytes[..HEADER]).expect("a pair takes a few bytes");
    assert_eq!(wire.pull(&ours).expect("bytes have arrived"), Pulled::Some { all: true });
    theirs.send(&bytes[HEADER..]).expect("a pair takes a few bytes");
    wire.receive_at_once(&ours, true);
    assert!(is_blocked(&read_record(&mut wire)));
    assert!(wire.stop_receiving());
    assert_eq!(wire.pull(&ours).expect("bytes have arrived"), Pulled::Some { all: true });
    assert_eq!(wire.incoming(), 2 * MUCH);
}

#[test]
fn a_long_record_that_comes_in_parts_is_put_together() {
    let (ours, theirs) = pair();
    let bytes = record(2 * MUCH);
    for cut in [1, HEADER, HEADER + 1, MUCH, 2 * MUCH - 1] {
        let mut wire = Wire::default();
        wire.lend(&mut Buffers::default());
        let mut room = vec![0; bytes.len()];
        let mut there = 0;
        for part in [&bytes[..cut], &bytes[cut..]] {
            theirs.send(part).expect("a pair takes a few bytes");
            wire.receive_at_once(&ours, false);
            loop {
                let end = if there < HEADER { HEADER } else { bytes.len() };
                match wire.read(&mut room[there..end]) {
                    Ok(0) => break,
                    Ok(count) => there += count,
                    Err(_) if wire.pull(&ours).is_ok() => {}
                    Err(_) => break,
                }
            }
            wire.stop_receiving();
        }
        assert!(room == bytes, "cut at {cut}: {there} bytes");
    }
}

#[test]
fn the_end_is_told_when_all_before_it_has_been_read() {
    let (ours, theirs) = pair();
    let mut wire = Wire::default();
    wire.lend(&mut Buffers::default());
    theirs.send(&record(2 * MUCH)[..HEADER]).expect("a pair takes a few bytes");
    assert_eq!(wire.pull(&ours).expect("bytes have arrived"), Pulled::Some { all: true });
    drop(theirs);
    wire.receive_at_once(&ours, false);
    assert!(is_blocked(&read_record(&mut wire)));
    assert!(!wire.stop_receiving());
    assert_eq!(wire.pull(&ours).expect("the end has arrived"), Pulled::End);
}

#[test]
fn what_goes_out_at_once_stays_in_order() {
    let (ours, theirs) = pair();
    let mut wire = Wire::default();
    wire.lend(&mut Buffers::default());
    wire.send_at_once(Some(&ours));
    wire.write_all(b"first ").expect("memory takes everything");
    assert_eq!(wire.outgoing(), 0);
    let filling = vec![b'x'; 16 * 1024];
    let mut expected = b"first ".to_vec();
    while wire.outgoing() == 0 {
        wire.write_all(&filling).expect("memory takes everything");
        expected.extend_from_slice(&filling);
    }
    let mut arrived = Vec::new();
    let mut room = vec![0; 64 * 1024];
    let count = (&theirs).read(&mut room).expect("much was sent");
    arrived.extend_from_slice(&room[..count]);
    // There is room again, yet what came first goes first.
    wire.write_all(b"last").expect("memory takes everything");
    expected.extend_from_slice(b"last");
    wire.send_at_once(None);
    while arrived.len() < expected.len() {
        wire.push(&ours).expect("the peer is there");
        let count = (&theirs).read(&mut room).expect("more was sent");
        arrived.extend_from_slice(&room[..count]);
    }
    assert_eq!(wire.outgoing(), 0);
    assert!(arrived == expected);
}

#[test]
fn an_idle_wire_owns_no_memory() {
    let (ours, _theirs) = pair();
    let mut buffers = Buffers::default();
    let mut wire = Wire::default();
    wire.lend(&mut buffers);
    wire.write_all(&[7; 1000]).expect("memory takes everything");
    assert!(wire.push(&ours).expect("a pair takes a few bytes"));
    wire.give_back(&mut buffers);
    assert_eq!((wire.incoming.capacity(), wire.outgoing.capacity()), (0, 0));
}

proptest! {
    /// Whatever the sizes of the pieces and however often the buffers change hands, the bytes arrive
    /// once and in order.
    #[test]
    fn bytes_arrive_in_order(pieces in proptest::collection::vec(1usize..3000, 1..40), room in 1usize..500) {
        let (ours, theirs) = pair();
        let (mut sender, mut receiver) = (Wire::default(), Wire::default());
        let mut buffers = Buffers::default();
        let (mut expected, mut arrived) = (Vec::new(), Vec::new());
        let mut next = 0u8;
        for size in pieces {
            let piece: Vec<u8> = (0..size).map(|_| { next = next.wrapping_add(1); next }).collect();
            expected.extend_from_slice(&piece);
            sender.lend(&mut buffers);
            sender.write_all(&piece).expect("memory takes everything");
            sender.push(&ours).expect("the peer is there");
            sender.give_back(&mut buffers);
            receiver.lend(&mut buffers);
            let mut bytes = vec![0; room];
            match receiver.read(&mut bytes) {
                Ok(count) => arrived.extend_from_slice(&bytes[..count]),
                Err(_) => { receiver.pull(&theirs).expect("something was sent"); }
            }
            receiver.give_back(&mut buffers);
        }
        receiver.lend(&mut buffers);
        loop {
            let mut bytes = vec![0; room];
            match receiver.read(&mut bytes) {
                Ok(count) => arrived.extend_from_slice(&bytes[..count]),
                Err(_) if arrived.len() == expected.len() => break,
                Err(_) => { receiver.pull(&theirs).expect("more was sent"); }
            }
        }
        prop_assert_eq!(arrived, expected);
    }
}
