//! Turns the pure parts into Lua values and checks arguments.
//!
//! [`native`] makes the table that the embedded Lua receives: the functions of every file here, under
//! the name of what they work on.

mod ahead;
#[cfg(not(feature = "lua55"))]
mod allocator;
mod attempt;
mod blame;
mod call;
mod common;
mod connection;
mod context;
mod coroutine;
mod datagram;
mod depth;
mod dns;
mod gathered;
mod http;
mod mime;
mod object;
mod option;
mod pause;
mod protected;
mod resolve;
mod select;
mod serial;
mod slice;
mod stream;
mod string;
mod task;
mod tcp;
#[cfg(feature = "tls")]
mod tls;
mod turn;
mod udp;
mod unix;
mod value;
mod waiting;

use std::ffi::c_int;

use mlua::ffi::{self, lua_State};
use mlua::{AnyUserData, IntoLua, Lua, Result, Table, Value};

use call::{Binding, Function};
use context::Context;
use object::{Class, Metatables, SERIAL, TCP, UDP, UNIX_DATAGRAM, UNIX_STREAM};

use crate::net::error;
use crate::runtime::Runtime;

/// The functions for the embedded Lua, by the name of what they work on.
const GROUPS: &[(&str, &[&[Function]])] = &[
    ("task", &[task::FUNCTIONS]),
    ("select", &[select::FUNCTIONS]),
    ("dns", &[dns::FUNCTIONS]),
    ("mime", &[mime::FUNCTIONS]),
    ("http", &[http::FUNCTIONS]),
    (
        "tcp",
        &[
            tcp::FUNCTIONS,
            &common::functions(TCP),
            &common::names(TCP, TCP),
            &connection::functions(tcp::MASTER, tcp::SERVER, tcp::CLIENT),
            &stream::functions(tcp::CLIENT),
            &[option::getter(TCP), option::setter(TCP)],
        ],
    ),
    (
        "udp",
        &[
            udp::FUNCTIONS,
            &common::functions(UDP),
            &common::names(UDP, udp::CONNECTED),
            &datagram::functions(UDP, udp::UNCONNECTED, udp::CONNECTED),
            &[option::getter(UDP), option::setter(UDP)],
        ],
    ),
    (
        "unix_stream",
        &[
            unix::STREAM_FUNCTIONS,
            &common::functions(UNIX_STREAM),
            &connection::functions(unix::MASTER, unix::SERVER, unix::CLIENT),
            &stream::functions(unix::CLIENT),
            &[option::setter(UNIX_STREAM)],
        ],
    ),
    (
        "unix_datagram",
        &[
            unix::DATAGRAM_FUNCTIONS,
            &common::functions(UNIX_DATAGRAM),
            &datagram::functions(UNIX_DATAGRAM, unix::UNCONNECTED, unix::CONNECTED),
            &[option::setter(UNIX_DATAGRAM)],
        ],
    ),
    #[cfg(feature = "tls")]
    ("tls", tls::FUNCTIONS),
    ("serial", &[serial::FUNCTIONS, &common::functions(SERIAL), &stream::functions(serial::CLIENT)]),
];

/// Makes the table of native functions for a Lua state, with a runtime of its own.
///
/// # Errors
/// Those of opening the system's event queue, and Lua's for want of memory.
pub(crate) fn native(lua: &Lua) -> Result<Table> {
    let runtime = Runtime::new().map_err(|error| {
        mlua::Error::runtime(format!("cannot open an event queue: {}", error::system_error(&error)))
    })?;

    ignore_sigpipe();

    let mut metatables = Metatables([0; Class::ALL.len()]);
    let mut tables = Vec::new();
    for (&class, entry) in Class::ALL.iter().zip(&mut metatables.0) {
        let table = lua.create_table()?;
        *entry = reference(lua, &table)?;
        tables.push((class, table));
    }
    #[cfg(feature = "tls")]
    let (tls, prepared) = tls::prepare(lua)?;
    let context = Context::new(
        runtime,
        metatables,
        gathered::Strings::new(lua)?,
        protected::Protected::new(lua)?,
        #[cfg(feature = "tls")]
        tls,
    );
    let context = new_context(lua, context)?;

    let native = lua.create_table()?;
    // SAFETY: the function is fine with any upvalues; it has none, so that it is the same wherever it is pushed.
    native.set("park", unsafe { lua.create_c_function(waiting::park)? })?;
    native.set("coroutine", coroutine::functions(lua, &context)?)?;
    native.set("waits", waiting::ENTRY.is_some())?;
    native.set("datagram_size", datagram::DATAGRAM_SIZE)?;
    for &(name, lists) in GROUPS {
        let group = lua.create_table()?;
        for function in lists.iter().copied().flatten() {
            group.set(function.name, new_function(lua, &context, function)?)?;
        }
        native.set(name, group)?;
    }

    #[cfg(feature = "tls")]
    tls::install(lua, &context, prepared, &native.get("tls")?)?;

    let classes = lua.create_table()?;
    for (class, metatable) in tables {
        classes.set(class.name(), fill_metatable(lua, class, &metatable, &native)?)?;
    }
    native.set("classes", classes)?;
    Ok(native)
}

/// Keeps a write to a peer that is gone from ending the program, as LuaSocket does: sends of our own
/// never raise the signal, but a program's `io.write` to a closed pipe does. Whoever wants something
/// else to happen has said so before, or may say so after.
fn ignore_sigpipe() {
    // SAFETY: `sigaction` fills the record, and the action that is set runs no code.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(libc::SIGPIPE, std::ptr::null(), &mut action) == 0
            && action.sa_sigaction == libc::SIG_DFL
        {
            libc::signal(libc::SIGPIPE, libc::SIG_IGN);
        }
    }
}

/// Makes a class's metatable and returns its table of methods, which is for the embedded Lua to
/// fill.
fn fill_metatable(lua: &Lua, class: Class, metatable: &Table, native: &Table) -> Result<Table> {
    let methods = lua.create_table_from([("class", class.name())])?;
    // What `getmetatable` shows: the true one stays out of reach, as it decides what an object is.
    let shown = lua.create_table_from([("__name", class.name())])?;
    for group in class.family().groups {
        shown.set(*group, true)?;
    }
    let tostring: Value = native.get::<Table>(class.family().name)?.get("tostring")?;
    // SAFETY: the function gets the one upvalue that it documents.
    let index = unsafe { closure(lua, object::index, &methods)? };
    // SAFETY: likewise.
    let collect = unsafe { closure(lua, object::collect, metatable)? };
    shown.set("__index", &methods)?;
    shown.set("__tostring", &tostring)?;
    shown.set("__gc", &collect)?;
    metatable.set("__name", class.name())?;
    metatable.set("__index", index)?;
    metatable.set("__tostring", tostring)?;
    metatable.set("__gc", collect)?;
    metatable.set("__metatable", shown)?;
    #[cfg(feature = "tls")]
    if class == Class::Tls {
        // The embedded Lua adds what closes a connection at the end of its scope.
        native.get::<Table>("tls")?.set("metatable", metatable)?;
    }
    Ok(methods)
}

/// Keeps a value alive as long as the state, and returns the registry's reference to it.
fn reference(lua: &Lua, value: impl IntoLua) -> Result<c_int> {
    let mut reference = 0;
    // SAFETY: the value is on the stack, and `luaL_ref` takes it off.
    unsafe {
        lua.exec_raw::<()>(value.into_lua(lua)?, |state| {
            reference = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX)
        })?
    };
    Ok(reference)
}

/// A C function with one upvalue.
///
/// # Safety
/// The function must be right with this upvalue.
unsafe fn closure(lua: &Lua, function: ffi::lua_CFunction, upvalue: impl IntoLua) -> Result<Value> {
    // SAFETY: the upvalue is on the stack, and the closure takes its place.
    unsafe { lua.exec_raw(upvalue.into_lua(lua)?, |state| ffi::lua_pushcclosure(state, function, 1)) }
}

/// The closure by which Lua calls a native function.
fn new_function(lua: &Lua, context: &AnyUserData, function: &'static Function) -> Result<Value> {
    // SAFETY: the context is on the stack; the upvalues are those that a binding has.
    unsafe {
        lua.exec_raw(context, |state| {
            let context = ffi::lua_touserdata(state, -1).cast::<*const Context>().cast_const();
            let block = ffi::lua_newuserdata(state, size_of::<Binding>()).cast::<Binding>();
            block.write(Binding { context, function });
            ffi::lua_insert(state, -2);
            ffi::lua_pushcclosure(state, function.entry, 2);
        })
    }
}

/// Hands a context to Lua: a userdata whose block points to it until it is collected.
fn new_context(lua: &Lua, context: Context) -> Result<AnyUserData> {
    let pointer = Box::into_raw(Box::new(context));
    let metatable = lua.create_table()?;
    // SAFETY: the block has room for a pointer and holds one before the metatable is set.
    unsafe {
        // The function is fine with any upvalue.
        metatable.set("__gc", closure(lua, drop_context, Value::Nil)?)?;
        lua.exec_raw(metatable, |state| {
            let block = ffi::lua_newuserdata(state, size_of::<*mut Context>()).cast::<*mut Context>();
            *block = pointer;
            ffi::lua_insert(state, -2);
            ffi::lua_setmetatable(state, -2);
        })
    }
}

/// `__gc` of a context.
///
/// # Safety
/// To be called by Lua only, with a userdata made by `new_context`: nobody else gets at it.
unsafe extern "C-unwind" fn drop_context(state: *mut lua_State) -> c_int {
    // SAFETY: the block holds a pointer to a context, or null after this.
    unsafe {
        let block = ffi::lua_touserdata(state, 1).cast::<*mut Context>();
        let context = std::ptr::replace(block, std::ptr::null_mut());
        if !context.is_null() {
            drop(Box::from_raw(context));
        }
    }
    0
}
