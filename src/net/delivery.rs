//! What has become of bytes that were sent.

use socket2::Socket as Descriptor;

/// How many bytes that were sent the peer's system has not confirmed.
pub fn unconfirmed(descriptor: &Descriptor) -> usize {
    system::count(descriptor, system::UNCONFIRMED)
}

/// How many of them wait here until the peer's system has room for more.
pub fn held_back(descriptor: &Descriptor) -> usize {
    system::count(descriptor, system::HELD_BACK)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use std::os::fd::AsRawFd;

    use socket2::Socket as Descriptor;

    pub const UNCONFIRMED: libc::Ioctl = libc::TIOCOUTQ;
    /// `SIOCOUTQNSD`, of `linux/sockios.h`.
    pub const HELD_BACK: libc::Ioctl = 0x894b;

    pub fn count(descriptor: &Descriptor, what: libc::Ioctl) -> usize {
        let mut count: libc::c_int = 0;
        // SAFETY: the descriptor is open, and both requests write one integer.
        let outcome = unsafe { libc::ioctl(descriptor.as_raw_fd(), what, &raw mut count) };
        if outcome == 0 { usize::try_from(count).unwrap_or(0) } else { 0 }
    }
}

/// Where the system does not tell, nothing is known to be on its way.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod system {
    use socket2::Socket as Descriptor;

    pub const UNCONFIRMED: () = ();
    pub const HELD_BACK: () = ();

    pub fn count(_descriptor: &Descriptor, _what: ()) -> usize {
        0
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn what_the_peer_has_no_room_for_is_held_back() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let ours = Descriptor::from(TcpStream::connect(address).expect("the listener listens"));
        let (mut theirs, _) = listener.accept().expect("there is a connection");
        ours.set_nonblocking(true).expect("a socket can be made non-blocking");
        assert_eq!((unconfirmed(&ours), held_back(&ours)), (0, 0));
        let piece = [0; 64 * 1024];
        let mut sent = 0;
        while let Ok(count) = ours.send(&piece) {
            sent += count;
        }
        assert!(held_back(&ours) > 0);
        assert!(unconfirmed(&ours) >= held_back(&ours));
        let mut room = vec![0; sent];
        theirs.read_exact(&mut room).expect("that much was sent");
        assert_eq!(held_back(&ours), 0);
    }
}
