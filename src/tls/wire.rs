//! The encrypted side of a connection, in memory: what has been received and not decrypted yet, and
//! what has been encrypted and not sent yet.
//!
//! OpenSSL reads and writes here, so the system calls are ours: one receives as many records as have
//! arrived, and one sends as many as were made, where OpenSSL by itself would do two and one for each
//! record. All connections of a Lua state work in the same two large buffers; between operations a
//! connection keeps only what is left over.

use std::io::{self, Read, Write};
use std::mem;
use std::ops::RangeInclusive;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use socket2::{SockRef, Socket as Descriptor};

use crate::net::stream::SEND_FLAGS;

/// How much is received at a time, in bytes.
const ROOM: usize = 64 * 1024;

/// A buffer is kept by the connection that has left this part of it over, and else its contents are moved.
const WORTH_KEEPING: usize = 4;

/// The types of records that there are (RFC 8446, section 5.1).
const TYPES: RangeInclusive<u8> = 20..=24;
/// The most that a record holds once it is encrypted, in bytes (RFC 5246, section 6.2.3).
const LONGEST: usize = 16 * 1024 + 2048;

/// The buffers that the connections of a Lua state share.
#[derive(Debug, Default)]
pub struct Buffers {
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
}

/// What came of receiving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulled {
    /// So many bytes, which is all there was if there was room for more.
    Some {
        /// Whether there was room for more.
        all: bool,
    },
    /// The end of the stream.
    End,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Wire {
    /// What has been received: from `taken` to `filled`.
    incoming: Vec<u8>,
    taken: usize,
    filled: usize,
    /// What is to be sent: from `sent` on.
    outgoing: Vec<u8>,
    sent: usize,
    /// Where what OpenSSL writes goes at once, if nothing is to be sent before it.
    at_once: Option<RawFd>,
}

impl Wire {
    /// A wire from which OpenSSL reads `received` first.
    pub fn new(received: Vec<u8>) -> Self {
        Wire { filled: received.len(), incoming: received, ..Wire::default() }
    }

    /// Begins an operation: the shared buffers take the place of this connection's own.
    pub fn lend(&mut self, buffers: &mut Buffers) {
        if self.incoming.len() < ROOM {
            let received = mem::replace(&mut self.incoming, mem::take(&mut buffers.incoming));
            let received = &received[self.taken..self.filled];
            self.incoming.resize(received.len().max(self.incoming.len()).max(ROOM), 0);
            self.incoming[..received.len()].copy_from_slice(received);
            (self.taken, self.filled) = (0, received.len());
        }

        let to_send = mem::replace(&mut self.outgoing, mem::take(&mut buffers.outgoing));
        self.outgoing.extend_from_slice(&to_send[self.sent..]);
        self.sent = 0;
    }

    /// Ends it: only what is left over stays.
    pub fn give_back(&mut self, buffers: &mut Buffers) {
        // Much that is left over stays where it is, until it is less.
        if self.incoming() < self.incoming.len() / WORTH_KEEPING {
            let received = self.incoming[self.taken..self.filled].to_vec();
            (self.taken, self.filled) = (0, received.len());
            buffers.incoming = mem::replace(&mut self.incoming, received);
        }

        let to_send = self.outgoing[self.sent..].to_vec();
        self.sent = 0;
        buffers.outgoing = mem::replace(&mut self.outgoing, to_send);
        buffers.outgoing.clear();
    }

    /// How much has been received that OpenSSL has not taken yet.
    pub fn incoming(&self) -> usize {
        self.filled - self.taken
    }

    /// Whether OpenSSL could make something of what has been received and not taken yet, if that begins with a
    /// record: all of the record is there, or it is none.
    pub fn has_record(&self) -> bool {
        match &self.incoming[self.taken..self.filled] {
            [kind, _, _, high, low, contents @ ..] => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                contents.len() >= length || length > LONGEST || !TYPES.contains(kind)
            }
            _ => false,
        }
    }

    /// How much is to be sent.
    pub fn outgoing(&self) -> usize {
        self.outgoing.len() - self.sent
    }

    /// Takes out what is to be sent. To be called between operations.
    pub fn take_outgoing(&mut self) -> Vec<u8> {
        debug_assert!(self.sent == 0, "an operation is under way");
        mem::take(&mut self.outgoing)
    }

    /// Puts it back, before an operation.
    pub fn put_back_outgoing(&mut self, bytes: Vec<u8>) {
        debug_assert!(self.outgoing.is_empty(), "what is to be sent would come out of order");
        self.outgoing = bytes;
    }

    /// Lets what OpenSSL writes from now on go to the descriptor at once, or no longer. What the system
    /// does not take, for whatever reason, is to be sent later.
    pub fn send_at_once(&mut self, descriptor: Option<&Descriptor>) {
        self.at_once = descriptor.map(AsRawFd::as_raw_fd);
    }

    /// Receives what has arrived, in one system call. To be called when OpenSSL has taken all that was
    /// received before.
    ///
    /// # Errors
    /// Those of `recv(2)`.
    pub fn pull(&mut self, descriptor: &Descriptor) -> io::Result<Pulled> {
        debug_assert!(self.incoming() == 0, "received bytes would be lost");
        let mut reader: &Descriptor = descriptor;
        self.taken = 0;
        self.filled = 0;
        self.filled = reader.read(&mut self.incoming)?;
        Ok(match self.filled {
            0 => Pulled::End,
            count => Pulled::Some { all: count < self.incoming.len() },
        })
    }

    /// Sends as much as the system takes. Returns whether that is all.
    ///
    /// # Errors
    /// Those of `send(2)`; what was to be sent is forgotten then.
    pub fn push(&mut self, descriptor: &Descriptor) -> io::Result<bool> {
        while self.sent < self.outgoing.len() {
            match descriptor.send_with_flags(&self.outgoing[self.sent..], SEND_FLAGS) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.forget_outgoing();
                    return Err(error);
                }
            }
        }
        self.forget_outgoing();
        Ok(true)
    }

    fn forget_outgoing(&mut self) {
        self.outgoing.clear();
        self.sent = 0;
    }
}

impl Read for Wire {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let received = &self.incoming[self.taken..self.filled];
        if received.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = received.len().min(room.len());
        room[..count].copy_from_slice(&received[..count]);
        self.taken += count;
        Ok(count)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut out = 0;
        if let Some(descriptor) = self.at_once.filter(|_| self.outgoing() == 0) {
            // SAFETY: whoever has set it keeps it open until it is taken back.
            let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
            // What failed fails again when the rest is sent, and is told then.
            out = SockRef::from(&descriptor).send_with_flags(bytes, SEND_FLAGS).unwrap_or(0);
        }
        self.outgoing.extend_from_slice(&bytes[out..]);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
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
}
