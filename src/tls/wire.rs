//! The encrypted side of a connection, in memory: what has been received and not decrypted yet, and
//! what has been encrypted and not sent yet.
//!
//! OpenSSL reads and writes here, so the system calls are ours: one receives as many records as have
//! arrived, and one sends as many as were made, where OpenSSL by itself would do two and one for each
//! record. When more has arrived than is received at a time, long records are not worth being copied from
//! here: they are received where OpenSSL decrypts them, one by each system call. All connections of a Lua
//! state work in the same two large buffers; between operations a connection keeps only what is left over.

use std::io::{self, IoSliceMut, Read, Write};
use std::mem;
use std::ops::RangeInclusive;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use socket2::{SockRef, Socket as Descriptor};

use crate::net::stream::{CALLS_IN_A_ROW, SEND_FLAGS};

/// How much is received at a time, in bytes.
const ROOM: usize = 64 * 1024;

/// The length of a record's header, in bytes (RFC 8446, section 5.1).
const HEADER: usize = 5;
/// So much of a record, in bytes, is worth to be received where OpenSSL decrypts it. Less is copied from what was received with
/// other records.
const MUCH: usize = 8 * 1024;

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

/// How many records OpenSSL may take at a time while they hold no data. A peer can send such without end: what changes the
/// keys, tickets, and what is nothing but padding.
const RECORDS: usize = 32;

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
    /// Where what OpenSSL reads may come from at once, if nothing has been received before it.
    source: Option<RawFd>,
    /// How often it may still be asked.
    calls: usize,
    /// Whether that has given all it had.
    drained: bool,
    /// Why it will give nothing more, to be told by [`Wire::pull`].
    failed: Option<io::Error>,
    /// How many records OpenSSL may still take, if that is limited.
    records: Option<usize>,
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

    /// How much there is to be decrypted, as far as that is known: of a record whose header is there, all.
    pub fn expected(&self) -> usize {
        match &self.incoming[self.taken..self.filled] {
            there @ [kind, _, _, high, low, ..] if TYPES.contains(kind) => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                there.len().max(HEADER + length.min(LONGEST))
            }
            there => there.len(),
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

    /// Lets what OpenSSL reads from now on come from the descriptor at once, if it is much. `drained` says whether that has
    /// given all it had.
    pub fn receive_at_once(&mut self, descriptor: &Descriptor, drained: bool) {
        self.source = Some(descriptor.as_raw_fd());
        self.calls = CALLS_IN_A_ROW;
        self.drained = drained;
    }

    /// Ends that. Returns whether the descriptor has given all it had since.
    pub fn stop_receiving(&mut self) -> bool {
        self.source = None;
        self.drained
    }

    /// Lets OpenSSL take a few records from now on, or any number. It is told that there is no more when it asks for
    /// a header, so what is left over begins with a record.
    pub fn limit_records(&mut self, limited: bool) {
        self.records = limited.then_some(RECORDS);
    }

    /// Whether OpenSSL asks for a record's header, and may not have it. The end of a record that is just as long counts as
    /// one, too: whatever comes next begins with that.
    fn refuses(&mut self, wanted: usize) -> bool {
        match &mut self.records {
            Some(0) if wanted == HEADER => true,
            Some(left) if wanted == HEADER => {
                *left -= 1;
                false
            }
            _ => false,
        }
    }

    /// Receives into `room`, and the header of the next record behind it. Nothing has been received before. Returns how much
    /// of `room` has been filled.
    fn receive_into(&mut self, room: &mut [u8]) -> usize {
        let Some(source) = self.source.filter(|_| !self.drained && self.calls > 0 && room.len() >= MUCH)
        else {
            return 0;
        };
        self.calls -= 1;
        // SAFETY: whoever has set it keeps it open until it is taken back.
        let descriptor = unsafe { BorrowedFd::borrow_raw(source) };
        let length = room.len();
        let rooms = &mut [IoSliceMut::new(room), IoSliceMut::new(&mut self.incoming[..HEADER])];
        match (&*SockRef::from(&descriptor)).read_vectored(rooms) {
            // The end, and errors, are for `pull` to tell.
            Ok(0) => self.source = None,
            Ok(count) => {
                self.drained = count < length + HEADER;
                self.filled = count.saturating_sub(length);
                return count.min(length);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.drained = true,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                self.source = None;
                self.failed = Some(error);
            }
        }
        0
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
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
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
        if self.refuses(room.len()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let received = &self.incoming[self.taken..self.filled];
        let mut count = received.len().min(room.len());
        room[..count].copy_from_slice(&received[..count]);
        self.taken += count;
        if self.taken == self.filled {
            (self.taken, self.filled) = (0, 0);
            count += self.receive_into(&mut room[count..]);
        }
        if count > 0 { Ok(count) } else { Err(io::ErrorKind::WouldBlock.into()) }
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
mod tests;
