//! The rules of the scheduler, one by one; `model` tests them all at once.

use std::time::Duration;

use super::*;

mod model;

#[test]
fn alarms_go_off_once_and_not_if_cancelled() {
    let base = Instant::now();
    let mut scheduler = Scheduler::new();
    let first = scheduler.set_alarm(base + Duration::from_millis(10));
    let second = scheduler.set_alarm(base + Duration::from_millis(5));
    let third = scheduler.set_alarm(base + Duration::from_millis(1));
    scheduler.cancel_alarm(third);
    scheduler.begin_round(base + Duration::from_millis(20));
    assert_eq!(scheduler.next_alarm(), Some(second));
    scheduler.cancel_alarm(first);
    assert_eq!(scheduler.next_alarm(), None);
    assert!(scheduler.is_stalled());
}

#[test]
fn a_round_does_not_run_what_becomes_ready_meanwhile() {
    let mut scheduler = Scheduler::new();
    let first = scheduler.spawn();
    scheduler.begin_round(Instant::now());
    assert_eq!(scheduler.next_task(), Some((first, Reason::Ready)));
    scheduler.yield_now(first);
    scheduler.spawn();
    assert_eq!(scheduler.next_task(), None);
    assert!(scheduler.has_ready());
}

#[test]
fn whoever_yields_within_an_operation_keeps_its_turn() {
    let mut scheduler = Scheduler::new();
    let (first, second) = (scheduler.spawn(), scheduler.spawn());
    let source = scheduler.add_source();
    scheduler.begin_round(Instant::now());
    scheduler.next_task();
    scheduler.yield_within(first, source, Direction::Write);
    assert_eq!(scheduler.next_task(), Some((second, Reason::Ready)));
    assert!(!scheduler.may_proceed(second, source, Direction::Write));
    assert!(scheduler.may_proceed(first, source, Direction::Write));
}

#[test]
fn whoever_waits_in_the_other_direction_keeps_its_turn() {
    let mut scheduler = Scheduler::new();
    let (first, second) = (scheduler.spawn(), scheduler.spawn());
    let source = scheduler.add_source();
    scheduler.begin_round(Instant::now());
    scheduler.next_task();
    scheduler.wait_across(first, source, Direction::Read, None);
    assert_eq!(scheduler.next_task(), Some((second, Reason::Ready)));
    assert!(!scheduler.may_proceed(second, source, Direction::Write));
    assert!(scheduler.may_proceed(second, source, Direction::Read));
    assert!(scheduler.notify(source, Direction::Read));
    assert_eq!(scheduler.status(first), Some(Status::Ready(Reason::Ready)));
    scheduler.release_turn(first);
    assert!(scheduler.may_proceed(second, source, Direction::Write));
}

#[test]
fn waking_watchers_leaves_those_who_will_consume() {
    let mut scheduler = Scheduler::new();
    let tasks: Vec<_> = (0..4).map(|_| scheduler.spawn()).collect();
    let source = scheduler.add_source();
    scheduler.begin_round(Instant::now());
    while scheduler.next_task().is_some() {}
    scheduler.wait_for_any(tasks[0], [(source, Direction::Read), (source, Direction::Write)], None);
    scheduler.wait_for(tasks[1], source, Direction::Read, None);
    scheduler.wait_for_any(tasks[2], [(source, Direction::Read)], None);
    scheduler.wait_across(tasks[3], source, Direction::Write, None);
    scheduler.wake_watchers(source);
    let woken: Vec<_> = tasks.iter().map(|&task| scheduler.status(task) != Some(Status::Waiting)).collect();
    assert_eq!(woken, [true, false, true, true]);
    scheduler.begin_round(Instant::now());
    assert_eq!(scheduler.next_task(), Some((tasks[0], Reason::Ready)));
}
