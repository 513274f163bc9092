//! Opens modules: each is a Lua file that is part of this library.

use mlua::{Function, Lua, Result, Table, Value};

use crate::bindings;

/// The embedded Lua: one file a module, named as it is required.
const MODULES: &[(&str, &str)] = &[
    ("cosock", include_str!("lua/cosock.lua")),
    ("cosock.argument", include_str!("lua/argument.lua")),
    ("cosock.channel", include_str!("lua/channel.lua")),
    ("cosock.coroutine", include_str!("lua/coroutine.lua")),
    ("cosock.deadlock", include_str!("lua/deadlock.lua")),
    ("cosock.link", include_str!("lua/link.lua")),
    ("cosock.loop", include_str!("lua/loop.lua")),
    ("cosock.ltn12", include_str!("lua/ltn12.lua")),
    ("cosock.ltn12.filter", include_str!("lua/ltn12/filter.lua")),
    ("cosock.ltn12.settings", include_str!("lua/ltn12/settings.lua")),
    ("cosock.ltn12.sink", include_str!("lua/ltn12/sink.lua")),
    ("cosock.ltn12.source", include_str!("lua/ltn12/source.lua")),
    ("cosock.mbox", include_str!("lua/mbox.lua")),
    ("cosock.mime", include_str!("lua/mime.lua")),
    ("cosock.pcall", include_str!("lua/pcall.lua")),
    ("cosock.socket", include_str!("lua/socket.lua")),
    ("cosock.socket.class", include_str!("lua/socket/class.lua")),
    ("cosock.socket.dns", include_str!("lua/socket/dns.lua")),
    ("cosock.socket.exception", include_str!("lua/socket/exception.lua")),
    ("cosock.socket.headers", include_str!("lua/socket/headers.lua")),
    ("cosock.socket.option", include_str!("lua/socket/option.lua")),
    ("cosock.socket.select", include_str!("lua/socket/select.lua")),
    ("cosock.socket.stream", include_str!("lua/socket/stream.lua")),
    ("cosock.socket.tcp", include_str!("lua/socket/tcp.lua")),
    ("cosock.socket.udp", include_str!("lua/socket/udp.lua")),
    ("cosock.socket.url", include_str!("lua/socket/url.lua")),
    ("cosock.task", include_str!("lua/task.lua")),
    ("cosock.timers", include_str!("lua/timers.lua")),
    ("cosock.wait", include_str!("lua/wait.lua")),
    ("cosock.waiting", include_str!("lua/waiting.lua")),
];

/// Where a state keeps the function that loads embedded modules.
const REQUIRE: &str = "cosock.require";

/// The module of that name, loaded if it is not yet: one for each Lua state, whatever becomes of
/// `package.loaded`.
///
/// # Errors
/// Those of the module's own code, and of opening the runtime.
pub(crate) fn open(lua: &Lua, name: &str) -> Result<Value> {
    let require: Function = match lua.named_registry_value(REQUIRE)? {
        Value::Function(require) => require,
        _ => {
            let require = new_require(lua)?;
            lua.set_named_registry_value(REQUIRE, &require)?;
            require
        }
    };
    require.call(name)
}

/// The `require` that embedded modules see as their first argument. Their second is the table of
/// native functions.
fn new_require(lua: &Lua) -> Result<Function> {
    let loaded = lua.create_table()?;
    let native = bindings::native(lua)?;
    lua.create_function(move |lua, name: String| require(lua, &loaded, &native, &name))
}

fn require(lua: &Lua, loaded: &Table, native: &Table, name: &str) -> Result<Value> {
    let known: Value = loaded.get(name)?;
    if !known.is_nil() {
        return Ok(known);
    }
    let Some((_, source)) = MODULES.iter().find(|module| module.0 == name) else {
        return Err(mlua::Error::runtime(format!("cosock has no module '{name}'")));
    };
    let require: Value = lua.named_registry_value(REQUIRE)?;
    let module: Value = lua.load(*source).set_name(format!("={name}")).call((require, native))?;
    loaded.set(name, &module)?;
    Ok(module)
}
