//! Waiting on descriptors directly, for code that runs outside any task.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::scheduler::Direction;

/// Waits until `descriptor` is ready in `direction` or `limit` has passed (`None`: as long as it
/// takes). Returns whether it is ready.
///
/// # Errors
/// Those of `poll(2)`, `EINTR` included: a signal handler may want to end the program.
pub fn wait_for(
    descriptor: BorrowedFd<'_>,
    direction: Direction,
    limit: Option<Duration>,
) -> io::Result<bool> {
    let mut descriptors = [PollFd::from_borrowed_fd(descriptor, flags(direction))];
    Ok(poll_for(&mut descriptors, limit)? > 0)
}

/// Waits until one of `descriptors` is ready or `limit` has passed. Returns the positions of those
/// that are.
///
/// # Errors
/// As [`wait_for`].
pub fn wait_for_any(
    descriptors: &[(BorrowedFd<'_>, Direction)],
    limit: Option<Duration>,
) -> io::Result<Vec<usize>> {
    let mut polled: Vec<PollFd<'_>> = descriptors
        .iter()
        .map(|&(descriptor, direction)| PollFd::from_borrowed_fd(descriptor, flags(direction)))
        .collect();
    poll_for(&mut polled, limit)?;
    let ready = polled.iter().enumerate().filter(|(_, descriptor)| !descriptor.revents().is_empty());
    Ok(ready.map(|(index, _)| index).collect())
}

/// Waits as [`wait_for`] does, on descriptors and flags of the caller's choice.
///
/// # Errors
/// As [`wait_for`].
pub fn poll_for(descriptors: &mut [PollFd<'_>], limit: Option<Duration>) -> io::Result<usize> {
    // A limit too long to be expressed is none.
    let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
    Ok(poll(descriptors, limit.as_ref())?)
}

fn flags(direction: Direction) -> PollFlags {
    match direction {
        Direction::Read => PollFlags::IN,
        Direction::Write => PollFlags::OUT,
    }
}
