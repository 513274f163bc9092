//! What has become of bytes that were sent.

use socket2::Socket as Descriptor;

/// How many bytes that were sent the peer's system has not confirmed yet: they are lost if the connection breaks off.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn unconfirmed(descriptor: &Descriptor) -> usize {
    use std::os::fd::AsRawFd;

    let mut count: libc::c_int = 0;
    // SAFETY: the descriptor is open, and this request writes one integer.
    let outcome = unsafe { libc::ioctl(descriptor.as_raw_fd(), libc::TIOCOUTQ, &raw mut count) };
    if outcome == 0 { usize::try_from(count).unwrap_or(0) } else { 0 }
}

/// The same where the system does not tell.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub fn unconfirmed(_descriptor: &Descriptor) -> usize {
    0
}
