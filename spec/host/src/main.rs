//! The command `lua5.5`; what it does is C, as what it is a host for.

use std::ffi::{CString, c_char, c_int};
use std::os::unix::ffi::OsStringExt;

unsafe extern "C" {
    fn run_command(count: c_int, words: *const *const c_char) -> c_int;
}

fn main() {
    let words: Vec<CString> = std::env::args_os()
        .map(|word| CString::new(word.into_vec()).expect("the system passes no zero bytes"))
        .collect();
    let pointers: Vec<*const c_char> = words.iter().map(|word| word.as_ptr()).collect();
    // SAFETY: the words live until the end, and their count fits, since the system passed it.
    let status = unsafe { run_command(pointers.len() as c_int, pointers.as_ptr()) };
    std::process::exit(status);
}
