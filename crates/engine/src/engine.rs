//! The loop itself.

use std::cell::Cell;
use std::collections::{TryReserveError, VecDeque};
use std::io;
use std::time::Duration;

use dorrit_proto::{Incoming, Inflater, Refusal, Request};
use mio::{Events, Poll};

use crate::ConnId;
use crate::accept::Acceptor;
use crate::clock::{Clock, Moment};
use crate::config::Config;
use crate::deadlines::Deadlines;
use crate::deflaters::Deflaters;
use crate::event::{Event, Told};
use crate::inflating::Inflation;
use crate::kept::Kept;
use crate::memory::Memory;
use crate::messages::Messages;
use crate::output::Output;
use crate::pool::Pool;
use crate::queue::Queue;
use crate::ready::Ready;
use crate::respond::Progress;
use crate::stats::Stats;
use crate::table::Table;
use crate::turn::Turn;

/// How much is read at a time, in bytes: as much as a socket holds for us.
pub(crate) const INPUT: usize = 256 * 1024;
/// Where in a page the input begins. Most of what the kernel copies to it begins with a page, or is a header's
/// length less: the copy takes several times as long to an address that is 1 to 15 past its source's, in
/// their pages, and least to a multiple of 64.
const PLACE: usize = 64;
const PAGE: usize = 4096;
/// How many events are taken from the poll at a time.
pub(crate) const EVENTS: usize = 1024;
/// After [`Engine::stop`], how long what is queued may take to be sent (CONTRACT S10).
pub(crate) const STOP: Duration = Duration::from_secs(2);

/// A server's connections and its loop.
pub struct Engine {
    pub(crate) config: Config,
    pub(crate) poll: Poll,
    pub(crate) events: Events,
    pub(crate) ready: Ready,
    /// What happens between the turns of connections was not dealt with since the last look at the poll.
    pub(crate) is_looking: bool,
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
    pub(crate) reports: VecDeque<Told>,
    /// How much memory is held for clients.
    pub(crate) memory: Memory,
    /// What is counted on the way; see [`Engine::stats`].
    pub(crate) stats: Stats,
    /// The connection whose end the caller was just told.
    retiring: Option<ConnId>,
    pub(crate) is_controlled: bool,
    /// When room is made next, where memory lacked.
    pub(crate) shed_at: Option<Moment>,
    pub(crate) tick: Option<(Duration, Moment)>,
    /// Which of them comes first, with the time to make room and the end of the time to wind down.
    pub(crate) timer: Option<Moment>,
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

    /// What the caller is to deal with next; `None` where that is nothing until [`Engine::wait`] has looked
    /// again. The payload of a message may be written into, and stays where it is as
    /// [`Buffers`](crate::Buffers) says.
    #[inline(always)]
    pub fn poll_event(&mut self) -> Option<Event<&[Cell<u8>]>> {
        if let Some((id, kind, payload)) = self.take_whole() {
            self.hand_over();
            return Some(Event::Message(id, kind, cells(&mut self.input[payload])));
        }
        let told = self.next_told()?;
        self.hand_over();
        Some(told.map(|()| cells(self.payload())))
    }

    #[inline(never)]
    fn next_told(&mut self) -> Option<Told> {
        self.clock.take_over();
        if let Some(id) = self.retiring.take() {
            self.retire(id);
        }
        if let Some(id) = self.opening {
            self.refuse(id, Refusal::Forbidden);
        }
        self.find_told()
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

    fn find_told(&mut self) -> Option<Told> {
        loop {
            if self.turn.is_some() {
                if let Some((id, kind, _)) = self.take_whole() {
                    return Some(Event::Message(id, kind, ()));
                }
                if let Some(told) = self.continue_turn() {
                    return Some(told);
                }
            }
            if let Some(told) = self.next_owed() {
                return Some(told);
            }
            if self.is_looking
                && let Some(told) = self.next_outside_turns()
            {
                return Some(told);
            }
            let id = self.next_turn()?;
            if let Some(told) = self.begin_turn(id) {
                return Some(told);
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
    fn next_owed(&mut self) -> Option<Told> {
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

    /// Owes the caller a report. Without memory for it there is none.
    pub(crate) fn report(&mut self, event: Told) {
        if self.reports.try_reserve(1).is_ok() {
            self.reports.push_back(event);
        }
    }

    pub(crate) fn owes_events(&self) -> bool {
        !self.reports.is_empty() || !self.closed.is_empty() || !self.drained.is_empty()
    }

    /// What happens between the turns of connections.
    fn next_outside_turns(&mut self) -> Option<Told> {
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
    pub(crate) fn has_ended(&self) -> bool {
        self.table.len() == 0 && self.is_ending()
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
}

/// Bytes that their reader may write into.
fn cells(bytes: &mut [u8]) -> &[Cell<u8>] {
    Cell::from_mut(bytes).as_slice_of_cells()
}
