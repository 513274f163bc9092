//! Name resolution on a few threads of its own, so that nothing else waits for it.

use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use polling::Poller;
use threadpool::ThreadPool;

use crate::scheduler::SourceId;

/// How many names are resolved at a time.
const THREADS: usize = 4;

/// The threads and the road back from them.
#[derive(Debug)]
pub struct Resolver {
    /// Started when the first name is looked up.
    pool: Option<ThreadPool>,
    /// Woken when an answer is there.
    poller: Arc<Poller>,
    finished: (mpsc::Sender<SourceId>, mpsc::Receiver<SourceId>),
    abandoned: Rc<RefCell<Vec<SourceId>>>,
}

/// A lookup under way.
#[derive(Debug)]
pub struct Lookup<T> {
    answer: Arc<Mutex<Stage<T>>>,
    source: SourceId,
    abandoned: Rc<RefCell<Vec<SourceId>>>,
}

#[derive(Debug)]
enum Stage<T> {
    UnderWay,
    /// Ended; without an answer if the job panicked, or the answer was taken.
    Ended(Option<T>),
}

impl Resolver {
    /// A resolver that has no threads yet and wakes `poller` with its answers.
    pub fn new(poller: Arc<Poller>) -> Self {
        Resolver { pool: None, poller, finished: mpsc::channel(), abandoned: Rc::default() }
    }

    /// Runs `job` on one of the threads. `source` stands for its end from now on.
    pub fn start<T: Send + 'static>(
        &mut self,
        source: SourceId,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Lookup<T> {
        let pool = self.pool.get_or_insert_with(start_threads);
        let answer = Arc::new(Mutex::new(Stage::UnderWay));
        let (slot, finished, poller) = (answer.clone(), self.finished.0.clone(), self.poller.clone());
        pool.execute(move || {
            // Whoever wanted the answer may be gone, or the Lua state closed, before its turn came.
            if Arc::strong_count(&slot) == 1 {
                return;
            }
            // Should the job panic, whoever waits for it finds no answer, and this thread lives on.
            let outcome = catch_unwind(AssertUnwindSafe(job)).ok();
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Stage::Ended(outcome);
            // Neither can fail but when the Lua state is gone, and nobody waits any more then.
            let _ = finished.send(source);
            let _ = poller.notify();
        });
        Lookup { answer, source, abandoned: self.abandoned.clone() }
    }

    /// The lookups that have ended since the last call.
    pub fn finished(&self) -> impl Iterator<Item = SourceId> {
        self.finished.1.try_iter()
    }

    /// The sources of lookups that nobody holds any more, since the last call.
    pub fn abandoned(&self) -> Vec<SourceId> {
        self.abandoned.take()
    }
}

impl<T> Lookup<T> {
    /// The source that becomes readable when the answer is there.
    pub fn source(&self) -> SourceId {
        self.source
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        matches!(*self.answer.lock().unwrap_or_else(PoisonError::into_inner), Stage::Ended(_))
    }

    /// The answer. None as long as it has not ended, or if it ended without one.
    pub fn take(&self) -> Option<T> {
        match &mut *self.answer.lock().unwrap_or_else(PoisonError::into_inner) {
            Stage::UnderWay => None,
            Stage::Ended(answer) => answer.take(),
        }
    }
}

impl<T> Drop for Lookup<T> {
    fn drop(&mut self) {
        self.abandoned.borrow_mut().push(self.source);
    }
}

/// Starts the threads with every signal blocked: signals are the main thread's, where the
/// interpreter's handlers expect them.
fn start_threads() -> ThreadPool {
    let start = || ThreadPool::with_name("resolver".into(), THREADS);
    let mut all = MaybeUninit::uninit();
    let mut before = MaybeUninit::uninit();
    // SAFETY: `sigfillset` initialises `all`; `pthread_sigmask` reads it and initialises `before`.
    let blocked = unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) == 0
    };
    let pool = start();
    if blocked {
        // SAFETY: `before` was initialised by the successful call above.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut()) };
    }
    pool
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::scheduler::Scheduler;

    #[test]
    fn a_lookup_given_up_before_its_turn_is_not_made() {
        let mut scheduler = Scheduler::new();
        let mut resolver = Resolver::new(Arc::new(Poller::new().unwrap()));
        let (release, held) = mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        let busy: Vec<_> = (0..THREADS)
            .map(|_| {
                let held = held.clone();
                resolver.start(scheduler.add_source(), move || held.lock().unwrap().recv().is_err())
            })
            .collect();
        let made = Arc::new(AtomicBool::new(false));
        let given_up = {
            let made = made.clone();
            resolver.start(scheduler.add_source(), move || made.store(true, Ordering::Relaxed))
        };
        let wanted = resolver.start(scheduler.add_source(), || "answer");

        drop(given_up);
        drop(release);
        resolver.pool.as_ref().unwrap().join();

        assert!(busy.iter().all(|lookup| lookup.take() == Some(true)));
        assert_eq!(wanted.take(), Some("answer"));
        assert!(!made.load(Ordering::Relaxed));
        assert_eq!(resolver.finished().count(), THREADS + 1);
    }
}
