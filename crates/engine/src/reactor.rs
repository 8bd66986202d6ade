//! The poll: what it is asked for, and what it tells.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Token};

use crate::ConnId;
use crate::accept::Acceptor;
use crate::conn::Watch;
use crate::engine::{EVENTS, Engine};
use crate::event::Event;

/// No connection's id has this generation, so tokens with it name other things.
const NOT_A_CONNECTION: u64 = (u32::MAX as u64) << 32;
const CONTROL: Token = Token((NOT_A_CONNECTION | u32::MAX as u64) as usize);

impl Engine {
    /// Watches the reading end of a pipe, which must not block, until [`Engine::unwatch_control`]: a
    /// byte in it, or its end, gives [`Event::Control`]. The caller then reads until there is no more.
    /// What wakes the loop, from a signal handler for one, writes to the other end.
    pub fn watch_control(&mut self, pipe: impl AsFd) -> io::Result<()> {
        let fd = pipe.as_fd().as_raw_fd();
        self.poll.registry().register(&mut SourceFd(&fd), CONTROL, Interest::READABLE)
    }

    /// Watches a pipe no more that was given to [`Engine::watch_control`]: to be called before it is closed.
    pub fn unwatch_control(&mut self, pipe: impl AsFd) -> io::Result<()> {
        let fd = pipe.as_fd().as_raw_fd();
        self.poll.registry().deregister(&mut SourceFd(&fd))
    }

    /// The token of the listening socket with this number.
    pub(crate) fn listener_token(number: usize) -> Token {
        Token((NOT_A_CONNECTION | number as u64) as usize)
    }

    /// What becomes readable when something happens that the engine waits for: where somebody else sleeps,
    /// for [`Engine::timeout`] at most, and calls [`Engine::wait`] then with no time to wait.
    pub fn fd(&self) -> RawFd {
        self.poll.as_raw_fd()
    }

    /// Looks at what has happened, and sleeps until something does where nothing is left to do, for `longest`
    /// at most. To be called when [`Engine::poll_event`] has nothing to tell. An error says that the loop cannot
    /// go on.
    pub fn wait(&mut self, longest: Option<Duration>) -> io::Result<()> {
        self.clock.refresh();
        self.report_released();
        if (self.config.take_shortage)() {
            self.shed_at.get_or_insert(self.clock.now());
            self.set_timer();
        }
        if let Some(duration) = self.clock.take_slow() {
            self.report(Event::HeldUp(duration));
        }
        let timeout = [self.timeout(), longest].into_iter().flatten().min();
        let is_full = self.poll(timeout)?;
        self.clock.wake(timeout);
        // All that has come until now is known before anybody's time is over: between what the poll has told and
        // now the process may have been stopped (CONTRACT S21).
        let mut has_more = is_full || self.deadlines.is_due(self.clock.loop_time());
        for _ in 0..=self.table.len() / EVENTS {
            if !has_more {
                break;
            }
            has_more = self.poll(Some(Duration::ZERO))?;
        }
        self.ready.begin_round(&mut self.table);
        self.expire();
        self.is_looking = true;
        Ok(())
    }

    /// Notes what the poll tells. Returns whether it may have more to tell.
    fn poll(&mut self, timeout: Option<Duration>) -> io::Result<bool> {
        match self.poll.poll(&mut self.events, timeout) {
            // By a signal, or by a stop of the process, in which much may have come: it has told nothing.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
            result => result?,
        }
        let mut count = 0;
        for event in &self.events {
            count += 1;
            let token = event.token().0 as u64;
            if let Some(id) = ConnId::from_bits(token).filter(|_| token < NOT_A_CONNECTION) {
                if let Some(conn) = self.table.get_mut(id) {
                    conn.note(event);
                    if conn.listed.enter_now() {
                        self.ready.push_listed(id, &self.table);
                    }
                }
            } else if event.token() == CONTROL {
                self.is_controlled = true;
            } else if let Some(acceptor) = self.acceptors.get_mut(token as u32 as usize) {
                acceptor.set_ready();
            }
        }
        Ok(count == EVENTS)
    }

    /// How long [`Engine::wait`] may sleep; `None` is until something happens.
    pub fn timeout(&mut self) -> Option<Duration> {
        self.clock.refresh();
        let is_idle = self.ready.is_round_over() && self.ready.is_next_empty();
        if !is_idle || self.owes_events() || self.want_accept() || self.has_ended() {
            return Some(Duration::ZERO);
        }
        let table = &self.table;
        self.deadlines.tidy(table.len(), |deadline| deadline.is_live(table));
        let deadline = self.deadlines.next_at(|deadline| deadline.is_live(table));
        let deadline = deadline.map(|at| at.since(self.clock.loop_time()));
        let retry = self.acceptors.iter().filter_map(Acceptor::retry_at).min();
        let next = [self.timer, retry, self.stop_at].into_iter().flatten().min();
        let next = next.map(|at| at.since(self.clock.now()));
        [deadline, next].into_iter().flatten().min()
    }

    /// Watches a connection's socket for what it waits for: `is_blocked` where that is room for
    /// output.
    pub(crate) fn watch(&mut self, id: ConnId, is_blocked: bool) {
        let Some(conn) = self.table.get_mut(id) else { return };
        let Some(socket) = &conn.socket else { return };
        let watch = match (conn.is_reading(), is_blocked) {
            (true, true) => Watch::Both,
            (false, true) => Watch::Write,
            (_, false) => Watch::Read,
        };
        if conn.watch == watch {
            return;
        }
        conn.watch = watch;
        let fd = socket.as_raw_fd();
        let token = Token(id.to_bits() as usize);
        if self.poll.registry().reregister(&mut SourceFd(&fd), token, watch.interest()).is_err() {
            self.kill(id);
        }
    }
}
