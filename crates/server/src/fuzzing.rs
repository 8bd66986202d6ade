//! Parsers of what comes from outside, for the targets of `fuzz/`. Built for them alone.

use std::ffi::OsString;
use std::path::Path;

use crate::config::{Options, SetOptions};
use crate::pages;
use crate::program::Flavor;

/// Reads a command line. Fails with the exit status and what is said, where it starts no server.
pub fn parse_options(arguments: &[OsString], flavor: &Flavor) -> Result<(), (i32, String)> {
    match Options::parse(arguments, &SetOptions::NONE, Path::new("/"), flavor) {
        Ok(_) => Ok(()),
        Err(error) => Err((error.ending.status(), error.text)),
    }
}

/// The directories and the file that a request's target names; `None` where it names none.
pub fn place(target: &[u8]) -> Option<(Vec<OsString>, Option<OsString>)> {
    let place = pages::place(target)?;
    Some((place.directories().collect(), place.file))
}

/// Where a client is sent that has named a directory without a slash at its end.
pub fn with_slash(target: &[u8]) -> Vec<u8> {
    pages::with_slash(target).concat()
}
