//! A connection's stream: of a UNIX socket, or of TCP.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::ioctl::{Getter, Opcode, ioctl};

use super::tcp_table::unread_by_peer;

/// One of either kind, of which tests see no difference.
pub(crate) enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

/// The same method of either kind.
macro_rules! either {
    ($stream:expr, $it:ident => $act:expr) => {
        match $stream {
            Stream::Unix($it) => $act,
            Stream::Tcp($it) => $act,
        }
    };
}

impl Stream {
    /// Limits every wait for bytes.
    pub(crate) fn set_read_timeout(&self, limit: Duration) {
        either!(self, it => it.set_read_timeout(Some(limit))).expect("a timeout");
    }

    /// Limits every wait for room.
    pub(crate) fn set_write_timeout(&self, limit: Duration) {
        either!(self, it => it.set_write_timeout(Some(limit))).expect("a timeout");
    }

    /// Ends one side of it, or both.
    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        either!(self, it => it.shutdown(how))
    }

    /// Whether the other side has read all that was sent.
    pub(crate) fn is_drained(&self) -> bool {
        const SIOCOUTQ: Opcode = libc::TIOCOUTQ as Opcode;
        /// What is not sent yet: an acknowledgement may come later than the bytes are read.
        const SIOCOUTQNSD: Opcode = 0x894b;
        match self {
            Stream::Unix(it) => count::<SIOCOUTQ>(it) == 0,
            Stream::Tcp(it) => count::<SIOCOUTQNSD>(it) == 0 && unread_by_peer(it) == 0,
        }
    }
}

fn count<const OPCODE: Opcode>(stream: impl AsFd) -> i32 {
    // SAFETY: these write one int.
    let count = unsafe { ioctl(stream, Getter::<OPCODE, i32>::new()) };
    count.expect("the kernel counts")
}

impl From<UnixStream> for Stream {
    fn from(stream: UnixStream) -> Stream {
        Stream::Unix(stream)
    }
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Stream {
        Stream::Tcp(stream)
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        either!(self, it => it.as_fd())
    }
}

impl Read for &Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        either!(self, it => { let mut it = it; it.read(buffer) })
    }
}

impl Write for &Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        either!(self, it => { let mut it = it; it.write(bytes) })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
