//! Deadlines, kept so that setting one again costs nothing.
//!
//! A connection that waits with a timeout sets a deadline for every request and almost none of
//! them passes. So a heap entry is only a lower bound of its timer's deadline: moving a deadline
//! later, or clearing it, leaves the entry where it is, and the entry is put right when it reaches
//! the top of the heap.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use slab::Slab;

use super::index::Index;

/// Stale entries tolerated in the heap before it is rebuilt, beyond one for each timer.
const STALE_ENTRIES: usize = 64;

/// Names a timer from [`Timers::add`] until [`Timers::remove`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimerId(Index);

/// A set of timers, each with at most one deadline, that belong to owners of type `O`.
#[derive(Debug)]
pub(super) struct Timers<O> {
    slots: Slab<Slot<O>>,
    heap: BinaryHeap<Reverse<Entry>>,
    /// Number of the next entry: breaks ties in the order in which deadlines were set.
    next_serial: u64,
}

#[derive(Debug)]
struct Slot<O> {
    owner: O,
    deadline: Option<Instant>,
    /// The one heap entry that stands for this timer; all others of its slot are stale.
    entry: Option<Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    at: Instant,
    serial: u64,
    slot: usize,
}

impl<O: Copy> Timers<O> {
    pub(super) fn new() -> Self {
        Timers { slots: Slab::new(), heap: BinaryHeap::new(), next_serial: 0 }
    }

    /// Adds a timer without a deadline.
    pub(super) fn add(&mut self, owner: O) -> TimerId {
        TimerId(Index::new(self.slots.insert(Slot { owner, deadline: None, entry: None })))
    }

    /// Removes a timer, whether or not it has a deadline.
    pub(super) fn remove(&mut self, timer: TimerId) {
        self.slots.remove(timer.0.get());
        self.rebuild_if_stale();
    }

    /// Sets the deadline of a timer in place of the one it had.
    pub(super) fn set(&mut self, timer: TimerId, deadline: Instant) {
        let slot = &mut self.slots[timer.0.get()];
        slot.deadline = Some(deadline);
        if slot.entry.is_some_and(|entry| entry.at <= deadline) {
            return;
        }
        self.push(timer.0.get(), deadline);
        self.rebuild_if_stale();
    }

    /// Takes the deadline of a timer away.
    pub(super) fn clear(&mut self, timer: TimerId) {
        self.slots[timer.0.get()].deadline = None;
    }

    /// The deadline of a timer.
    pub(super) fn deadline(&self, timer: TimerId) -> Option<Instant> {
        self.slots[timer.0.get()].deadline
    }

    /// The earliest deadline of all.
    pub(super) fn next_deadline(&mut self) -> Option<Instant> {
        self.settle_top().map(|entry| entry.at)
    }

    /// Clears the earliest deadline that is not after `now` and returns its timer's owner.
    pub(super) fn pop_expired(&mut self, now: Instant) -> Option<O> {
        let entry = self.settle_top().filter(|entry| entry.at <= now)?;
        self.heap.pop();
        let slot = &mut self.slots[entry.slot];
        slot.entry = None;
        slot.deadline = None;
        Some(slot.owner)
    }

    /// Puts right whatever is at the top of the heap until it is a timer's true deadline.
    fn settle_top(&mut self) -> Option<Entry> {
        while let Some(&Reverse(entry)) = self.heap.peek() {
            let slot = self.slots.get_mut(entry.slot).filter(|slot| slot.entry == Some(entry));
            match slot.map(|slot| slot.deadline) {
                Some(Some(deadline)) if deadline == entry.at => return Some(entry),
                Some(Some(deadline)) => {
                    self.heap.pop();
                    self.push(entry.slot, deadline);
                }
                Some(None) => {
                    self.heap.pop();
                    self.slots[entry.slot].entry = None;
                }
                None => {
                    self.heap.pop();
                }
            }
        }
        None
    }

    fn push(&mut self, slot: usize, at: Instant) {
        let entry = Entry { at, serial: self.next_serial, slot };
        self.next_serial += 1;
        self.slots[slot].entry = Some(entry);
        self.heap.push(Reverse(entry));
    }

    /// Bounds the heap by the number of timers: amortised, a rebuild costs no more than the pushes
    /// that made it necessary.
    fn rebuild_if_stale(&mut self) {
        if self.heap.len() <= 2 * self.slots.len() + STALE_ENTRIES {
            return;
        }
        let slots = &self.slots;
        self.heap
            .retain(|Reverse(entry)| slots.get(entry.slot).is_some_and(|slot| slot.entry == Some(*entry)));
        self.heap.shrink_to(2 * self.heap.len());
    }

    /// Number of heap entries, stale ones included.
    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        self.heap.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(base: Instant, milliseconds: u64) -> Instant {
        base + Duration::from_millis(milliseconds)
    }

    #[test]
    fn deadlines_pass_in_order() {
        let base = Instant::now();
        let mut timers = Timers::new();
        for (owner, delay) in [(1, 30), (2, 10), (3, 20)] {
            let timer = timers.add(owner);
            timers.set(timer, at(base, delay));
        }
        assert_eq!(timers.next_deadline(), Some(at(base, 10)));
        assert_eq!(timers.pop_expired(at(base, 5)), None);
        assert_eq!(timers.pop_expired(at(base, 25)), Some(2));
        assert_eq!(timers.pop_expired(at(base, 25)), Some(3));
        assert_eq!(timers.pop_expired(at(base, 25)), None);
        assert_eq!(timers.pop_expired(at(base, 30)), Some(1));
        assert_eq!(timers.next_deadline(), None);
    }

    #[test]
    fn a_deadline_moved_later_or_earlier_passes_once_at_its_last_instant() {
        let base = Instant::now();
        let mut timers = Timers::new();
        let timer = timers.add("a");
        timers.set(timer, at(base, 10));
        timers.set(timer, at(base, 40));
        timers.set(timer, at(base, 20));
        assert_eq!(timers.pop_expired(at(base, 19)), None);
        assert_eq!(timers.pop_expired(at(base, 100)), Some("a"));
        assert_eq!(timers.pop_expired(at(base, 100)), None);
    }

    #[test]
    fn a_removed_timers_entry_does_not_fire_for_the_slots_next_owner() {
        let base = Instant::now();
        let mut timers = Timers::new();
        let first = timers.add("first");
        timers.set(first, at(base, 10));
        timers.remove(first);
        let second = timers.add("second");
        assert_eq!(timers.pop_expired(at(base, 50)), None);
        timers.set(second, at(base, 60));
        assert_eq!(timers.pop_expired(at(base, 60)), Some("second"));
    }

    #[test]
    fn the_heap_stays_bounded_by_the_number_of_timers() {
        let base = Instant::now();
        let mut timers = Timers::new();
        let timer = timers.add(());
        for step in 0..10_000 {
            timers.set(timer, at(base, 20_000 - step));
            timers.clear(timer);
        }
        assert!(timers.entries() <= 2 + STALE_ENTRIES);
    }
}
