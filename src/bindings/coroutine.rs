//! Coroutines inside tasks: `resume` and `wrap` through which waits pass outward to the loop.
//!
//! A coroutine that waits yields [`park`]. Whoever resumed it by one of these functions does not get
//! that: the function yields in its turn, [`outward`] and the coroutine that waits, and so does every
//! one further out, up to the loop. When the wait is over, the loop resumes that coroutine itself and
//! hands what it yields, returns or raises to the one which had resumed it (see `nested.lua`). So
//! however deep a wait is, it passes through the coroutines in between once; and nothing has to go on
//! here after a yield, which Lua 5.1 and LuaJIT do not allow.
//!
//! A coroutine can wait only if all coroutines from the task's own to it were resumed by these
//! functions: [`Context::active`] is that coroutine, and null where somebody else resumed one.

use std::ffi::{CStr, c_int};

use mlua::ffi::{self, lua_State};
use mlua::{AnyUserData, Lua, Result, Table, Value};

use super::context::Context;
use super::waiting::park;

mod status;
#[cfg(not(any(feature = "lua51", feature = "luajit")))]
mod wrap;

/// The upvalue that is the userdata of the context.
const CONTEXT: c_int = 1;
/// The upvalue that is the table of links. A coroutine that waits inside another has the one which
/// resumed it for its link, the outermost has itself, and one that never goes on again has false.
const LINKS: c_int = 2;
/// The upvalue that a function has for itself.
const OWN: c_int = 3;

/// How many coroutines with links are so few that nobody looks whether some were collected.
pub(super) const SOME: usize = 64;

/// So many values fit onto the stack of a function that has used its arguments up.
const FEW: c_int = 16;

/// Makes the table of functions for `nested.lua` and `coroutine.lua`.
///
/// # Errors
/// Lua's, for want of memory.
pub(super) fn functions(lua: &Lua, context: &AnyUserData) -> Result<Table> {
    let links = lua.create_table()?;
    links.set_metatable(Some(lua.create_table_from([("__mode", "k")])?))?;
    let standard: Table = lua.globals().get("coroutine")?;
    let group = lua.create_table()?;
    let add = |name: &str, function: ffi::lua_CFunction, own: Value| {
        // SAFETY: these are the upvalues that the functions expect.
        let function = unsafe {
            lua.exec_raw::<Value>((context, &links, own), |state| ffi::lua_pushcclosure(state, function, 3))?
        };
        group.set(name, function)
    };
    // SAFETY: the function is fine with any upvalues; it has none.
    let marker = Value::Function(unsafe { lua.create_c_function(outward)? });
    add("resume", resume, marker.clone())?;
    add("status", status::status, Value::Nil)?;
    add("enter", enter, Value::Nil)?;
    add("link", link, Value::Nil)?;
    #[cfg(any(feature = "lua51", feature = "luajit"))]
    add("finish", finish, Value::Nil)?;
    #[cfg(not(any(feature = "lua51", feature = "luajit")))]
    add("wrap", wrap::wrap, Value::Nil)?;
    match standard.get("close")? {
        Value::Nil => {}
        standard_close => add("close", status::close, standard_close)?,
    }
    group.set("outward", marker)?;
    group.set("links", links)?;
    Ok(group)
}

/// What `resume` yields when a coroutine in it waits; the second value is that coroutine. A function,
/// because comparing functions runs no metamethod; nobody calls it.
///
/// # Safety
/// May be called by Lua.
unsafe extern "C-unwind" fn outward(state: *mut lua_State) -> c_int {
    // It must not do the same as `park`: functions that do may end up with one address.
    // SAFETY: there is room for a value.
    unsafe { ffi::lua_pushnil(state) };
    1
}

/// What came of resuming a coroutine.
enum Outcome {
    /// It yielded or returned so many values, which are on the stack.
    Values(c_int),
    /// It failed; the error is on the stack.
    Failed,
    /// It waits; the stack holds what is to be yielded.
    Waits,
}

/// `resume(thread, ...)`: as `coroutine.resume`.
///
/// # Safety
/// To be called by Lua only, with the upvalues named above.
unsafe extern "C-unwind" fn resume(state: *mut lua_State) -> c_int {
    // SAFETY: the stack holds what each function expects. The frame owns nothing when Lua leaves it.
    unsafe {
        let thread = checked_thread(state);
        let arguments = ffi::lua_gettop(state) - 1;
        match run(state, thread, 1, arguments, true) {
            Outcome::Values(count) => count,
            Outcome::Failed => {
                ffi::lua_pushboolean(state, 0);
                ffi::lua_insert(state, -2);
                2
            }
            // What the loop resumes this coroutine with are the results.
            Outcome::Waits => ffi::lua_yield(state, 2),
        }
    }
}

/// Resumes `thread`, the value at index `own`, with the `arguments` values on top of the stack, which
/// it takes. If the coroutine succeeds, true comes before its values `with_true`.
///
/// # Safety
/// As [`resume`].
#[inline(always)]
unsafe fn run(
    state: *mut lua_State,
    thread: *mut lua_State,
    own: c_int,
    arguments: c_int,
    with_true: bool,
) -> Outcome {
    // SAFETY: as the caller vouches. There is always room for a few values.
    unsafe {
        let context = context(state);
        if (ffi::lua_status(thread) != ffi::LUA_YIELD || may_have_link(context, thread))
            && let Some(refusal) = status::refusal(state, thread, own)
        {
            ffi::lua_pushstring(state, refusal.as_ptr());
            return Outcome::Failed;
        }
        if ffi::lua_checkstack(thread, arguments) == 0 {
            return too_many(state, c"too many arguments to resume");
        }
        ffi::lua_xmove(state, thread, arguments);
        let mut results = 0;
        let code = resume_as_active(context, state, thread, arguments, &mut results);
        if code != ffi::LUA_OK && code != ffi::LUA_YIELD {
            ffi::lua_xmove(thread, state, 1);
            return Outcome::Failed;
        }
        if code == ffi::LUA_YIELD && results > 0 {
            let first = ffi::lua_tocfunction(thread, -results);
            if is(first, park) {
                ffi::lua_pop(thread, results);
                ffi::lua_pushvalue(state, own);
                return wait(state, own);
            } else if is(first, outward) {
                ffi::lua_xmove(thread, state, 1);
                ffi::lua_pop(thread, results - 1);
                return wait(state, own);
            }
        }
        if results >= FEW && ffi::lua_checkstack(state, results + 1) == 0 {
            ffi::lua_pop(thread, results);
            return too_many(state, c"too many results to resume");
        }
        if with_true {
            ffi::lua_pushboolean(state, 1);
        }
        ffi::lua_xmove(thread, state, results);
        Outcome::Values(results + c_int::from(with_true))
    }
}

/// Whether these are the same function.
fn is(found: Option<ffi::lua_CFunction>, function: ffi::lua_CFunction) -> bool {
    found.is_some_and(|found| std::ptr::fn_addr_eq(found, function))
}

/// Calls `lua_resume`, keeping count of which coroutine can wait.
///
/// # Safety
/// As `lua_resume`.
#[inline(always)]
unsafe fn resume_as_active(
    context: Option<&Context>,
    state: *mut lua_State,
    thread: *mut lua_State,
    arguments: c_int,
    results: &mut c_int,
) -> c_int {
    // SAFETY: as the caller vouches; `lua_resume` raises nothing.
    unsafe {
        if let Some(context) = context {
            context.set_depth(state, thread);
        }
        match context.filter(|context| context.active.get() == state && is_yieldable(state)) {
            Some(context) => {
                context.active.set(thread);
                let code = ffi::lua_resume(thread, state, arguments, results);
                context.active.set(state);
                code
            }
            None => ffi::lua_resume(thread, state, arguments, results),
        }
    }
}

/// Whether a coroutine may yield where it is. Lua 5.1 and 5.2 do not tell.
///
/// # Safety
/// `state` must be a running coroutine.
unsafe fn is_yieldable(state: *mut lua_State) -> bool {
    #[cfg(not(any(feature = "lua51", feature = "lua52", feature = "luajit")))]
    // SAFETY: as the caller vouches.
    return unsafe { ffi::lua_isyieldable(state) != 0 };
    #[cfg(any(feature = "lua51", feature = "lua52", feature = "luajit"))]
    {
        let _ = state;
        true
    }
}

/// Notes that the coroutine at index `own` waits inside this one. The coroutine on top of the stack is
/// the innermost that waits; the stack then ends with what is to be yielded.
///
/// # Safety
/// As [`resume`].
#[cold]
unsafe fn wait(state: *mut lua_State, own: c_int) -> Outcome {
    // SAFETY: as the caller vouches; `own` is a thread, and so no key that `lua_rawset` refuses.
    unsafe {
        ffi::lua_pushvalue(state, own);
        ffi::lua_pushthread(state);
        set_link(state);
        // From Lua 5.2 on, a function without upvalues is the same wherever it is pushed.
        if cfg!(any(feature = "lua51", feature = "luajit")) {
            ffi::lua_pushvalue(state, ffi::lua_upvalueindex(OWN));
        } else {
            ffi::lua_pushcfunction(state, outward);
        }
        ffi::lua_insert(state, -2);
    }
    Outcome::Waits
}

/// Gives the coroutine on the stack the link on top of it, and takes both.
///
/// # Safety
/// As [`resume`].
unsafe fn set_link(state: *mut lua_State) {
    // SAFETY: as the caller vouches; a thread is no key that `lua_rawset` refuses.
    unsafe {
        if let Some(context) = context(state) {
            let thread = ffi::lua_tothread(state, -2);
            if ffi::lua_isnil(state, -1) != 0 {
                context.linked.borrow_mut().remove(&thread);
            } else {
                context.linked.borrow_mut().insert(thread);
            }
        }
        ffi::lua_rawset(state, ffi::lua_upvalueindex(LINKS));
        if let Some(context) = context(state)
            && context.linked.borrow().len() > context.most_linked.get()
        {
            forget_collected(state, context);
        }
    }
}

/// Forgets the coroutines with links that were collected meanwhile.
///
/// # Safety
/// As [`resume`].
#[cold]
unsafe fn forget_collected(state: *mut lua_State, context: &Context) {
    let linked = &mut *context.linked.borrow_mut();
    linked.clear();
    // SAFETY: as the caller vouches; the table does not change meanwhile, and a key stays where
    // `lua_next` looks for it.
    unsafe {
        ffi::lua_pushnil(state);
        while ffi::lua_next(state, ffi::lua_upvalueindex(LINKS)) != 0 {
            ffi::lua_pop(state, 1);
            linked.insert(ffi::lua_tothread(state, -1));
        }
    }
    context.most_linked.set(2 * linked.len() + SOME);
}

/// `link(thread, link)`: gives a coroutine a link, or none (nil).
///
/// # Safety
/// As [`resume`], with a thread.
unsafe extern "C-unwind" fn link(state: *mut lua_State) -> c_int {
    // SAFETY: as the caller vouches.
    unsafe {
        ffi::lua_settop(state, 2);
        set_link(state);
    }
    0
}

/// Whether a coroutine may have a link: quicker than to look it up.
fn may_have_link(context: Option<&Context>, thread: *mut lua_State) -> bool {
    context.is_none_or(|context| context.linked.borrow().contains(&thread))
}

/// Too many values for a stack: Lua 5.1 and LuaJIT raise that.
///
/// # Safety
/// As [`resume`].
#[cold]
unsafe fn too_many(state: *mut lua_State, message: &CStr) -> Outcome {
    // SAFETY: there is room for two values, and the frame owns nothing when Lua leaves it.
    unsafe {
        if cfg!(any(feature = "lua51", feature = "luajit")) {
            ffi::luaL_where(state, 1);
            ffi::lua_pushstring(state, message.as_ptr());
            ffi::lua_concat(state, 2);
            ffi::lua_error(state);
        }
        ffi::lua_pushstring(state, message.as_ptr());
    }
    Outcome::Failed
}

/// The context, unless the state is being closed.
///
/// # Safety
/// As [`resume`]; the reference must not outlive the call.
unsafe fn context<'a>(state: *mut lua_State) -> Option<&'a Context> {
    // SAFETY: the upvalue is the userdata of a context, whose block points to it or is null.
    unsafe { (*ffi::lua_touserdata(state, ffi::lua_upvalueindex(CONTEXT)).cast::<*const Context>()).as_ref() }
}

/// `enter(thread)`: says that the loop resumes this coroutine next, on behalf of the running task. It
/// has no link any more.
///
/// # Safety
/// As [`resume`], with a thread.
unsafe extern "C-unwind" fn enter(state: *mut lua_State) -> c_int {
    // SAFETY: as the caller vouches.
    unsafe {
        if let Some(context) = context(state) {
            context.active.set(ffi::lua_tothread(state, 1));
        }
        ffi::lua_settop(state, 1);
        ffi::lua_pushnil(state);
        set_link(state);
    }
    0
}

/// `finish(resume(thread, ...))`: returns or raises as a function that `wrap` made, from which it is
/// called last.
///
/// # Safety
/// As [`resume`], with its results.
#[cfg(any(feature = "lua51", feature = "luajit"))]
unsafe extern "C-unwind" fn finish(state: *mut lua_State) -> c_int {
    // SAFETY: as the caller vouches.
    unsafe {
        let count = ffi::lua_gettop(state);
        if ffi::lua_toboolean(state, 1) != 0 {
            return count - 1;
        }
        ffi::lua_settop(state, 2);
        if ffi::lua_isstring(state, 2) != 0 {
            // In LuaJIT a function called last takes the place of its caller.
            ffi::luaL_where(state, if cfg!(feature = "lua51") { 2 } else { 1 });
            ffi::lua_insert(state, 2);
            ffi::lua_concat(state, 2);
        }
        ffi::lua_error(state)
    }
}

/// Argument 1, which must be a thread.
///
/// # Safety
/// As [`resume`].
#[inline(always)]
unsafe fn checked_thread(state: *mut lua_State) -> *mut lua_State {
    // SAFETY: any argument is acceptable; the frame owns nothing when Lua leaves it.
    unsafe {
        let thread = ffi::lua_tothread(state, 1);
        if thread.is_null() {
            no_thread(state);
        }
        thread
    }
}

/// Raises that argument 1 is no thread.
///
/// # Safety
/// As [`resume`].
#[cold]
unsafe fn no_thread(state: *mut lua_State) {
    // SAFETY: as the caller vouches.
    unsafe {
        if cfg!(any(feature = "lua54", feature = "lua55")) {
            ffi::lua_pushstring(state, c"thread expected, got ".as_ptr());
            let given =
                if ffi::lua_gettop(state) > 1 { ffi::luaL_typename(state, 1) } else { c"no value".as_ptr() };
            ffi::lua_pushstring(state, given);
            ffi::lua_concat(state, 2);
            ffi::luaL_argerror(state, 1, ffi::lua_tostring(state, -1));
        }
        let expected = if cfg!(feature = "lua53") { c"thread expected" } else { c"coroutine expected" };
        ffi::luaL_argerror(state, 1, expected.as_ptr());
    }
}
