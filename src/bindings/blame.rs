//! How errors name what was wrong: the function, the argument and the place in the program.

use std::borrow::Cow;
use std::ffi::{CStr, c_char, c_int};

use mlua::ffi;

use super::call::Call;
use super::value::Raise;

impl Call<'_> {
    /// The error of a wrong argument.
    #[cold]
    pub(crate) fn argument_error(&self, index: c_int, detail: impl Into<Cow<'static, str>>) -> Raise {
        Raise::Argument { index, detail: detail.into() }
    }

    /// The error of an argument of the wrong type.
    #[cold]
    pub(crate) fn type_error(&self, index: c_int, expected: &str) -> Raise {
        /// From Lua 5.3 on, its own library tells what kind of userdata there is.
        const TELLS_CLASS: bool = cfg!(any(feature = "lua53", feature = "lua54", feature = "lua55"));
        if let Some(class) = self.class_name(index).filter(|_| TELLS_CLASS) {
            return self.argument_error(index, format!("{expected} expected, got {class}"));
        }
        // SAFETY: `lua_typename` knows every type and returns a constant string.
        let found = unsafe { CStr::from_ptr(ffi::lua_typename(self.state(), self.kind(index))) };
        self.argument_error(index, format!("{expected} expected, got {}", found.to_string_lossy()))
    }

    /// Pushes an error message with the position of the program's call in front.
    ///
    /// # Safety
    /// Nothing that needs dropping may be alive in the frames of this call but `raise`.
    #[cold]
    pub(super) unsafe fn push_error(&self, raise: Raise) {
        let message = match raise {
            Raise::Message(text) => text,
            Raise::Argument { index, detail } => self.argument_message(index, &detail).into(),
            #[cfg(feature = "tls")]
            Raise::Top => return,
        };
        // SAFETY: there is room for two values.
        unsafe {
            ffi::luaL_where(self.state(), self.function.depth + 1);
            ffi::lua_pushlstring(self.state(), message.as_ptr().cast(), message.len());
            drop(message);
            ffi::lua_concat(self.state(), 2);
        }
    }

    /// As `luaL_argerror` words it: counting without self in a method call.
    fn argument_message(&self, index: c_int, detail: &str) -> String {
        let (name, is_method) = self.called_name();
        match (index, is_method) {
            (1, true) => format!("calling '{name}' on bad self ({detail})"),
            (_, true) => format!("bad argument #{} to '{name}' ({detail})", index - 1),
            (_, false) => format!("bad argument #{index} to '{name}' ({detail})"),
        }
    }

    /// By what name the program called this function, and whether as a method.
    fn called_name(&self) -> (Cow<'static, str>, bool) {
        // SAFETY: the record is filled by `lua_getinfo` before it is read, and the names are
        // copied while the function they belong to is still active.
        unsafe {
            let mut record: ffi::lua_Debug = std::mem::zeroed();
            if ffi::lua_getstack(self.state(), self.function.depth, &mut record) == 0
                || ffi::lua_getinfo(self.state(), c"n".as_ptr(), &mut record) == 0
            {
                return (self.function.name.into(), false);
            }
            let text = |pointer: *const c_char| {
                (!pointer.is_null()).then(|| CStr::from_ptr(pointer).to_string_lossy().into_owned())
            };
            let is_method = text(record.namewhat).as_deref() == Some("method");
            match text(record.name).filter(|name| name != "?" && !name.is_empty()) {
                Some(name) => (name.into(), is_method),
                // The call replaced its caller, as in `return client:send(data)`. What takes an object there is as
                // good as always called as its method.
                None => {
                    (self.function.name.into(), self.userdata(1).is_some() && self.is_tail_call(&mut record))
                }
            }
        }
    }

    /// Whether the call that a record describes was the last thing its caller did.
    #[cfg(not(any(feature = "lua51", feature = "luajit")))]
    fn is_tail_call(&self, record: &mut ffi::lua_Debug) -> bool {
        // SAFETY: the record belongs to an active function.
        unsafe { ffi::lua_getinfo(self.state(), c"t".as_ptr(), record) != 0 && record.istailcall != 0 }
    }

    /// Whether the call that a record describes was the last thing its caller did, which then has a level of the stack
    /// without being there. LuaJIT does not know; nor would LuaSocket's functions know there.
    #[cfg(any(feature = "lua51", feature = "luajit"))]
    fn is_tail_call(&self, record: &mut ffi::lua_Debug) -> bool {
        // SAFETY: `lua_getinfo` fills a record that `lua_getstack` found; what it describes is a constant string.
        unsafe {
            ffi::lua_getstack(self.state(), self.function.depth + 1, record) != 0
                && ffi::lua_getinfo(self.state(), c"S".as_ptr(), record) != 0
                && CStr::from_ptr(record.what) == c"tail"
        }
    }
}
