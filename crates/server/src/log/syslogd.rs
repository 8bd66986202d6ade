//! syslogd, over a socket of our own that never waits. That of syslog(3), which does, is left to the program's
//! lines.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixDatagram;

use rustix::io::Errno;
use syslog::{Facility, Formatter3164, LogFormat as _, Severity};

use super::level::Level;

/// The way to syslogd.
pub(crate) struct Syslogd {
    /// The socket, kept from the first line on: later there may be no descriptor left.
    socket: Option<UnixDatagram>,
    is_connected: bool,
}

/// Where syslogd listens, on one system or another.
const PLACES: [&str; 3] = ["/dev/log", "/var/run/syslog", "/var/run/log"];

impl Syslogd {
    /// A way by which no line was written yet.
    pub(crate) const NONE: Self = Self { socket: None, is_connected: false };

    /// Writes a line; false where syslogd takes none now.
    pub(crate) fn write(&mut self, level: Level, name: &CStr, text: &str) -> bool {
        let line = line(level, name, text);
        let was_connected = self.is_connected;
        // Another syslogd may have come since the last line.
        self.send(&line).is_ok()
            || (was_connected && !self.is_connected && self.send(&line).is_ok())
    }

    /// The socket's descriptor, where there is one.
    pub(crate) fn descriptor(&self) -> Option<RawFd> {
        self.socket.as_ref().map(AsRawFd::as_raw_fd)
    }

    fn send(&mut self, line: &[u8]) -> io::Result<()> {
        let socket = match &mut self.socket {
            Some(socket) => socket,
            none => {
                let socket = UnixDatagram::unbound()?;
                socket.set_nonblocking(true)?;
                none.insert(socket)
            }
        };
        if !self.is_connected {
            let mut found = Err(io::ErrorKind::NotFound.into());
            for place in PLACES {
                found = socket.connect(place);
                if found.is_ok() {
                    break;
                }
            }
            found?;
            self.is_connected = true;
        }
        let sent = socket.send(line);
        let is_full = |error: &io::Error| {
            // BSD says NOBUFS.
            error.kind() == io::ErrorKind::WouldBlock
                || Errno::from_io_error(error) == Some(Errno::NOBUFS)
        };
        self.is_connected = sent.as_ref().err().is_none_or(is_full);
        sent.map(drop)
    }
}

/// A line as syslogd wants it (RFC 3164).
fn line(level: Level, name: &CStr, text: &str) -> Vec<u8> {
    let process = name.to_string_lossy().into_owned();
    let pid = std::process::id();
    let facility = Facility::LOG_DAEMON;
    let format = Formatter3164 { facility, hostname: None, process, pid };
    let mut line = Vec::new();
    // Memory is all that it could lack.
    let _ = format.format(&mut line, severity(level), text);
    // The time there is UTC and would be taken for the local one. Without it, syslogd's own stands there.
    if let Some(end) = line.iter().position(|byte| *byte == b'>') {
        line.drain(end + 1..(end + 1 + TIME).min(line.len()));
    }
    line
}

/// How many bytes the time takes in a line, with the blank behind it.
const TIME: usize = "Jan 01 00:00:00 ".len();

fn severity(level: Level) -> Severity {
    match level {
        Level::Error => Severity::LOG_ERR,
        Level::Warning => Severity::LOG_WARNING,
        Level::Notice => Severity::LOG_NOTICE,
        Level::Info => Severity::LOG_INFO,
        Level::Debug => Severity::LOG_DEBUG,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CONTRACT D6: the facility, the name and the process.
    #[test]
    fn a_line() {
        let wanted = format!("<29>echo[{}]: said > this", std::process::id());
        assert_eq!(line(Level::Notice, c"echo", "said > this"), wanted.as_bytes());
    }
}
