//! The calls on a connection's socket, alike on every system.

use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown};

/// A write to a stream whose reader is gone must give EPIPE and no signal (CONTRACT S13).
#[cfg(not(target_vendor = "apple"))]
const SEND: SendFlags = SendFlags::NOSIGNAL;
#[cfg(target_vendor = "apple")]
const SEND: SendFlags = SendFlags::empty();

/// Whether there may be a child that has what this process had open when it was forked.
static HAS_FORKED: AtomicBool = AtomicBool::new(false);

/// Notes that this process forks: from now on the end of a connection is told to its peer by a call of its own.
/// To be called before the fork; it may be called by any thread.
pub fn note_fork() {
    HAS_FORKED.store(true, Ordering::Relaxed);
}

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
        if HAS_FORKED.load(Ordering::Relaxed) {
            let _ = end(self.as_fd());
        }
    }
}

/// Ends a stream both ways, or a socket's listening where the system can, for all who have it.
pub(crate) fn end(socket: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::net::shutdown(socket, Shutdown::Both)?)
}

/// Readies a socket that was accepted.
pub(crate) fn prepare(socket: impl AsFd) -> io::Result<()> {
    // There is no MSG_NOSIGNAL there: the socket itself must not raise SIGPIPE.
    #[cfg(target_vendor = "apple")]
    rustix::net::sockopt::set_socket_nosigpipe(&socket, true)?;
    let _ = socket;
    Ok(())
}

/// Readies a socket that somebody else has accepted.
pub(crate) fn adopt(socket: &OwnedFd) -> io::Result<()> {
    prepare(socket)?;
    rustix::io::ioctl_fionbio(socket, true)?;
    // It fails for what is no TCP.
    let _ = rustix::net::sockopt::set_tcp_nodelay(socket, true);
    Ok(())
}

/// The address of the peer of a socket, where it has one of IP.
pub(crate) fn peer_address(socket: impl AsFd) -> Option<IpAddr> {
    let name = rustix::net::getpeername(socket).ok()??;
    SocketAddr::try_from(name).ok().map(|address| address.ip())
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

/// What came of sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The socket has taken so many bytes at once, and has no room for more where there were more.
    Bytes(usize),
    /// The system had no memory for any: it will have.
    Later,
    /// The peer takes nothing any more. What it has sent can still be read.
    Refused,
    /// The connection is of no use any more.
    Failed,
}

impl Sent {
    /// How many bytes the socket has taken.
    pub(crate) fn bytes(self) -> usize {
        if let Self::Bytes(len) = self { len } else { 0 }
    }
}

/// Sends what the socket takes at once.
pub(crate) fn send(socket: BorrowedFd<'_>, slices: &[IoSlice<'_>]) -> Sent {
    let sent = retry(|| match slices {
        [one] => rustix::net::send(socket, one, SEND),
        _ => rustix::net::sendmsg(socket, slices, &mut SendAncillaryBuffer::default(), SEND),
    });
    match sent {
        Ok(len) => Sent::Bytes(len),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Sent::Bytes(0),
        Err(error) if is_transient(&error) => Sent::Later,
        Err(error) => match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Sent::Refused,
            _ => Sent::Failed,
        },
    }
}

/// Whether a call on a socket may do better when it is made again: there is nothing, or no room, or the
/// system has no memory for it, just now.
pub(crate) fn is_transient(error: &io::Error) -> bool {
    let transient = [Errno::AGAIN, Errno::WOULDBLOCK, Errno::NOBUFS, Errno::NOMEM];
    Errno::from_io_error(error).is_some_and(|errno| transient.contains(&errno))
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
