//! Coroutine networking for Lua, as a module that stock interpreters load with `require "cosock"`.
//!
//! What waits is Lua, what touches the system is Rust and never waits, and what decides is pure:
//! see [`scheduler`], [`net`] and [`runtime`]. [`mime`] has the codecs. The bindings to Lua are there when one of the features
//! `lua51` `lua52` `lua53` `lua54` `lua55` `luajit` picks an interpreter.

pub mod memory;
pub mod mime;
pub mod net;
pub mod reactor;
pub mod runtime;
pub mod scheduler;
#[cfg(feature = "tls")]
pub mod tls;

#[cfg(feature = "bindings")]
mod bindings;
#[cfg(feature = "bindings")]
mod open;

/// Exports the functions by which `require` opens modules.
#[cfg(feature = "bindings")]
macro_rules! modules {
    ($($function:ident => $name:literal,)*) => {
        $(
            #[mlua::lua_module]
            fn $function(lua: &mlua::Lua) -> mlua::Result<mlua::Value> {
                open::open(lua, $name)
            }
        )*
    };
}

#[cfg(feature = "bindings")]
modules! {
    cosock => "cosock",
    cosock_asyncify => "cosock.asyncify",
    cosock_channel => "cosock.channel",
    cosock_coroutine => "cosock.coroutine",
    cosock_ltn12 => "cosock.ltn12",
    cosock_mbox => "cosock.mbox",
    cosock_mime => "cosock.mime",
    cosock_socket => "cosock.socket",
    cosock_socket_ftp => "cosock.socket.ftp",
    cosock_socket_headers => "cosock.socket.headers",
    cosock_socket_http => "cosock.socket.http",
    cosock_socket_serial => "cosock.socket.serial",
    cosock_socket_smtp => "cosock.socket.smtp",
    cosock_socket_tcp => "cosock.socket.tcp",
    cosock_socket_tp => "cosock.socket.tp",
    cosock_socket_udp => "cosock.socket.udp",
    cosock_socket_unix => "cosock.socket.unix",
    cosock_socket_url => "cosock.socket.url",
    // Where TLS is left out, these say so.
    cosock_ssl => "cosock.ssl",
    cosock_ssl_config => "cosock.ssl.config",
    cosock_ssl_https => "cosock.ssl.https",
    cosock_timers => "cosock.timers",
}
