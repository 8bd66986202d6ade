//! Becoming a daemon (CONTRACT S1, S9).

use std::fs::OpenOptions;
use std::io::{self, PipeReader, PipeWriter, Read as _};
use std::os::fd::{AsFd, AsRawFd as _, RawFd};

use rustix::process::setsid;
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use super::helper::fork_server;
use crate::error::{Ending, StartError, errno_text};
use crate::log::Destination;
use crate::{log, sigpipe};

/// The process that waits to hear whether its daemon listens.
#[derive(Debug)]
pub(crate) struct WaitingParent(PipeWriter);

/// What the daemon reports when it listens.
const READY: u8 = b'r';
/// What the daemon reports when it has said on stderr why it does not start.
const FAILED: u8 = b'f';

/// Goes on in a child with a session of its own. The parent waits for [`WaitingParent::report_ready`] and
/// finds how it ends.
pub(crate) fn fork_daemon() -> Result<WaitingParent, StartError> {
    let fail = |error: io::Error| StartError::new(format_args!("daemon: {}", errno_text(&error)));
    let (reader, writer) = io::pipe().map_err(fail)?;
    // What stands in the streams' buffers would be written by both (CONTRACT S9).
    flush_streams();
    // SAFETY: the manual says what becomes of the program's threads.
    if unsafe { fork_server() }.map_err(fail)? {
        setsid().map_err(|errno| fail(errno.into()))?;
        return Ok(WaitingParent(writer));
    }
    drop(writer);
    Err(wait(reader))
}

/// Waits for the daemon to be ready. The parent ends without running what the program has registered to be
/// run at exit, nor flushing anything: that was done before the fork.
fn wait(mut reader: PipeReader) -> StartError {
    let mut report = [0];
    let status = match reader.read_exact(&mut report) {
        Ok(()) if report == [READY] => 0,
        Ok(()) => 1,
        Err(_) => {
            log::error("the daemon has ended before it was ready");
            1
        }
    };
    StartError::silent(Ending::Exit(status))
}

/// Lets the terminal go: the standard streams are /dev/null from now on (CONTRACT D7), but for standard
/// error where the log goes there.
pub(crate) fn detach_from_terminal(log: Destination) -> Result<(), StartError> {
    let fail = |why: String| StartError::path("daemon", "/dev/null".as_ref(), why);
    let null = OpenOptions::new().read(true).write(true).open("/dev/null");
    let null = null.map_err(|error| fail(errno_text(&error)))?;
    flush_streams();
    let null = null.as_fd();
    dup2_stdin(null)
        .and_then(|()| dup2_stdout(null))
        .and_then(|()| match log {
            Destination::Stderr => Ok(()),
            Destination::Syslog => dup2_stderr(null),
        })
        .map_err(|errno| fail(errno_text(&errno.into())))
}

/// Writes out what the program has left in its streams' buffers.
fn flush_streams() {
    // SAFETY: NULL means all streams.
    sigpipe::without_sigpipe(|| unsafe { libc::fflush(std::ptr::null_mut()) });
}

impl WaitingParent {
    /// The end of the pipe to it.
    pub(crate) fn descriptor(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Lets the parent leave with status 0. Where it was killed, the daemon serves all the same.
    pub(crate) fn report_ready(self) {
        let _ = sigpipe::write_all(&self.0, &[READY]);
    }

    /// Lets the parent leave with status 1. The reason must be on stderr.
    pub(crate) fn report_failed(self) {
        let _ = sigpipe::write_all(&self.0, &[FAILED]);
    }
}
