//! What the bindings keep for one Lua state.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::c_int;
use std::ptr;
use std::rc::Rc;

use mlua::ffi::{self, lua_State};

use super::call::Call;
use super::dns::Answer;
use super::object::Metatables;
use super::value::Raise;
use crate::net::resolver::Lookup;
use crate::runtime::Runtime;
use crate::scheduler::TaskId;

/// What the bindings keep for one Lua state, next to the runtime.
pub(crate) struct Context {
    pub(crate) runtime: Rc<Runtime>,
    pub(super) metatables: Metatables,
    /// The coroutine of every task, by task id: compared, never used.
    threads: RefCell<Vec<*mut lua_State>>,
    /// The coroutine in which the loop runs.
    loop_thread: Cell<*mut lua_State>,
    /// The registry's reference to the set of coroutines through which waits pass outward.
    nested: c_int,
    /// The name resolution that each task waits for.
    pub(super) lookups: RefCell<HashMap<TaskId, Lookup<Answer>>>,
    #[cfg(feature = "tls")]
    pub(super) tls: super::tls::State,
}

/// Where a call happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a task, where waiting lets others run.
    Task(TaskId),
    /// Outside of every task, where waiting blocks the program.
    Outside,
    /// In a coroutine inside a task through which a wait cannot pass.
    PlainCoroutine,
}

/// What a program reads when it waits where it cannot.
pub(crate) const PLAIN_COROUTINE: &str = "attempt to wait in a coroutine that was made inside a task \
     with the standard coroutine table; make it with require \"cosock.coroutine\" instead";
pub(crate) const OUTSIDE: &str = "attempt to yield from outside a coroutine: only a task can wait here \
     (see cosock.spawn and cosock.run)";

impl Context {
    pub(super) fn new(
        runtime: Runtime,
        metatables: Metatables,
        nested: c_int,
        #[cfg(feature = "tls")] tls: super::tls::State,
    ) -> Self {
        Context {
            runtime: Rc::new(runtime),
            metatables,
            threads: RefCell::default(),
            loop_thread: Cell::new(ptr::null_mut()),
            nested,
            lookups: RefCell::default(),
            #[cfg(feature = "tls")]
            tls,
        }
    }

    pub(super) fn set_thread(&self, task: TaskId, thread: *mut lua_State) {
        let mut threads = self.threads.borrow_mut();
        if threads.len() <= task.0 {
            threads.resize(task.0 + 1, ptr::null_mut());
        }
        threads[task.0] = thread;
    }

    /// Gives back the memory that many tasks took, when there are none left. Returns how many there
    /// were at a time.
    pub(super) fn forget_threads(&self) -> usize {
        self.threads.take().len()
    }

    pub(super) fn set_loop_thread(&self, thread: *mut lua_State) {
        self.loop_thread.set(thread);
    }
}

impl Call<'_> {
    /// Where this call happens.
    pub(crate) fn place(&self) -> Place {
        let context = self.context;
        let Some(task) = context.runtime.current() else {
            return Place::Outside;
        };
        if context.threads.borrow().get(task.0) == Some(&self.state()) {
            Place::Task(task)
        } else if context.loop_thread.get() == self.state() {
            Place::Outside
        } else if self.is_nested() {
            Place::Task(task)
        } else {
            Place::PlainCoroutine
        }
    }

    /// The task in which this call happens.
    pub(crate) fn task(&self) -> Result<TaskId, Raise> {
        match self.place() {
            Place::Task(task) => Ok(task),
            Place::Outside => Err(Raise::Message(OUTSIDE.into())),
            Place::PlainCoroutine => Err(Raise::Message(PLAIN_COROUTINE.into())),
        }
    }

    /// Whether this coroutine passes waits outward.
    fn is_nested(&self) -> bool {
        // SAFETY: the reference is to a table; three values are pushed and popped, and a raw look-up
        // cannot fail.
        unsafe {
            let state = self.state();
            ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, self.context.nested.into());
            ffi::lua_pushthread(state);
            ffi::lua_rawget(state, -2);
            let found = ffi::lua_toboolean(state, -1) != 0;
            ffi::lua_pop(state, 2);
            found
        }
    }
}
