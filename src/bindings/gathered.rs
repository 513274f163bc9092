//! Strings for Lua whose bytes were gathered where they will lie.

#[cfg(not(feature = "lua55"))]
mod collector;
#[cfg_attr(feature = "lua55", path = "gathered/external.rs")]
#[cfg_attr(not(feature = "lua55"), path = "gathered/adopted.rs")]
mod string;

pub(super) use string::Strings;
