//! The engine: the loop over its parts.

mod calls;
mod look;
mod settle;

use std::cell::Cell;
use std::io;

use dorrit_proto::Refusal;

use crate::config::Config;
use crate::conn::Conn;
use crate::conns::Conns;
use crate::event::{Event, Told};
use crate::id::ConnId;
use crate::inbox::Inbox;
use crate::memory::Memory;
use crate::outbox::Outbox;
use crate::pending::Pending;
use crate::reactor::Reactor;
use crate::ready::Ready;
use crate::stats::Stats;
use crate::timers::{Due, Timers};
use crate::turn::Turn;

/// A server's connections and its loop.
pub struct Engine {
    pub(crate) config: Config,
    pub(crate) reactor: Reactor,
    pub(crate) conns: Conns,
    pub(crate) ready: Ready,
    /// The connection whose input is being dealt with.
    pub(crate) turn: Option<Turn>,
    pub(crate) inbox: Inbox,
    pub(crate) outbox: Outbox,
    pub(crate) pending: Pending,
    pub(crate) timers: Timers,
    /// How much memory is held for clients.
    pub(crate) memory: Memory,
    /// What is counted on the way; see [`Engine::stats`].
    pub(crate) stats: Stats,
}

impl Engine {
    /// An engine that listens nowhere yet. It must be made in the process in which it is used: a
    /// kqueue does not survive a fork.
    pub fn new(config: Config) -> io::Result<Self> {
        let sockets = config.max_sockets();
        let out_of_memory = |_| io::Error::from(io::ErrorKind::OutOfMemory);
        Ok(Self {
            reactor: Reactor::new()?,
            conns: Conns::new(sockets).map_err(out_of_memory)?,
            ready: Ready::new(sockets).map_err(out_of_memory)?,
            turn: None,
            inbox: Inbox::new().map_err(out_of_memory)?,
            outbox: Outbox::new(&config).map_err(out_of_memory)?,
            pending: Pending::new(sockets).map_err(out_of_memory)?,
            timers: Timers::new(),
            memory: Memory::new(config.max_memory),
            stats: Stats::default(),
            config,
        })
    }

    /// What the caller is to deal with next; `None` where that is nothing until [`Engine::wait`] has looked
    /// again. The payload of a message may be written into, and stays where it is as
    /// [`Buffers`](crate::Buffers) says.
    #[inline(always)]
    pub fn poll_event(&mut self) -> Option<Event<&[Cell<u8>]>> {
        if let Some(turn) = &mut self.turn
            && let Some((kind, payload)) =
                turn.take_whole(&mut self.inbox.input, &self.config.rules)
        {
            self.stats.messages_in += 1;
            if self.timers.clock.hand_over() {
                turn.left = 0;
            }
            let id = turn.conn;
            return Some(Event::Message(id, kind, cells(&mut self.inbox.input[payload])));
        }
        self.poll_other()
    }

    /// What [`Engine::poll_event`] tells, by the long way.
    #[inline(never)]
    fn poll_other(&mut self) -> Option<Event<&[Cell<u8>]>> {
        self.timers.clock.take_over();
        if let Some(id) = self.pending.last_closed.take() {
            self.remove(id);
        }
        if let Some(id) = self.pending.opening {
            self.refuse(id, Refusal::Forbidden);
        }
        let told = self.next_told()?;
        // Where much time has gone, what is told is the last of its turn.
        if self.timers.clock.hand_over()
            && let Some(turn) = &mut self.turn
        {
            turn.left = 0;
        }
        Some(told.map(|()| match &self.turn {
            Some(turn) => cells(self.inbox.payload(&turn.payload)),
            None => &[],
        }))
    }

    fn next_told(&mut self) -> Option<Told> {
        loop {
            if let Some(turn) = &mut self.turn {
                let id = turn.conn;
                let whole = turn.take_whole(&mut self.inbox.input, &self.config.rules);
                if let Some((kind, _)) = whole {
                    self.stats.messages_in += 1;
                    return Some(Event::Message(id, kind, ()));
                }
                let Some(told) = self.with(id, Conn::continue_turn) else {
                    self.abandon_turn();
                    continue;
                };
                if told.is_some() {
                    return told;
                }
            }
            if let Some(told) = self.next_owed() {
                return Some(told);
            }
            if self.pending.is_looking
                && let Some(told) = self.next_outside_turns()
            {
                return Some(told);
            }
            let id = self.next_turn()?;
            if let Some(told) = self.with(id, Conn::begin_turn).flatten() {
                return Some(told);
            }
        }
    }

    /// The connection whose turn it is, unless it is time to look at the poll (CONTRACT S20).
    fn next_turn(&mut self) -> Option<ConnId> {
        if self.timers.clock.is_due() {
            return None;
        }
        let id = self.ready.pop(&mut self.conns)?;
        self.timers.clock.count(1);
        Some(id)
    }

    /// Ends the turn of a connection that is not there any more.
    fn abandon_turn(&mut self) {
        if let Some(turn) = self.turn.take() {
            self.inbox.restore_shared(&turn);
            self.outbox.output.clear();
        }
    }

    /// What the caller is to be told of what happened already.
    fn next_owed(&mut self) -> Option<Told> {
        if let Some(report) = self.pending.next_report() {
            return Some(report);
        }
        if let Some(id) = self.pending.next_closed() {
            return Some(Event::Closed(id));
        }
        while let Some(id) = self.pending.next_drained() {
            if self.conns.get_mut(id).is_some_and(Conn::take_drained) {
                return Some(Event::Drained(id));
            }
        }
        None
    }

    /// What happens between the turns of connections.
    fn next_outside_turns(&mut self) -> Option<Told> {
        if self.has_ended() {
            return Some(Event::Stopped);
        }
        if std::mem::take(&mut self.pending.is_controlled) {
            return Some(Event::Control);
        }
        match self.timers.poll() {
            Some(Due::Tick) => return Some(Event::Tick),
            Some(Due::DrainExpired) => return Some(Event::DrainExpired),
            Some(Due::Shed) => {
                self.shed();
                return Some(Event::ShortOfMemory);
            }
            None => {}
        }
        self.pending.is_looking = false;
        self.accept_some().map(Event::AcceptFailed)
    }

    /// Whether the server is to end and nobody is left.
    fn has_ended(&self) -> bool {
        self.conns.len() == 0 && self.timers.lifecycle().is_ending()
    }
}

/// Bytes that their reader may write into.
fn cells(bytes: &mut [u8]) -> &[Cell<u8>] {
    Cell::from_mut(bytes).as_slice_of_cells()
}
