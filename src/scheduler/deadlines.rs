//! Deadlines of tasks, and alarms.

use std::time::Instant;

use super::{AlarmId, Reason, Scheduler, TaskId, TimerOwner};

impl Scheduler {
    /// The deadline of a parked task.
    pub fn deadline(&self, task: TaskId) -> Option<Instant> {
        self.timers.deadline(self.tasks.get(task.index())?.timer?)
    }

    /// Sets an alarm.
    pub fn set_alarm(&mut self, deadline: Instant) -> AlarmId {
        let entry = self.alarms.vacant_entry();
        let alarm = AlarmId(entry.key());
        let timer = self.timers.add(TimerOwner::Alarm(alarm));
        entry.insert(timer);
        self.timers.set(timer, deadline);
        alarm
    }

    /// Cancels an alarm that has not been handed out by [`Scheduler::next_alarm`].
    pub fn cancel_alarm(&mut self, alarm: AlarmId) {
        if let Some(timer) = self.alarms.try_remove(alarm.0) {
            self.timers.remove(timer);
            self.due_alarms.retain(|due| *due != alarm);
        }
    }

    /// Makes every task ready whose deadline is not after `now`, and every such alarm due.
    pub fn expire(&mut self, now: Instant) {
        while let Some(owner) = self.timers.pop_expired(now) {
            match owner {
                TimerOwner::Task(task) => self.rouse(task, Reason::Timeout),
                TimerOwner::Alarm(alarm) => self.due_alarms.push_back(alarm),
            }
        }
    }

    /// The next alarm that is due; it is spent from then on.
    pub fn next_alarm(&mut self) -> Option<AlarmId> {
        let alarm = self.due_alarms.pop_front()?;
        let timer = self.alarms.remove(alarm.0);
        self.timers.remove(timer);
        Some(alarm)
    }

    /// The earliest deadline of any alarm.
    pub fn earliest_alarm(&self) -> Option<Instant> {
        self.alarms.iter().filter_map(|(_, &timer)| self.timers.deadline(timer)).min()
    }

    /// The earliest deadline of any task or alarm.
    pub fn next_deadline(&mut self) -> Option<Instant> {
        self.timers.next_deadline()
    }
}
