//! The loop itself.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use dorrit_proto::{Incoming, Inflater, Refusal, Request};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use crate::ConnId;
use crate::accept::Acceptor;
use crate::config::Config;
use crate::conn::{Phase, Watch};
use crate::deadlines::Deadlines;
use crate::event::Event;
use crate::messages::Messages;
use crate::output::Output;
use crate::pool::Pool;
use crate::queue::Queue;
use crate::respond::Progress;
use crate::send::Deflaters;
use crate::stats::Stats;
use crate::table::Table;
use crate::turn::{Ready, Turn};

/// How much is read at a time, in bytes: as much as a socket holds for us.
const INPUT: usize = 256 * 1024;
/// How many events are taken from the poll at a time.
const EVENTS: usize = 1024;
/// After [`Engine::stop`], how long what is queued may take to be sent (CONTRACT S10).
pub(crate) const STOP: Duration = Duration::from_secs(2);

/// No connection's id has this generation, so tokens with it name other things.
const NOT_A_CONNECTION: u64 = (u32::MAX as u64) << 32;
const CONTROL: Token = Token((NOT_A_CONNECTION | u32::MAX as u64) as usize);

/// A server's connections and its loop.
pub struct Engine {
    pub(crate) config: Config,
    pub(crate) poll: Poll,
    events: Events,
    /// The connections whose turn is to come before the next poll.
    batch: VecDeque<(ConnId, Ready)>,
    pub(crate) table: Table,
    /// How many connections are accepted and not closed.
    pub(crate) open: usize,
    pub(crate) messages: Messages,
    pub(crate) queues: Pool<Queue>,
    /// Starts of requests and frames, of which more must come.
    pub(crate) starts: Pool<Vec<u8>>,
    /// Answers to plain requests.
    pub(crate) responses: Pool<Progress>,
    /// The part of a file that is being sent.
    pub(crate) body: Vec<u8>,
    /// Messages that come in parts.
    pub(crate) incoming: Pool<Incoming>,
    /// How much memory those have that are not in use, in bytes.
    pub(crate) kept: usize,
    pub(crate) inflater: Option<Inflater>,
    /// The message that was decompressed last.
    pub(crate) inflated: Vec<u8>,
    pub(crate) deflaters: Deflaters,
    pub(crate) acceptors: Vec<Acceptor>,
    pub(crate) deadlines: Deadlines,
    started: Instant,
    /// The time of the last poll: no message costs a look at the clock.
    pub(crate) now: Instant,
    /// The same, in milliseconds since the start.
    pub(crate) now_millis: u64,
    /// The connection whose input is being dealt with.
    pub(crate) turn: Option<Turn>,
    /// That input.
    pub(crate) input: Vec<u8>,
    /// The shared buffer, while `input` is a connection's own.
    pub(crate) parked: Vec<u8>,
    /// What that connection is sent when its turn ends.
    pub(crate) output: Output,
    pub(crate) request: Request,
    /// The connection that is to be accepted or refused.
    pub(crate) opening: Option<ConnId>,
    /// Connections whose queue has grown.
    pub(crate) dirty: Vec<ConnId>,
    /// Connections that go on without waiting for the poll.
    pub(crate) resumed: Vec<ConnId>,
    /// Connections whose end the caller is owed.
    pub(crate) closed: VecDeque<ConnId>,
    /// Connections whose queue has become empty, as the caller is to be told.
    pub(crate) drained: Vec<ConnId>,
    /// What else the caller is to be told.
    pub(crate) reports: VecDeque<Event>,
    /// What is counted on the way; see [`Engine::stats`].
    pub(crate) stats: Stats,
    /// The connection whose end the caller was just told.
    retiring: Option<ConnId>,
    is_controlled: bool,
    tick: Option<(Duration, Instant)>,
    alarm: Option<Instant>,
    /// Which of them comes first, and the end of the time to wind down.
    timer: Option<Instant>,
    pub(crate) is_winding_down: bool,
    /// When that has lasted long enough.
    pub(crate) overdue_at: Option<Instant>,
    pub(crate) stop_at: Option<Instant>,
}

impl Engine {
    /// An engine that listens nowhere yet. It must be made in the process in which it is used: a
    /// kqueue does not survive a fork.
    pub fn new(config: Config) -> io::Result<Self> {
        let sockets = config.max_sockets();
        let out_of_memory = |_| io::Error::from(io::ErrorKind::OutOfMemory);
        let mut engine = Self {
            config,
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS),
            batch: VecDeque::new(),
            table: Table::new(sockets).map_err(out_of_memory)?,
            open: 0,
            messages: Messages::default(),
            queues: Pool::default(),
            starts: Pool::default(),
            responses: Pool::default(),
            body: Vec::new(),
            incoming: Pool::default(),
            kept: 0,
            inflater: None,
            inflated: Vec::new(),
            deflaters: Deflaters::default(),
            acceptors: Vec::new(),
            deadlines: Deadlines::default(),
            started: Instant::now(),
            now: Instant::now(),
            now_millis: 0,
            turn: None,
            input: Vec::new(),
            parked: Vec::new(),
            output: Output::new().map_err(out_of_memory)?,
            request: Request::new().map_err(out_of_memory)?,
            opening: None,
            dirty: Vec::new(),
            resumed: Vec::new(),
            closed: VecDeque::new(),
            drained: Vec::new(),
            reports: VecDeque::new(),
            stats: Stats::default(),
            retiring: None,
            is_controlled: false,
            tick: None,
            alarm: None,
            timer: None,
            is_winding_down: false,
            overdue_at: None,
            stop_at: None,
        };
        // Each connection stands in these lists once, so that they never grow.
        engine.batch.try_reserve_exact(sockets + EVENTS).map_err(out_of_memory)?;
        engine.dirty.try_reserve_exact(sockets).map_err(out_of_memory)?;
        engine.resumed.try_reserve_exact(sockets).map_err(out_of_memory)?;
        engine.closed.try_reserve_exact(sockets).map_err(out_of_memory)?;
        engine.input.try_reserve_exact(INPUT).map_err(out_of_memory)?;
        Ok(engine)
    }

    /// The token of the listening socket with this number.
    pub(crate) fn listener_token(number: usize) -> Token {
        Token((NOT_A_CONNECTION | number as u64) as usize)
    }

    /// Watches the reading end of a pipe, which must not block, until [`Engine::unwatch_control`]: a
    /// byte in it, or its end, gives [`Event::Control`]. The caller then reads until there is no more.
    /// What wakes the loop, from a signal handler for one, writes to the other end.
    pub fn watch_control(&mut self, pipe: impl AsFd) -> io::Result<()> {
        let fd = pipe.as_fd().as_raw_fd();
        self.poll.registry().register(&mut SourceFd(&fd), CONTROL, Interest::READABLE)
    }

    /// Ends that. It must be done before the pipe is closed.
    pub fn unwatch_control(&mut self, pipe: impl AsFd) -> io::Result<()> {
        let fd = pipe.as_fd().as_raw_fd();
        self.poll.registry().deregister(&mut SourceFd(&fd))
    }

    /// Asks for [`Event::Tick`] each time this long after the last one; `None` ends that.
    pub fn set_tick(&mut self, period: Option<Duration>) {
        let now = Instant::now();
        self.tick = period.and_then(|period| Some((period, now.checked_add(period)?)));
        self.set_timer();
    }

    /// Asks for one [`Event::Alarm`] at that time, in the place of what was asked for before.
    pub fn set_alarm(&mut self, at: Option<Instant>) {
        self.alarm = at;
        self.set_timer();
    }

    pub(crate) fn set_timer(&mut self) {
        let tick = self.tick.map(|(_, at)| at).filter(|_| self.stop_at.is_none());
        self.timer = [tick, self.alarm, self.overdue_at].into_iter().flatten().min();
    }

    /// What the caller keeps with a connection; 0 where nothing was set or the connection has ended.
    pub fn tag(&self, id: ConnId) -> usize {
        self.table.get(id).map_or(0, |conn| conn.tag)
    }

    /// Keeps a number with a connection until it has ended.
    pub fn set_tag(&mut self, id: ConnId, tag: usize) {
        if let Some(conn) = self.table.get_mut(id) {
            conn.tag = tag;
        }
    }

    /// Waits for what happens next, which is all that this thread waits for. It never returns
    /// without an event.
    #[allow(clippy::should_implement_trait, reason = "an iterator would borrow the engine")]
    pub fn next(&mut self) -> Event {
        if let Some(id) = self.retiring.take() {
            self.retire(id);
        }
        if let Some(id) = self.opening {
            self.refuse(id, Refusal::Forbidden);
        }
        loop {
            if self.turn.is_some() {
                if let Some((id, kind, _)) = self.next_whole() {
                    return Event::Message(id, kind);
                }
                if let Some(event) = self.continue_turn() {
                    return event;
                }
            }
            if let Some(event) = self.next_owed() {
                return event;
            }
            if let Some((id, ready)) = self.batch.pop_front() {
                if let Some(event) = self.begin_turn(id, ready) {
                    return event;
                }
                continue;
            }
            self.flush_dirty();
            if let Some(event) = self.next_outside_turns() {
                return event;
            }
            if self.owes_events() || !self.dirty.is_empty() {
                continue;
            }
            if let Err(error) = self.wait() {
                return Event::Failed(error);
            }
        }
    }

    /// What the caller is to be told of what happened already.
    fn next_owed(&mut self) -> Option<Event> {
        if let Some(report) = self.reports.pop_front() {
            return Some(report);
        }
        if let Some(id) = self.closed.pop_front() {
            self.retiring = Some(id);
            return Some(Event::Closed(id));
        }
        while let Some(id) = self.drained.pop() {
            if self.phase(id) == Phase::Open && self.queued_bytes(id) == 0 {
                return Some(Event::Drained(id));
            }
        }
        None
    }

    /// Owes the caller a report. Without memory for it there is none.
    pub(crate) fn report(&mut self, event: Event) {
        if self.reports.try_reserve(1).is_ok() {
            self.reports.push_back(event);
        }
    }

    fn owes_events(&self) -> bool {
        !self.reports.is_empty() || !self.closed.is_empty() || !self.drained.is_empty()
    }

    /// What happens between the turns of connections.
    fn next_outside_turns(&mut self) -> Option<Event> {
        self.expire();
        if (self.config.take_shortage)() {
            self.shed();
            return Some(Event::ShortOfMemory);
        }
        if self.table.len() == 0 && self.is_ending() {
            return Some(Event::Stopped);
        }
        if std::mem::take(&mut self.is_controlled) {
            return Some(Event::Control);
        }
        if self.timer.is_some_and(|at| at <= self.now)
            && let Some(event) = self.next_timer()
        {
            return Some(event);
        }
        self.accept_some().map(Event::AcceptFailed)
    }

    fn next_timer(&mut self) -> Option<Event> {
        let now = self.now;
        let event = match self.tick {
            // Before a tick, which may always be due.
            _ if self.overdue_at.take_if(|at| *at <= now).is_some() => Some(Event::Overdue),
            Some((period, at)) if at <= now && self.stop_at.is_none() => {
                self.set_tick(Some(period));
                Some(Event::Tick)
            }
            _ => self.alarm.take_if(|at| *at <= now).map(|_| Event::Alarm),
        };
        self.set_timer();
        event
    }

    /// Sleeps until something happens, and puts the connections to which it happened into the batch.
    fn wait(&mut self) -> io::Result<()> {
        let timeout = self.timeout();
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.events.clear(),
            result => result?,
        }
        self.now = Instant::now();
        self.now_millis = self.now.duration_since(self.started).as_millis() as u64;
        for event in &self.events {
            let token = event.token().0 as u64;
            if let Some(id) = ConnId::from_bits(token).filter(|_| token < NOT_A_CONNECTION) {
                self.batch.push_back((id, Ready::from(event)));
            } else if event.token() == CONTROL {
                self.is_controlled = true;
            } else if let Some(acceptor) = self.acceptors.get_mut(token as u32 as usize) {
                acceptor.set_ready();
            }
        }
        for id in self.resumed.drain(..) {
            if let Some(conn) = self.table.get_mut(id) {
                conn.is_resumed = false;
                let has_more = std::mem::take(&mut conn.has_more);
                self.batch.push_back((id, Ready::resumed(has_more)));
            }
        }
        Ok(())
    }

    fn timeout(&mut self) -> Option<Duration> {
        if !self.resumed.is_empty() || self.want_accept() {
            return Some(Duration::ZERO);
        }
        let table = &self.table;
        self.deadlines.tidy(table.len(), |deadline| deadline.is_live(table));
        let deadline = self.deadlines.next_at(|deadline| deadline.is_live(table));
        let retry = self.acceptors.iter().filter_map(Acceptor::retry_at).min();
        let next = [deadline, self.timer, retry, self.stop_at].into_iter().flatten().min()?;
        // A little late is soon enough: the clock is read once for each sleep.
        Some(next.saturating_duration_since(self.now))
    }

    /// Sees to it that a connection gets another turn without an event, to be read and to be sent more.
    pub(crate) fn resume(&mut self, id: ConnId) {
        if let Some(conn) = self.table.get_mut(id) {
            conn.has_more = true;
        }
        self.resume_sending(id);
    }

    /// Sees to it that a connection is sent more without an event.
    pub(crate) fn resume_sending(&mut self, id: ConnId) {
        if let Some(conn) = self.table.get_mut(id)
            && !conn.is_resumed
        {
            conn.is_resumed = true;
            self.resumed.push(id);
        }
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
        let interest = match watch {
            Watch::Read => Interest::READABLE,
            Watch::Write => Interest::WRITABLE,
            Watch::Both => Interest::READABLE | Interest::WRITABLE,
        };
        let fd = socket.as_raw_fd();
        let token = Token(id.to_bits() as usize);
        if self.poll.registry().reregister(&mut SourceFd(&fd), token, interest).is_err() {
            self.kill(id);
        }
    }
}
