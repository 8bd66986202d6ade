//! What the processes of a hand-over tell each other. A status is written at once, and so read at once.

use std::ffi::c_int;
use std::fmt;
use std::io;

use crate::error::errno_text;
use crate::process::WaitStatus;

/// How far the new server has come, as the server that hands over is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// The new server could begin. This is its process.
    Ready(c_int),
    /// The new server has taken over.
    Taken,
    /// The new server could not be executed, for this reason: an errno.
    NotExecuted(c_int),
    /// The new server has ended with this status.
    Ended(c_int),
    /// The new server has been ended by this signal.
    Killed(c_int),
    /// The new server has said nothing for so many seconds.
    Silent(c_int),
}

/// What the old server writes when the new one may take the pidfile, and when it may begin.
pub(crate) const GO: u8 = b'g';
/// What the old server writes when it has called the hand-over off.
pub(crate) const NO: u8 = b'n';

impl Status {
    /// How many bytes a status takes in a pipe.
    pub(crate) const LEN: usize = 5;

    /// The status as it is written. Safe in a signal handler.
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

    /// Reads a status. Safe in a signal handler.
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

impl From<WaitStatus> for Status {
    fn from(status: WaitStatus) -> Self {
        match status {
            WaitStatus::Exited(status) => Self::Ended(status),
            WaitStatus::Killed(signal) => Self::Killed(signal),
        }
    }
}

/// What has become of the new server.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(_) => f.write_str("is ready"),
            Self::Taken => f.write_str("has taken over"),
            Self::NotExecuted(errno) => {
                let why = errno_text(&io::Error::from_raw_os_error(*errno));
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
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn written_and_read() {
        use Status::*;
        for status in [
            Ready(4711),
            Taken,
            NotExecuted(Errno::ACCESS.raw_os_error()),
            Ended(3),
            Killed(11),
            Silent(90),
        ] {
            assert_eq!(Status::parse(status.encode()), Some(status));
        }
        assert_eq!(Status::parse([0; Status::LEN]), None);
    }
}
