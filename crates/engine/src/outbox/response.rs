//! The answers to plain requests: a head and a part of a file.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use crate::timers::Moment;

/// An answer to a plain request.
#[derive(Debug)]
pub struct Response {
    /// The status line and the headers, with the empty line at their end, and what text follows it.
    pub head: Vec<u8>,
    /// A file, of which so many bytes follow.
    pub body: Option<(File, u64)>,
    /// Whether another request may follow: as [`Engine::plain`](crate::Engine::plain) allows and the head says.
    pub keeps_alive: bool,
}

/// How far the answers to the requests of a connection have come.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) file: Option<File>,
    /// How many bytes of the file are sent.
    pub(crate) sent: u64,
    /// How many bytes of the file are to be sent.
    pub(crate) left: u64,
    pub(crate) keeps_alive: bool,
    /// When the client must have done its next step.
    pub(crate) due: Option<Moment>,
    /// When it is looked at whether the client has done that step.
    pub(crate) watched: Option<Moment>,
}

impl Progress {
    /// Reads on in the file, at most so many bytes. What the socket does not take is read again.
    pub(crate) fn read(&self, body: &mut Vec<u8>, len: usize) -> io::Result<()> {
        body.try_reserve(len.saturating_sub(body.len()))?;
        body.resize(len, 0);
        let Some(file) = &self.file else { return Err(io::ErrorKind::UnexpectedEof.into()) };
        match file.read_at(body, self.sent)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                body.truncate(read);
                Ok(())
            }
        }
    }
}
