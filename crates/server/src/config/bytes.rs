//! Bytes as text, for a parser that takes text: each byte as the character of its number.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

/// Bytes as the characters of their numbers.
pub(super) fn widen(argument: &OsStr) -> String {
    argument.as_bytes().iter().map(|&byte| char::from(byte)).collect()
}

/// The bytes that [`widen`] has made characters of.
pub(super) fn narrow(argument: &str) -> OsString {
    // What is no such character is of getopts' own messages.
    OsString::from_vec(argument.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect())
}
