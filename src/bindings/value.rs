//! What a function gives back to Lua.

use std::borrow::Cow;
use std::ffi::c_int;
use std::ops::Range;

use mlua::ffi::{self, lua_State};

use super::context::Context;
use super::object::{self, Class};
use crate::net::buffer::ReceiveBuffer;
use crate::net::socket::Socket;

/// An error to raise.
#[derive(Debug)]
pub(crate) enum Raise {
    /// A wrong argument.
    Argument {
        index: c_int,
        detail: Cow<'static, str>,
    },
    /// Anything else.
    Message(Cow<'static, str>),
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
    Text(Cow<'static, str>),
    Bytes(Vec<u8>),
    /// The bytes in [`Values::lent`].
    Lent,
    /// A copy of an argument.
    Argument(c_int),
    /// A new socket object.
    Socket(Class, Box<Socket>),
    Table(Table),
}

/// A table for Lua.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) array: Vec<Value>,
    pub(crate) fields: Vec<(&'static str, Value)>,
}

/// Bytes that belong to somebody else, handed to Lua without being copied in between.
#[derive(Debug)]
pub(crate) struct Lent {
    pub(crate) bytes: LentBytes,
    pub(crate) answer: Range<usize>,
    /// The argument to put in front, if any.
    pub(crate) prefix: Option<c_int>,
}

/// Whose bytes they are.
#[derive(Debug)]
pub(crate) enum LentBytes {
    /// The state's scratch buffer.
    Scratch(Vec<u8>),
    /// The receive buffer of the socket that is argument 1, which is to consume so many of them.
    Buffer(ReceiveBuffer, usize),
}

/// The most values that a function returns.
const MOST: usize = 5;

/// The results of a function.
#[derive(Debug, Default)]
pub(crate) struct Values {
    items: [Value; MOST],
    count: usize,
    pub(crate) lent: Option<Lent>,
}

impl Values {
    /// Adds a value at the end.
    pub(crate) fn and(mut self, value: impl Into<Value>) -> Self {
        self.items[self.count] = value.into();
        self.count += 1;
        self
    }

    /// Pushes all values and returns their number.
    ///
    /// # Safety
    /// `state` must be in a call of a C function that `context` belongs to, and nothing of the
    /// context may be borrowed: pushing may run the program's finalizers.
    pub(super) unsafe fn push(self, state: *mut lua_State, context: &Context) -> c_int {
        let Values {
            items,
            count,
            mut lent,
        } = self;
        for item in items.into_iter().take(count) {
            // SAFETY: as the caller vouches; there is room for a few values in every C function.
            unsafe {
                match item {
                    Value::Lent => {
                        if let Some(lent) = lent.take() {
                            lent.push(state, context);
                        }
                    }
                    Value::Argument(index) => ffi::lua_pushvalue(state, index),
                    other => other.push(state, context),
                }
            }
        }
        count as c_int
    }
}

impl Value {
    /// # Safety
    /// As [`Values::push`].
    unsafe fn push(self, state: *mut lua_State, context: &Context) {
        // SAFETY: as the caller vouches; every arm pushes one value and at most two more above it.
        unsafe {
            match self {
                Value::Nil | Value::Lent | Value::Argument(_) => ffi::lua_pushnil(state),
                Value::Boolean(value) => ffi::lua_pushboolean(state, value.into()),
                Value::Float(value) => ffi::lua_pushnumber(state, value),
                Value::Number(value) => push_number(state, value),
                Value::Text(text) => push_bytes(state, text.as_bytes()),
                Value::Bytes(bytes) => push_bytes(state, &bytes),
                Value::Socket(class, socket) => object::push(state, context, class, *socket),
                Value::Table(Table { array, fields }) => {
                    ffi::luaL_checkstack(state, 3, std::ptr::null());
                    ffi::lua_createtable(state, array.len() as c_int, fields.len() as c_int);
                    for (index, value) in array.into_iter().enumerate() {
                        value.push(state, context);
                        ffi::lua_rawseti(state, -2, (index + 1) as _);
                    }
                    for (name, value) in fields {
                        push_bytes(state, name.as_bytes());
                        value.push(state, context);
                        ffi::lua_rawset(state, -3);
                    }
                }
            }
        }
    }
}

impl Lent {
    /// # Safety
    /// As [`Values::push`].
    unsafe fn push(self, state: *mut lua_State, context: &Context) {
        let Lent {
            bytes,
            answer,
            prefix,
        } = self;
        // SAFETY: as the caller vouches; there is room for two values.
        unsafe {
            if let Some(index) = prefix {
                ffi::lua_pushvalue(state, index);
            }
            match bytes {
                LentBytes::Scratch(scratch) => {
                    push_bytes(state, &scratch[answer]);
                    context.runtime.return_scratch(scratch);
                }
                LentBytes::Buffer(mut buffer, used) => {
                    push_bytes(state, &buffer.as_slice()[answer]);
                    buffer.consume(used);
                    object::return_buffer(state, context, buffer);
                }
            }
            if prefix.is_some() {
                ffi::lua_concat(state, 2);
            }
        }
    }
}

/// # Safety
/// There must be room for a value on the stack.
unsafe fn push_bytes(state: *mut lua_State, bytes: &[u8]) {
    // SAFETY: the bytes are readable for their length; Lua copies them.
    unsafe { ffi::lua_pushlstring(state, bytes.as_ptr().cast(), bytes.len()) };
}

/// # Safety
/// There must be room for a value on the stack.
unsafe fn push_number(state: *mut lua_State, value: f64) {
    // SAFETY: as the caller vouches.
    unsafe {
        if value.fract() == 0.0 && value.abs() < 2f64.powi(53) {
            ffi::lua_pushinteger(state, value as ffi::lua_Integer);
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
        Value::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text.into())
    }
}

impl From<Cow<'static, str>> for Value {
    fn from(text: Cow<'static, str>) -> Self {
        Value::Text(text)
    }
}

impl From<Table> for Value {
    fn from(table: Table) -> Self {
        Value::Table(table)
    }
}

impl From<(Class, Socket)> for Value {
    fn from((class, socket): (Class, Socket)) -> Self {
        Value::Socket(class, Box::new(socket))
    }
}

/// No values.
pub(crate) fn nothing() -> Values {
    Values::default()
}

/// One value.
pub(crate) fn one(value: impl Into<Value>) -> Values {
    nothing().and(value)
}

/// `nil, message`: what the world did.
pub(crate) fn failed(message: impl Into<Value>) -> Values {
    one(Value::Nil).and(message)
}
