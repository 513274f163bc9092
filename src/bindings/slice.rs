//! Received bytes on their way to Lua.

use std::ffi::c_int;

use mlua::ffi::{self, lua_State};

use super::context::Context;
use super::gathered::Strings;
use super::object;
use super::string::{WORTH_PROTECTING, push_bytes, push_string};
use crate::memory::gathered::StringBlock;
use crate::net::buffer::ReceiveBuffer;

/// The first bytes of a buffer, with an argument to put in front, if any.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slice {
    pub(crate) length: usize,
    pub(crate) prefix: Option<c_int>,
}

/// An answer of so many bytes costs less to copy than its buffer to move.
const SHORT: usize = 256;

impl Slice {
    /// Pushes bytes of the scratch buffer.
    ///
    /// # Safety
    /// As [`Values::push`].
    pub(super) unsafe fn push_scratch(self, state: *mut lua_State, context: &Context) {
        let scratch = context.runtime.take_scratch();
        // SAFETY: as the caller vouches. Nothing is owned when the error is raised.
        unsafe {
            let pushed = self.push(state, &scratch);
            context.runtime.return_scratch(scratch);
            if !pushed {
                ffi::lua_error(state);
            }
        }
    }

    /// Pushes bytes of the buffer of the socket that is argument 1. If Lua has no room for them, they stay there.
    ///
    /// # Safety
    /// As [`Values::push`].
    pub(super) unsafe fn push_buffered(self, state: *mut lua_State, context: &Context) {
        // SAFETY: as the caller vouches. Nothing is owned when the error is raised.
        unsafe {
            // Taken out of the socket, as a finalizer might use that meanwhile.
            if self.length < WORTH_PROTECTING
                && let Some(answer) = object::take_answer(state)
            {
                let pushed = self.push(state, &answer);
                context.runtime.keep_memory(answer);
                if !pushed {
                    ffi::lua_error(state);
                }
                return;
            }
            if self.length <= SHORT && self.prefix.is_none() {
                let mut answer = [0; SHORT];
                object::copy_answer(state, context, &mut answer[..self.length]);
                push_bytes(state, &answer[..self.length]);
                return;
            }
            let mut buffer = object::take_buffer(state);
            let pushed = if let Some((strings, block)) = self.take_block(state, context, &mut buffer) {
                let pushed = strings.push(state, block);
                pushed.map_err(|lost| lost.map(|answer| buffer.put_back(answer))).is_ok()
            } else {
                let pushed = self.push(state, buffer.as_slice());
                if pushed {
                    buffer.consume_found();
                } else {
                    buffer.keep_found(self.length);
                }
                pushed
            };
            if let Some(memory) = buffer.settle() {
                context.runtime.keep_memory(memory);
            }
            object::return_buffer(state, context, buffer);
            if !pushed {
                ffi::lua_error(state);
            }
        }
    }

    /// Takes these bytes out of the buffer, if they can become a string where they are.
    ///
    /// # Safety
    /// As [`Values::push`].
    unsafe fn take_block<'a>(
        self,
        state: *mut lua_State,
        context: &'a Context,
        buffer: &mut ReceiveBuffer,
    ) -> Option<(&'a Strings, StringBlock)> {
        let strings = context.strings.as_ref()?;
        // SAFETY: as the caller vouches.
        if self.prefix.is_some() || !unsafe { strings.can_be_gathered(state, self.length) } {
            return None;
        }
        Some((strings, buffer.take_string(self.length)?))
    }

    /// As [`push_string`].
    ///
    /// # Safety
    /// As [`Values::push`].
    unsafe fn push(self, state: *mut lua_State, bytes: &[u8]) -> bool {
        // SAFETY: as the caller vouches; there is room for three values.
        unsafe { push_string(state, self.prefix, &bytes[..self.length]) }
    }
}
