//! What the bindings keep for one Lua state.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ptr::{self, NonNull};
use std::rc::Rc;

use mlua::ffi::lua_State;
use rustc_hash::FxHashSet;

use super::attempt::Again;
use super::call::Call;
use super::dns::Answer;
use super::gathered::Strings;
use super::object::Metatables;
use super::protected::Protected;
use super::value::Raise;
use crate::net::resolver::Lookup;
use crate::net::socket::Socket;
use crate::runtime::Runtime;
use crate::scheduler::{SourceId, TaskId};

/// What the bindings keep for one Lua state, next to the runtime.
pub(crate) struct Context {
    pub(crate) runtime: Rc<Runtime>,
    pub(super) metatables: Metatables,
    /// What is kept for every task, by task id.
    tasks: RefCell<Vec<Kept>>,
    /// The coroutine of the running task that can wait now: its own, or one inside that through which
    /// waits pass outward (see `coroutine`).
    pub(super) active: Cell<*mut lua_State>,
    /// The coroutines that have a link (see `coroutine`), and perhaps some that were collected.
    pub(super) linked: RefCell<FxHashSet<*mut lua_State>>,
    /// How many there may be before those are forgotten.
    pub(super) most_linked: Cell<usize>,
    /// The coroutine in which the loop runs.
    loop_thread: Cell<*mut lua_State>,
    /// What Lua 5.1 offers to count the depth of coroutines.
    #[cfg(feature = "lua51")]
    pub(super) set_level: Option<super::depth::SetLevel>,
    /// The name resolution that each task waits for.
    pub(super) lookups: RefCell<HashMap<TaskId, Lookup<Answer>>>,
    /// The state's strings, if long ones can be gathered where they lie.
    pub(super) strings: Option<Strings>,
    pub(super) protected: Protected,
    /// A buffer for the next result, so that a stream of chunks does not need a new one for each.
    spare: Cell<Vec<u8>>,
    /// The bytes that are being pushed, and whether there are any.
    held: Cell<Vec<u8>>,
    is_holding: Cell<bool>,
    #[cfg(feature = "tls")]
    pub(super) tls: super::tls::State,
}

/// What is kept for a task. Aligned so that it lies in one cache line.
#[repr(align(64))]
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    /// Its coroutine, which lives as long as the task; null if there is no such task.
    pub(super) thread: *mut lua_State,
    /// The socket that it last waited for: an address, not to be followed.
    pub(super) socket: *const Socket,
    /// From what it last waited to receive.
    pub(super) receiving: Option<Receiving>,
    /// Whether it needs nothing but to be resumed.
    pub(super) resumable: bool,
    /// What the operation in which it waits needs to go on.
    again: Option<Again>,
}

/// A socket that a task waits to receive from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receiving {
    /// Its source, which it gives up before it is closed or collected.
    pub(super) source: SourceId,
    /// Where it is, for as long as that source is there.
    pub(super) socket: NonNull<RefCell<Socket>>,
}

impl Kept {
    const NOTHING: Self =
        Kept { thread: ptr::null_mut(), socket: ptr::null(), receiving: None, resumable: false, again: None };
}

/// How large a buffer is kept, in bytes.
const LARGEST_SPARE: usize = 64 * 1024;

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
pub(crate) const PLAIN_COROUTINE: &str = "attempt to wait in a coroutine from which the wait cannot reach the \
     task: resume it with the functions of require \"cosock.coroutine\", not of the standard coroutine table, and \
     not from within a C function";
pub(crate) const OUTSIDE: &str = "attempt to yield from outside a coroutine: only a task can wait here \
     (see cosock.spawn and cosock.run)";

impl Context {
    pub(super) fn new(
        runtime: Runtime,
        metatables: Metatables,
        strings: Option<Strings>,
        protected: Protected,
        #[cfg(feature = "tls")] tls: super::tls::State,
    ) -> Self {
        Context {
            runtime: Rc::new(runtime),
            metatables,
            tasks: RefCell::default(),
            active: Cell::new(ptr::null_mut()),
            linked: RefCell::default(),
            most_linked: Cell::new(super::coroutine::SOME),
            loop_thread: Cell::new(ptr::null_mut()),
            #[cfg(feature = "lua51")]
            set_level: super::depth::set_level(),
            lookups: RefCell::default(),
            #[cfg(feature = "tls")]
            tls,
            strings,
            protected,
            spare: Cell::default(),
            held: Cell::default(),
            is_holding: Cell::default(),
        }
    }

    /// An empty buffer to write a result to.
    pub(super) fn take_buffer(&self) -> Vec<u8> {
        self.spare.take()
    }

    /// Takes the buffer of a result back.
    pub(super) fn return_buffer(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() <= LARGEST_SPARE {
            buffer.clear();
            self.spare.set(buffer);
        }
    }

    /// Keeps bytes while they are pushed, so that no frame owns them if Lua raises an error, and tells where they are until
    /// [`Context::release`]. It keeps them for one at a time: a finalizer that pushes meanwhile gets its own back, and so does
    /// everybody after such an error.
    pub(super) fn hold(&self, bytes: Vec<u8>) -> Result<*const [u8], Vec<u8>> {
        if self.is_holding.replace(true) {
            return Err(bytes);
        }
        let place = ptr::from_ref(bytes.as_slice());
        self.held.set(bytes);
        Ok(place)
    }

    /// Gives them back.
    pub(super) fn release(&self) -> Vec<u8> {
        self.is_holding.set(false);
        self.held.take()
    }

    pub(super) fn set_thread(&self, task: TaskId, thread: *mut lua_State) {
        let mut tasks = self.tasks.borrow_mut();
        if tasks.len() <= task.index() {
            tasks.resize(task.index() + 1, Kept::NOTHING);
        }
        tasks[task.index()] = Kept { thread, ..Kept::NOTHING };
    }

    /// Remembers where the socket is that a task waits for.
    pub(super) fn set_socket(&self, task: TaskId, socket: &Socket) {
        self.change(task, |kept| kept.socket = socket);
    }

    /// Remembers that the running task waits to receive from the socket in `place`.
    pub(super) fn set_receiving(&self, place: &RefCell<Socket>, socket: &Socket) {
        if let (Some(task), Some(source)) = (self.runtime.current(), socket.source) {
            self.change(task, |kept| kept.receiving = Some(Receiving { source, socket: place.into() }));
        }
    }

    /// Notes whether a task needs nothing but to be resumed.
    pub(super) fn set_resumable(&self, task: TaskId, resumable: bool) {
        self.change(task, |kept| kept.resumable = resumable);
    }

    /// Keeps what the running task needs to go on.
    pub(super) fn keep_again(&self, again: Again) {
        if let Some(task) = self.runtime.current() {
            self.change(task, |kept| kept.again = Some(again));
        }
    }

    /// What was kept for the running task.
    pub(super) fn take_again(&self) -> Option<Again> {
        let task = self.runtime.current()?;
        self.tasks.borrow_mut().get_mut(task.index())?.again.take()
    }

    fn change(&self, task: TaskId, change: impl FnOnce(&mut Kept)) {
        if let Some(kept) = self.tasks.borrow_mut().get_mut(task.index()) {
            change(kept);
        }
    }

    /// Where that is which is kept for a task: an address, not to be followed.
    pub(super) fn place_of(&self, task: TaskId) -> *const Kept {
        self.tasks.borrow().as_ptr().wrapping_add(task.index())
    }

    /// What is kept for a task.
    pub(super) fn kept(&self, task: TaskId) -> Kept {
        self.tasks.borrow().get(task.index()).copied().unwrap_or(Kept::NOTHING)
    }

    /// Gives back the memory that many tasks took, when there are none left. Returns how many there
    /// were at a time.
    pub(super) fn forget_threads(&self) -> usize {
        self.tasks.take().len()
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
        if context.active.get() == self.state() {
            Place::Task(task)
        } else if context.loop_thread.get() == self.state() {
            Place::Outside
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
}
