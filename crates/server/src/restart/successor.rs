//! The new server's side of a hand-over.

use std::fmt;
use std::io::{PipeReader, PipeWriter, Read as _};
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};

use super::status::{GO, NO, Status};
use crate::error::{StartError, errno_text};
use crate::files::Pidfile;
use crate::sigpipe;

/// The server before, as the new one knows it.
#[derive(Debug)]
pub(crate) struct Predecessor {
    status: PipeWriter,
    go: PipeReader,
}

impl From<[OwnedFd; 2]> for Predecessor {
    fn from([status, go]: [OwnedFd; 2]) -> Self {
        Self { status: status.into(), go: go.into() }
    }
}

impl Predecessor {
    /// The ends of the pipes to the server before and from it.
    pub(crate) fn descriptors(&self) -> [RawFd; 2] {
        [self.status.as_raw_fd(), self.go.as_raw_fd()]
    }

    /// Takes over, when the server before lets this one. All that can fail must have been done.
    pub(crate) fn succeed(&mut self, pidfile: Option<&Pidfile>) -> Result<(), StartError> {
        let fail = |why: &dyn fmt::Display| StartError::new(format_args!("hand-over: {why}"));
        let called_off = || fail(&"the server before has called it off");
        // One that is not there any more has called it off, too.
        if self.ask(Status::Ready(std::process::id().cast_signed())) != Some(GO) {
            return Err(called_off());
        }
        let taken = pidfile.map_or(Ok(()), Pidfile::take_over);
        taken.map_err(|error| fail(&format_args!("pidfile: {}", errno_text(&error))))?;
        match self.ask(Status::Taken) {
            Some(NO) => Err(called_off()),
            // One that is not there any more has left all to this one.
            _ => Ok(()),
        }
    }

    /// Tells a status to the server before. Returns what that one says to it; `None` where it has gone.
    fn ask(&mut self, status: Status) -> Option<u8> {
        // Without a supervisor there is nobody to hear it, and the one before learns that by itself.
        let _ = sigpipe::write_all(&self.status, &status.encode());
        let mut answer = [0];
        self.go.read_exact(&mut answer).ok()?;
        Some(answer[0])
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write as _};

    use super::*;

    /// Whether a new server takes over that hears this, and then nothing more.
    fn succeeds(said: &[u8]) -> bool {
        let [(_told, status), (go, mut says)] = [(); 2].map(|()| io::pipe().unwrap());
        says.write_all(said).unwrap();
        drop(says);
        Predecessor::from([status.into(), go.into()]).succeed(None).is_ok()
    }

    #[test]
    fn it_may_be_called_off_until_it_begins() {
        assert!(succeeds(&[GO, GO]));
        // The one before has been killed when it had let this one take over.
        assert!(succeeds(&[GO]));
        for said in [&[][..], &[NO], &[GO, NO]] {
            assert!(!succeeds(said), "{said:?}");
        }
    }
}
