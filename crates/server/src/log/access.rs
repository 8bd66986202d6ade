//! The access log: a line for each request.

use std::path::PathBuf;

/// Where the lines of the access log go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AccessDestination {
    /// Lines are appended to this file.
    File(PathBuf),
    /// Lines go to syslogd.
    Syslog,
}
