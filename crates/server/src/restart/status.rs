//! What the processes of a hand-over tell each other. A word is written at once, and so read at once.

use std::ffi::c_int;
use std::fmt;
use std::io;

use crate::error::words;

/// A word to the server that hands over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// The new server could begin. This is its process.
    Ready(c_int),
    /// It has taken over.
    Taken,
    /// It could not be executed, for this reason: an errno.
    NotExecuted(c_int),
    /// It has ended with this status.
    Ended(c_int),
    /// It has been ended by this signal.
    Killed(c_int),
    /// It has said nothing for so many seconds.
    Silent(c_int),
}

impl Word {
    pub(crate) const LEN: usize = 5;

    /// As it is written. Safe in a signal handler.
    pub(crate) fn encode(self) -> [u8; Self::LEN] {
        let (kind, number) = match self {
            Self::Ready(pid) => (b'r', pid),
            Self::Taken => (b't', 0),
            Self::NotExecuted(errno) => (b'x', errno),
            Self::Ended(status) => (b'e', status),
            Self::Killed(signal) => (b'k', signal),
            Self::Silent(seconds) => (b's', seconds),
        };
        let [a, b, c, d] = number.to_ne_bytes();
        [kind, a, b, c, d]
    }

    /// Reads it. Safe in a signal handler.
    pub(crate) fn parse([kind, number @ ..]: [u8; Self::LEN]) -> Option<Self> {
        let number = c_int::from_ne_bytes(number);
        Some(match kind {
            b'r' => Self::Ready(number),
            b't' => Self::Taken,
            b'x' => Self::NotExecuted(number),
            b'e' => Self::Ended(number),
            b'k' => Self::Killed(number),
            b's' => Self::Silent(number),
            _ => return None,
        })
    }
}

/// What has become of the new server.
impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(_) => f.write_str("is ready"),
            Self::Taken => f.write_str("has taken over"),
            Self::NotExecuted(errno) => {
                let why = words(&io::Error::from_raw_os_error(*errno));
                write!(f, "could not be executed: {why}")
            }
            Self::Ended(status) => write!(f, "has ended with status {status}"),
            Self::Killed(signal) => write!(f, "was ended by signal {signal}"),
            Self::Silent(seconds) => write!(f, "was not ready within {seconds} seconds"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_and_read() {
        use Word::*;
        for word in
            [Ready(4711), Taken, NotExecuted(libc::EACCES), Ended(3), Killed(11), Silent(90)]
        {
            assert_eq!(Word::parse(word.encode()), Some(word));
        }
        assert_eq!(Word::parse([0; Word::LEN]), None);
    }
}
