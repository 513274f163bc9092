//! Collects events where the system has no epoll.

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::time::Duration;

use polling::{Events, Poller};
use rustix::event::{PollFd, PollFlags};

use super::Readiness;
use crate::net::readiness::poll_for;

/// Collects what a poller reports.
#[derive(Debug)]
pub(super) struct Collector {
    events: Events,
}

impl Collector {
    /// One that collects `most` events at a time.
    pub(super) fn new(most: usize) -> Self {
        Collector { events: Events::with_capacity(NonZeroUsize::new(most).unwrap_or(NonZeroUsize::MIN)) }
    }

    /// Waits for events up to `limit` and adds them to `reported`.
    ///
    /// # Errors
    /// Those of the event queue, `EINTR` included.
    pub(super) fn wait(
        &mut self,
        poller: &Poller,
        limit: Option<Duration>,
        _is_streaming: bool,
        reported: &mut Vec<Readiness>,
    ) -> io::Result<()> {
        // The poller itself hides that a signal came.
        let mut polled = [PollFd::from_borrowed_fd(poller.as_fd(), PollFlags::IN)];
        if poll_for(&mut polled, limit)? == 0 {
            return Ok(());
        }
        self.events.clear();
        poller.wait(&mut self.events, Some(Duration::ZERO))?;
        reported.extend(self.events.iter().map(|event| Readiness {
            key: event.key,
            readable: event.readable,
            writable: event.writable,
        }));
        Ok(())
    }
}
