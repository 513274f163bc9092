//! TLS on OpenSSL, which never waits either: see [`wire::Wire`] for how its reads and writes are kept
//! from the system, and [`connection::Connection`] for what a socket with TLS has.

pub mod alpn;
pub mod alternative;
pub mod callback;
pub mod certificate;
mod chain;
mod close;
pub mod connection;
pub mod context;
pub mod curve;
pub mod dane;
pub mod error;
mod ffi;
mod handshake;
pub mod info;
mod issuers;
pub mod key_log;
mod local;
pub mod option;
pub mod protocol;
pub mod psk;
mod receive;
mod send;
mod session;
pub mod tickets;
pub mod verification;
pub mod wire;

#[cfg(test)]
mod tests;
