//! What is known of a start before the options are read.

use crate::listen::Activation;
use crate::process::Notifier;
use crate::restart::{Inheritance, Invocation};

/// Whose process it is in which a server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// The process is the server's: `main`, or `ws_main`.
    Server,
    /// The process is the program's, which steps the server: signals, standard streams, directory and privileges are
    /// its own affair.
    Program,
}

/// What was found before the options are read.
pub(crate) struct Start {
    pub(crate) invocation: Invocation,
    pub(crate) inheritance: Option<Inheritance>,
    pub(crate) activation: Activation,
    pub(crate) notifier: Notifier,
}
