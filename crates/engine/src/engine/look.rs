//! Looking at the poll: waiting, and accepting.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use rustix::io::Errno;

use super::Engine;
use crate::conn::Conn;
use crate::event::Event;
use crate::reactor::{self, Batch, Interest, Notice, Source};
use crate::sys::{self, Stream};
use crate::timers::{Kind, earlier, nanos};
use crate::transport::Transport;

impl Engine {
    /// What becomes readable when something happens that the engine waits for: where somebody else sleeps,
    /// for [`Engine::timeout`] at most, and calls [`Engine::wait`] then with no time to wait.
    pub fn fd(&self) -> RawFd {
        self.reactor.fd()
    }

    /// How long [`Engine::wait`] may sleep; `None` is until something happens. Somebody else may sleep so long: until
    /// [`Engine::wait`] is called, the time that passes is not taken for one in which the caller holds the loop up.
    pub fn timeout(&mut self) -> Option<Duration> {
        self.cx.clock.leave();
        self.nanos_to_sleep().map(Duration::from_nanos)
    }

    /// How many nanoseconds the loop may sleep.
    #[inline(always)]
    fn nanos_to_sleep(&mut self) -> Option<u64> {
        let nanos = self.nanos_to_turn();
        if self.shares.is_used { earlier(nanos, self.nanos_to_source()) } else { nanos }
    }

    /// How many nanoseconds the loop may sleep until there is work besides the caller's timers, descriptors and calls.
    #[inline(always)]
    fn nanos_to_turn(&mut self) -> Option<u64> {
        let is_idle = self.ready.is_round_over() && self.ready.is_next_empty();
        let want_accept = self.reactor.listeners.want_accept() && !self.conns.is_full();
        if !is_idle || !self.cx.pending.is_empty() || want_accept || self.has_ended() {
            return Some(0);
        }
        let deadline = self.next_deadline();
        let clock = &self.cx.clock;
        let deadline = deadline.map(|at| at.nanos_since(clock.loop_time()));
        let next = earlier(self.timers.next_at(), self.reactor.listeners.retry_at());
        earlier(deadline, next.map(|at| at.nanos_since(clock.now())))
    }

    /// Looks at what has happened, and sleeps until something does where nothing is left to do, for `longest`
    /// at most. To be called when [`Engine::poll_event`] has nothing to tell. An error says that the loop cannot
    /// go on.
    #[inline(always)]
    pub fn wait(&mut self, longest: Option<Duration>) -> io::Result<()> {
        self.cx.clock.refresh();
        self.report();
        let sleep = earlier(self.nanos_to_sleep(), longest.map(nanos));
        self.ready.end_round(&mut self.conns);
        let has_more = self.poll(sleep.map(Duration::from_nanos))?;
        self.cx.clock.wake(sleep);
        self.cx.date.expire();
        if has_more || self.timers.deadlines.is_due(self.cx.clock.loop_time()) {
            self.look_again()?;
        }
        self.ready.begin_round(&mut self.conns);
        self.expire();
        if self.shares.is_used {
            self.begin_round_of_sources();
        }
        self.cx.pending.begin_round();
        Ok(())
    }

    /// Looks at all that has come until now, and has it noted before anybody's time is over: between what the poll has
    /// told and now the process may have been stopped (CONTRACT S21).
    #[inline(never)]
    fn look_again(&mut self) -> io::Result<()> {
        self.ready.note_told(&mut self.conns);
        for _ in 0..reactor::looks(self.conns.len() + self.reactor.watches.len()) {
            let has_more = self.poll(Some(Duration::ZERO))?;
            self.ready.note_told(&mut self.conns);
            if !has_more {
                break;
            }
        }
        Ok(())
    }

    /// Owes the caller the news of what was noticed since the last look.
    #[inline(always)]
    fn report(&mut self) {
        if self.cx.take_released() {
            self.cx.pending.report(Event::MemoryReleased);
        }
        if (self.cx.config.take_shortage)() {
            self.timers.shed_soon(self.cx.clock.now());
        }
        if let Some(duration) = self.cx.clock.take_slow() {
            self.cx.pending.report(Event::HeldUp(duration));
        }
    }

    /// Takes what the poll tells. Returns whether it may have more to tell: after an interruption, in which much may
    /// have come, it has told nothing.
    fn poll(&mut self, timeout: Option<Duration>) -> io::Result<bool> {
        if !self.reactor.poll(timeout)? {
            return Ok(true);
        }
        let mut count = 0;
        for event in &self.reactor.events {
            count += 1;
            match Source::of(event.token()) {
                Source::Conn(id) => self.ready.push_told(id, Notice::of(event)),
                Source::Watch(watch) => self.reactor.watches.note(watch, event),
                Source::Control => self.cx.pending.is_controlled = true,
                Source::Listener(number) => self.reactor.listeners.set_ready(number),
            }
        }
        if !reactor::TELLS_ONCE {
            self.ready.note_told(&mut self.conns);
        }
        Ok(reactor::is_full(count))
    }

    /// Accepts a batch of connections on each socket. Returns an error that is to be told.
    #[inline(never)]
    pub(super) fn accept_some(&mut self) -> Option<Errno> {
        let now = self.cx.clock.now();
        self.reactor.listeners.resume(now);
        let mut report = None;
        for number in 0..self.reactor.listeners.len() {
            if let Err(error) = self.accept_batch(number) {
                report = self.reactor.listeners.fail(number, &error, now).or(report);
            }
        }
        report
    }

    fn accept_batch(&mut self, number: usize) -> io::Result<()> {
        let turn = self.cx.config.turn();
        let mut batch = Batch::default();
        while !self.conns.is_full() {
            match self.reactor.listeners.accept(number, turn, &mut batch)? {
                Some((socket, address)) => self.insert(socket, address)?,
                None => break,
            }
        }
        Ok(())
    }

    /// Takes a new connection in. Where that cannot be, it is closed.
    fn insert(&mut self, socket: Stream, address: Option<IpAddr>) -> io::Result<()> {
        if sys::prepare(&socket).is_err() {
            // Its client has gone.
            return Ok(());
        }
        let fd = socket.as_raw_fd();
        let conn = Conn::new(Transport::Plain(socket), self.cx.config.is_proxied);
        let Some(id) = self.conns.insert(conn) else { return Ok(()) };
        self.cx.peers.set(id.index(), address);
        let own = &mut self.cx.descriptors;
        let watched = self.reactor.register(fd, id, Interest::Read, own);
        if watched.is_ok() {
            self.with(id, |_, cx| cx.wants.deadline(Kind::Handshake));
        } else {
            self.conns.remove(id, 0);
        }
        watched
    }
}
