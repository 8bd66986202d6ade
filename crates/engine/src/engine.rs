//! The loop itself.

use std::collections::{TryReserveError, VecDeque};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use dorrit_proto::{Incoming, Inflater, Refusal, Request};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use crate::ConnId;
use crate::accept::Acceptor;
use crate::clock::{Clock, Moment};
use crate::config::Config;
use crate::conn::{Drain, Phase, Watch};
use crate::deadlines::Deadlines;
use crate::event::Event;
use crate::inflating::Inflation;
use crate::memory::Memory;
use crate::messages::Messages;
use crate::output::Output;
use crate::pool::Pool;
use crate::queue::Queue;
use crate::ready::Ready;
use crate::respond::Progress;
use crate::send::Deflaters;
use crate::stats::Stats;
use crate::table::Table;
use crate::turn::{Kept, Turn};

/// How much is read at a time, in bytes: as much as a socket holds for us.
pub(crate) const INPUT: usize = 256 * 1024;
/// Where in a page the input begins. Most of what the kernel copies to it begins with a page, or is a header's
/// length less: the copy takes several times as long to an address that is 1 to 15 past its source's, in
/// their pages, and least to a multiple of 64.
const PLACE: usize = 64;
const PAGE: usize = 4096;
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
    pub(crate) ready: Ready,
    /// What happens between the turns of connections was not dealt with since the last look at the poll.
    is_looking: bool,
    pub(crate) table: Table,
    /// How many connections are accepted and not closed.
    pub(crate) open: usize,
    pub(crate) messages: Messages,
    pub(crate) queues: Pool<Queue>,
    /// What was read and not dealt with.
    pub(crate) starts: Pool<Kept>,
    /// Answers to plain requests.
    pub(crate) responses: Pool<Progress>,
    /// The part of a file that is being sent.
    pub(crate) body: Vec<u8>,
    /// Messages that come in parts.
    pub(crate) incoming: Pool<Incoming>,
    /// How much memory those have that are not in use, in bytes.
    pub(crate) kept: usize,
    pub(crate) inflater: Option<Inflater>,
    /// Messages that are too long to be decompressed in one turn.
    pub(crate) inflations: Vec<Inflation>,
    /// The message that was decompressed last.
    pub(crate) inflated: Vec<u8>,
    pub(crate) deflaters: Deflaters,
    pub(crate) acceptors: Vec<Acceptor>,
    pub(crate) deadlines: Deadlines,
    pub(crate) clock: Clock,
    /// The connection whose input is being dealt with.
    pub(crate) turn: Option<Turn>,
    /// That input.
    pub(crate) input: Vec<u8>,
    /// Where the engine's own input begins: what stands before it has it begin at its place in a page.
    pub(crate) input_start: usize,
    /// The shared buffer, while `input` is a connection's own.
    pub(crate) parked: Vec<u8>,
    /// A buffer for what is left of the next input that is not dealt with in one turn.
    pub(crate) spare: Vec<u8>,
    /// What that connection is sent when its turn ends.
    pub(crate) output: Output,
    pub(crate) request: Request,
    /// The connection that is to be accepted or refused.
    pub(crate) opening: Option<ConnId>,
    /// Connections whose end the caller is owed.
    pub(crate) closed: VecDeque<ConnId>,
    /// Connections whose queue has become empty, as the caller is to be told.
    pub(crate) drained: Vec<ConnId>,
    /// What else the caller is to be told.
    pub(crate) reports: VecDeque<Event>,
    /// How much memory is held for clients.
    pub(crate) memory: Memory,
    /// What is counted on the way; see [`Engine::stats`].
    pub(crate) stats: Stats,
    /// The connection whose end the caller was just told.
    retiring: Option<ConnId>,
    is_controlled: bool,
    /// When room is made next, where memory lacked.
    pub(crate) shed_at: Option<Moment>,
    tick: Option<(Duration, Moment)>,
    alarm: Option<Moment>,
    /// Which of them comes first, with the time to make room and the end of the time to wind down.
    timer: Option<Moment>,
    pub(crate) is_winding_down: bool,
    /// When that has lasted long enough.
    pub(crate) overdue_at: Option<Moment>,
    pub(crate) stop_at: Option<Moment>,
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
            ready: Ready::new(sockets).map_err(out_of_memory)?,
            is_looking: false,
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
            inflations: Vec::new(),
            memory: Memory::new(config.max_memory),
            inflated: Vec::new(),
            deflaters: Deflaters::default(),
            acceptors: Vec::new(),
            deadlines: Deadlines::default(),
            clock: Clock::new(),
            turn: None,
            input: Vec::new(),
            input_start: 0,
            parked: Vec::new(),
            spare: Vec::new(),
            output: Output::new(&config).map_err(out_of_memory)?,
            request: Request::new().map_err(out_of_memory)?,
            opening: None,
            closed: VecDeque::new(),
            drained: Vec::new(),
            reports: VecDeque::new(),
            stats: Stats::default(),
            retiring: None,
            is_controlled: false,
            shed_at: None,
            tick: None,
            alarm: None,
            timer: None,
            is_winding_down: false,
            overdue_at: None,
            stop_at: None,
        };
        // Each connection stands there once, so that they never grow.
        engine.closed.try_reserve_exact(sockets).map_err(out_of_memory)?;
        engine.drained.try_reserve_exact(sockets + 1).map_err(out_of_memory)?;
        engine.take_input().map_err(out_of_memory)?;
        Ok(engine)
    }

    fn take_input(&mut self) -> Result<(), TryReserveError> {
        self.input.try_reserve_exact(INPUT)?;
        let start = |input: &Vec<u8>| PLACE.wrapping_sub(input.as_ptr().addr()) % PAGE;
        // So large a buffer grows by pages: where in its first one it begins stays.
        self.input.try_reserve_exact(INPUT + start(&self.input))?;
        self.input_start = start(&self.input);
        self.input.resize(self.input_start, 0);
        Ok(())
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

    /// Asks for [`Event::Tick`] each time this long after the last one was due; those that come too late
    /// for the next one are left out. `None` ends that.
    pub fn set_tick(&mut self, period: Option<Duration>) {
        self.tick = period.map(|period| (period, Moment::now() + period));
        self.set_timer();
    }

    /// Asks for one [`Event::Alarm`] at that time, in the place of what was asked for before.
    pub fn set_alarm(&mut self, at: Option<Instant>) {
        let now = Instant::now();
        self.alarm = at.map(|at| Moment::now() + at.saturating_duration_since(now));
        self.set_timer();
    }

    pub(crate) fn set_timer(&mut self) {
        let tick = self.tick.map(|(_, at)| at).filter(|_| self.stop_at.is_none());
        self.timer = [tick, self.alarm, self.overdue_at, self.shed_at].into_iter().flatten().min();
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
        self.clock.take_over();
        if let Some(id) = self.retiring.take() {
            self.retire(id);
        }
        if let Some(id) = self.opening {
            self.refuse(id, Refusal::Forbidden);
        }
        let event = self.next_event();
        self.hand_over();
        event
    }

    /// The caller is about to deal with an event. Where much time has gone, it is the last one of its turn.
    #[inline(always)]
    pub(crate) fn hand_over(&mut self) {
        if self.clock.hand_over()
            && let Some(turn) = &mut self.turn
        {
            turn.left = 0;
        }
    }

    fn next_event(&mut self) -> Event {
        loop {
            if self.turn.is_some() {
                if let Some((id, kind, _)) = self.take_whole() {
                    return Event::Message(id, kind);
                }
                if let Some(event) = self.continue_turn() {
                    return event;
                }
            }
            if let Some(event) = self.next_owed() {
                return event;
            }
            if self.is_looking
                && let Some(event) = self.next_outside_turns()
            {
                return event;
            }
            if let Some(id) = self.next_turn() {
                if let Some(event) = self.begin_turn(id) {
                    return event;
                }
            } else if let Err(error) = self.look() {
                return Event::Failed(error);
            }
        }
    }

    /// The connection whose turn it is, unless it is time to look at the poll (CONTRACT S20).
    fn next_turn(&mut self) -> Option<ConnId> {
        if self.clock.is_due() {
            return None;
        }
        let id = self.ready.pop(&mut self.table)?;
        self.clock.count(1);
        Some(id)
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
        // Once a round: who sends more each time must not keep the others waiting.
        while let Some(id) = self.drained.pop_if(|_| self.is_looking) {
            if self.take_drained(id) {
                return Some(Event::Drained(id));
            }
        }
        None
    }

    /// Whether the caller is to be told now that a connection's queue is empty.
    fn take_drained(&mut self, id: ConnId) -> bool {
        let Some(conn) = self.table.get_mut(id) else { return false };
        let is_empty = conn.queue.is_none() && conn.phase == Phase::Open;
        conn.drain = if is_empty { Drain::None } else { Drain::Owed };
        is_empty
    }

    /// Has the caller told that a connection's queue is empty, where that is so and is owed.
    pub(crate) fn note_drained(&mut self, id: ConnId) {
        if let Some(conn) = self.table.get_mut(id)
            && conn.drain == Drain::Owed
            && conn.queue.is_none()
            && conn.phase == Phase::Open
        {
            conn.drain = Drain::Listed;
            if self.drained.len() == self.drained.capacity() {
                self.drained.retain(|id| self.table.get(*id).is_some());
            }
            self.drained.push(id);
        }
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
        if self.has_ended() {
            return Some(Event::Stopped);
        }
        if std::mem::take(&mut self.is_controlled) {
            return Some(Event::Control);
        }
        if self.timer.is_some_and(|at| at <= self.clock.now())
            && let Some(event) = self.next_timer()
        {
            return Some(event);
        }
        self.is_looking = false;
        self.accept_some().map(Event::AcceptFailed)
    }

    /// Whether the server is to end and nobody is left.
    fn has_ended(&self) -> bool {
        self.table.len() == 0 && self.is_ending()
    }

    fn next_timer(&mut self) -> Option<Event> {
        let now = self.clock.now();
        let event = match self.tick {
            // Before a tick, which may always be due.
            _ if self.shed_at.take_if(|at| *at <= now).is_some() => {
                self.shed();
                Some(Event::ShortOfMemory)
            }
            _ if self.overdue_at.take_if(|at| *at <= now).is_some() => Some(Event::Overdue),
            Some((period, at)) if at <= now && self.stop_at.is_none() => {
                self.tick = Some((period, next_tick(period, at, now)));
                Some(Event::Tick)
            }
            _ => self.alarm.take_if(|at| *at <= now).map(|_| Event::Alarm),
        };
        self.set_timer();
        event
    }

    /// Looks at the poll, and sleeps until something happens where nothing is left to do. Those to whom it
    /// happened have their turn.
    fn look(&mut self) -> io::Result<()> {
        self.clock.refresh();
        self.report_released();
        if (self.config.take_shortage)() {
            self.shed_at.get_or_insert(self.clock.now());
            self.set_timer();
        }
        if let Some(duration) = self.clock.take_slow() {
            self.report(Event::HeldUp(duration));
        }
        let timeout = self.timeout();
        let mut is_full = self.poll(timeout)?;
        self.clock.wake(timeout);
        // All that has come is known before anybody's time is over.
        for _ in 0..=self.table.len() / EVENTS {
            if !is_full {
                break;
            }
            is_full = self.poll(Some(Duration::ZERO))?;
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

    /// How long the loop may sleep; `None` is for ever.
    fn timeout(&mut self) -> Option<Duration> {
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

    /// Sees to it that a connection gets another turn without an event, to be read and to be sent more.
    pub(crate) fn resume(&mut self, id: ConnId) {
        if let Some(conn) = self.table.get_mut(id) {
            conn.can_read = true;
        }
        self.resume_sending(id);
    }

    /// Sees to it that a connection is sent more without an event.
    pub(crate) fn resume_sending(&mut self, id: ConnId) {
        if let Some(conn) = self.table.get_mut(id) {
            conn.can_write = true;
            self.ready.push_next(id, &mut self.table);
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
        let fd = socket.as_raw_fd();
        let token = Token(id.to_bits() as usize);
        if self.poll.registry().reregister(&mut SourceFd(&fd), token, watch.interest()).is_err() {
            self.kill(id);
        }
    }
}

/// When a tick is due again that was due `at`: those that come too late for the next one are left out
/// (CONTRACT S21).
fn next_tick(period: Duration, at: Moment, now: Moment) -> Moment {
    let late = now.since(at).as_nanos();
    let next = (late / period.as_nanos().max(1) + 1).saturating_mul(period.as_nanos().max(1));
    at + Duration::from_nanos(u64::try_from(next).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CONTRACT S21: a period counts from the moment at which its last call was due.
    #[test]
    fn ticks() {
        let start = Moment::now();
        let at = |millis| start + Duration::from_millis(millis);
        let next = |due, now| next_tick(Duration::from_millis(100), at(due), at(now));
        for (due, now, expected) in [
            (100, 100, 200),
            (100, 199, 200),
            (100, 200, 300),
            (100, 250, 300),
            (100, 1_099, 1_100),
            (100, 1_000_000_000, 1_000_000_100),
        ] {
            assert_eq!(next(due, now), at(expected), "due {due}, told {now}");
        }
        assert!(next_tick(Duration::ZERO, start, at(5)) > at(5));
        assert!(next_tick(Duration::MAX, start, at(5)) > at(1_000_000_000));
    }
}
