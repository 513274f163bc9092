//! TLS for Lua: contexts, connections, certificates.

mod attempt;
mod certificate;
mod close;
mod connection;
mod context;
mod decision;
mod handle;
mod peer;
mod program;
mod stream;

use std::cell::{OnceCell, RefCell};
use std::rc::{Rc, Weak};

use mlua::{AnyUserData, Lua, Result, Table};

use super::call::Function;
use crate::tls::curve;
use crate::tls::key_log::KeyLog;
use crate::tls::option::OPTIONS;
use crate::tls::protocol::VERSIONS;
use crate::tls::tickets::Tickets;
use crate::tls::wire::Buffers;

use program::Program;

pub(super) use handle::{Handle, push};

/// The functions of `cosock.ssl`.
pub(super) const FUNCTIONS: &[&[Function]] = &[
    context::FUNCTIONS,
    decision::FUNCTIONS,
    connection::FUNCTIONS,
    stream::FUNCTIONS,
    close::FUNCTIONS,
    peer::FUNCTIONS,
    certificate::FUNCTIONS,
];

/// What the bindings keep for the TLS of one Lua state.
#[derive(Debug)]
pub(super) struct State {
    metatables: handle::Metatables,
    /// What all connections read and write through.
    buffers: RefCell<Buffers>,
    /// What decides in the midst of handshakes.
    program: Rc<Program>,
    /// What is to be sent when the task that runs stops to run.
    put_off: RefCell<Vec<Weak<Tickets>>>,
    /// Where keys are written, once there was a context.
    key_log: OnceCell<Option<Rc<KeyLog>>>,
}

impl State {
    /// Lends out the shared buffers. Whoever asks while they are lent gets empty ones, and they grow.
    fn take_buffers(&self) -> Buffers {
        self.buffers.take()
    }

    fn return_buffers(&self, buffers: Buffers) {
        self.buffers.replace(buffers);
    }

    /// To be called whenever no task runs: sends what was put off until then.
    pub(super) fn send_put_off(&self) {
        let mut put_off = self.put_off.borrow_mut();
        if !put_off.is_empty() {
            put_off.drain(..).filter_map(|tickets| tickets.upgrade()).for_each(|tickets| tickets.send());
        }
    }

    /// Where keys are written, if the environment asks for it.
    fn key_log(&self) -> Option<&Rc<KeyLog>> {
        self.key_log.get_or_init(|| KeyLog::from_environment().map(Rc::new)).as_ref()
    }
}

/// What is there before the functions are.
pub(super) struct Prepared {
    handles: Vec<(handle::Kind, Table)>,
    decisions: Table,
}

/// Prepares the TLS of a Lua state.
pub(super) fn prepare(lua: &Lua) -> Result<(State, Prepared)> {
    openssl::init();
    let (metatables, handles) = handle::prepare(lua)?;
    let decisions = lua.create_table()?;
    let state = State {
        metatables,
        buffers: RefCell::default(),
        program: Rc::new(Program::new(lua, &decisions, metatables)?),
        put_off: RefCell::default(),
        key_log: OnceCell::new(),
    };
    Ok((state, Prepared { handles, decisions }))
}

/// Adds what is no function to the table of the native ones.
pub(super) fn install(lua: &Lua, context: &AnyUserData, prepared: Prepared, native: &Table) -> Result<()> {
    handle::install(lua, context, prepared.handles, native)?;
    native.set("decisions", prepared.decisions)?;
    native.set("options", set(lua, OPTIONS.iter().map(|(name, _)| *name))?)?;
    native.set("protocols", set(lua, VERSIONS.iter().map(|(name, _)| *name))?)?;
    native.set("curves", set(lua, curve::names())?)
}

/// A table in which every name is true.
fn set<T: AsRef<str>>(lua: &Lua, names: impl IntoIterator<Item = T>) -> Result<Table> {
    let table = lua.create_table()?;
    for name in names {
        table.set(name.as_ref(), true)?;
    }
    Ok(table)
}
