//! The host database as `gethostbyname` and `gethostbyaddr` show it: IPv4 only, with aliases.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::net::Ipv4Addr;
use std::ptr;

use super::super::address;
use super::super::error::{self, Text};

/// A host's canonical name, its other names and its IPv4 addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostEntry {
    /// The canonical name.
    pub name: String,
    /// Other names.
    pub aliases: Vec<String>,
    /// Addresses in numbers.
    pub addresses: Vec<String>,
}

/// The entry of a host given by name or by IPv4 address, which is looked up in reverse.
///
/// # Errors
/// `host not found`, or the C library's text.
pub fn by_address_or_name(host: &str) -> Result<HostEntry, Text> {
    let Ok(host) = CString::new(host) else {
        return Err("host not found".into());
    };
    look_up(&host)
}

/// `HOST_NOT_FOUND` of `netdb.h`, the same everywhere.
const HOST_NOT_FOUND: c_int = 1;
/// `NETDB_INTERNAL`: look at `errno`.
const NETDB_INTERNAL: c_int = -1;

fn database_error(code: c_int) -> Text {
    match code {
        HOST_NOT_FOUND => "host not found".into(),
        NETDB_INTERNAL => error::system_error(&std::io::Error::last_os_error()),
        // SAFETY: `hstrerror` returns a string constant for any code.
        _ => unsafe { CStr::from_ptr(libc::hstrerror(code)) }.to_string_lossy().into_owned().into(),
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn look_up(host: &CStr) -> Result<HostEntry, Text> {
    // SAFETY: the declarations are those of the C library.
    unsafe extern "C" {
        fn gethostbyname_r(
            name: *const c_char,
            entry: *mut libc::hostent,
            buffer: *mut c_char,
            size: usize,
            result: *mut *mut libc::hostent,
            error: *mut c_int,
        ) -> c_int;
        fn gethostbyaddr_r(
            address: *const c_void,
            length: libc::socklen_t,
            family: c_int,
            entry: *mut libc::hostent,
            buffer: *mut c_char,
            size: usize,
            result: *mut *mut libc::hostent,
            error: *mut c_int,
        ) -> c_int;
    }
    let mut buffer: Vec<c_char> = vec![0; 2048];
    loop {
        let mut entry = libc::hostent {
            h_name: ptr::null_mut(),
            h_aliases: ptr::null_mut(),
            h_addrtype: 0,
            h_length: 0,
            h_addr_list: ptr::null_mut(),
        };
        let mut result = ptr::null_mut();
        let mut code = 0;
        let (space, size) = (buffer.as_mut_ptr(), buffer.len());
        let status = match address::parse_ipv4(host).map(address::to_c) {
            // SAFETY: every pointer is valid for the call, and `size` is that of the buffer.
            Some(address) => unsafe {
                gethostbyaddr_r(
                    ptr::from_ref(&address).cast(),
                    size_of::<libc::in_addr>() as libc::socklen_t,
                    libc::AF_INET,
                    &mut entry,
                    space,
                    size,
                    &mut result,
                    &mut code,
                )
            },
            // SAFETY: as above.
            None => unsafe {
                gethostbyname_r(host.as_ptr(), &mut entry, space, size, &mut result, &mut code)
            },
        };
        if status == libc::ERANGE {
            buffer.resize(2 * size, 0);
        } else if result.is_null() {
            return Err(database_error(code));
        } else {
            // SAFETY: `result` points to `entry`, which the call filled with pointers into the
            // buffer, and both live until the end of this function.
            return Ok(unsafe { copy(&*result) });
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
fn look_up(host: &CStr) -> Result<HostEntry, Text> {
    use std::sync::{Mutex, PoisonError};
    // SAFETY: the declarations are those of the C library.
    unsafe extern "C" {
        fn gethostbyname(name: *const c_char) -> *mut libc::hostent;
        fn gethostbyaddr(
            address: *const c_void,
            length: libc::socklen_t,
            family: c_int,
        ) -> *mut libc::hostent;
    }
    // Not all of these systems keep the result per thread: some have one for the whole process, whichever
    // state a resolver thread belongs to.
    static RESULT: Mutex<()> = Mutex::new(());
    let _mine = RESULT.lock().unwrap_or_else(PoisonError::into_inner);
    let result = match address::parse_ipv4(host).map(address::to_c) {
        // SAFETY: the pointers are valid for the call, and the result is ours as long as we hold the lock.
        Some(address) => unsafe {
            gethostbyaddr(ptr::from_ref(&address).cast(), size_of::<libc::in_addr>() as _, libc::AF_INET)
        },
        // SAFETY: as above.
        None => unsafe { gethostbyname(host.as_ptr()) },
    };
    if result.is_null() {
        return Err(database_error(HOST_NOT_FOUND));
    }
    // SAFETY: a non-null result points to a complete entry, which is ours as above.
    Ok(unsafe { copy(&*result) })
}

/// # Safety
/// The entry must be one that the C library filled, with its lists ended by null pointers.
unsafe fn copy(entry: &libc::hostent) -> HostEntry {
    let mut copied = HostEntry::default();
    // SAFETY: the name is null or a C string, and the lists are null or end with a null pointer,
    // as the caller vouches.
    unsafe {
        if !entry.h_name.is_null() {
            copied.name = CStr::from_ptr(entry.h_name).to_string_lossy().into_owned();
        }
        for alias in list(entry.h_aliases) {
            copied.aliases.push(CStr::from_ptr(alias).to_string_lossy().into_owned());
        }
        if entry.h_addrtype == libc::AF_INET {
            for address in list(entry.h_addr_list) {
                let bytes: [u8; 4] = ptr::read_unaligned(address.cast());
                copied.addresses.push(Ipv4Addr::from(bytes).to_string());
            }
        }
    }
    copied
}

/// # Safety
/// The list must be null or end with a null pointer.
unsafe fn list(mut start: *mut *mut c_char) -> impl Iterator<Item = *mut c_char> {
    std::iter::from_fn(move || {
        if start.is_null() {
            return None;
        }
        // SAFETY: `start` has not passed the null pointer that ends the list.
        let item = unsafe { *start };
        if item.is_null() {
            return None;
        }
        // SAFETY: the item was not the end, so there is another behind it.
        start = unsafe { start.add(1) };
        Some(item)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn localhost_has_an_entry_by_name() {
        let entry = by_address_or_name("localhost").unwrap();
        assert!(entry.addresses.iter().any(|address| address == "127.0.0.1"));
    }

    #[test]
    fn unknown_names_are_not_found() {
        assert!(by_address_or_name("no-such-host.invalid").is_err());
        assert_eq!(by_address_or_name("nul\0byte"), Err("host not found".into()));
    }
}
