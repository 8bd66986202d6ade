//! What carries the bytes of a connection.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, RawFd};

use crate::sys::{self, Sent, Stream};

/// The way to a client: all that touches the bytes of a socket.
#[derive(Debug)]
pub(crate) enum Transport {
    /// The bytes are those of the socket.
    Plain(Stream),
}

impl Transport {
    /// Reads into the spare capacity of `buffer`; 0 is the peer's end of file.
    #[inline(always)]
    pub(crate) fn receive(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => sys::receive(socket.as_fd(), buffer),
        }
    }

    /// Reads to the start of `room`; 0 is the peer's end of file.
    pub(crate) fn receive_to(&self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => sys::receive_to(socket.as_fd(), room),
        }
    }

    /// Sends what is taken at once.
    #[inline(always)]
    pub(crate) fn send(&self, slices: &[IoSlice<'_>]) -> Sent {
        match self {
            Self::Plain(socket) => sys::send(socket.as_fd(), slices),
        }
    }

    /// Ends our side of the stream.
    pub(crate) fn shutdown(&self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => sys::shutdown(socket.as_fd()),
        }
    }
}

impl AsRawFd for Transport {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Plain(socket) => socket.as_raw_fd(),
        }
    }
}
