//! The caller's descriptors.
//!
//! The poll tells of a descriptor when it becomes ready. The caller is told as long as it is: before each time the poll
//! is asked anew, which looks again when it is to tell it.
//!
//! The caller may close a descriptor and say nothing. The poll then has forgotten it, unless somebody else has it open
//! too; and its number may be another one's since, the engine's even.

use std::collections::{TryReserveError, VecDeque};
use std::io;
use std::os::fd::RawFd;

use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::io::Errno;

use crate::event::Readiness;
use crate::id::Key;
use crate::table::Table;

/// The kind of what a token is of, in the layout of a connection's id: no connection's, no timer's.
const KIND: u64 = 2 << 30;
/// Numbers of descriptors are less.
const NUMBERS: RawFd = 1 << 30;

/// Descriptors that are watched for the caller.
#[derive(Default)]
pub(crate) struct Watches {
    table: Table<RawFd, Watched>,
    /// Those that are ready, each once, and others that are not watched any more. It never grows but with the table.
    ready: VecDeque<Watch>,
    /// The generation that was given last.
    generation: u32,
}

/// Names what a descriptor was watched for at a time. What the poll tells of one that has ended is recognised, until
/// four thousand million have followed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Watch {
    fd: RawFd,
    generation: u32,
}

/// A descriptor that is watched.
struct Watched {
    generation: u32,
    key: Key,
    wanted: Readiness,
    /// What the poll has told, and the caller was not.
    noted: Readiness,
}

impl Watch {
    fn token(self) -> Token {
        Token((u64::from(self.generation) << 32 | KIND | self.fd as u64) as usize)
    }

    /// What an event with this token is of, which is nothing else's.
    pub(super) fn of(token: Token) -> Self {
        let bits = token.0 as u64;
        Self { fd: (bits as u32 ^ KIND as u32) as RawFd, generation: (bits >> 32) as u32 }
    }
}

impl Readiness {
    const NONE: Self = Self { read: false, write: false };

    /// What the poll is asked for.
    fn interest(self) -> Option<Interest> {
        match (self.read, self.write) {
            (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
            (true, false) => Some(Interest::READABLE),
            (false, true) => Some(Interest::WRITABLE),
            (false, false) => None,
        }
    }

    /// What an event tells of what is wanted. The end of both ways and errors are both, whatever is wanted.
    fn told(self, event: &Event) -> Self {
        let is_over = event.is_error() || event.is_write_closed();
        let is_readable = event.is_readable() || event.is_read_closed();
        Self {
            read: is_over || (self.read && is_readable),
            write: is_over || (self.write && event.is_writable()),
        }
    }
}

impl Watches {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether any may be ready.
    #[inline(always)]
    pub(crate) fn is_any_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Watches a descriptor, and no more for what it was watched for before. For nothing ends it.
    pub(super) fn watch(
        &mut self,
        registry: &Registry,
        fd: RawFd,
        wanted: Readiness,
        key: Key,
    ) -> io::Result<()> {
        let Some(interest) = wanted.interest() else {
            self.unwatch(registry, fd);
            return Ok(());
        };
        if !(0..NUMBERS).contains(&fd) {
            return Err(Errno::BADF.into());
        }
        let was_there = self.table.has(&fd);
        if !was_there {
            self.reserve().map_err(|_| io::ErrorKind::OutOfMemory)?;
        }
        // Never 0, and never the one of tokens that name other things.
        self.generation = self.generation % (u32::MAX - 1) + 1;
        let generation = self.generation;
        let watched = Watched { generation, key, wanted, noted: Readiness::NONE };
        self.table.insert(fd, watched).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let asked = ask(registry, Watch { fd, generation }, interest, was_there);
        if asked.is_err() {
            self.forget(fd);
        }
        asked
    }

    /// Watches a descriptor no more.
    pub(super) fn unwatch(&mut self, registry: &Registry, fd: RawFd) {
        if self.forget(fd) {
            // It fails where it was closed: the poll has forgotten it then.
            let _ = registry.deregister(&mut SourceFd(&fd));
        }
    }

    /// Forgets a descriptor, and leaves the poll alone: its number is another one's now. Returns whether it was watched.
    pub(super) fn forget(&mut self, fd: RawFd) -> bool {
        // Most often there is none.
        if self.table.is_empty() {
            return false;
        }
        let Some((_, is_released)) = self.table.remove(&fd) else { return false };
        if is_released {
            self.retain_ready();
            self.ready.shrink_to(2 * self.table.len());
        }
        true
    }

    /// Notes what the poll has told.
    #[inline(never)]
    pub(crate) fn note(&mut self, watch: Watch, event: &Event) {
        let Some(watched) = get(&mut self.table, watch) else { return };
        let (before, told) = (watched.noted, watched.wanted.told(event));
        watched.noted =
            Readiness { read: before.read || told.read, write: before.write || told.write };
        if before == Readiness::NONE && told != Readiness::NONE {
            if self.ready.len() == self.ready.capacity() {
                self.retain_ready();
            }
            self.ready.push_back(watch);
        }
    }

    /// The next one that is ready. It is told again as long as it is.
    pub(super) fn next(&mut self, registry: &Registry) -> Option<(RawFd, Readiness, Key)> {
        loop {
            let watch = self.ready.pop_front()?;
            let Some(watched) = get(&mut self.table, watch) else { continue };
            let noted = std::mem::replace(&mut watched.noted, Readiness::NONE);
            let (key, Some(interest)) = (watched.key, watched.wanted.interest()) else { continue };
            if registry.reregister(&mut SourceFd(&watch.fd), watch.token(), interest).is_ok() {
                return Some((watch.fd, noted, key));
            }
            // It was closed: what the poll has told is of somebody else who has the file.
            self.forget(watch.fd);
        }
    }

    /// Makes room for one more in the list of those that are ready.
    fn reserve(&mut self) -> Result<(), TryReserveError> {
        let most = self.table.len() + 1;
        self.ready.try_reserve(most.saturating_sub(self.ready.len()))
    }

    fn retain_ready(&mut self) {
        let Self { ready, table, .. } = self;
        ready.retain(|watch| get(table, *watch).is_some());
    }
}

/// What a descriptor is watched for, if it still is.
fn get(table: &mut Table<RawFd, Watched>, watch: Watch) -> Option<&mut Watched> {
    table.get_mut(&watch.fd).filter(|watched| watched.generation == watch.generation)
}

/// Asks the poll for a descriptor, which it should have, or should not; but its number may be another one's.
fn ask(registry: &Registry, watch: Watch, interest: Interest, is_there: bool) -> io::Result<()> {
    let (mut source, token) = (SourceFd(&watch.fd), watch.token());
    let asked = match is_there {
        true => registry.reregister(&mut source, token, interest),
        false => registry.register(&mut source, token, interest),
    };
    match asked {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            registry.register(&mut source, token, interest)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            registry.reregister(&mut source, token, interest)
        }
        asked => asked,
    }
}
