//! Learns from the system which sources are ready.
//!
//! Level-triggered, with interest that is put up when somebody waits and taken down when an event
//! comes that nobody waits for. So a connection that is always waited for is registered once, and
//! one whose owner is busy elsewhere stops making events: backpressure.

#[cfg_attr(any(target_os = "linux", target_os = "android"), path = "epoll.rs")]
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), path = "portable.rs")]
mod events;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod patience;

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use polling::{Event, PollMode, Poller};

use crate::scheduler::{Direction, SourceId};
use events::Collector;

/// How many events one look at the system collects at most. What it looks at is still in the processor's
/// cache when the tasks use it; with a thousand at once it is not.
const EVENTS_AT_ONCE: usize = 16;

/// What the system reports about a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// The source's key: see [`SourceId::key`].
    pub key: usize,
    /// It can be read from, or has failed.
    pub readable: bool,
    /// It can be written to, or has failed.
    pub writable: bool,
}

/// The registered sources of one Lua state.
#[derive(Debug)]
pub struct Reactor {
    poller: Arc<Poller>,
    collector: Collector,
    /// What the last wait reported and nobody asked for yet, the next one last.
    reported: Vec<Readiness>,
    /// What [`Reactor::expect`] was told since the last wait.
    is_streaming: bool,
    /// The registered sources, each at its index.
    registrations: Vec<Option<Registration>>,
}

#[derive(Clone, Copy, Debug)]
struct Registration {
    source: SourceId,
    descriptor: RawFd,
    readable: bool,
    writable: bool,
}

impl Reactor {
    /// A reactor that watches nothing.
    ///
    /// # Errors
    /// Those of opening the system's event queue.
    pub fn new() -> io::Result<Self> {
        Ok(Reactor {
            poller: Arc::new(Poller::new()?),
            collector: Collector::new(EVENTS_AT_ONCE),
            reported: Vec::new(),
            is_streaming: false,
            registrations: Vec::new(),
        })
    }

    /// The event queue, for other threads to wake it.
    pub fn poller(&self) -> Arc<Poller> {
        self.poller.clone()
    }

    /// Sees to it that events of `source` in `direction` are reported. `writing_is_awaited` tells whether anybody still
    /// waits to write: whoever reads after a connection was made, or after much was sent, would else be told first that
    /// there is room, which is nearly always so.
    ///
    /// # Errors
    /// Those of the event queue: the descriptor may be of a kind that cannot be watched.
    pub fn watch(
        &mut self,
        source: SourceId,
        descriptor: BorrowedFd<'_>,
        direction: Direction,
        writing_is_awaited: impl FnOnce() -> bool,
    ) -> io::Result<()> {
        let number = descriptor.as_raw_fd();
        let known = self.registration(source).map(|registration| *registration);
        let new = Registration { source, descriptor: number, readable: false, writable: false };
        let mut wanted = known.unwrap_or(new);
        match direction {
            Direction::Read if wanted.readable => return Ok(()),
            Direction::Write if wanted.writable => return Ok(()),
            Direction::Read => {
                wanted.readable = true;
                wanted.writable = wanted.writable && writing_is_awaited();
            }
            Direction::Write => wanted.writable = true,
        }
        let event = Event::new(source.key(), wanted.readable, wanted.writable);
        if known.is_some() {
            self.poller.modify_with_mode(descriptor, event, PollMode::Level)?;
        } else {
            // SAFETY: whoever owns the descriptor calls `forget` before closing it; the runtime
            // does so for every socket.
            unsafe { self.poller.add_with_mode(number, event, PollMode::Level)? };
        }
        if self.registrations.len() <= source.index() {
            self.registrations.resize(source.index() + 1, None);
        }
        self.registrations[source.index()] = Some(wanted);
        Ok(())
    }

    /// Stops events of `source` in `direction`, which nobody waits for.
    pub fn ignore(&mut self, source: SourceId, direction: Direction) {
        let Some(registration) = self.registration(source) else {
            return;
        };
        let reported = match direction {
            Direction::Read => &mut registration.readable,
            Direction::Write => &mut registration.writable,
        };
        if !mem::take(reported) {
            // A hangup is reported for both directions, whichever was asked for.
            return;
        }
        let registration = *registration;
        if !registration.readable && !registration.writable {
            // Even with no interest the system would go on reporting that the peer hung up.
            self.forget(source);
            return;
        }
        let event = Event::new(source.key(), registration.readable, registration.writable);
        // SAFETY: registered descriptors are open: see `watch`.
        let descriptor = unsafe { BorrowedFd::borrow_raw(registration.descriptor) };
        // Fails only if the descriptor was closed behind our back, and then reports nothing more.
        let _ = self.poller.modify_with_mode(descriptor, event, PollMode::Level);
    }

    /// Removes a source. Must come before its descriptor is closed.
    pub fn forget(&mut self, source: SourceId) {
        if let Some(&mut registration) = self.registration(source) {
            self.registrations[source.index()] = None;
            // SAFETY: registered descriptors are open: see `watch`.
            let descriptor = unsafe { BorrowedFd::borrow_raw(registration.descriptor) };
            // Fails only if the descriptor was closed behind our back, which removed it as well.
            let _ = self.poller.delete(descriptor);
        }
    }

    /// Says whether the source that somebody begins to wait for receives a stream, of which more is likely to come by itself.
    /// Until the next wait, the last word counts.
    pub fn expect(&mut self, is_streaming: bool) {
        self.is_streaming = is_streaming;
    }

    /// Whether nothing is registered.
    pub fn is_empty(&self) -> bool {
        self.registrations.iter().all(Option::is_none)
    }

    /// Waits until there are events or `limit` has passed (`None`: as long as it takes), perhaps a little
    /// less. The events are then handed out by [`Reactor::next_event`].
    ///
    /// # Errors
    /// Those of the event queue. `EINTR` is reported as such, although [`Poller::wait`] hides it:
    /// the interpreter's signal handler has asked to run something.
    pub fn wait(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.reported.clear();
        let is_streaming = mem::take(&mut self.is_streaming);
        self.collector.wait(&self.poller, limit, is_streaming, &mut self.reported)?;
        self.reported.reverse();
        Ok(())
    }

    /// The next event of the last wait.
    pub fn next_event(&mut self) -> Option<Readiness> {
        self.reported.pop()
    }

    /// The keys of at most `count` events that [`Reactor::next_event`] gives next.
    pub fn upcoming(&self, count: usize) -> impl Iterator<Item = usize> {
        self.reported.iter().rev().take(count).map(|event| event.key)
    }

    fn registration(&mut self, source: SourceId) -> Option<&mut Registration> {
        self.registrations.get_mut(source.index())?.as_mut().filter(|known| known.source == source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::Scheduler;
    use std::io::{Read, Write};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;
    use std::time::Instant;

    /// What one look reports.
    fn look(reactor: &mut Reactor) -> Vec<Readiness> {
        reactor.wait(Some(Duration::ZERO)).expect("the system has an event queue");
        std::iter::from_fn(|| reactor.next_event()).collect()
    }

    #[test]
    fn room_is_reported_only_as_long_as_somebody_waits_for_it() {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair of sockets");
        let mut reactor = Reactor::new().expect("the system has an event queue");
        let source = Scheduler::new().add_source();
        let watch = |reactor: &mut Reactor, direction, writing_is_awaited| {
            let watched = reactor.watch(source, ours.as_fd(), direction, || writing_is_awaited);
            watched.expect("sockets can be watched");
        };
        watch(&mut reactor, Direction::Write, true);
        let room = Readiness { key: source.key(), readable: false, writable: true };
        assert_eq!(look(&mut reactor), [room]);
        watch(&mut reactor, Direction::Read, true);
        assert_eq!(look(&mut reactor), [room]);

        reactor.ignore(source, Direction::Read);
        watch(&mut reactor, Direction::Read, false);
        assert_eq!(look(&mut reactor), []);
        theirs.write_all(b"x").expect("there is room");
        assert_eq!(look(&mut reactor), [Readiness { key: source.key(), readable: true, writable: false }]);
        watch(&mut reactor, Direction::Write, true);
        assert_eq!(look(&mut reactor), [Readiness { key: source.key(), readable: true, writable: true }]);
        reactor.forget(source);
        assert!(reactor.is_empty());
        assert_eq!(look(&mut reactor), []);
    }

    /// What is there ends a wait at once, so the reactor soon looks before it sleeps. Whether it does is a question of
    /// time, what it reports is not.
    #[test]
    fn looking_loses_nothing_and_ends() {
        let (mut ours, mut theirs) = UnixStream::pair().expect("a pair of sockets");
        let mut reactor = Reactor::new().expect("the system has an event queue");
        let source = Scheduler::new().add_source();
        reactor.watch(source, ours.as_fd(), Direction::Read, || false).expect("sockets can be watched");
        let ready = Readiness { key: source.key(), readable: true, writable: false };
        for round in 0..200 {
            theirs.write_all(b"x").expect("there is room");
            reactor.expect(round % 3 == 0);
            reactor.wait(None).expect("something is there");
            assert_eq!((reactor.next_event(), reactor.next_event()), (Some(ready), None));
            ours.read_exact(&mut [0]).expect("a byte was sent");
            if round % 20 == 19 {
                let began = Instant::now();
                reactor.expect(round % 40 == 19);
                reactor.wait(Some(Duration::from_millis(3))).expect("the time is limited");
                assert_eq!(reactor.next_event(), None);
                assert!(began.elapsed() >= Duration::from_millis(2), "it has not slept");
                // As another thread does that has resolved a name.
                reactor.poller().notify().expect("the poller can be notified");
                reactor.wait(None).expect("it was notified");
                assert_eq!(reactor.next_event(), None);
            }
        }
    }
}
