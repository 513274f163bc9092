//! Serial lines, and other devices that are read from and written to.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;

use socket2::Socket as Descriptor;

use super::address::Family;
use super::socket::Socket;

/// Opens a device for reading and writing, with its settings as they are. It does not become the
/// terminal that controls the process.
///
/// # Errors
/// Those of `open(2)`.
pub fn open(path: &[u8]) -> io::Result<Socket> {
    if path.contains(&0) {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        // Non-blocking from the start: opening a line need not wait for its carrier either.
        .custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK)
        .open(OsStr::from_bytes(path))?;
    Ok(Socket::new(Some(OwnedFd::from(file).into()), Family::Device))
}

/// Reads what there is, as far as there is room.
pub(super) fn read(device: &Descriptor, room: &mut [u8]) -> io::Result<usize> {
    Ok(rustix::io::read(device, room)?)
}

/// The same, into memory that nobody has written to yet.
pub(super) fn read_into_spare(device: &Descriptor, room: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
    let (read, _) = rustix::io::read(device, room)?;
    Ok(read.len())
}

/// Writes as much of `data` as the device takes.
pub(super) fn write(device: &Descriptor, data: &[u8]) -> io::Result<usize> {
    Ok(rustix::io::write(device, data)?)
}
