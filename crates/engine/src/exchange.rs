//! What is kept of requests that are no connections, or not yet, and of the answers to them.

use std::fs::File;
use std::io;
use std::num::NonZeroU32;
use std::os::unix::fs::FileExt as _;

use dorrit_proto::{Body, Plain, Request};

use crate::memory::Memory;
use crate::timers::Moment;

/// An answer to a request.
#[derive(Debug)]
pub struct Response<'a> {
    /// The status line and the headers, with the empty line at their end.
    pub head: &'a [u8],
    /// What follows the head.
    pub body: ResponseBody<'a>,
    /// Whether another request may follow: as [`Engine::plain`](crate::Engine::plain) allows and the head says.
    pub keeps_alive: bool,
}

/// What follows the head of an answer.
#[derive(Debug)]
pub enum ResponseBody<'a> {
    /// These bytes, which are copied.
    Bytes(&'a [u8]),
    /// So many bytes of a file, which is read while it is sent.
    File(File, u64),
}

/// The requests of a connection, one after the other: how far the one that is dealt with has come.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    /// How many plain requests the connection has made, each of which had an id of its own.
    pub(crate) requests: u32,
    /// The generation of the id by which the caller knows a plain request, until it is answered and forgotten.
    pub(crate) generation: Option<NonZeroU32>,
    /// What the plain request asks for that the caller knows.
    pub(crate) plain: Option<Plain>,
    /// The head of a request whose body, or the decision on which, is awaited.
    pub(crate) request: Option<Request>,
    /// When the body was awaited first.
    pub(crate) began: Option<Moment>,
    /// The body that comes.
    pub(crate) coming: Option<Body>,
    /// What has come of the body.
    pub(crate) body: Vec<u8>,
    /// The file that is sent.
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
    /// How many bytes were queued when that step was expected.
    pub(crate) unsent: usize,
}

impl Exchange {
    /// How much memory is held for the request, in bytes.
    pub(crate) fn held(&self) -> usize {
        self.body.capacity() + self.request.as_ref().map_or(0, Request::held)
    }

    /// Forgets the request, and gives its memory back.
    pub(crate) fn drop_request(&mut self, memory: &mut Memory) {
        self.drop_body(memory);
        memory.change(self.held(), 0);
        self.request = None;
    }

    /// Forgets the body of the request, and gives its memory back.
    pub(crate) fn drop_body(&mut self, memory: &mut Memory) {
        memory.change(self.body.capacity(), 0);
        (self.coming, self.body) = (None, Vec::new());
    }

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
