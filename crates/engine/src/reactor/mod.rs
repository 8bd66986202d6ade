//! The poll: what it is asked for, and what it tells.

mod listeners;
mod watches;

use std::io;
use std::os::fd::{AsFd as _, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Events, Poll, Token};

use crate::descriptors::Descriptors;
use crate::event::Readiness;
use crate::id::{ConnId, Key};

pub use listeners::Listener;
pub(crate) use listeners::{Batch, Listeners, SHORT_PAUSE};
pub(crate) use watches::{Watch, Watches};

/// How many events are taken from the poll at a time.
pub(crate) const EVENTS: usize = 1024;
/// Whether an event tells all that there is of a socket: a kqueue tells reading and writing apart.
pub(crate) const TELLS_ONCE: bool = cfg!(any(target_os = "linux", target_os = "android"));
/// No connection's id has this generation, so tokens with it name other things.
const NOT_A_CONNECTION: u64 = (u32::MAX as u64) << 32;
const CONTROL: Token = Token((NOT_A_CONNECTION | u32::MAX as u64) as usize);

/// The poll, the sockets that are listened on, and the caller's descriptors.
pub(crate) struct Reactor {
    poll: Poll,
    /// What it has told last.
    pub(crate) events: Events,
    pub(crate) listeners: Listeners,
    pub(crate) watches: Watches,
}

/// What an event is of.
pub(crate) enum Source {
    Conn(ConnId),
    /// A pipe that is watched.
    Control,
    /// The listening socket with this number.
    Listener(usize),
    /// One of the caller's descriptors.
    Watch(Watch),
}

/// What the poll has told of a connection's socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Notice {
    /// There may be bytes to read, or the end.
    pub(crate) can_read: bool,
    /// It may take more.
    pub(crate) can_write: bool,
    pub(crate) announced: Announced,
}

/// What the poll has announced of a socket besides bytes to read: a short read says nothing then (CONTRACT S24).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Announced {
    #[default]
    Nothing,
    /// Urgent data, or something of the other side.
    Something,
    /// The end of the client's side of the stream.
    End,
    /// The end of both sides: the client is not there any more.
    Gone,
}

/// What the poll watches a socket for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interest {
    Read,
    Write,
    Both,
}

impl Interest {
    /// What the poll is asked for.
    pub(crate) fn asked(self) -> mio::Interest {
        match self {
            Self::Read => READ,
            Self::Write => mio::Interest::WRITABLE,
            Self::Both => READ.add(mio::Interest::WRITABLE),
        }
    }
}

/// Urgent data is announced where the system does so: a read stops before it (CONTRACT S24).
#[cfg(any(target_os = "linux", target_os = "android"))]
const READ: mio::Interest = mio::Interest::READABLE.add(mio::Interest::PRIORITY);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const READ: mio::Interest = mio::Interest::READABLE;

impl Reactor {
    /// A poll that watches nothing yet.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS),
            listeners: Listeners::default(),
            watches: Watches::default(),
        })
    }

    /// What becomes readable when there is something to tell.
    pub(crate) fn fd(&self) -> RawFd {
        self.poll.as_raw_fd()
    }

    /// Takes events, for which it waits so long at most. An interruption, by a signal or by a stop of the process,
    /// gives none, and `false`.
    pub(crate) fn poll(&mut self, timeout: Option<Duration>) -> io::Result<bool> {
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
            result => result.map(|()| true),
        }
    }

    /// Asks the poll for a descriptor that is the engine's own from now on. What the caller had under its number is not
    /// there any more.
    fn add(
        &mut self,
        fd: RawFd,
        token: Token,
        asked: mio::Interest,
        own: &mut Descriptors,
    ) -> io::Result<()> {
        let is_new = own.insert(fd).map_err(|_| io::ErrorKind::OutOfMemory)?;
        self.watches.forget(fd);
        let added = self.poll.registry().register(&mut SourceFd(&fd), token, asked);
        if added.is_err() && is_new {
            own.remove(fd);
        }
        added
    }

    /// Watches the socket of a new connection, which is the engine's own from now on.
    pub(crate) fn register(
        &mut self,
        fd: RawFd,
        id: ConnId,
        interest: Interest,
        own: &mut Descriptors,
    ) -> io::Result<()> {
        self.add(fd, Token(id.to_bits() as usize), interest.asked(), own)
    }

    /// Watches a connection's socket for something else.
    pub(crate) fn reregister(&self, fd: RawFd, id: ConnId, interest: Interest) -> io::Result<()> {
        let token = Token(id.to_bits() as usize);
        self.poll.registry().reregister(&mut SourceFd(&fd), token, interest.asked())
    }

    /// Watches a descriptor no more that was one of the engine's own.
    pub(crate) fn deregister(&self, fd: RawFd, own: &mut Descriptors) -> io::Result<()> {
        own.remove(fd);
        self.poll.registry().deregister(&mut SourceFd(&fd))
    }

    /// Watches the reading end of a pipe, which is the engine's own as long.
    pub(crate) fn watch_control(
        &mut self,
        pipe: BorrowedFd<'_>,
        own: &mut Descriptors,
    ) -> io::Result<()> {
        self.add(pipe.as_raw_fd(), CONTROL, mio::Interest::READABLE, own)
    }

    /// Watches that pipe no more.
    pub(crate) fn unwatch_control(
        &self,
        pipe: BorrowedFd<'_>,
        own: &mut Descriptors,
    ) -> io::Result<()> {
        self.deregister(pipe.as_raw_fd(), own)
    }

    /// Listens on this socket, too.
    pub(crate) fn listen(
        &mut self,
        listener: Arc<Listener>,
        own: &mut Descriptors,
    ) -> io::Result<()> {
        listener.unblock()?;
        let token = Token((NOT_A_CONNECTION | self.listeners.len() as u64) as usize);
        self.add(listener.as_fd().as_raw_fd(), token, mio::Interest::READABLE, own)?;
        self.listeners.push(listener);
        Ok(())
    }

    /// Listens no more: who else has the listening sockets may go on.
    pub(crate) fn unlisten(&mut self, own: &mut Descriptors) {
        self.listeners.fds().for_each(|fd| own.remove(fd));
        self.listeners.close(self.poll.registry());
    }

    /// Watches a descriptor of the caller's.
    pub(crate) fn watch(&mut self, fd: RawFd, wanted: Readiness, key: Key) -> io::Result<()> {
        self.watches.watch(self.poll.registry(), fd, wanted, key)
    }

    /// Watches a descriptor of the caller's no more.
    pub(crate) fn unwatch(&mut self, fd: RawFd) {
        self.watches.unwatch(self.poll.registry(), fd);
    }

    /// The next one of the caller's descriptors that is ready.
    pub(crate) fn next_watch(&mut self) -> Option<(RawFd, Readiness, Key)> {
        self.watches.next(self.poll.registry())
    }
}

impl Notice {
    /// What an event says of a socket.
    #[inline(always)]
    pub(crate) fn of(event: &Event) -> Self {
        let is_end = event.is_read_closed() || event.is_error();
        let is_over = is_end || event.is_write_closed();
        if !is_over && !event.is_priority() {
            let (can_read, can_write) = (event.is_readable(), event.is_writable());
            return Self { can_read, can_write, announced: Announced::Nothing };
        }
        let announced = match (is_end, event.is_write_closed() || event.is_error()) {
            (true, true) => Announced::Gone,
            (true, false) => Announced::End,
            (false, _) => Announced::Something,
        };
        Self { can_read: true, can_write: is_over || event.is_writable(), announced }
    }
}

impl Source {
    /// What an event with this token is of.
    #[inline(always)]
    pub(crate) fn of(token: Token) -> Self {
        let bits = token.0 as u64;
        if bits < NOT_A_CONNECTION {
            return match ConnId::from_bits(bits) {
                Some(id) => Self::Conn(id),
                None => Self::Watch(Watch::of(token)),
            };
        }
        if token == CONTROL { Self::Control } else { Self::Listener(bits as u32 as usize) }
    }
}

/// Whether so many events are all that the poll can tell at a time, so that it may have more.
pub(crate) fn is_full(count: usize) -> bool {
    count == EVENTS
}

/// How many looks at the poll tell all that there may be for so many connections and other descriptors.
pub(crate) fn looks(descriptors: usize) -> usize {
    1 + descriptors / EVENTS
}
