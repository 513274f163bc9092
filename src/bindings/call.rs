//! How Lua calls Rust: arguments in, values or an error out.
//!
//! Functions on the road of every `receive` and `send` cannot afford a protected call each, so they
//! are plain C functions. What makes that safe is an order of things that [`run`] keeps: a
//! function's body reads its arguments by calls that cannot fail and returns a description of its
//! results; only then, with no lock held and nothing borrowed, are the results pushed, by calls that
//! may raise. A panic in the body becomes a Lua error.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};

use mlua::ffi::{self, lua_State};

use super::attempt::{Again, Earlier};
use super::context::Context;
use super::object::{Accepted, Class};
use super::value::{Raise, Values};
use super::waiting;
use crate::net::socket::Socket;

/// A function that Lua can call.
pub(crate) struct Function {
    /// Its name, as error messages give it when the interpreter knows none.
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) body: Body,
    /// How many Lua functions of ours stand between it and the program, to which errors point.
    pub(crate) depth: c_int,
    /// The arguments that may be numbers where strings are wanted.
    pub(crate) strings: &'static [c_int],
    /// The classes that [`Call::this`] accepts as argument 1.
    pub(crate) accepts: Accepted,
    /// Where Lua enters it.
    pub(super) entry: ffi::lua_CFunction,
}

/// The body of a [`Function`].
pub(crate) type Body = fn(&Call<'_>) -> Result<Values, Raise>;

impl Function {
    /// A function that the program calls itself.
    pub(crate) const fn direct(name: &'static str, body: Body) -> Self {
        Function { name, body, depth: 0, strings: &[], accepts: Accepted(&[], "userdata"), entry: enter }
    }

    /// A function that one of our Lua functions calls on the program's behalf.
    pub(crate) const fn wrapped(name: &'static str, body: Body) -> Self {
        Function { depth: 1, ..Function::direct(name, body) }
    }

    /// A function that one of our Lua functions calls by way of `attempt` in `waiting.lua`.
    pub(crate) const fn attempted(name: &'static str, body: Body) -> Self {
        Function { depth: 2, ..Function::direct(name, body) }
    }

    /// A function that waits by itself where the interpreter allows it, and else is `wrapped`.
    pub(crate) const fn waiting(name: &'static str, body: Body) -> Self {
        match waiting::ENTRY {
            Some(entry) => Function { entry, ..Function::direct(name, body) },
            None => Function::wrapped(name, body),
        }
    }

    /// The same, taking numbers for strings in these arguments.
    pub(crate) const fn with_strings(self, strings: &'static [c_int]) -> Self {
        Function { strings, ..self }
    }

    /// The same, for objects of these classes.
    pub(crate) const fn of(self, accepts: Accepted) -> Self {
        Function { accepts, ..self }
    }
}

/// One call of a [`Function`].
pub(crate) struct Call<'a> {
    state: *mut lua_State,
    pub(crate) context: &'a Context,
    pub(super) function: &'static Function,
    /// How many arguments there are: to ask for one that is missing takes as long as for another.
    pub(super) count: c_int,
    /// What the attempt before this one said, if there was one; `None` if the arguments tell.
    pub(super) earlier: Option<Option<Again>>,
}

/// What the closure of a [`Function`] holds: upvalue 1 is a block of Lua's with this in it, upvalue 2
/// the context's userdata, which keeps the block alive that `context` points to.
pub(super) struct Binding {
    pub(super) context: *const *const Context,
    pub(super) function: &'static Function,
}

/// How a body ran.
pub(super) enum Ran {
    /// It returned, and so many results are on the stack.
    Returned(c_int),
    /// It is to be called again.
    Again(Again),
    /// An error to be raised is on the stack.
    Raised,
}

/// The entry point of every [`Function`] that does not wait by itself.
///
/// # Safety
/// To be called by Lua only, as a closure with the upvalues of [`Binding`].
pub(super) unsafe extern "C-unwind" fn enter(state: *mut lua_State) -> c_int {
    // SAFETY: as the caller vouches. The frame owns nothing when `lua_error` leaves it.
    unsafe {
        match run(state, Earlier::Arguments) {
            Ran::Returned(count) => count,
            Ran::Again(again) => {
                ffi::lua_pushnil(state);
                ffi::lua_pushnil(state);
                ffi::lua_pushnumber(state, again.began);
                ffi::lua_pushboolean(state, again.blocked.into());
                ffi::lua_pushinteger(state, again.progress as ffi::lua_Integer);
                5
            }
            Ran::Raised => ffi::lua_error(state),
        }
    }
}

/// Runs the body of the function that is called, and pushes what comes of it. What the task has to know
/// when it goes on is kept for it, unless that goes through arguments.
///
/// # Safety
/// As [`enter`].
#[inline(always)]
pub(super) unsafe fn run(state: *mut lua_State, earlier: Earlier) -> Ran {
    // SAFETY: upvalue 1 is a binding, and what it points to lives as long as the closure.
    let (context, function) = unsafe {
        let binding = &*ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast::<Binding>();
        ((*binding.context).as_ref(), binding.function)
    };
    let Some(context) = context else {
        // A finalizer of the program's, run while the state closes.
        // SAFETY: there is room for a value.
        unsafe { ffi::lua_pushstring(state, c"cosock is closed".as_ptr()) };
        return Ran::Raised;
    };
    // SAFETY: there are only the arguments on the stack yet.
    let count = unsafe { ffi::lua_gettop(state) };
    for &index in function.strings {
        // SAFETY: any index is acceptable; a number becomes a string in its place.
        unsafe {
            if index <= count && ffi::lua_type(state, index) == ffi::LUA_TNUMBER {
                ffi::lua_tolstring(state, index, std::ptr::null_mut());
            }
        }
    }
    let earlier = match earlier {
        Earlier::Arguments => None,
        Earlier::Known(again) => Some(again),
        Earlier::Kept => Some(context.take_again()),
    };
    let call = Call { state, context, function, count, earlier };
    // The results are written and read where they are: moving them costs as much as the rest.
    let mut outcome = MaybeUninit::<Result<Values, Raise>>::uninit();
    let caught = catch_unwind(AssertUnwindSafe(|| {
        outcome.write((function.body)(&call));
    }));
    // SAFETY: the outcome was written unless the body panicked, and is taken or dropped once; the rest
    // as the caller vouches. There is room for a few values, as in every C function.
    unsafe {
        match caught {
            Ok(()) => match outcome.assume_init_mut() {
                Ok(Values::Results(results)) => {
                    // Nothing is left in them that would have to be dropped.
                    Ran::Returned(Values::push(results, state, context))
                }
                Ok(Values::Success(value)) => Ran::Returned(value.push_success(state, context)),
                &mut Ok(Values::Again(again)) => {
                    if earlier.is_some() && !again.blocked {
                        context.keep_again(again);
                    }
                    Ran::Again(again)
                }
                Err(_) => {
                    if let Err(raise) = outcome.assume_init() {
                        call.push_error(raise);
                    }
                    Ran::Raised
                }
            },
            Err(panic) => {
                let text = panic
                    .downcast_ref::<&str>()
                    .copied()
                    .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
                    .unwrap_or("unknown reason");
                call.push_error(Raise::Message(format!("internal error: {text}").into()));
                Ran::Raised
            }
        }
    }
}

impl Call<'_> {
    /// The coroutine in which this call happens.
    pub(crate) fn state(&self) -> *mut lua_State {
        self.state
    }

    /// The socket object that the function is called on: argument 1.
    pub(crate) fn this(&self) -> Result<(&RefCell<Socket>, Class), Raise> {
        self.socket(1, self.function.accepts)
    }

    /// The type of an argument: one of Lua's `LUA_T…` constants.
    pub(crate) fn kind(&self, index: c_int) -> c_int {
        // SAFETY: any index is acceptable.
        unsafe { ffi::lua_type(self.state, index) }
    }

    /// Whether an argument is nil or missing.
    pub(crate) fn is_absent(&self, index: c_int) -> bool {
        index > self.count || self.kind(index) <= ffi::LUA_TNIL
    }

    /// Whether an argument is a number, and no string that reads as one.
    pub(crate) fn is_number(&self, index: c_int) -> bool {
        index <= self.count && self.kind(index) == ffi::LUA_TNUMBER
    }

    /// An argument's truth.
    pub(crate) fn truth(&self, index: c_int) -> bool {
        // SAFETY: any index is acceptable.
        unsafe { ffi::lua_toboolean(self.state, index) != 0 }
    }

    /// How many arguments there are.
    pub(crate) fn argument_count(&self) -> c_int {
        self.count
    }

    /// An argument that is a number, or a string that reads as one.
    pub(crate) fn number(&self, index: c_int) -> Result<f64, Raise> {
        self.maybe_number(index).ok_or_else(|| self.type_error(index, "number"))
    }

    /// A number without a fraction. Where the interpreter has no integers, a fraction is cut, as by LuaSec.
    #[cfg(feature = "tls")]
    pub(crate) fn whole_number(&self, index: c_int) -> Result<f64, Raise> {
        const HAS_INTEGERS: bool = cfg!(any(feature = "lua53", feature = "lua54", feature = "lua55"));
        let number = self.number(index)?;
        if HAS_INTEGERS && number.fract() != 0.0 {
            return Err(self.argument_error(index, "number has no integer representation"));
        }
        Ok(number.trunc())
    }

    /// The same as [`Call::number`], or `None` if the argument is nothing of the kind.
    pub(crate) fn maybe_number(&self, index: c_int) -> Option<f64> {
        let mut is_number = 0;
        // SAFETY: any index is acceptable; converting to a number allocates nothing.
        let number = unsafe { ffi::lua_tonumberx(self.state, index, &mut is_number) };
        (is_number != 0).then_some(number)
    }

    /// An optional number: `default` if it is nil or missing.
    pub(crate) fn number_or(&self, index: c_int, default: f64) -> Result<f64, Raise> {
        if self.is_absent(index) { Ok(default) } else { self.number(index) }
    }

    /// An argument that is a string. Numbers count if the function takes them for strings.
    pub(crate) fn string(&self, index: c_int) -> Result<&[u8], Raise> {
        self.maybe_string(index).ok_or_else(|| self.type_error(index, "string"))
    }

    /// The same, or `None` if the argument is no string.
    pub(crate) fn maybe_string(&self, index: c_int) -> Option<&[u8]> {
        // SAFETY: the argument is a string, so nothing is converted; it stays on the stack, which
        // keeps its bytes alive, for as long as the call lasts.
        unsafe {
            if ffi::lua_type(self.state, index) != ffi::LUA_TSTRING {
                return None;
            }
            let mut length = 0;
            let bytes = ffi::lua_tolstring(self.state, index, &mut length);
            Some(std::slice::from_raw_parts(bytes.cast(), length))
        }
    }

    /// An optional string: `None` if it is nil or missing.
    pub(crate) fn optional_string(&self, index: c_int) -> Result<Option<&[u8]>, Raise> {
        if self.is_absent(index) { Ok(None) } else { self.string(index).map(Some) }
    }

    /// A host or a service: a string up to its first NUL.
    pub(crate) fn name(&self, index: c_int) -> Result<Cow<'_, str>, Raise> {
        let bytes = self.string(index)?;
        let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
        Ok(String::from_utf8_lossy(&bytes[..end]))
    }

    /// How many elements an array argument has, up to its first nil.
    pub(crate) fn array_length(&self, index: c_int) -> c_int {
        if self.kind(index) != ffi::LUA_TTABLE {
            return 0;
        }
        let mut length = 0;
        loop {
            // SAFETY: the argument is a table, and one value is pushed and popped.
            let kind = unsafe {
                ffi::lua_rawgeti(self.state, index, length.into());
                let kind = ffi::lua_type(self.state, -1);
                ffi::lua_pop(self.state, 1);
                kind
            };
            // Element 0 does not count, whatever it is.
            if length > 0 && kind == ffi::LUA_TNIL {
                return length - 1;
            }
            length += 1;
        }
    }

    /// Puts element `position` of an array argument on the stack while `f` looks at it.
    pub(crate) fn with_element<R>(&self, index: c_int, position: c_int, f: impl FnOnce(c_int) -> R) -> R {
        // SAFETY: the caller asks only for elements of tables; `f` leaves the stack as it is.
        unsafe {
            ffi::lua_rawgeti(self.state, index, position.into());
            let result = f(ffi::lua_gettop(self.state));
            ffi::lua_pop(self.state, 1);
            result
        }
    }

    /// The coroutine that an argument is.
    pub(crate) fn thread(&self, index: c_int) -> *mut lua_State {
        // SAFETY: any index is acceptable; null if it is no thread.
        unsafe { ffi::lua_tothread(self.state, index) }
    }

    /// The block and the metatable of a full userdata at `index`.
    pub(super) fn userdata(&self, index: c_int) -> Option<(*mut c_void, *const c_void)> {
        // SAFETY: any index is acceptable; a metatable that was pushed is popped again.
        unsafe {
            if ffi::lua_type(self.state, index) != ffi::LUA_TUSERDATA
                || ffi::lua_getmetatable(self.state, index) == 0
            {
                return None;
            }
            let metatable = ffi::lua_topointer(self.state, -1);
            ffi::lua_pop(self.state, 1);
            Some((ffi::lua_touserdata(self.state, index), metatable))
        }
    }
}
