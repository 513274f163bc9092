//! Prepares what the next tasks need, for several of them at once.
//!
//! With hundreds of connections, what a task needs has left the processor's cache since it last ran: its
//! coroutine, its socket object, and the system's part of the socket. Every first touch of one of their
//! lines waits for memory, one after another; but if that is done for several tasks together, those
//! waits overlap, and the system's code for receiving stays in the cache. The ready queue tells who
//! runs next.

use std::cell::RefCell;
use std::ptr::NonNull;

use arrayvec::ArrayVec;
use mlua::ffi::{self, lua_State};

use super::context::Context;
use crate::net::socket::Socket;
use crate::scheduler::TaskId;

/// For how many tasks is prepared at a time.
const AHEAD: usize = 16;
/// The size of a cache line.
const LINE: usize = 64;
/// How much of a coroutine's state is wanted: more than any interpreter's `lua_State` has.
const THREAD_SIZE: usize = 4 * LINE;

impl Context {
    /// Prepares for a task that is about to run and for those behind it, unless that was done already.
    pub(super) fn prepare(&self, task: TaskId) {
        if let Some(left) = self.runtime.prepared.get().checked_sub(1) {
            self.runtime.prepared.set(left);
            return;
        }
        let scheduler = self.runtime.scheduler.borrow();
        let mut tasks = ArrayVec::<TaskId, AHEAD>::new();
        tasks.push(task);
        for task in scheduler.upcoming().take(AHEAD - 1) {
            fetch(self.place_of(task).cast(), LINE);
            tasks.push(task);
        }
        if tasks.len() == 1 {
            return;
        }
        let mut threads = ArrayVec::<*mut lua_State, AHEAD>::new();
        let mut receiving = ArrayVec::<NonNull<RefCell<Socket>>, AHEAD>::new();
        for task in tasks {
            let kept = self.kept(task);
            fetch(kept.thread.cast(), THREAD_SIZE);
            fetch(kept.socket.cast(), size_of::<Socket>());
            threads.push(kept.thread);
            if let Some(from) = kept.receiving
                && scheduler.turn_to_read(task) == Some(from.source)
            {
                receiving.push(from.socket);
            }
        }
        self.runtime.prepared.set(threads.len() - 1);
        threads.into_iter().for_each(touch_frame);
        for socket in receiving {
            // SAFETY: the socket's source is there. Only `object::collect` frees a socket, and gives its source
            // up first.
            if let Ok(mut socket) = unsafe { socket.as_ref() }.try_borrow_mut()
                && let Some(unused) = socket.receive_ahead(|| self.runtime.take_memory())
            {
                self.runtime.keep_memory(unused);
            }
        }
    }
}

/// Looks at the innermost frame of a coroutine, which brings it and its part of the stack in, and asks for
/// the object that it may find there.
fn touch_frame(thread: *mut lua_State) {
    if !thread.is_null() {
        // SAFETY: the coroutine of a task that is in the scheduler is alive and, as another one runs,
        // suspended or not yet begun; any index is acceptable, and nothing is changed.
        let object = unsafe { ffi::lua_touserdata(thread, 1) };
        fetch(std::hint::black_box(object).cast(), LINE);
    }
}

/// Asks for the lines of a block of memory, which need not be there any more.
#[cfg(target_arch = "x86_64")]
fn fetch(block: *const i8, size: usize) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    for offset in (0..size).step_by(LINE) {
        // SAFETY: a hint about an address is never a fault.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(block.wrapping_add(offset)) };
    }
}

/// Elsewhere there is no such hint in stable Rust.
#[cfg(not(target_arch = "x86_64"))]
fn fetch(_: *const i8, _: usize) {}
