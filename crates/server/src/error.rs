//! Why a server does not start.

use std::ffi::c_int;
use std::fmt;
use std::io;
use std::path::Path;

/// Why there is no server in this process: what is to be said, and how the process ends.
#[derive(Debug)]
pub(crate) struct StartError {
    pub(crate) text: String,
    pub(crate) ending: Ending,
}

/// How a process ends in which no server has started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// `main` returns this status. 0: a start was not what was asked for.
    Return(c_int),
    /// The process ends with this status at once: what the program has registered to be run at exit is not
    /// run.
    Exit(c_int),
    /// The process ends by this signal.
    Signal(c_int),
}

impl Ending {
    /// The exit status; where a signal ends the process, for one that has survived it.
    pub(crate) fn status(self) -> c_int {
        match self {
            Self::Return(status) | Self::Exit(status) => status,
            Self::Signal(_) => 1,
        }
    }
}

impl StartError {
    /// An error: what was asked for cannot be.
    pub(crate) fn new(text: impl fmt::Display) -> Self {
        Self { text: text.to_string(), ending: Ending::Return(1) }
    }

    /// An error: the command line is not understood.
    pub(crate) fn usage(text: impl fmt::Display) -> Self {
        Self { text: text.to_string(), ending: Ending::Return(2) }
    }

    /// No error: all that was asked for is this text.
    pub(crate) fn answer(text: String) -> Self {
        Self { text, ending: Ending::Return(0) }
    }

    /// An end of this process of which nothing is to be said any more.
    pub(crate) fn silent(ending: Ending) -> Self {
        Self { text: String::new(), ending }
    }

    /// An error: a panic of ours, which was logged, has ended the start.
    pub(crate) fn panicked() -> Self {
        Self::new("")
    }

    /// An error: what was asked for with this option cannot be.
    pub(crate) fn option(option: &str, value: impl fmt::Display, why: impl fmt::Display) -> Self {
        Self::new(format_args!("{option} {value}: {why}"))
    }

    /// An error: what was asked for with this option cannot be done at this path.
    pub(crate) fn path(option: &str, path: &Path, why: impl fmt::Display) -> Self {
        Self::option(option, path.display(), why)
    }
}

/// An error of the system in its own words, without the number that Rust puts behind them.
pub(crate) fn errno_text(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => nix::errno::Errno::from_raw(number).desc().to_owned(),
        None => error.to_string(),
    }
}

/// A call that cannot be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misuse {
    /// It comes from another thread than the server's, from a child of the program's, or from a signal handler that
    /// has interrupted the server at its work.
    Foreign,
    /// There is no server, or it does not listen yet.
    NoLoop,
}
