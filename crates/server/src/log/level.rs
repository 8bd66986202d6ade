//! How much a line matters.

/// How much a line matters: syslog(3)'s names, as far as they are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// The server cannot go on, or not as it should.
    Error,
    /// Something is wrong, and the server goes on.
    Warning,
    /// What was asked for.
    Notice,
    /// Something that an operator may want to know.
    Info,
    /// What clients do wrong.
    Debug,
}

impl Level {
    /// All levels, the one that matters most first.
    pub(super) const ALL: [Self; 5] =
        [Self::Error, Self::Warning, Self::Notice, Self::Info, Self::Debug];

    /// The level of this name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }

    /// The number of the level, as syslog(3) counts.
    pub(crate) fn priority(self) -> libc::c_int {
        match self {
            Self::Error => libc::LOG_ERR,
            Self::Warning => libc::LOG_WARNING,
            Self::Notice => libc::LOG_NOTICE,
            Self::Info => libc::LOG_INFO,
            Self::Debug => libc::LOG_DEBUG,
        }
    }
}
