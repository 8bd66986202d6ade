//! The sockets that are listened on, and accepting from them.

use std::io;
use std::net::{IpAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mio::Registry;
use mio::unix::SourceFd;
use rustix::io::Errno;
use rustix::net::sockopt::set_socket_send_buffer_size;

use crate::config::TURN;
use crate::sys::{self, Stream};
use crate::timers::{Moment, earlier};

/// How many connections are accepted before others have their turn.
const BATCH: usize = 64;
/// How long accepting pauses when there are no descriptors left (CONTRACT S16).
const PAUSE: Duration = Duration::from_secs(1);
/// How long it pauses when there is no memory, which others may give back at any time.
pub(crate) const SHORT_PAUSE: Duration = Duration::from_millis(100);
/// How often a pause for descriptors is told at most.
const REPORT: Duration = Duration::from_secs(60);

/// A socket that is bound and listens, for one loop or several. Where it is dropped nobody can connect to it any
/// more, also where a child of the program's has it too (CONTRACT S23), unless other processes share it.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    is_shared: AtomicBool,
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
        Self { socket, is_shared: AtomicBool::new(false) }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if !self.is_shared() && sys::end(self.as_fd()).is_ok() {
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
    /// The listener as one that other processes listen on too.
    pub fn shared(self) -> Self {
        self.share();
        self
    }

    /// Notes that other processes listen on it too, and go on to when this one ends.
    pub fn share(&self) {
        self.is_shared.store(true, Ordering::Relaxed);
    }

    /// Whether other processes listen on it too.
    pub fn is_shared(&self) -> bool {
        self.is_shared.load(Ordering::Relaxed)
    }

    /// Has accepting not wait.
    pub(super) fn unblock(&self) -> io::Result<()> {
        Ok(rustix::io::ioctl_fionbio(self.as_fd(), true)?)
    }

    /// Has the poll tell nothing of it any more: who listens on would be what it tells of.
    fn deregister(&self, registry: &Registry) -> io::Result<()> {
        registry.deregister(&mut SourceFd(&self.as_fd().as_raw_fd()))
    }

    /// Accepts a connection that is to be sent so many bytes in a turn. Returns who the client is, too.
    fn accept(&self, turn: usize) -> io::Result<(Stream, Option<IpAddr>)> {
        match &self.socket {
            Socket::Unix(socket) => {
                let (stream, _) = socket.accept()?;
                // TCP sees to its buffer itself.
                if turn > TURN {
                    let _ = set_socket_send_buffer_size(&stream, turn);
                }
                Ok((OwnedFd::from(stream).into(), None))
            }
            Socket::Tcp(socket) => {
                let (stream, address) = socket.accept()?;
                // What a turn produces goes out with one call, which must not wait for an
                // acknowledgement. It fails for a client that has gone, as reading will.
                let _ = stream.set_nodelay(true);
                Ok((OwnedFd::from(stream).into(), Some(address.ip())))
            }
        }
    }
}

/// A listening socket, and how accepting from it stands.
struct Acceptor {
    listener: Arc<Listener>,
    /// There may be connections to accept.
    is_ready: bool,
    retry_at: Option<Moment>,
    reported_at: Option<Moment>,
}

/// The sockets that are listened on.
#[derive(Default)]
pub(crate) struct Listeners(Vec<Acceptor>);

/// What was accepted from a socket before others have their turn.
#[derive(Default)]
pub(crate) struct Batch {
    calls: usize,
    /// How many calls have failed for one client.
    failures: usize,
    /// How the last one of them has failed.
    failure: Option<io::Error>,
}

impl Listeners {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Accepts from one more, of which the poll tells.
    pub(super) fn push(&mut self, listener: Arc<Listener>) {
        let (is_ready, retry_at, reported_at) = (true, None, None);
        self.0.push(Acceptor { listener, is_ready, retry_at, reported_at });
    }

    /// Their descriptors.
    pub(crate) fn fds(&self) -> impl Iterator<Item = RawFd> {
        self.0.iter().map(|acceptor| acceptor.listener.as_fd().as_raw_fd())
    }

    /// Lets go of all of them.
    pub(crate) fn close(&mut self, registry: &Registry) {
        for acceptor in self.0.drain(..) {
            // Letting go of it is all that is left where that fails.
            let _ = acceptor.listener.deregister(registry);
        }
    }

    /// From now on others listen on the same sockets.
    pub(crate) fn share(&self) {
        self.0.iter().for_each(|acceptor| acceptor.listener.share());
    }

    /// Notes that there may be connections to accept from the socket with this number.
    pub(crate) fn set_ready(&mut self, number: usize) {
        if let Some(acceptor) = self.0.get_mut(number) {
            acceptor.is_ready = true;
        }
    }

    /// Whether there may be connections to accept, now or when a pause is over.
    pub(crate) fn is_any_ready(&self) -> bool {
        self.0.iter().any(|acceptor| acceptor.is_ready)
    }

    /// Whether there may be connections to accept now.
    pub(crate) fn want_accept(&self) -> bool {
        self.0.iter().any(|acceptor| acceptor.is_ready && acceptor.retry_at.is_none())
    }

    /// When accepting goes on that pauses.
    #[inline(always)]
    pub(crate) fn retry_at(&self) -> Option<Moment> {
        self.0.iter().fold(None, |first, acceptor| earlier(first, acceptor.retry_at))
    }

    /// Accepts nothing until then.
    pub(crate) fn pause(&mut self, until: Moment) {
        self.0.iter_mut().for_each(|acceptor| acceptor.retry_at = Some(until));
    }

    /// Goes on with those whose pause is over.
    pub(crate) fn resume(&mut self, now: Moment) {
        for acceptor in &mut self.0 {
            acceptor.retry_at.take_if(|at| *at <= now);
        }
    }

    /// Accepts a connection, which is to be sent so many bytes in a turn, from the socket with this number; `None`
    /// where there is none, or the batch is over. An error of a client counts as one of it, and is one of the
    /// socket's where there is nothing else (CONTRACT S16).
    pub(crate) fn accept(
        &mut self,
        number: usize,
        turn: usize,
        batch: &mut Batch,
    ) -> io::Result<Option<(Stream, Option<IpAddr>)>> {
        let Some(acceptor) = self.0.get_mut(number) else { return Ok(None) };
        while batch.calls < BATCH && acceptor.is_ready && acceptor.retry_at.is_none() {
            batch.calls += 1;
            match acceptor.listener.accept(turn) {
                Ok(socket) => return Ok(Some(socket)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    acceptor.is_ready = false;
                }
                Err(error) if is_of_client(&error) => {
                    (batch.failure, batch.failures) = (Some(error), batch.failures + 1);
                }
                Err(error) => return Err(error),
            }
        }
        batch.failure.take().filter(|_| batch.failures == BATCH).map_or(Ok(None), Err)
    }

    /// Pauses accepting from a socket because of an error. Returns it where it is time to tell it.
    pub(crate) fn fail(&mut self, number: usize, error: &io::Error, now: Moment) -> Option<Errno> {
        let acceptor = self.0.get_mut(number)?;
        acceptor.retry_at = Some(now + PAUSE);
        if acceptor.reported_at.is_some_and(|at| now < at + REPORT) {
            return None;
        }
        acceptor.reported_at = Some(now);
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
