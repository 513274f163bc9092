//! What belongs to one Lua state, where the `openssl` crate asks for what any thread may use.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// A value that is used by one thread at a time.
#[derive(Debug)]
pub(super) struct Local<T>(T);

// SAFETY: a context and its connections belong to one Lua state, which at most one thread uses at a
// time; OpenSSL calls back only within the calls that this thread makes.
unsafe impl<T> Send for Local<T> {}
// SAFETY: likewise.
unsafe impl<T> Sync for Local<T> {}

impl<T> Local<T> {
    pub(super) fn new(value: T) -> Self {
        Local(value)
    }

    /// The value. (A method, so that closures capture the whole.)
    pub(super) fn get(&self) -> &T {
        &self.0
    }
}

/// Runs what OpenSSL calls back. A panic must not reach C, and counts as `otherwise`.
pub(super) fn guarded<R>(otherwise: R, f: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or(otherwise)
}
