//! Opens modules: each is a Lua file that is part of this library.

use mlua::{Function, Lua, Result, Table, Value};

use crate::bindings;

/// The embedded Lua: one file a module, named as it is required.
const MODULES: &[(&str, &str)] = &[
    ("cosock", include_str!("lua/cosock.lua")),
    ("cosock.argument", include_str!("lua/argument.lua")),
    ("cosock.array", include_str!("lua/array.lua")),
    ("cosock.asyncify", include_str!("lua/asyncify.lua")),
    ("cosock.channel", include_str!("lua/channel.lua")),
    ("cosock.coroutine", include_str!("lua/coroutine.lua")),
    ("cosock.deadlock", include_str!("lua/deadlock.lua")),
    ("cosock.deep", include_str!("lua/deep.lua")),
    ("cosock.environment", include_str!("lua/environment.lua")),
    ("cosock.field", include_str!("lua/field.lua")),
    ("cosock.install", include_str!("lua/install.lua")),
    ("cosock.link", include_str!("lua/link.lua")),
    ("cosock.loader", include_str!("lua/loader.lua")),
    ("cosock.loop", include_str!("lua/loop.lua")),
    ("cosock.ltn12", include_str!("lua/ltn12.lua")),
    ("cosock.ltn12.filter", include_str!("lua/ltn12/filter.lua")),
    ("cosock.ltn12.settings", include_str!("lua/ltn12/settings.lua")),
    ("cosock.ltn12.sink", include_str!("lua/ltn12/sink.lua")),
    ("cosock.ltn12.source", include_str!("lua/ltn12/source.lua")),
    ("cosock.luasocket", include_str!("lua/luasocket.lua")),
    ("cosock.luasocket.select", include_str!("lua/luasocket/select.lua")),
    ("cosock.luasocket.selection", include_str!("lua/luasocket/selection.lua")),
    ("cosock.mbox", include_str!("lua/mbox.lua")),
    ("cosock.mime", include_str!("lua/mime.lua")),
    ("cosock.module", include_str!("lua/module.lua")),
    ("cosock.nested", include_str!("lua/nested.lua")),
    ("cosock.pcall", include_str!("lua/pcall.lua")),
    ("cosock.protected", include_str!("lua/protected.lua")),
    ("cosock.replacements", include_str!("lua/replacements.lua")),
    ("cosock.socket", include_str!("lua/socket.lua")),
    ("cosock.socket.class", include_str!("lua/socket/class.lua")),
    ("cosock.socket.closing", include_str!("lua/socket/closing.lua")),
    ("cosock.socket.dns", include_str!("lua/socket/dns.lua")),
    ("cosock.socket.exception", include_str!("lua/socket/exception.lua")),
    ("cosock.socket.exhaustion", include_str!("lua/socket/exhaustion.lua")),
    ("cosock.socket.ftp", include_str!("lua/socket/ftp.lua")),
    ("cosock.socket.ftp.data", include_str!("lua/socket/ftp/data.lua")),
    ("cosock.socket.ftp.session", include_str!("lua/socket/ftp/session.lua")),
    ("cosock.socket.headers", include_str!("lua/socket/headers.lua")),
    ("cosock.socket.http", include_str!("lua/socket/http.lua")),
    ("cosock.socket.http.body", include_str!("lua/socket/http/body.lua")),
    ("cosock.socket.http.chunked", include_str!("lua/socket/http/chunked.lua")),
    ("cosock.socket.http.connection", include_str!("lua/socket/http/connection.lua")),
    ("cosock.socket.http.default", include_str!("lua/socket/http/default.lua")),
    ("cosock.socket.http.exchange", include_str!("lua/socket/http/exchange.lua")),
    ("cosock.socket.http.head", include_str!("lua/socket/http/head.lua")),
    ("cosock.socket.http.layers", include_str!("lua/socket/http/layers.lua")),
    ("cosock.socket.http.origin", include_str!("lua/socket/http/origin.lua")),
    ("cosock.socket.http.pool", include_str!("lua/socket/http/pool.lua")),
    ("cosock.socket.http.redirect", include_str!("lua/socket/http/redirect.lua")),
    ("cosock.socket.http.request", include_str!("lua/socket/http/request.lua")),
    ("cosock.socket.http.settings", include_str!("lua/socket/http/settings.lua")),
    ("cosock.socket.http.tunnel", include_str!("lua/socket/http/tunnel.lua")),
    ("cosock.socket.method", include_str!("lua/socket/method.lua")),
    ("cosock.socket.option", include_str!("lua/socket/option.lua")),
    ("cosock.socket.select", include_str!("lua/socket/select.lua")),
    ("cosock.socket.serial", include_str!("lua/socket/serial.lua")),
    ("cosock.socket.single_line", include_str!("lua/socket/single_line.lua")),
    ("cosock.socket.smtp", include_str!("lua/socket/smtp.lua")),
    ("cosock.socket.smtp.message", include_str!("lua/socket/smtp/message.lua")),
    ("cosock.socket.stream", include_str!("lua/socket/stream.lua")),
    ("cosock.socket.tcp", include_str!("lua/socket/tcp.lua")),
    ("cosock.socket.tp", include_str!("lua/socket/tp.lua")),
    ("cosock.socket.udp", include_str!("lua/socket/udp.lua")),
    ("cosock.socket.unix", include_str!("lua/socket/unix.lua")),
    ("cosock.socket.unix.datagram", include_str!("lua/socket/unix/datagram.lua")),
    ("cosock.socket.unix.stream", include_str!("lua/socket/unix/stream.lua")),
    ("cosock.socket.upload", include_str!("lua/socket/upload.lua")),
    ("cosock.socket.url", include_str!("lua/socket/url.lua")),
    #[cfg(feature = "tls")]
    ("cosock.ssl", include_str!("lua/ssl.lua")),
    #[cfg(feature = "tls")]
    ("cosock.ssl.certificate", include_str!("lua/ssl/certificate.lua")),
    #[cfg(feature = "tls")]
    ("cosock.ssl.config", include_str!("lua/ssl/config.lua")),
    #[cfg(feature = "tls")]
    ("cosock.ssl.connection", include_str!("lua/ssl/connection.lua")),
    #[cfg(feature = "tls")]
    ("cosock.ssl.context", include_str!("lua/ssl/context.lua")),
    #[cfg(feature = "tls")]
    ("cosock.ssl.decisions", include_str!("lua/ssl/decisions.lua")),
    #[cfg(feature = "tls")]
    ("cosock.ssl.https", include_str!("lua/ssl/https.lua")),
    #[cfg(feature = "tls")]
    ("cosock.ssl.https.profile", include_str!("lua/ssl/https/profile.lua")),
    #[cfg(feature = "tls")]
    ("cosock.ssl.https.settings", include_str!("lua/ssl/https/settings.lua")),
    #[cfg(feature = "tls")]
    ("cosock.ssl.https.socket", include_str!("lua/ssl/https/socket.lua")),
    ("cosock.task", include_str!("lua/task.lua")),
    ("cosock.timers", include_str!("lua/timers.lua")),
    ("cosock.tracebacks", include_str!("lua/tracebacks.lua")),
    ("cosock.wait", include_str!("lua/wait.lua")),
    ("cosock.waiting", include_str!("lua/waiting.lua")),
    ("cosock.wrap", include_str!("lua/wrap.lua")),
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
    native.set("modules", lua.create_table_from(MODULES.iter().map(|module| (module.0, true)))?)?;
    lua.create_function(move |lua, name: String| require(lua, &loaded, &native, &name))
}

fn require(lua: &Lua, loaded: &Table, native: &Table, name: &str) -> Result<Value> {
    let known: Value = loaded.get(name)?;
    if !known.is_nil() {
        return Ok(known);
    }
    let Some((_, source)) = MODULES.iter().find(|module| module.0 == name) else {
        // Only what needs TLS can be asked for and not be there.
        return Err(mlua::Error::runtime(format!("{name} is missing: cosock was built without TLS")));
    };
    let require: Value = lua.named_registry_value(REQUIRE)?;
    let module: Value = lua.load(*source).set_name(format!("={name}")).call((require, native))?;
    loaded.set(name, &module)?;
    Ok(module)
}
