//! Why a server does not start.

use std::fmt;
use std::io;
use std::path::Path;

/// What is to be said, and the exit status. Status 0: a start was not what was asked for.
#[derive(Debug)]
pub(crate) struct StartError {
    pub(crate) text: String,
    pub(crate) status: i32,
}

impl StartError {
    /// What was asked for cannot be.
    pub(crate) fn new(text: impl fmt::Display) -> Self {
        Self { text: text.to_string(), status: 1 }
    }

    /// The command line is not understood.
    pub(crate) fn usage(text: impl fmt::Display) -> Self {
        Self { text: text.to_string(), status: 2 }
    }

    /// All that was asked for is this text.
    pub(crate) fn answer(text: String) -> Self {
        Self { text, status: 0 }
    }

    /// A panic of ours, which has been told.
    pub(crate) fn told() -> Self {
        Self::new("")
    }

    /// What was asked for with this option cannot be.
    pub(crate) fn option(option: &str, value: impl fmt::Display, why: impl fmt::Display) -> Self {
        Self::new(format_args!("{option} {value}: {why}"))
    }

    /// The same for a path.
    pub(crate) fn path(option: &str, path: &Path, why: impl fmt::Display) -> Self {
        Self::option(option, path.display(), why)
    }
}

/// An error of the system in its own words, without the number that Rust puts behind them.
pub(crate) fn words(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => nix::errno::Errno::from_raw(number).desc().to_owned(),
        None => error.to_string(),
    }
}
