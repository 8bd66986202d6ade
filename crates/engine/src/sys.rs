//! The calls on a connection's socket, alike on every system.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::buffer::spare_capacity;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown};

/// A write to a stream whose reader is gone must give EPIPE and no signal (CONTRACT S13).
#[cfg(not(target_vendor = "apple"))]
const SEND: SendFlags = SendFlags::NOSIGNAL;
#[cfg(target_vendor = "apple")]
const SEND: SendFlags = SendFlags::empty();

/// A connection's socket. Its end reaches the peer when it is dropped, also where a child of the program's
/// has it too (CONTRACT S23). What was sent before still arrives.
#[derive(Debug)]
pub(crate) struct Stream(OwnedFd);

impl From<OwnedFd> for Stream {
    fn from(socket: OwnedFd) -> Self {
        Self(socket)
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let _ = end(self.as_fd());
    }
}

/// Ends a stream both ways, or a socket's listening where the system can, for all who have it.
pub(crate) fn end(socket: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::net::shutdown(socket, Shutdown::Both)?)
}

/// Readies a socket that was accepted.
pub(crate) fn prepare(socket: &Stream) -> io::Result<()> {
    // There is no MSG_NOSIGNAL there: the socket itself must not raise SIGPIPE.
    #[cfg(target_vendor = "apple")]
    rustix::net::sockopt::set_socket_nosigpipe(socket, true)?;
    let _ = socket;
    Ok(())
}

/// Reads into the spare capacity of `buffer`; 0 is the peer's end of file.
pub(crate) fn receive(socket: BorrowedFd<'_>, buffer: &mut Vec<u8>) -> io::Result<usize> {
    retry(|| rustix::net::recv(socket, spare_capacity(buffer), RecvFlags::empty()))
        .map(|(len, _)| len)
}

/// Reads to the start of `room`; 0 is the peer's end of file.
pub(crate) fn receive_to(socket: BorrowedFd<'_>, room: &mut [u8]) -> io::Result<usize> {
    retry(|| rustix::net::recv(socket, &mut *room, RecvFlags::empty())).map(|(len, _)| len)
}

/// Sends what the socket takes at once; 0 where that is nothing.
pub(crate) fn send(socket: BorrowedFd<'_>, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    let sent = retry(|| match slices {
        [one] => rustix::net::send(socket, one, SEND),
        _ => rustix::net::sendmsg(socket, slices, &mut SendAncillaryBuffer::default(), SEND),
    });
    match sent {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        sent => sent,
    }
}

/// Ends our side of the stream.
pub(crate) fn shutdown(socket: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::net::shutdown(socket, Shutdown::Write)?)
}

fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            result => return Ok(result?),
        }
    }
}
