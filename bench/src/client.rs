//! One connection of the load generator's: connect, upgrade, send, receive.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::socket::{MsgFlags, recv, send};

use crate::wire::{self, Language};

/// Where a server listens.
#[derive(Clone, Debug)]
pub enum Address {
    Unix(PathBuf),
    Tcp(u16),
}

impl std::fmt::Display for Address {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => write!(out, "unix:{}", path.display()),
            Self::Tcp(port) => write!(out, "tcp:{port}"),
        }
    }
}

/// A server that is silent for so long has failed.
pub const PATIENCE: Duration = Duration::from_secs(10);

pub struct Socket(OwnedFd);

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Socket {
    /// Connects and asks for the upgrade, where there is one; the answer is still to be read.
    pub fn open(address: &Address, request: &[u8]) -> io::Result<Self> {
        match address {
            Address::Unix(path) => {
                let mut stream = UnixStream::connect(path)?;
                stream.write_all(request)?;
                Ok(Self(stream.into()))
            }
            Address::Tcp(port) => {
                let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, *port))?;
                stream.set_nodelay(true)?;
                stream.write_all(request)?;
                Ok(Self(stream.into()))
            }
        }
    }

    /// Connects, upgrades where the language has it so, and returns a socket that does not block.
    pub fn upgraded(address: &Address, language: Language) -> io::Result<Self> {
        let socket = if matches!(language, Language::Bare | Language::Http) {
            Self::open(address, b"")?
        } else {
            let socket = Self::open(address, &wire::request(language))?;
            let stream: UnixStream = socket.0.into();
            stream.set_read_timeout(Some(PATIENCE))?;
            let socket = Self(stream.into());
            socket.accepted(language)?;
            socket
        };
        let stream: UnixStream = socket.0.into();
        stream.set_nonblocking(true)?;
        Ok(Self(stream.into()))
    }

    /// Reads the answer to the upgrade, and checks it.
    pub fn accepted(&self, language: Language) -> io::Result<()> {
        let mut head = [0; 4096];
        let mut len = 0;
        loop {
            match self.receive(&mut head[len..])? {
                Some(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Some(got) => len += got,
                None => return Err(ErrorKind::TimedOut.into()),
            }
            if head[..len].windows(4).any(|end| end == b"\r\n\r\n") {
                return wire::check_response(&head[..len], language);
            }
        }
    }

    /// How much was received; `None` where nothing is there.
    pub fn receive(&self, into: &mut [u8]) -> io::Result<Option<usize>> {
        match recv(self.0.as_raw_fd(), into, MsgFlags::empty()) {
            Ok(got) => Ok(Some(got)),
            Err(nix::Error::EAGAIN) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// How much was sent, which may be nothing.
    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        match send(self.0.as_raw_fd(), bytes, MsgFlags::MSG_NOSIGNAL) {
            Ok(sent) => Ok(sent),
            Err(nix::Error::EAGAIN) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// Has the end of a TCP connection leave nothing behind, of which a run makes too many.
    pub fn no_linger(&self) -> io::Result<()> {
        let linger = nix::libc::linger { l_onoff: 1, l_linger: 0 };
        Ok(nix::sys::socket::setsockopt(&self.0, nix::sys::socket::sockopt::Linger, &linger)?)
    }

    /// Sends and receives one message, waiting for it, and returns what came.
    pub fn exchange(&self, sent: &[u8], complete: impl Fn(&[u8]) -> bool) -> io::Result<Vec<u8>> {
        let mut stream: UnixStream = self.0.try_clone()?.into();
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(sent)?;
        let mut got = Vec::new();
        let mut buffer = vec![0; 65536];
        while !complete(&got) {
            match stream.read(&mut buffer)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                len => got.extend_from_slice(&buffer[..len]),
            }
        }
        stream.set_nonblocking(true)?;
        Ok(got)
    }
}
