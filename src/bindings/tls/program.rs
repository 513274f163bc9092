//! The program's functions that decide in the midst of a handshake.
//!
//! OpenSSL calls back while a native function of a connection runs. An error of Lua's must unwind neither
//! OpenSSL's frames nor ours, so the program is called protected: what it raises stays on the stack of the
//! native function, which makes the handshake fail and raises it again when nothing of ours is left.

use std::cell::Cell;
use std::ffi::{CStr, c_int, c_void};
use std::ptr;
use std::rc::Rc;

use mlua::ffi::{self, lua_State};
use mlua::{Lua, Result, Table};
use openssl::ssl::SslRef;

use super::handle::Metatables;
use crate::bindings::reference;
use crate::tls::callback::GaveUp;
use crate::tls::context::Context as TlsContext;

/// Calls the program's functions.
#[derive(Debug)]
pub(super) struct Program {
    /// The coroutine in which the native function runs, if one does. Its first argument is the connection.
    state: Cell<*mut lua_State>,
    /// Whether an error is on its stack.
    raised: Cell<bool>,
    /// The connection's userdata and OpenSSL's part of it, while the program decides.
    deciding: Cell<(*mut c_void, *const SslRef)>,
    /// The registry's references to [`relay`], and to the table of the embedded Lua's functions that it
    /// calls.
    relay: c_int,
    functions: c_int,
    metatables: Metatables,
}

/// What the program is told.
#[derive(Debug)]
pub(super) enum Argument<'a> {
    Nil,
    Boolean(bool),
    Number(usize),
    Bytes(&'a [u8]),
    List(Vec<&'a [u8]>),
}

/// What it answers.
#[derive(Debug, Default)]
pub(super) enum Answer {
    /// Nothing, or nothing of use.
    #[default]
    Nil,
    False,
    Bytes(Vec<u8>),
    Context(Rc<TlsContext>),
}

/// A call under way.
struct Exchange<'a> {
    program: &'a Program,
    function: &'static CStr,
    arguments: &'a [Argument<'a>],
    answers: [Answer; 2],
}

impl Program {
    /// Prepares a Lua state; `functions` is for the embedded Lua to fill.
    pub(super) fn new(lua: &Lua, functions: &Table, metatables: Metatables) -> Result<Self> {
        // SAFETY: the function raises nothing but what a protected call may catch.
        let relay = unsafe { lua.create_c_function(relay)? };
        Ok(Program {
            state: Cell::new(ptr::null_mut()),
            raised: Cell::new(false),
            deciding: Cell::new((ptr::null_mut(), ptr::null())),
            relay: reference(lua, relay)?,
            functions: reference(lua, functions)?,
            metatables,
        })
    }

    /// Runs a part of a native function in the midst of which OpenSSL may call back. The function's first
    /// argument is the connection. Also returns whether the program has raised an error, which is then on
    /// top of the stack.
    pub(super) fn run<R>(&self, state: *mut lua_State, f: impl FnOnce() -> R) -> (R, bool) {
        // Perhaps a function of the program's runs, which is in the midst of another connection's handshake.
        let outer = (self.state.replace(state), self.raised.replace(false));
        let result = f();
        self.state.set(outer.0);
        (result, self.raised.replace(outer.1))
    }

    /// What OpenSSL knows of the connection with that userdata, for what the program asks while it decides
    /// in the handshake of that; `None` if it does not.
    pub(super) fn with_ssl<R>(&self, userdata: *mut c_void, f: impl FnOnce(&SslRef) -> R) -> Option<R> {
        let (connection, ssl) = self.deciding.get();
        if connection != userdata {
            return None;
        }
        // SAFETY: the pointer is there only while what it points to is borrowed by a caller of `call`.
        unsafe { ssl.as_ref() }.map(f)
    }

    /// Calls the embedded Lua's function of that name with the connection and these arguments. `ssl` is
    /// OpenSSL's part of that connection.
    pub(super) fn call(
        &self,
        ssl: &SslRef,
        function: &'static CStr,
        arguments: &[Argument<'_>],
    ) -> std::result::Result<[Answer; 2], GaveUp> {
        let state = self.state.get();
        if state.is_null() || self.raised.get() {
            return Err(GaveUp);
        }
        let mut exchange = Exchange { program: self, function, arguments, answers: Default::default() };
        // SAFETY: the native function that runs in this coroutine has a connection as its first argument.
        let connection = unsafe { ffi::lua_touserdata(state, 1) };
        let outer = self.deciding.replace((connection, ssl));
        // SAFETY: a native function runs in this coroutine, and has room on its stack. Nothing here
        // allocates or raises but the protected call, which leaves an error on the stack or nothing.
        let status = unsafe {
            ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, self.relay.into());
            ffi::lua_pushlightuserdata(state, ptr::from_mut(&mut exchange).cast());
            ffi::lua_pushvalue(state, 1);
            ffi::lua_pcall(state, 2, 0, 0)
        };
        self.deciding.set(outer);
        if status != ffi::LUA_OK {
            self.raised.set(true);
            return Err(GaveUp);
        }
        Ok(exchange.answers)
    }
}

/// Does what [`Program::call`] is for, where errors are caught: argument 1 is the exchange, argument 2 the
/// connection.
///
/// # Safety
/// To be called by [`Program::call`] only.
unsafe extern "C-unwind" fn relay(state: *mut lua_State) -> c_int {
    // SAFETY: the exchange lives as long as this call, and nobody else uses it meanwhile. What this frame
    // owns when something raises belongs to the exchange. There is room for a few values.
    unsafe {
        let exchange = &mut *ffi::lua_touserdata(state, 1).cast::<Exchange<'_>>();
        ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, exchange.program.functions.into());
        ffi::lua_getfield(state, -1, exchange.function.as_ptr());
        ffi::lua_pushvalue(state, 2);
        for argument in exchange.arguments {
            push(state, argument);
        }
        ffi::lua_call(state, 1 + exchange.arguments.len() as c_int, 2);
        for (index, answer) in [-2, -1].into_iter().zip(&mut exchange.answers) {
            *answer = read(state, index, &exchange.program.metatables);
        }
    }
    0
}

/// # Safety
/// There must be room for a few values on the stack.
unsafe fn push(state: *mut lua_State, argument: &Argument<'_>) {
    // SAFETY: as the caller vouches; the bytes are readable for their length, and Lua copies them.
    unsafe {
        match argument {
            Argument::Nil => ffi::lua_pushnil(state),
            Argument::Boolean(value) => ffi::lua_pushboolean(state, (*value).into()),
            Argument::Number(value) => ffi::lua_pushinteger(state, *value as ffi::lua_Integer),
            Argument::Bytes(bytes) => {
                ffi::lua_pushlstring(state, bytes.as_ptr().cast(), bytes.len());
            }
            Argument::List(list) => {
                ffi::lua_createtable(state, list.len() as c_int, 0);
                for (bytes, position) in list.iter().zip(1..) {
                    ffi::lua_pushlstring(state, bytes.as_ptr().cast(), bytes.len());
                    ffi::lua_rawseti(state, -2, position);
                }
            }
        }
    }
}

/// # Safety
/// There must be a value at `index`.
unsafe fn read(state: *mut lua_State, index: c_int, metatables: &Metatables) -> Answer {
    // SAFETY: as the caller vouches; a string is not converted, and its bytes are copied.
    unsafe {
        match ffi::lua_type(state, index) {
            ffi::LUA_TBOOLEAN if ffi::lua_toboolean(state, index) == 0 => Answer::False,
            ffi::LUA_TSTRING => {
                let mut length = 0;
                let bytes = ffi::lua_tolstring(state, index, &mut length);
                Answer::Bytes(std::slice::from_raw_parts(bytes.cast(), length).to_vec())
            }
            ffi::LUA_TUSERDATA => metatables
                .context_at(state, index)
                .map_or(Answer::Nil, |context| Answer::Context(context.clone())),
            _ => Answer::Nil,
        }
    }
}
