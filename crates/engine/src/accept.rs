//! Accepting connections.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::io::Errno;
use rustix::net::sockopt::set_socket_send_buffer_size;

use crate::ConnId;
use crate::clock::Moment;
use crate::config::TURN;
use crate::conn::{Conn, Watch};
use crate::deadlines::Kind;
use crate::engine::Engine;
use crate::sys::{self, Stream};

/// How many connections are accepted before others have their turn.
const BATCH: usize = 64;
/// How long accepting pauses when there are no descriptors left (CONTRACT S16).
const PAUSE: Duration = Duration::from_secs(1);
/// How long it pauses when there is no memory, which others may give back at any time.
pub(crate) const SHORT_PAUSE: Duration = Duration::from_millis(100);
/// How often a pause for descriptors is told at most.
const REPORT: Duration = Duration::from_secs(60);

/// A socket that is bound and listens. Where it is dropped nobody can connect to it any more, also where a
/// child of the program's has it too (CONTRACT S23), unless it is shared with others.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    is_shared: bool,
}

#[derive(Debug)]
enum Socket {
    Unix(mio::net::UnixListener),
    Tcp(mio::net::TcpListener),
}

impl From<UnixListener> for Listener {
    fn from(socket: UnixListener) -> Self {
        Socket::Unix(mio::net::UnixListener::from_std(socket)).into()
    }
}

impl From<TcpListener> for Listener {
    fn from(socket: TcpListener) -> Self {
        Socket::Tcp(mio::net::TcpListener::from_std(socket)).into()
    }
}

impl From<Socket> for Listener {
    fn from(socket: Socket) -> Self {
        Self { socket, is_shared: false }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if !self.is_shared && sys::end(self.as_fd()).is_ok() {
            // Those who wait to be accepted would wait for whoever has it too.
            while let Ok(socket) = self.accept(0) {
                drop(socket);
            }
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.socket {
            Socket::Unix(socket) => socket.as_fd(),
            Socket::Tcp(socket) => socket.as_fd(),
        }
    }
}

impl Listener {
    /// One that others listen on too, and go on to when this server ends.
    pub fn shared(mut self) -> Self {
        self.is_shared = true;
        self
    }

    /// Whether it is one of those.
    pub fn is_shared(&self) -> bool {
        self.is_shared
    }

    fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        rustix::io::ioctl_fionbio(self.as_fd(), true)?;
        match &mut self.socket {
            Socket::Unix(socket) => registry.register(socket, token, Interest::READABLE),
            Socket::Tcp(socket) => registry.register(socket, token, Interest::READABLE),
        }
    }

    /// Another process may listen on: the poll would go on telling of what is then its own.
    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match &mut self.socket {
            Socket::Unix(socket) => registry.deregister(socket),
            Socket::Tcp(socket) => registry.deregister(socket),
        }
    }

    /// Accepts a connection that is to be sent so many bytes in a turn.
    fn accept(&self, turn: usize) -> io::Result<Stream> {
        match &self.socket {
            Socket::Unix(socket) => {
                let (stream, _) = socket.accept()?;
                // TCP sees to its buffer itself.
                if turn > TURN {
                    let _ = set_socket_send_buffer_size(&stream, turn);
                }
                Ok(OwnedFd::from(stream).into())
            }
            Socket::Tcp(socket) => {
                let (stream, _) = socket.accept()?;
                // What a turn produces goes out with one call, which must not wait for an
                // acknowledgement. It fails for a client that has gone, as reading will.
                let _ = stream.set_nodelay(true);
                Ok(OwnedFd::from(stream).into())
            }
        }
    }
}

/// A listening socket, and how accepting from it stands.
pub(crate) struct Acceptor {
    listener: Listener,
    /// There may be connections to accept.
    is_ready: bool,
    retry_at: Option<Moment>,
    reported_at: Option<Moment>,
}

impl Acceptor {
    pub(crate) fn new(
        mut listener: Listener,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        listener.register(registry, token)?;
        Ok(Self { listener, is_ready: true, retry_at: None, reported_at: None })
    }

    pub(crate) fn set_ready(&mut self) {
        self.is_ready = true;
    }

    /// When accepting goes on, where it pauses.
    pub(crate) fn retry_at(&self) -> Option<Moment> {
        self.retry_at
    }

    /// Pauses because of an error. Returns it where it is time to tell it.
    fn pause(&mut self, error: &io::Error, now: Moment) -> Option<Errno> {
        self.retry_at = Some(now + PAUSE);
        if self.reported_at.is_some_and(|at| now < at + REPORT) {
            return None;
        }
        self.reported_at = Some(now);
        Some(Errno::from_io_error(error).unwrap_or(Errno::IO))
    }
}

/// Whether a call has failed for the one client, and can be made again for the next. Linux tells by
/// accept(2) what happened to the connection meanwhile, or what a firewall says of it.
fn is_of_client(error: &io::Error) -> bool {
    const OF_CLIENT: [Errno; 12] = [
        Errno::INTR,
        Errno::CONNABORTED,
        Errno::CONNRESET,
        Errno::HOSTDOWN,
        Errno::HOSTUNREACH,
        Errno::NETDOWN,
        Errno::NETUNREACH,
        Errno::NOPROTOOPT,
        Errno::OPNOTSUPP,
        Errno::PERM,
        Errno::PROTO,
        Errno::TIMEDOUT,
    ];
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const OF_LINUX: &[Errno] = &[Errno::NONET];
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const OF_LINUX: &[Errno] = &[];
    Errno::from_io_error(error)
        .is_some_and(|errno| OF_CLIENT.contains(&errno) || OF_LINUX.contains(&errno))
}

impl Engine {
    /// Accepts connections from this socket too.
    pub fn listen(&mut self, listener: impl Into<Listener>) -> io::Result<()> {
        let token = Self::listener_token(self.acceptors.len());
        let acceptor = Acceptor::new(listener.into(), self.poll.registry(), token)?;
        self.acceptors.push(acceptor);
        Ok(())
    }

    /// Closes the listening sockets.
    pub(crate) fn unlisten(&mut self) {
        for mut acceptor in self.acceptors.drain(..) {
            // Closing it is all that is left where that fails.
            let _ = acceptor.listener.deregister(self.poll.registry());
        }
    }

    /// From now on others listen on the same sockets.
    pub(crate) fn share_listeners(&mut self) {
        self.acceptors.iter_mut().for_each(|acceptor| acceptor.listener.is_shared = true);
    }

    /// The sockets that it listens on, in the order in which they were given; none once it is to end.
    pub fn listeners(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.acceptors.iter().map(|acceptor| acceptor.listener.as_fd())
    }

    /// Whether there are connections to accept, and room for them.
    pub(crate) fn want_accept(&self) -> bool {
        let is_waiting = |acceptor: &Acceptor| acceptor.is_ready && acceptor.retry_at.is_none();
        !self.table.is_full() && self.acceptors.iter().any(is_waiting)
    }

    /// Accepts nothing for a while.
    pub(crate) fn pause_accepting(&mut self) {
        let retry_at = Some(self.clock.now() + SHORT_PAUSE);
        self.acceptors.iter_mut().for_each(|acceptor| acceptor.retry_at = retry_at);
    }

    /// Accepts a batch of connections on each socket. Returns an error that is to be told.
    pub(crate) fn accept_some(&mut self) -> Option<Errno> {
        let now = self.clock.now();
        let mut report = None;
        for index in 0..self.acceptors.len() {
            let acceptor = &mut self.acceptors[index];
            if acceptor.retry_at.is_some_and(|at| at <= now) {
                acceptor.retry_at = None;
            }
            if let Err(error) = self.accept_batch(index) {
                report = self.acceptors[index].pause(&error, now).or(report);
            }
        }
        report
    }

    /// Accepts a batch on one of them. An error of a client counts as one of it, and is one of the socket's
    /// where there is nothing else (CONTRACT S16).
    fn accept_batch(&mut self, index: usize) -> io::Result<()> {
        let turn = self.config.turn();
        let mut of_clients = None;
        let mut count = 0;
        for _ in 0..BATCH {
            let acceptor = &mut self.acceptors[index];
            if !acceptor.is_ready || acceptor.retry_at.is_some() || self.table.is_full() {
                return Ok(());
            }
            match acceptor.listener.accept(turn) {
                Ok(socket) => self.insert(socket)?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    acceptor.is_ready = false;
                }
                Err(error) if is_of_client(&error) => {
                    (of_clients, count) = (Some(error), count + 1);
                }
                Err(error) => return Err(error),
            }
        }
        of_clients.filter(|_| count == BATCH).map_or(Ok(()), Err)
    }

    /// Takes a new connection in. Where that cannot be, it is closed.
    fn insert(&mut self, socket: Stream) -> io::Result<()> {
        let fd = socket.as_raw_fd();
        if sys::prepare(&socket).is_err() {
            // Its client has gone.
            return Ok(());
        }
        let Some(id) = self.table.insert(Conn::new(socket)) else { return Ok(()) };
        let (token, interest) = (Token(id.to_bits() as usize), Watch::Read.interest());
        let watched = self.poll.registry().register(&mut SourceFd(&fd), token, interest);
        if watched.is_ok() {
            self.set_deadline(id, Kind::Handshake, Kind::HANDSHAKE);
        } else {
            self.table.remove(id);
        }
        watched
    }

    /// Frees the place of a connection that has ended.
    pub(crate) fn retire(&mut self, id: ConnId) {
        self.drop_queue(id);
        self.drop_incoming(id);
        if let Some(conn) = self.table.remove(id)
            && conn.is_accepted
        {
            self.open -= 1;
        }
    }
}
