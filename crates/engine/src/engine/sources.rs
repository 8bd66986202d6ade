//! What the caller has events of besides connections: timers, descriptors and calls.

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use rustix::io::Errno;

use super::{Engine, SHARD};
use crate::event::{Event, Readiness, Told};
use crate::id::{Key, TimerId};
use crate::shares::Share;
use crate::timers::Moment;

impl Engine {
    /// Has [`Event::Timer`] told with this key, once, when so much time has passed. It is real time, which goes on
    /// while a callback runs. `None` says that there is no memory for it.
    ///
    /// From an [`Event::Timer`] with the same key until the next event it counts from when that timer was due, and
    /// whole periods that have passed already are left out (CONTRACT S21); otherwise from now.
    pub fn set_timer(&mut self, after: Duration, key: Key) -> Option<TimerId> {
        self.shares.is_used = true;
        self.timers.one_shots.set(SHARD, after, key)
    }

    /// Forgets a timer. For one that was told, or that was cancelled before, it does nothing.
    pub fn cancel_timer(&mut self, id: TimerId) {
        self.timers.one_shots.cancel(id);
    }

    /// Has [`Event::Ready`] told with this key as long as a descriptor is ready for what is asked, until
    /// [`Engine::unwatch`]; of its end and of errors it tells both, whatever was asked. The last call for a descriptor
    /// counts, and one for nothing ends it.
    ///
    /// The descriptor stays the caller's, who may close it before that is ended. An error says that it cannot be
    /// watched, and is not: it is none, or one of the engine's own, or one that the system has no readiness of. A
    /// kqueue takes regular files, though: who does not want that must look.
    pub fn watch(&mut self, fd: RawFd, readiness: Readiness, key: Key) -> io::Result<()> {
        if self.owns(fd) {
            return Err(Errno::BUSY.into());
        }
        self.shares.is_used = true;
        self.reactor.watch(fd, readiness, key)
    }

    /// Watches a descriptor no more that was given to [`Engine::watch`]. It may be closed already.
    pub fn unwatch(&mut self, fd: RawFd) {
        self.reactor.unwatch(fd);
    }

    /// Whether a descriptor is one of the engine's own: a connection's, a socket that it listens on, a pipe given to
    /// [`Engine::watch_control`], or the poll itself.
    pub fn owns(&self, fd: RawFd) -> bool {
        self.cx.descriptors.has(fd) || fd == self.reactor.fd()
    }

    /// Has [`Event::Call`] told, once, when it is the caller's turn: between the turns of connections, and before the
    /// loop sleeps. Asked for again before that was told it changes nothing.
    pub fn request_call(&mut self) {
        self.shares.is_used = true;
        self.cx.pending.is_call_wanted = true;
    }

    /// How many nanoseconds the loop may sleep until there is a timer, a descriptor or a call to be told, where there
    /// may be.
    #[inline(never)]
    pub(super) fn nanos_to_source(&self) -> Option<u64> {
        if self.has_ready_source() {
            return Some(0);
        }
        // To the millisecond: what the loop's clock says may be some milliseconds old.
        self.timers.one_shots.next_at().map(|at| at.nanos_since(Moment::now()))
    }

    /// Begins a round in which there may be timers, descriptors or calls.
    #[inline(never)]
    pub(super) fn begin_round_of_sources(&mut self) {
        let has_timer = self.timers.one_shots.is_due(self.cx.clock.looked_at());
        self.shares.begin_round(has_timer || self.has_ready_source());
        self.shares.is_used = self.cx.pending.is_call_wanted
            || self.reactor.watches.len() > 0
            || self.timers.one_shots.next_at().is_some();
    }

    /// Whether there is a descriptor or a call to be told.
    fn has_ready_source(&self) -> bool {
        self.cx.pending.is_call_wanted || self.reactor.watches.is_any_ready()
    }

    /// What comes next of timers, descriptors and calls, unless it is the turn of connections, or time to look at the
    /// poll (CONTRACT S20).
    #[inline(never)]
    pub(super) fn next_of_sources(&mut self) -> Option<Told> {
        while let Some(share) = self.shares.current() {
            self.cx.clock.refresh();
            if share == Share::Turns || self.cx.clock.is_due() {
                return None;
            }
            let told = if self.shares.count() { self.next_of(share) } else { None };
            if told.is_some() {
                return told;
            }
            self.shares.end();
        }
        None
    }

    /// The same behind the turns of connections; `None` is the end of the round.
    #[inline(never)]
    pub(super) fn next_behind_turns(&mut self) -> Option<Told> {
        if self.shares.current() == Some(Share::Turns) && !self.cx.clock.is_due() {
            self.shares.end();
        }
        let told = self.next_of_sources();
        if told.is_none() {
            self.shares.end_round();
        }
        told
    }

    fn next_of(&mut self, share: Share) -> Option<Told> {
        match share {
            Share::Timers => self.timers.one_shots.pop(self.cx.clock.looked_at()).map(Event::Timer),
            Share::Watches => {
                let next = self.reactor.next_watch();
                next.map(|(fd, readiness, key)| Event::Ready(fd, readiness, key))
            }
            Share::Calls => {
                std::mem::take(&mut self.cx.pending.is_call_wanted).then_some(Event::Call)
            }
            Share::Turns => None,
        }
    }
}
