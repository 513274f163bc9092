//! The texts of what can go wrong, as LuaSocket words them.

use std::borrow::Cow;
use std::io;

use dns_lookup::LookupError;

/// What a program sees when an operation fails: one line of text.
pub type Text = Cow<'static, str>;

/// The peer is gone, or the descriptor is.
pub const CLOSED: &str = "closed";
/// The time is up.
pub const TIMEOUT: &str = "timeout";
/// A datagram could not be sent because there is nothing to send it through.
pub const REFUSED: &str = "refused";
/// A line is longer than the program allowed.
pub const LINE_TOO_LONG: &str = "line too long";

/// What was received has no room. The interpreter's own words.
pub const NOT_ENOUGH_MEMORY: &str = "not enough memory";

/// The text for a failed system call.
pub fn system_error(error: &io::Error) -> Text {
    match error.raw_os_error() {
        Some(code) => errno_text(code),
        None if error.kind() == io::ErrorKind::UnexpectedEof => CLOSED.into(),
        None if error.kind() == io::ErrorKind::OutOfMemory => NOT_ENOUGH_MEMORY.into(),
        None => error.to_string().into(),
    }
}

/// The text for an `errno`: LuaSocket's own where it has one, else the C library's.
pub fn errno_text(code: i32) -> Text {
    match code {
        libc::EPIPE | libc::ECONNRESET | libc::ECONNABORTED => CLOSED.into(),
        libc::ETIMEDOUT => TIMEOUT.into(),
        libc::EADDRINUSE => "address already in use".into(),
        libc::EISCONN => "already connected".into(),
        libc::EACCES => "permission denied".into(),
        libc::ECONNREFUSED => "connection refused".into(),
        _ => c_library_text(code),
    }
}

/// `strerror(code)`.
pub fn c_library_text(code: i32) -> Text {
    let text = io::Error::from_raw_os_error(code).to_string();
    let suffix = format!(" (os error {code})");
    text.strip_suffix(&suffix).unwrap_or(&text).to_owned().into()
}

/// The text for a failed name resolution: LuaSocket's own where it has one, else the C library's.
pub fn resolver_error(error: LookupError) -> Text {
    let text = match error.error_num() {
        libc::EAI_AGAIN => "temporary failure in name resolution",
        libc::EAI_BADFLAGS => "invalid value for ai_flags",
        libc::EAI_FAIL => "non-recoverable failure in name resolution",
        libc::EAI_FAMILY => "ai_family not supported",
        libc::EAI_MEMORY => "memory allocation failure",
        libc::EAI_NONAME => "host or service not provided, or not known",
        libc::EAI_OVERFLOW => "argument buffer overflow",
        libc::EAI_SERVICE => "service not supported for socket type",
        libc::EAI_SOCKTYPE => "ai_socktype not supported",
        _ => return c_library_resolver_error(error),
    };
    text.into()
}

/// The C library's own text for a failed name resolution.
pub fn c_library_resolver_error(error: LookupError) -> Text {
    if error.error_num() == 0 {
        // Not from the resolver: the name holds bytes that no name can hold.
        return "host or service not provided, or not known".into();
    }
    let error = io::Error::from(error);
    if let Some(code) = error.raw_os_error() {
        // A system call of the resolver's failed.
        return errno_text(code);
    }
    let text = error.to_string();
    let text = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
    text.to_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn luasockets_own_texts_come_before_the_c_librarys() {
        assert_eq!(errno_text(libc::ECONNREFUSED), "connection refused");
        assert_eq!(errno_text(libc::ECONNRESET), "closed");
        assert_eq!(errno_text(libc::EBADF), "Bad file descriptor");
        assert_eq!(errno_text(libc::ENOTCONN), "Transport endpoint is not connected");
    }

    #[test]
    fn memory_that_is_missing_is_no_system_calls_fault() {
        let error = Vec::<u8>::new().try_reserve(usize::MAX).expect_err("nobody has that much");
        assert_eq!(system_error(&error.into()), NOT_ENOUGH_MEMORY);
    }

    #[test]
    fn resolver_errors_have_luasockets_texts() {
        let text = |code| resolver_error(LookupError::new(code));
        assert_eq!(text(libc::EAI_NONAME), "host or service not provided, or not known");
        assert_eq!(text(libc::EAI_SERVICE), "service not supported for socket type");
    }

    #[test]
    fn the_c_librarys_resolver_text_comes_without_decoration() {
        assert_eq!(c_library_resolver_error(LookupError::new(libc::EAI_NONAME)), "Name or service not known");
    }

    #[test]
    fn what_the_system_refuses_a_resolver_is_told_as_to_others() {
        // SAFETY: no descriptor has this number.
        unsafe { libc::close(-1) };
        let failed = LookupError::new(libc::EAI_SYSTEM); // takes the reason of the last failure
        assert_eq!(resolver_error(failed), errno_text(libc::EBADF));
    }
}
