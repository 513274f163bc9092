//! Sockets that never wait: every operation is tried once and says at once how it went.

pub mod address;
pub mod ahead;
pub mod buffer;
pub mod connect;
pub mod datagram;
#[cfg(feature = "tls")]
pub mod delivery;
pub mod error;
pub mod headers;
pub mod host;
pub mod options;
pub mod readiness;
pub mod resolver;
pub mod serial;
pub mod socket;
pub mod stream;
pub mod timeout;
pub mod unix;
