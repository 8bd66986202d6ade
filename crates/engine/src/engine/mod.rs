//! The engine: the loop over its parts.

mod calls;
mod flow;
mod look;
mod requests;
mod settle;
mod sources;

use std::cell::Cell;
use std::io;
use std::sync::Arc;

use crate::config::Config;
use crate::conn::{Conn, Context};
use crate::connections::Connections;
use crate::conns::Conns;
use crate::event::{Event, Told};
use crate::id::ConnId;
use crate::reactor::{Notice, Reactor};
use crate::ready::Ready;
use crate::shares::Shares;
use crate::spent::FirstIds;
use crate::timers::{Due, Timers};

/// The table of the only loop.
const SHARD: u8 = 0;

/// A server's connections and its loop.
pub struct Engine {
    pub(crate) conns: Conns,
    pub(crate) ready: Ready,
    pub(crate) reactor: Reactor,
    pub(crate) timers: Timers,
    pub(crate) shares: Shares,
    /// What operations on connections may touch.
    pub(crate) cx: Context,
}

impl Drop for Engine {
    fn drop(&mut self) {
        let generation = self.conns.next_generation(|conn| conn.requests(&self.cx));
        FirstIds { generation, timers: self.timers.one_shots.count() }.keep();
    }
}

/// How the loop goes on.
enum Progress {
    /// A turn has begun.
    Turn,
    Told(Told),
    /// There is nothing to tell until the poll was looked at.
    Idle,
}

impl Engine {
    /// An engine that listens nowhere yet, and counts its connections with those of other loops. It must be made in
    /// the process in which it is used: a kqueue does not survive a fork.
    pub fn new(config: Config, connections: Arc<Connections>) -> io::Result<Self> {
        let sockets = config.max_sockets();
        let first = FirstIds::new();
        let out_of_memory = |_| io::Error::from(io::ErrorKind::OutOfMemory);
        Ok(Self {
            conns: Conns::new(SHARD, first.generation, sockets).map_err(out_of_memory)?,
            ready: Ready::new(sockets).map_err(out_of_memory)?,
            reactor: Reactor::new()?,
            timers: Timers::new(first.timers),
            shares: Shares::new(),
            cx: Context::new(config, connections).map_err(out_of_memory)?,
        })
    }

    /// What the caller is to deal with next; `None` where that is nothing until [`Engine::wait`] has looked
    /// again. The payload of a message may be written into, and stays where it is as
    /// [`Buffers`](crate::Buffers) says.
    #[inline(always)]
    pub fn poll_event(&mut self) -> Option<Event<&[Cell<u8>]>> {
        loop {
            let cx = &mut self.cx;
            if let Some(turn) = &mut cx.turn
                && let Some((kind, payload)) =
                    turn.take_whole(&mut cx.inbox.input, &cx.config.rules)
            {
                cx.stats.messages_in += 1;
                if cx.clock.hand_over() {
                    turn.left = 0;
                }
                let id = turn.conn;
                return Some(Event::Message(id, kind, cells(&mut self.cx.inbox.input[payload])));
            }
            match self.proceed() {
                Progress::Turn => {}
                Progress::Told(told) => return Some(self.hand_over(told)),
                Progress::Idle => return None,
            }
        }
    }

    /// Hands an event to the caller. Where much time has gone, it is the last one of its turn.
    fn hand_over(&mut self, told: Told) -> Event<&[Cell<u8>]> {
        let Context { clock, turn, inbox, .. } = &mut self.cx;
        if clock.hand_over()
            && let Some(turn) = turn
        {
            turn.left = 0;
        }
        told.map(|()| match turn {
            Some(turn) => cells(inbox.payload(&turn.payload)),
            None => &[],
        })
    }

    /// Goes on until there is something to tell, or a turn has begun.
    #[inline(never)]
    fn proceed(&mut self) -> Progress {
        self.cx.clock.take_over();
        if let Some(id) = self.cx.pending.last_closed.take() {
            self.forget(id);
        }
        if self.cx.pending.refused.is_some() {
            self.cx.pending.refused = None;
        }
        if let Some(id) = self.cx.pending.opening {
            self.with(id, Conn::leave_undecided);
        }
        let mut told = None;
        if let Some(turn) = &self.cx.turn {
            let is_there = self.with(turn.conn, |conn, cx| told = conn.continue_turn(cx));
            if is_there.is_none() {
                self.abandon_turn();
            }
            if let Some(told) = told {
                return Progress::Told(told);
            }
        } else {
            self.timers.one_shots.take_back();
        }
        loop {
            if let Some(told) = self.next_owed() {
                return Progress::Told(told);
            }
            if self.cx.pending.is_looking
                && let Some(told) = self.next_outside_turns()
            {
                return Progress::Told(told);
            }
            let Some((id, notice)) = self.next_turn() else {
                if self.shares.is_asked
                    && let Some(told) = self.next_behind_turns()
                {
                    return Progress::Told(told);
                }
                return Progress::Idle;
            };
            self.with(id, |conn, cx| {
                conn.note(notice);
                told = conn.begin_turn(cx);
            });
            if let Some(told) = told {
                return Progress::Told(told);
            }
            if self.cx.turn.is_some() {
                return Progress::Turn;
            }
        }
    }

    /// The connection whose turn it is, and what the poll has told of it, unless it is time to look at the poll
    /// (CONTRACT S20).
    fn next_turn(&mut self) -> Option<(ConnId, Notice)> {
        if self.cx.clock.is_due() {
            return None;
        }
        let next = self.ready.pop(&mut self.conns)?;
        self.cx.clock.count(1);
        self.shares.has_turned = true;
        Some(next)
    }

    /// Ends the turn of a connection that is not there any more.
    fn abandon_turn(&mut self) {
        if let Some(turn) = self.cx.turn.take() {
            self.cx.inbox.restore_shared(&turn);
            self.cx.outbox.output.clear();
        }
    }

    /// What the caller is to be told of what happened already.
    fn next_owed(&mut self) -> Option<Told> {
        if let Some(report) = self.cx.pending.next_report() {
            return Some(report);
        }
        if let Some(id) = self.cx.pending.next_closed() {
            return Some(Event::Closed(id));
        }
        while let Some(id) = self.cx.pending.next_drained() {
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
        if std::mem::take(&mut self.cx.pending.is_controlled) {
            return Some(Event::Control);
        }
        match self.timers.poll(self.cx.clock.now()) {
            Some(Due::Tick) => return Some(Event::Tick),
            Some(Due::DrainExpired) => return Some(Event::DrainExpired),
            Some(Due::Shed) => {
                self.shed();
                return Some(Event::ShortOfMemory);
            }
            None => {}
        }
        if self.shares.is_asked
            && let Some(told) = self.next_of_sources()
        {
            return Some(told);
        }
        self.cx.pending.is_looking = false;
        if !self.reactor.listeners.is_any_ready() {
            return None;
        }
        self.accept_some().map(Event::AcceptFailed)
    }

    /// Whether the server is to end and nobody is left: [`Event::Stopped`] is all that there is to tell.
    pub fn has_ended(&self) -> bool {
        self.conns.len() == 0 && self.cx.lifecycle.is_ending()
    }
}

/// Bytes that their reader may write into.
fn cells(bytes: &mut [u8]) -> &[Cell<u8>] {
    Cell::from_mut(bytes).as_slice_of_cells()
}
