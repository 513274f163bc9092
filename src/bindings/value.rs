//! What a function gives back to Lua.

use std::borrow::Cow;
use std::ffi::c_int;

use arrayvec::ArrayVec;
use mlua::ffi::{self, lua_State};

use super::attempt::Again;
use super::context::Context;
use super::http;
use super::object::{self, Class};
use super::slice::Slice;
use super::string::{push_bytes, push_string};
use crate::memory::WORTH_ASKING;
use crate::mime::Held;
use crate::net::headers::PlainHeaders;
use crate::net::socket::Socket;

/// An error to raise.
#[derive(Debug)]
pub(crate) enum Raise {
    /// A wrong argument.
    Argument { index: c_int, detail: Cow<'static, str> },
    /// Anything else.
    Message(Cow<'static, str>),
    /// What is on top of the stack: an error of the program's own.
    #[cfg(feature = "tls")]
    Top,
}

/// A value for Lua.
#[derive(Debug, Default)]
pub(crate) enum Value {
    #[default]
    Nil,
    Boolean(bool),
    /// A number; an integer if it is whole and the interpreter has integers.
    Number(f64),
    /// A number that is never an integer.
    Float(f64),
    Text(&'static str),
    Composed(Box<str>),
    Bytes(Vec<u8>),
    /// What a codec holds back.
    Held(Held),
    /// Bytes of the state's scratch buffer: they are copied by Lua only.
    Scratch(Slice),
    /// Bytes of the receive buffer of the socket that is argument 1, which then consumes what was found.
    Buffered(Slice),
    /// Headers in the receive buffer of the socket that is argument 1, which then consumes them.
    Headers(Box<PlainHeaders>),
    /// A copy of an argument.
    Argument(c_int),
    /// Copies of the first arguments, so many. Only results may be these.
    Arguments(c_int),
    /// The table that an object of TLS, argument 1, keeps.
    #[cfg(feature = "tls")]
    Kept,
    /// A new socket object.
    Socket(Class, Box<Socket>),
    /// A new object of TLS that is no socket.
    #[cfg(feature = "tls")]
    Handle(Box<super::tls::Handle>),
    Table(Box<Table>),
}

/// A table for Lua.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) array: Vec<Value>,
    pub(crate) fields: Vec<(&'static str, Value)>,
}

/// The most values that a function returns, apart from [`Value::Arguments`].
const MOST: usize = 3;

/// What a function gives back. Small, as it is moved more than once.
#[derive(Debug)]
pub(crate) enum Values {
    /// Its results.
    Results(ArrayVec<Value, MOST>),
    /// A result and two nils, as LuaSocket has it when receiving or sending succeeds.
    Success(Value),
    /// What the next attempt needs: the function has to be called again.
    Again(Again),
}

impl Values {
    /// Adds a value at the end.
    #[inline(always)]
    pub(crate) fn and(mut self, value: impl Into<Value>) -> Self {
        match &mut self {
            Values::Results(list) => list.push(value.into()),
            _ => debug_assert!(false, "only results can be added to"),
        }
        self
    }

    /// Pushes all results, which are gone then, and returns their number.
    ///
    /// # Safety
    /// `state` must be in a call of a C function that `context` belongs to, and nothing of the
    /// context may be borrowed: pushing may run the program's finalizers.
    #[inline(always)]
    pub(super) unsafe fn push(
        results: &mut ArrayVec<Value, MOST>,
        state: *mut lua_State,
        context: &Context,
    ) -> c_int {
        let length = results.len();
        let mut count = length as c_int;
        // SAFETY: every value is taken out once, and from now on the list holds none. The rest as the
        // caller vouches; there is room for a few values in every C function.
        unsafe {
            // Behind the last that is new, nothing can be lost.
            let last = if length > 1 { results.iter().rposition(Value::is_new).unwrap_or(0) } else { 0 };
            results.set_len(0);
            for index in 0..length {
                match results.as_ptr().add(index).read() {
                    Value::Nil => ffi::lua_pushnil(state),
                    Value::Arguments(arguments) => {
                        (1..=arguments).for_each(|index| ffi::lua_pushvalue(state, index));
                        count += arguments - 1;
                    }
                    value if index >= last => value.push(state, context),
                    value => {
                        if !value.push_protected(state, context) {
                            (index + 1..length).for_each(|index| drop(results.as_ptr().add(index).read()));
                            ffi::lua_error(state);
                        }
                    }
                }
            }
        }
        count
    }
}

impl Value {
    /// Pushes what stands for success: this and two nils.
    ///
    /// # Safety
    /// As [`Values::push`].
    #[inline(always)]
    pub(super) unsafe fn push_success(&mut self, state: *mut lua_State, context: &Context) -> c_int {
        // SAFETY: as the caller vouches; there is room for a few values in every C function.
        unsafe {
            match self {
                // What there usually is, without moving it.
                Value::Scratch(slice) => slice.push_scratch(state, context),
                Value::Buffered(slice) => slice.push_buffered(state, context),
                Value::Number(value) => push_number(state, *value),
                other => std::mem::take(other).push(state, context),
            }
            ffi::lua_pushnil(state);
            ffi::lua_pushnil(state);
        }
        3
    }

    /// # Safety
    /// As [`Values::push`].
    unsafe fn push(self, state: *mut lua_State, context: &Context) {
        // SAFETY: as the caller vouches; every arm pushes one value, and owns nothing when it raises.
        unsafe {
            match self {
                Value::Nil => ffi::lua_pushnil(state),
                Value::Argument(index) | Value::Arguments(index) => ffi::lua_pushvalue(state, index),
                #[cfg(feature = "tls")]
                Value::Kept => {
                    ffi::lua_getuservalue(state, 1);
                }
                Value::Scratch(slice) => slice.push_scratch(state, context),
                Value::Buffered(slice) => slice.push_buffered(state, context),
                Value::Headers(found) => push_headers(state, context, found),
                Value::Boolean(value) => ffi::lua_pushboolean(state, value.into()),
                Value::Float(value) => ffi::lua_pushnumber(state, value),
                Value::Number(value) => push_number(state, value),
                Value::Text(text) => push_bytes(state, text.as_bytes()),
                Value::Bytes(bytes) => push_result(state, context, bytes),
                Value::Composed(text) => {
                    drop(push_composed(state, context, text.into_boxed_bytes().into_vec()));
                }
                Value::Held(bytes) => push_bytes(state, &bytes),
                new => {
                    if !new.push_protected(state, context) {
                        ffi::lua_error(state);
                    }
                }
            }
        }
    }

    /// Whether it owns something that Lua does not have yet.
    fn is_new(&self) -> bool {
        match self {
            #[cfg(feature = "tls")]
            Value::Handle(_) => true,
            Value::Composed(_) | Value::Socket(..) | Value::Table(_) => true,
            _ => false,
        }
    }

    /// Pushes the value in a protected call, if it may be lost or another with it. Returns whether that went well; else the
    /// error has been pushed, and nothing of the value is left.
    ///
    /// # Safety
    /// As [`Values::push`].
    unsafe fn push_protected(mut self, state: *mut lua_State, context: &Context) -> bool {
        // SAFETY: as the caller vouches; what is new tells nothing of arguments.
        unsafe {
            if self.is_new() || matches!(self, Value::Text(_)) {
                return context.protected.push(state, &mut |state| self.push_new(state, context));
            }
            self.push(state, context);
        }
        true
    }

    /// Pushes a value, of which only what Lua has taken over is gone afterwards.
    ///
    /// # Safety
    /// As [`Values::push`]; the value is none that tells of arguments or of the socket that is one.
    unsafe fn push_new(&mut self, state: *mut lua_State, context: &Context) {
        // SAFETY: as the caller vouches; every arm pushes one value and at most three more above it, and owns nothing when it
        // raises.
        unsafe {
            match self {
                Value::Composed(text) => push_bytes(state, text.as_bytes()),
                Value::Bytes(bytes) => push_bytes(state, bytes),
                Value::Socket(class, socket) => object::push(state, context, *class, socket),
                #[cfg(feature = "tls")]
                Value::Handle(handle) => super::tls::push(state, context, handle),
                Value::Table(table) => {
                    let Table { array, fields } = &mut **table;
                    ffi::luaL_checkstack(state, 4, std::ptr::null());
                    ffi::lua_createtable(state, array.len() as c_int, fields.len() as c_int);
                    for (index, value) in array.iter_mut().enumerate() {
                        value.push_new(state, context);
                        ffi::lua_rawseti(state, -2, (index + 1) as _);
                    }
                    for (name, value) in fields {
                        push_bytes(state, name.as_bytes());
                        value.push_new(state, context);
                        ffi::lua_rawset(state, -3);
                    }
                }
                plain => std::mem::take(plain).push(state, context),
            }
        }
    }
}

/// Pushes bytes that were composed for it. Their memory may serve for the next result.
///
/// # Safety
/// As [`Values::push`].
unsafe fn push_result(state: *mut lua_State, context: &Context, bytes: Vec<u8>) {
    // SAFETY: as the caller vouches. Nothing is owned when an error is raised.
    unsafe {
        if bytes.len() < WORTH_ASKING {
            context.return_buffer(push_composed(state, context, bytes));
            return;
        }
        let pushed = push_string(state, None, &bytes);
        context.return_buffer(bytes);
        if !pushed {
            ffi::lua_error(state);
        }
    }
}

/// Pushes bytes that are not many, and gives them back.
///
/// # Safety
/// As [`Values::push`].
unsafe fn push_composed(state: *mut lua_State, context: &Context, bytes: Vec<u8>) -> Vec<u8> {
    // SAFETY: as the caller vouches. Nothing is owned when an error is raised; what is held stays where it is until it is
    // released.
    unsafe {
        let bytes = match context.hold(bytes) {
            Ok(held) => {
                push_bytes(state, &*held);
                return context.release();
            }
            Err(bytes) => bytes,
        };
        if !context.protected.push(state, &mut |state| push_bytes(state, &bytes)) {
            drop(bytes);
            ffi::lua_error(state);
        }
        bytes
    }
}

/// Pushes headers in the receive buffer of the socket that is argument 1, which then consumes them.
///
/// # Safety
/// As [`Values::push`].
unsafe fn push_headers(state: *mut lua_State, context: &Context, found: Box<PlainHeaders>) {
    // SAFETY: as the caller vouches. Nothing is owned when the error is raised.
    unsafe {
        // Taken out of the socket, as a finalizer might use that meanwhile.
        let mut buffer = object::take_buffer(state);
        let pushed =
            context.protected.push(state, &mut |state| http::push_headers(state, buffer.as_slice(), &found));
        if pushed {
            buffer.consume(found.used);
        }
        object::return_buffer(state, context, buffer);
        drop(found);
        if !pushed {
            ffi::lua_error(state);
        }
    }
}

/// # Safety
/// There must be room for a value on the stack.
unsafe fn push_number(state: *mut lua_State, value: f64) {
    // SAFETY: as the caller vouches.
    unsafe {
        // The cast saturates, so what is no whole number in range does not come back the same.
        let whole = value as ffi::lua_Integer;
        if whole as f64 == value && value.abs() < 9e15 {
            ffi::lua_pushinteger(state, whole);
        } else {
            ffi::lua_pushnumber(state, value);
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Boolean(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Value::Number(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Value::Number(value.into())
    }
}

impl From<u16> for Value {
    fn from(value: u16) -> Self {
        Value::Number(value.into())
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Value::Number(value as f64)
    }
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Value::Text(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Composed(text.into())
    }
}

impl From<Cow<'static, str>> for Value {
    fn from(text: Cow<'static, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

impl From<Table> for Value {
    fn from(table: Table) -> Self {
        Value::Table(Box::new(table))
    }
}

impl From<(Class, Socket)> for Value {
    fn from((class, socket): (Class, Socket)) -> Self {
        Value::Socket(class, Box::new(socket))
    }
}

/// No values.
#[inline(always)]
pub(crate) fn nothing() -> Values {
    Values::Results(ArrayVec::new())
}

/// `nil, nil, began, blocked, progress`, unless the function waits by itself.
#[inline(always)]
pub(super) fn repeat(again: Again) -> Values {
    Values::Again(again)
}

/// One value.
#[inline(always)]
pub(crate) fn one(value: impl Into<Value>) -> Values {
    nothing().and(value)
}

/// `nil, message`: what the world did.
#[inline(always)]
pub(crate) fn failed(message: impl Into<Value>) -> Values {
    one(Value::Nil).and(message)
}
