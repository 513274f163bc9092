//! Collects events on Linux.
//!
//! [`Poller::wait`] takes five system calls a look, for its timer and its notifier, and hides that a
//! signal came. Its descriptor is that of an epoll instance whose events carry the keys they were
//! registered with, so one call of our own does; the poller's is needed only when another thread has
//! notified it.

use std::hint;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use polling::{Events, Poller};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec};

use super::Readiness;
use super::patience::{GATHERING, Patience};
use crate::net::readiness::poll_for;

/// The key of the poller's own notifier, which it keeps for itself.
const NOTIFIER: u64 = usize::MAX as u64;

/// What means that a descriptor can be read from, as the poller sees it.
const READABLE: EventFlags =
    EventFlags::IN.union(EventFlags::HUP).union(EventFlags::ERR).union(EventFlags::PRI);
/// What means that it can be written to.
const WRITABLE: EventFlags = EventFlags::OUT.union(EventFlags::HUP).union(EventFlags::ERR);

/// Collects what a poller reports.
pub(super) struct Collector {
    events: Vec<epoll::Event>,
    patience: Patience,
    /// For the poller, when it was notified.
    polled: Events,
}

impl std::fmt::Debug for Collector {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Collector").field("capacity", &self.events.capacity()).finish_non_exhaustive()
    }
}

impl Collector {
    /// One that collects `most` events at a time.
    pub(super) fn new(most: usize) -> Self {
        Collector {
            events: Vec::with_capacity(most),
            patience: Patience::default(),
            polled: Events::with_capacity(NonZeroUsize::new(most).unwrap_or(NonZeroUsize::MIN)),
        }
    }

    /// Waits for events up to `limit`, perhaps a millisecond less, and adds them to `reported`. Of a stream
    /// (`is_streaming`) some more may come before this looks.
    ///
    /// # Errors
    /// Those of the event queue, `EINTR` included.
    pub(super) fn wait(
        &mut self,
        poller: &Poller,
        limit: Option<Duration>,
        is_streaming: bool,
        reported: &mut Vec<Readiness>,
    ) -> io::Result<()> {
        if limit == Some(Duration::ZERO) {
            self.look(poller)?;
        } else {
            self.wait_long(poller, limit, is_streaming)?;
        }
        if self.events.iter().any(|event| event.data.u64() == NOTIFIER) {
            // What else there is is reported once more, as nobody has dealt with it.
            self.polled.clear();
            poller.wait(&mut self.polled, Some(Duration::ZERO))?;
            reported.extend(self.polled.iter().map(|event| Readiness {
                key: event.key,
                readable: event.readable,
                writable: event.writable,
            }));
            return Ok(());
        }
        reported.extend(self.events.iter().map(|event| {
            let flags = event.flags;
            Readiness {
                key: event.data.u64() as usize,
                readable: flags.intersects(READABLE),
                writable: flags.intersects(WRITABLE),
            }
        }));
        Ok(())
    }

    /// Waits for events, and looks a few times before it sleeps if that is promising.
    fn wait_long(&mut self, poller: &Poller, limit: Option<Duration>, is_streaming: bool) -> io::Result<()> {
        let looking = self.patience.looking().min(limit.unwrap_or(Duration::MAX));
        let began = Instant::now();
        if looking.is_zero() {
            self.sleep(poller, limit)?;
            self.patience.slept(began.elapsed());
            return Ok(());
        }
        if is_streaming {
            let gathering = looking.min(GATHERING);
            while began.elapsed() < gathering {
                hint::spin_loop();
            }
        }
        loop {
            self.look(poller)?;
            let passed = began.elapsed();
            if !self.events.is_empty() {
                self.patience.found(passed);
                return Ok(());
            } else if passed >= looking {
                self.patience.looked_in_vain();
                return self.sleep(poller, limit.map(|limit| limit.saturating_sub(passed)));
            }
            hint::spin_loop();
        }
    }

    /// Looks for events without waiting.
    fn look(&mut self, poller: &Poller) -> io::Result<()> {
        self.collect(poller, Some(&Timespec::default()))
    }

    /// Waits for events.
    fn sleep(&mut self, poller: &Poller, limit: Option<Duration>) -> io::Result<()> {
        let timeout = match limit.map(|limit| (limit, limit.as_millis())) {
            None => None,
            // epoll counts milliseconds only.
            Some((limit, 0)) => {
                let mut polled = [PollFd::from_borrowed_fd(poller.as_fd(), PollFlags::IN)];
                if poll_for(&mut polled, Some(limit))? == 0 {
                    return Ok(());
                }
                Some(Timespec::default())
            }
            Some((_, milliseconds)) => {
                let milliseconds = milliseconds.min(i32::MAX as u128) as u64;
                Timespec::try_from(Duration::from_millis(milliseconds)).ok()
            }
        };
        self.collect(poller, timeout.as_ref())
    }

    fn collect(&mut self, poller: &Poller, timeout: Option<&Timespec>) -> io::Result<()> {
        self.events.clear();
        epoll::wait(poller, spare_capacity(&mut self.events), timeout)?;
        Ok(())
    }
}
