//! What the methods of a connection may touch besides it.

use dorrit_proto::Refusal;

use super::wants::Wants;
use crate::config::Config;
use crate::id::ConnId;
use crate::inbox::{Inbox, Payload};
use crate::memory::Memory;
use crate::outbox::Outbox;
use crate::pending::Pending;
use crate::stats::Stats;
use crate::timers::{Clock, Lifecycle};
use crate::turn::Turn;

/// What an operation on a connection may touch besides it.
pub(crate) struct Context<'a> {
    /// The connection's.
    pub(crate) id: ConnId,
    pub(crate) config: &'a Config,
    pub(crate) clock: &'a mut Clock,
    pub(crate) lifecycle: Lifecycle,
    /// Whosever turn it is.
    pub(crate) turn: &'a mut Option<Turn>,
    pub(crate) inbox: &'a mut Inbox,
    pub(crate) outbox: &'a mut Outbox,
    pub(crate) pending: &'a mut Pending,
    pub(crate) memory: &'a mut Memory,
    pub(crate) stats: &'a mut Stats,
    /// How many connections are accepted and not closed.
    pub(crate) open: usize,
    /// What is to follow.
    pub(crate) wants: Wants,
}

impl Context<'_> {
    /// Whether it is the connection's turn.
    pub(crate) fn is_turn(&self) -> bool {
        self.turn.as_ref().is_some_and(|turn| turn.conn == self.id)
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
        let told = self.turn.as_ref().map_or(&Payload::None, |turn| &turn.payload);
        self.inbox.drop_kept(told, self.memory);
        self.outbox.body = Vec::new();
        self.memory.is_full(self.outbox.held(), more)
    }

    /// Whether a message that takes so much memory is too much for a queue that takes that much. An empty
    /// queue takes any.
    pub(crate) fn is_overflow(&mut self, queued: usize, more: usize) -> bool {
        self.config.is_overflow(queued, more) || (queued > 0 && self.is_memory_full(more))
    }

    /// Why nobody new is accepted now, if that is so.
    pub(crate) fn is_full(&mut self) -> Option<Refusal> {
        if self.open >= self.config.max_connections {
            return Some(Refusal::Full);
        }
        self.is_memory_full(1).then_some(Refusal::NoMemory)
    }
}
