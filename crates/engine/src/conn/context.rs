//! What the methods of a connection may touch besides it.

use std::collections::TryReserveError;
use std::sync::Arc;

use dorrit_proto::Refusal;

use super::wants::Wants;
use crate::config::Config;
use crate::connections::Connections;
use crate::date::Date;
use crate::descriptors::Descriptors;
use crate::exchange::Exchange;
use crate::id::ConnId;
use crate::inbox::Inbox;
use crate::memory::Memory;
use crate::outbox::Outbox;
use crate::payload::Payload;
use crate::peers::Peers;
use crate::pending::Pending;
use crate::pool::Pool;
use crate::stats::Stats;
use crate::timers::{Clock, Lifecycle};
use crate::turn::Turn;

/// What an operation on a connection may touch besides it, lent by the engine: of one connection at a time.
pub(crate) struct Context {
    /// The connection that is acted on.
    pub(crate) id: ConnId,
    /// What is to follow.
    pub(crate) wants: Wants,
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) date: Date,
    pub(crate) lifecycle: Lifecycle,
    /// The connection whose input is being dealt with.
    pub(crate) turn: Option<Turn>,
    pub(crate) inbox: Inbox,
    pub(crate) outbox: Outbox,
    /// What is kept of plain requests, and of those whose decision is put off.
    pub(crate) exchanges: Pool<Exchange>,
    /// Who the clients are.
    pub(crate) peers: Peers,
    pub(crate) pending: Pending,
    /// Which descriptors are the engine's own.
    pub(crate) descriptors: Descriptors,
    /// How much memory is held for clients.
    pub(crate) memory: Memory,
    /// What is counted on the way.
    pub(crate) stats: Stats,
    /// The connections of all loops that are accepted and not removed.
    pub(crate) connections: Arc<Connections>,
    /// How many of those are this loop's.
    pub(crate) open: usize,
    /// How many of this loop's are not being closed.
    pub(crate) live: usize,
}

impl Context {
    /// What is lent by an engine without connections.
    pub(crate) fn new(
        config: Config,
        connections: Arc<Connections>,
    ) -> Result<Self, TryReserveError> {
        Ok(Self {
            id: ConnId::NONE,
            wants: Wants::default(),
            clock: Clock::new(),
            date: Date::default(),
            lifecycle: Lifecycle::default(),
            turn: None,
            inbox: Inbox::new()?,
            outbox: Outbox::new(&config)?,
            exchanges: Pool::default(),
            peers: Peers::default(),
            pending: Pending::new(config.max_sockets())?,
            descriptors: Descriptors::default(),
            memory: Memory::new(config.max_memory),
            stats: Stats::default(),
            connections,
            open: 0,
            live: 0,
            config,
        })
    }

    /// Lends all this for an operation on a connection.
    #[inline(always)]
    pub(crate) fn lend(&mut self, id: ConnId) -> &mut Self {
        (self.id, self.wants) = (id, Wants::default());
        self
    }

    /// Whether it is the turn of the connection that is acted on.
    pub(crate) fn is_turn(&self) -> bool {
        self.is_turn_of(self.id)
    }

    /// Whether it is this connection's turn.
    pub(crate) fn is_turn_of(&self, id: ConnId) -> bool {
        self.turn.as_ref().is_some_and(|turn| turn.conn == id)
    }

    /// Throws away what the turn of the connection that is acted on has produced.
    pub(crate) fn drop_output(&mut self) {
        if self.is_turn() {
            self.outbox.output.clear();
        }
    }

    /// Notes that so much of the input is dealt with.
    pub(crate) fn consume(&mut self, len: usize) {
        if let Some(turn) = &mut self.turn {
            turn.pos += len;
        }
    }

    /// Ends the turn with the message that is being dealt with, where its answers are enough for one.
    pub(crate) fn note_output(&mut self) {
        if self.outbox.output.is_enough()
            && let Some(turn) = &mut self.turn
        {
            turn.left = 0;
        }
    }

    /// Whether so many bytes more would be more than may be held for clients. What is kept for later is given
    /// back before that is said.
    pub(crate) fn is_memory_full(&mut self, more: usize) -> bool {
        if !self.memory.is_full(self.outbox.held(), more) {
            return false;
        }
        self.drop_kept();
        self.memory.is_full(self.outbox.held(), more)
    }

    /// Whether much less memory is held than there was since this was said last.
    #[inline(always)]
    pub(crate) fn take_released(&mut self) -> bool {
        let is_released = self.memory.is_released(self.outbox.held(), self.outbox.peak());
        if is_released {
            self.memory.reset_peak();
            self.outbox.frames.reset_peak();
        }
        is_released
    }

    /// Gives back what no connection needs, and the caller does not look at.
    pub(crate) fn drop_kept(&mut self) {
        let told = self.turn.as_ref().map_or(&Payload::None, |turn| &turn.payload);
        self.inbox.drop_kept(told, &mut self.memory);
        self.outbox.body = Vec::new();
    }

    /// Whether a message that takes so much memory is too much for a queue that takes that much. An empty
    /// queue takes any.
    pub(crate) fn is_overflow(&mut self, queued: usize, more: usize) -> bool {
        self.config.is_overflow(queued, more) || (queued > 0 && self.is_memory_full(more))
    }

    /// Why nobody new is accepted now, if that is so.
    pub(crate) fn is_full(&mut self) -> Option<Refusal> {
        if self.connections.is_full() {
            return Some(Refusal::Full);
        }
        self.is_memory_full(1).then_some(Refusal::NoMemory)
    }
}
