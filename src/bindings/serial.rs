//! Serial lines.

use super::call::{Call, Function};
use super::object::{Accepted, Class};
use super::value::{Raise, Values, failed, one};
use crate::net::error;
use crate::net::serial;

/// Functions of serial lines.
pub(super) const FUNCTIONS: &[Function] = &[Function::direct("serial", open).with_strings(&[1])];

pub(super) const CLIENT: Accepted = Accepted(&[Class::SerialClient], "serial{client}");

/// `serial(path)`: an object, or `nil, error, errno`.
fn open(call: &Call<'_>) -> Result<Values, Raise> {
    Ok(match serial::open(call.string(1)?) {
        Ok(socket) => one((Class::SerialClient, socket)),
        Err(error) => failed(error::system_error(&error)).and(error.raw_os_error().unwrap_or_default()),
    })
}
