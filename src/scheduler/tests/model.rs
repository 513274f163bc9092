//! The scheduler against a naive model: no wake is lost, none is invented, first in is first out,
//! what was removed never runs, and deadlines pass in order.

use std::time::Duration;

use proptest::prelude::*;

use super::super::*;

/// What a model task is doing.
#[derive(Clone, Debug, PartialEq)]
enum Doing {
    Ready(Reason),
    Running,
    Waiting { on: Vec<(usize, Direction)>, exclusive: bool, deadline: Option<u64> },
}

#[derive(Clone, Debug)]
struct ModelTask {
    id: TaskId,
    doing: Doing,
    turn: Option<(usize, Direction)>,
}

/// The rules written down as plainly as possible: lists that are searched from end to end.
#[derive(Debug, Default)]
struct Model {
    tasks: Vec<ModelTask>,
    /// Ready tasks, the next one first.
    ready: Vec<TaskId>,
    /// Waiting tasks of every source and direction, the first in line first.
    lines: Vec<((usize, Direction), TaskId)>,
}

impl Model {
    fn task(&mut self, id: TaskId) -> &mut ModelTask {
        self.tasks.iter_mut().find(|task| task.id == id).expect("a known task")
    }

    fn make_ready(&mut self, id: TaskId, reason: Reason) {
        self.lines.retain(|line| line.1 != id);
        self.task(id).doing = Doing::Ready(reason);
        self.ready.push(id);
    }

    fn has_turn(&self, place: (usize, Direction)) -> bool {
        self.tasks.iter().any(|task| task.turn == Some(place))
    }

    fn notify(&mut self, place: (usize, Direction)) {
        while let Some(&(_, id)) = self.lines.iter().find(|line| line.0 == place) {
            let exclusive = matches!(self.task(id).doing, Doing::Waiting { exclusive: true, .. });
            if exclusive && self.has_turn(place) {
                break;
            }
            self.make_ready(id, Reason::Ready);
            if exclusive {
                self.task(id).turn = Some(place);
                break;
            }
        }
    }

    fn park(&mut self, id: TaskId, on: Vec<(usize, Direction)>, exclusive: bool, deadline: Option<u64>) {
        let kept_turn = on.first().is_some_and(|place| exclusive && self.task(id).turn == Some(*place));
        self.task(id).turn = None;
        for place in &on {
            let position = if kept_turn { 0 } else { self.lines.len() };
            self.lines.insert(position, (*place, id));
        }
        self.task(id).doing = Doing::Waiting { on, exclusive, deadline };
    }

    fn remove(&mut self, id: TaskId) {
        let task = self.task(id).clone();
        self.lines.retain(|line| line.1 != id);
        self.ready.retain(|ready| *ready != id);
        self.tasks.retain(|known| known.id != id);
        let waited = match task.doing {
            Doing::Waiting { on, exclusive: true, .. } => on.first().copied(),
            _ => None,
        };
        if let Some(place) = task.turn.or(waited) {
            self.notify(place);
        }
    }

    /// Deadlines that are due, the earliest first.
    fn expire(&mut self, now: u64) -> Vec<u64> {
        let mut due: Vec<(u64, TaskId)> = Vec::new();
        for task in &self.tasks {
            if let Doing::Waiting { deadline: Some(deadline), .. } = task.doing
                && deadline <= now
            {
                due.push((deadline, task.id));
            }
        }
        due.sort_by_key(|entry| entry.0);
        for (_, id) in &due {
            self.make_ready(*id, Reason::Timeout);
        }
        due.iter().map(|entry| entry.0).collect()
    }
}

/// Something that happens to a scheduler. Numbers pick among what there is.
#[derive(Clone, Debug)]
enum Op {
    Spawn,
    Remove(usize),
    /// Begins a round some time later and runs so many of its tasks, each doing what it says.
    Round(u64, Vec<Act>),
    Notify(usize, bool),
    Wake(usize),
    Close(usize),
}

/// What a task does when it runs.
#[derive(Clone, Debug)]
enum Act {
    Finish,
    Yield,
    Sleep(Option<u64>),
    /// Uses a source if it may, and waits for it.
    WaitFor(usize, bool, Option<u64>),
    WaitForAny(Vec<(usize, bool)>, Option<u64>),
    FinishOperation,
}

fn act() -> impl Strategy<Value = Act> {
    let deadline = || prop::option::of(0u64..40);
    prop_oneof![
        1 => Just(Act::Finish),
        1 => Just(Act::Yield),
        2 => deadline().prop_map(Act::Sleep),
        4 => (0usize..3, any::<bool>(), deadline()).prop_map(|(source, read, deadline)| Act::WaitFor(source, read, deadline)),
        2 => (prop::collection::vec((0usize..3, any::<bool>()), 0..4), deadline())
            .prop_map(|(sources, deadline)| Act::WaitForAny(sources, deadline)),
        1 => Just(Act::FinishOperation),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => Just(Op::Spawn),
        1 => (0usize..8).prop_map(Op::Remove),
        6 => (0u64..15, prop::collection::vec(act(), 0..8)).prop_map(|(time, acts)| Op::Round(time, acts)),
        4 => (0usize..3, any::<bool>()).prop_map(|(source, read)| Op::Notify(source, read)),
        1 => (0usize..8).prop_map(Op::Wake),
        1 => (0usize..3).prop_map(Op::Close),
    ]
}

fn direction(read: bool) -> Direction {
    if read { Direction::Read } else { Direction::Write }
}

/// Both side by side.
struct Pair {
    scheduler: Scheduler,
    model: Model,
    sources: Vec<SourceId>,
    base: Instant,
    now: u64,
}

impl Pair {
    fn new() -> Self {
        let mut scheduler = Scheduler::new();
        let sources = (0..3).map(|_| scheduler.add_source()).collect();
        Pair { scheduler, model: Model::default(), sources, base: Instant::now(), now: 0 }
    }

    fn at(&self, milliseconds: u64) -> Instant {
        self.base + Duration::from_millis(milliseconds)
    }

    fn pick(&self, index: usize) -> Option<TaskId> {
        let count = self.model.tasks.len();
        (count > 0).then(|| self.model.tasks[index % count].id)
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Spawn => {
                let id = self.scheduler.spawn();
                assert!(self.model.tasks.iter().all(|task| task.id != id), "an id in use was given out");
                self.model.tasks.push(ModelTask { id, doing: Doing::Ready(Reason::Ready), turn: None });
                self.model.ready.push(id);
            }
            Op::Remove(index) => {
                if let Some(id) = self.pick(index) {
                    self.scheduler.remove(id);
                    self.model.remove(id);
                }
            }
            Op::Notify(source, read) => {
                self.scheduler.notify(self.sources[source], direction(read));
                self.model.notify((source, direction(read)));
            }
            Op::Wake(index) => {
                if let Some(id) = self.pick(index) {
                    let parked = matches!(self.model.task(id).doing, Doing::Waiting { .. });
                    assert_eq!(self.scheduler.wake(id), parked);
                    if parked {
                        self.model.make_ready(id, Reason::Ready);
                    }
                }
            }
            Op::Close(source) => self.close(source),
            Op::Round(time, acts) => self.round(time, acts),
        }
    }

    /// Closes a source and puts a new one in its place.
    fn close(&mut self, source: usize) {
        let closed = self.sources[source];
        self.scheduler.remove_source(closed);
        for direction in [Direction::Read, Direction::Write] {
            let place = (source, direction);
            while let Some(&(_, id)) = self.model.lines.iter().find(|line| line.0 == place) {
                self.model.make_ready(id, Reason::Ready);
            }
            for task in &mut self.model.tasks {
                if task.turn == Some(place) {
                    task.turn = None;
                }
            }
        }
        self.sources[source] = self.scheduler.add_source();
        assert_ne!(self.sources[source], closed);
        assert_eq!(self.scheduler.source_of_key(closed.key()), None, "a stale key still stands for a source");
        assert!(!self.scheduler.notify(closed, Direction::Read), "a stale id woke somebody");
    }

    fn round(&mut self, time: u64, acts: Vec<Act>) {
        self.now += time;
        let mut passed = self.model.expire(self.now);
        self.scheduler.begin_round(self.at(self.now));
        passed.dedup();
        assert!(passed.is_sorted());
        let count = self.model.ready.len();
        // Tasks that are due at the same instant may come in any order among themselves.
        for (turn, act) in acts.into_iter().enumerate() {
            let upcoming = self.scheduler.upcoming().next();
            let next = self.scheduler.next_task();
            assert_eq!(upcoming, next.map(|(id, _)| id));
            let Some((id, reason)) = next else {
                assert!(turn >= count, "a ready task was not handed out");
                return;
            };
            assert!(turn < count, "a task ran that was not ready when the round began");
            assert_eq!(self.model.task(id).doing, Doing::Ready(reason));
            let position = self.model.ready.iter().position(|ready| *ready == id).expect("a ready task");
            if reason == Reason::Ready {
                let earlier = &self.model.ready[..position];
                assert!(earlier.is_empty(), "{id:?} overtook {earlier:?}");
            }
            self.model.ready.remove(position);
            self.model.task(id).doing = Doing::Running;
            self.act(id, act);
        }
    }

    fn act(&mut self, id: TaskId, act: Act) {
        let after = |pair: &Self, delay: Option<u64>| delay.map(|delay| pair.now + delay);
        match act {
            Act::Finish => {
                self.scheduler.remove(id);
                self.model.remove(id);
            }
            Act::Yield => {
                self.scheduler.yield_now(id);
                self.model.task(id).turn = None;
                self.model.make_ready(id, Reason::Ready);
            }
            Act::FinishOperation => {
                self.scheduler.release_turn(id);
                self.model.task(id).turn = None;
                self.scheduler.yield_now(id);
                self.model.make_ready(id, Reason::Ready);
            }
            Act::Sleep(delay) => {
                let deadline = after(self, delay);
                self.scheduler.park(id, deadline.map(|deadline| self.at(deadline)));
                self.model.park(id, Vec::new(), false, deadline);
            }
            Act::WaitFor(source, read, delay) => {
                let place = (source, direction(read));
                let holder =
                    self.model.tasks.iter().find(|task| task.turn == Some(place)).map(|task| task.id);
                let in_line = self.model.lines.iter().any(|line| {
                    let task = self.model.tasks.iter().find(|task| task.id == line.1);
                    line.0 == place
                        && task
                            .is_some_and(|task| matches!(task.doing, Doing::Waiting { exclusive: true, .. }))
                });
                let may = holder.map_or(!in_line, |holder| holder == id);
                assert_eq!(self.scheduler.may_proceed(id, self.sources[source], direction(read)), may);
                let deadline = after(self, delay);
                let instant = deadline.map(|deadline| self.at(deadline));
                self.scheduler.wait_for(id, self.sources[source], direction(read), instant);
                self.model.park(id, vec![place], true, deadline);
            }
            Act::WaitForAny(sources, delay) => {
                let places: Vec<_> =
                    sources.iter().map(|&(source, read)| (source, direction(read))).collect();
                let deadline = after(self, delay);
                let instant = deadline.map(|deadline| self.at(deadline));
                let ids: Vec<_> =
                    places.iter().map(|&(source, direction)| (self.sources[source], direction)).collect();
                self.scheduler.wait_for_any(id, ids, instant);
                self.model.park(id, places, false, deadline);
            }
        }
    }

    /// What must hold at any time.
    fn check(&mut self) {
        assert_eq!(self.scheduler.is_empty(), self.model.tasks.is_empty());
        let mut earliest = None;
        for task in self.model.tasks.clone() {
            let status = self.scheduler.status(task.id);
            let (expected, deadline, waits) = match task.doing {
                Doing::Ready(reason) => (Status::Ready(reason), None, 0),
                Doing::Running => (Status::Running, None, 0),
                Doing::Waiting { on, deadline, .. } => (Status::Waiting, deadline, on.len()),
            };
            assert_eq!(status, Some(expected));
            assert_eq!(self.scheduler.deadline(task.id), deadline.map(|deadline| self.at(deadline)));
            let to_read = task.turn.filter(|turn| turn.1 == Direction::Read).map(|turn| self.sources[turn.0]);
            assert_eq!(self.scheduler.turn_to_read(task.id), to_read);
            let (reads, writes) = self.scheduler.waits(task.id);
            assert_eq!(reads + writes, waits);
            earliest = earliest.into_iter().chain(deadline).min();
        }
        assert_eq!(self.scheduler.next_deadline(), earliest.map(|deadline| self.at(deadline)));
        for source in 0..3 {
            for direction in [Direction::Read, Direction::Write] {
                let awaited = self.model.lines.iter().any(|line| line.0 == (source, direction));
                assert_eq!(self.scheduler.is_awaited(self.sources[source], direction), awaited);
                let has_turn = self.model.tasks.iter().any(|task| task.turn == Some((source, direction)));
                assert_eq!(self.scheduler.is_in_use(self.sources[source], direction), awaited || has_turn);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn it_does_what_a_naive_model_does(ops in prop::collection::vec(op(), 1..80)) {
        let mut pair = Pair::new();
        for op in ops {
            pair.apply(op);
            pair.check();
        }
        // Whatever is left can be removed, and leaves nothing.
        for task in pair.model.tasks.clone() {
            pair.scheduler.remove(task.id);
        }
        pair.scheduler.begin_round(pair.at(pair.now));
        prop_assert_eq!(pair.scheduler.next_task(), None);
        prop_assert!(pair.scheduler.is_empty());
        prop_assert!(pair.scheduler.is_stalled());
        prop_assert_eq!(pair.scheduler.next_deadline(), None);
    }

    #[test]
    fn deadlines_pass_in_order(delays in prop::collection::vec(0u64..50, 1..40)) {
        let base = Instant::now();
        let mut scheduler = Scheduler::new();
        let mut deadlines = std::collections::HashMap::new();
        for delay in delays {
            let id = scheduler.spawn();
            deadlines.insert(id, delay);
        }
        scheduler.begin_round(base);
        while let Some((id, _)) = scheduler.next_task() {
            scheduler.park(id, Some(base + Duration::from_millis(deadlines[&id])));
        }
        scheduler.begin_round(base + Duration::from_millis(60));
        let mut order = Vec::new();
        while let Some((id, reason)) = scheduler.next_task() {
            prop_assert_eq!(reason, Reason::Timeout);
            order.push(deadlines[&id]);
            scheduler.remove(id);
        }
        prop_assert_eq!(order.len(), deadlines.len());
        prop_assert!(order.is_sorted());
    }
}
