//! Received bytes, and the patterns by which a program asks for them.

mod bytes;

use std::rc::Rc;

use memchr::memchr;

use crate::memory::gathered::{Gathered, StringBlock, StringMemory};
use crate::memory::{self, Exhausted, WORTH_ASKING};
use bytes::Bytes;

/// What a program asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Up to a line feed, which is dropped, as is every carriage return (`"*l"`).
    Line,
    /// Everything up to the end of the stream (`"*a"`).
    All,
    /// This many bytes.
    Exactly(usize),
    /// A line of at most this many bytes, carriage returns included: a longer one is an error, so that
    /// no peer can make the program hold more.
    LineUpTo(usize),
    /// At least `least` bytes, and of those behind them that are there already as many as make `most`.
    Between {
        /// How many have to arrive.
        least: usize,
        /// How many are returned at most.
        most: usize,
    },
}

/// What a pattern found: how long the answer is, and how many bytes are used up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The length of the answer, which begins where the searched bytes do.
    pub answer: usize,
    /// How many bytes the answer used up, with what it dropped.
    pub used: usize,
}

impl Pattern {
    /// Looks for this pattern in `bytes`, of which the first `seen` are known not to complete it.
    ///
    /// A line that holds carriage returns is closed up in place, hence `bytes` is mutable.
    pub fn find(self, bytes: &mut [u8], seen: usize) -> Option<Found> {
        match self {
            Pattern::Line | Pattern::LineUpTo(_) => {
                let end = seen + memchr(b'\n', &bytes[seen..])?;
                if self.is_exceeded_by(end) {
                    return None;
                }
                let length = drop_carriage_returns(&mut bytes[..end]);
                Some(Found { answer: length, used: end + 1 })
            }
            Pattern::Exactly(count) => (bytes.len() >= count).then_some(Found { answer: count, used: count }),
            Pattern::Between { least, most } => {
                let count = bytes.len().min(most);
                (count >= least).then_some(Found { answer: count, used: count })
            }
            Pattern::All => None,
        }
    }

    /// What is handed over when no more will come in time: all there is, or as much as may be.
    pub fn rest(self, bytes: &mut [u8]) -> Found {
        let used = match self {
            Pattern::LineUpTo(most) => bytes.len().min(most),
            _ => bytes.len(),
        };
        let length = if self.is_line() { drop_carriage_returns(&mut bytes[..used]) } else { used };
        Found { answer: length, used }
    }

    /// Whether this asks for a line.
    pub fn is_line(self) -> bool {
        matches!(self, Pattern::Line | Pattern::LineUpTo(_))
    }

    /// Whether this may ask for so much that it is worth to gather it where it will stay.
    pub fn is_for_much(self) -> bool {
        match self {
            Pattern::All => true,
            Pattern::Exactly(count) | Pattern::Between { least: count, .. } => count >= WORTH_ASKING,
            Pattern::Line | Pattern::LineUpTo(_) => false,
        }
    }

    /// Whether a line of `length` bytes, or the beginning of one, is longer than this allows.
    pub fn is_exceeded_by(self, length: usize) -> bool {
        matches!(self, Pattern::LineUpTo(most) if length > most)
    }
}

/// Moves the bytes that are not carriage returns together and returns their number.
fn drop_carriage_returns(bytes: &mut [u8]) -> usize {
    let Some(first) = memchr(b'\r', bytes) else {
        return bytes.len();
    };
    let mut length = first;
    for index in first..bytes.len() {
        if bytes[index] != b'\r' {
            bytes[length] = bytes[index];
            length += 1;
        }
    }
    length
}

/// Less memory, in bytes, is not worth to be given back.
const MUCH: usize = 1024;

/// Bytes received and not yet asked for. Owns no memory while it is empty.
#[derive(Debug, Default)]
pub struct ReceiveBuffer {
    bytes: Bytes,
    start: usize,
    /// Bytes from `start` on that are known to hold no line feed.
    seen: usize,
    /// How many bytes the answer uses up that was found last, and is about to be handed over.
    found: usize,
}

impl ReceiveBuffer {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether it owns no memory.
    #[cfg(test)]
    pub fn owns_nothing(&self) -> bool {
        self.bytes.capacity() == 0
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Whether there is more than what was found last.
    pub fn has_more(&self) -> bool {
        self.len() > self.found
    }

    /// Looks for `pattern`. The bytes stay until [`ReceiveBuffer::consume`].
    pub fn find(&mut self, pattern: Pattern) -> Option<Found> {
        let seen = if pattern.is_line() { self.seen } else { 0 };
        let found = pattern.find(&mut self.bytes[self.start..], seen);
        match &found {
            Some(found) => self.found = found.used,
            None if pattern.is_line() => self.seen = self.len(),
            None => {}
        }
        found
    }

    /// All there is, for a `pattern` that will not be completed.
    pub fn rest(&mut self, pattern: Pattern) -> Found {
        let rest = pattern.rest(&mut self.bytes[self.start..]);
        self.found = rest.used;
        rest
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Forgets the first `count` bytes.
    pub fn consume(&mut self, count: usize) {
        self.start += count;
        self.seen = 0;
        self.found = 0;
        if self.start >= self.bytes.len() {
            self.clear();
        }
    }

    /// Forgets the bytes that were found last.
    pub fn consume_found(&mut self) {
        self.consume(self.found);
    }

    /// Keeps what was found last, an answer of `length` bytes, to be found again. What was dropped from it is gone.
    pub fn keep_found(&mut self, length: usize) {
        let end = self.start + std::mem::take(&mut self.found);
        let answer_end = self.start + length;
        let ends_line = end > answer_end && self.bytes[end - 1] == b'\n';
        let kept_end = end - usize::from(ends_line);
        self.bytes.copy_within(kept_end.., answer_end);
        self.bytes.truncate(self.bytes.len() - (kept_end - answer_end));
        self.seen = 0;
    }

    /// Moves the bytes to where an interpreter will keep them as a string, if they are much.
    pub fn gather(&mut self, memory: &Rc<StringMemory>) {
        if self.len() >= WORTH_ASKING {
            self.move_to(memory);
        }
    }

    /// The same, however many they are.
    fn move_to(&mut self, memory: &Rc<StringMemory>) {
        if let Bytes::Own(_) = self.bytes
            && let Some(gathered) = Gathered::copy(memory, self.as_slice())
        {
            self.bytes = Bytes::Gathered(gathered.into());
            self.start = 0;
        }
    }

    /// Whether the bytes lie where an interpreter will keep them.
    pub fn is_gathered(&self) -> bool {
        matches!(self.bytes, Bytes::Gathered(_))
    }

    /// Gives away the answer of `length` bytes that was found last, if it is all there is and can become a string where it
    /// is.
    pub fn take_string(&mut self, length: usize) -> Option<StringBlock> {
        let Bytes::Gathered(answer) = &mut self.bytes else {
            return None;
        };
        if self.start > 0 || length != answer.len() || length != self.found || !answer.shrink() {
            return None;
        }
        std::mem::take(self).bytes.into_block()
    }

    /// Takes back an answer that was given away last.
    pub fn put_back(&mut self, answer: Gathered) {
        *self = ReceiveBuffer { bytes: Bytes::Gathered(answer.into()), ..ReceiveBuffer::default() };
    }

    /// Gives all bytes away if they are those that were found last, and lie at the start of their memory.
    pub fn take_found(&mut self) -> Option<Vec<u8>> {
        let Bytes::Own(bytes) = &mut self.bytes else {
            return None;
        };
        if self.start > 0 || self.found != bytes.len() {
            return None;
        }
        let all = std::mem::take(bytes);
        (self.seen, self.found) = (0, 0);
        Some(all)
    }

    /// Lets `receive` write to `memory`, which is the buffer's from then on, unless nothing was received
    /// and it is returned. What the buffer held is lost.
    pub fn begin<E>(
        &mut self,
        mut memory: Vec<u8>,
        receive: impl FnOnce(&mut [std::mem::MaybeUninit<u8>]) -> Result<usize, E>,
    ) -> (Result<usize, E>, Option<Vec<u8>>) {
        if !self.is_empty() {
            self.clear();
        }
        memory.clear();
        let received = receive(memory.spare_capacity_mut());
        match received {
            Ok(count) if count > 0 => {
                assert!(count <= memory.capacity(), "received more than there was room for");
                // SAFETY: `receive` initialised so many of the bytes that it was handed.
                unsafe { memory.set_len(count) };
                self.bytes = Bytes::Own(memory);
                (received, None)
            }
            _ => (received, Some(memory)),
        }
    }

    /// Moves the bytes, which will stay for a while, to memory of their own size if what they lie in is much
    /// larger. Returns that.
    pub fn settle(&mut self) -> Option<Vec<u8>> {
        if self.is_empty() || self.bytes.capacity() < MUCH || self.bytes.capacity() / 4 < self.len() {
            return None;
        }
        let mut own = Vec::new();
        own.try_reserve_exact(self.len()).ok()?;
        own.extend_from_slice(self.as_slice());
        self.start = 0;
        std::mem::replace(&mut self.bytes, Bytes::Own(own)).into_own()
    }

    /// Adds bytes at the end.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.close_up();
        self.bytes.extend(bytes);
    }

    /// Lets `receive` write up to `room` bytes at the end; it says how many it wrote.
    ///
    /// # Errors
    /// Those of `receive`, and that there is no memory.
    pub fn extend_with<E: From<Exhausted>>(
        &mut self,
        room: usize,
        receive: impl FnOnce(&mut [std::mem::MaybeUninit<u8>]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        self.close_up();
        let is_long = self.bytes.len() >= WORTH_ASKING;
        let spare = self.bytes.spare(room)?;
        if is_long {
            memory::populate(spare);
        }
        let count = receive(spare)?;
        assert!(count <= room, "received more than there was room for");
        // SAFETY: `receive` initialised so many of the bytes that it was handed.
        unsafe { self.bytes.add_len(count) };
        Ok(count)
    }

    /// Forgets everything and gives the memory back.
    pub fn clear(&mut self) {
        *self = ReceiveBuffer::default();
    }

    /// Moves the bytes to the front once most of the memory in front of them is unused.
    fn close_up(&mut self) {
        if self.start > self.bytes.len() / 2 {
            self.bytes.remove_front(self.start);
            self.start = 0;
        }
    }
}

#[cfg(test)]
mod tests;
