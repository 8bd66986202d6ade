//! What goes into a connection's queue, and what is too much for it.

use dorrit_proto::{CloseCode, FrameHead, MessageKind, OpCode};

use crate::ConnId;
use crate::closing::Ending;
use crate::config::OverflowPolicy;
use crate::conn::{Excess, Then};
use crate::deadlines::Kind;
use crate::deflaters::{PLAIN, Prepared, variant};
use crate::engine::Engine;
use crate::event::{DropCause, Event, OutOfMemory};
use crate::messages::MessageId;
use crate::pool::Key;

/// A message for one connection of at most so many bytes is joined to what waits there.
const SMALL: usize = 4096;
/// The same for a message for many: it is copied where a reference to it would take as much.
const TINY: usize = 64;

impl Engine {
    /// Joins a small message to what waits for a connection, which takes no memory of its own.
    pub(crate) fn join(&mut self, id: ConnId, kind: MessageKind, payload: &[u8]) -> bool {
        let Some(conn) = self.table.get(id) else { return false };
        let Some(key) = conn.queue else { return false };
        let len = FrameHead::MAX + payload.len();
        let is_small = len <= SMALL && payload.len() <= self.config.max_fragment;
        if !is_small
            || variant(conn, payload.len()) != PLAIN
            || self.is_overflow(self.queues[key].held(), len)
        {
            return false;
        }
        let head = FrameHead::new(kind.into(), payload.len());
        if !self.queues[key].join([head.as_bytes(), payload], &mut self.messages) {
            return false;
        }
        self.note_queued(id, len);
        true
    }

    /// Copies a message behind what waits in a queue: smaller than what a reference to it takes.
    fn join_copy(&mut self, key: Key, message: MessageId) -> bool {
        let mut copy = [0; TINY];
        let bytes = self.messages.bytes(message);
        let copy = &mut copy[..bytes.len()];
        copy.copy_from_slice(bytes);
        self.queues[key].join([copy, &[]], &mut self.messages)
    }

    /// Queues a message that was prepared for a connection, where its limit allows. Returns whether it does.
    pub(crate) fn queue_prepared(&mut self, id: ConnId, messages: &Prepared, len: usize) -> bool {
        let Some(conn) = self.table.get(id).filter(|conn| conn.is_writable()) else {
            return false;
        };
        let excess = conn.excess;
        let variant = variant(conn, len);
        let (Some(key), Some(message)) = (conn.queue, messages[variant]) else { return false };
        let bytes = self.messages.bytes(message);
        let len = bytes.len();
        let is_small = len <= TINY && self.messages.frames(message) == 1;
        let queue = &self.queues[key];
        let weight = match is_small && queue.is_joinable(len, &self.messages) {
            true => len,
            false => self.messages.weight(message),
        };
        let held = queue.held();
        let excess = match excess {
            Excess::None if self.config.is_overflow(held, weight) => Excess::Queue,
            // The message itself is counted already.
            Excess::None if held > 0 && self.is_memory_full(0) => Excess::Memory,
            excess => excess,
        };
        if excess != Excess::None {
            if let Some(conn) = self.table.get_mut(id) {
                conn.excess = excess;
            }
            return false;
        }
        if !(is_small && self.join_copy(key, message)) {
            self.queues[key].push(message, &mut self.messages);
        }
        self.note_queued(id, len);
        true
    }

    /// Ends what a call has begun with a connection: what was too much for it is acted upon.
    pub(crate) fn end_call(&mut self, id: ConnId) {
        let Some(conn) = self.table.get_mut(id) else { return };
        let excess = std::mem::replace(&mut conn.excess, Excess::None);
        self.unreserve_queue(id);
        match excess {
            Excess::None => {}
            Excess::Queue => self.overflow(id, DropCause::QueueFull),
            Excess::Memory => self.overflow(id, DropCause::QueueMemory),
        }
    }

    /// Notes that so many bytes more wait in a connection's queue.
    pub(crate) fn note_queued(&mut self, id: ConnId, len: usize) {
        if self.is_turn_of(id) {
            self.output.charge(len);
            self.note_output();
        }
        self.flush_soon(id);
    }

    /// Does with a client that does not read what the configuration says.
    pub(crate) fn overflow(&mut self, id: ConnId, cause: DropCause) {
        if self.config.queue_limit.policy == OverflowPolicy::Skip {
            self.stats.skipped += 1;
            return self.owe_drain(id);
        }
        if let Some(key) = self.table.get(id).and_then(|conn| conn.queue) {
            self.queues[key].keep_first(&mut self.messages);
        }
        self.end(
            id,
            Ending {
                then: Then::Discard,
                code: Some(CloseCode::POLICY),
                reason: "too much is queued",
                deadline: Kind::Flush,
            },
        );
        self.stats.dropped_queue += 1;
        self.report(Event::Dropped(id, cause));
    }

    /// Queues a control frame. A pong takes the place of one that waits.
    pub(crate) fn queue_control(
        &mut self,
        id: ConnId,
        opcode: OpCode,
        payload: &[u8],
    ) -> Result<(), OutOfMemory> {
        let head = FrameHead::new(opcode, payload.len());
        if self.is_output_of(id) && self.output.push_frame(head, payload) {
            return Ok(());
        }
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(head.as_bytes().len() + payload.len())?;
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(payload);
        self.messages.reserve()?;
        let key = self.reserve_queue(id)?;
        if opcode == OpCode::Pong {
            self.queues[key].push_pong(bytes, &mut self.messages);
        } else {
            let message = self.messages.insert(bytes, 1);
            self.queues[key].push_new(message, &mut self.messages);
        }
        self.flush_soon(id);
        Ok(())
    }

    /// Sends the answer to a request before all that is queued already.
    pub(crate) fn queue_answer(&mut self, id: ConnId, answer: Vec<u8>) -> Result<(), OutOfMemory> {
        if self.is_output_of(id) && self.output.prepend(&answer) {
            return Ok(());
        }
        self.messages.reserve()?;
        let key = self.reserve_queue(id)?;
        let message = self.messages.insert(answer, 0);
        self.queues[key].push_answer(message, &mut self.messages);
        self.flush_soon(id);
        Ok(())
    }

    /// Makes room in a connection's queue, behind the output of its turn.
    pub(crate) fn reserve_queue(&mut self, id: ConnId) -> Result<Key, OutOfMemory> {
        if self.is_output_of(id) {
            self.spill_output(id, 0)?;
            // It goes out whatever becomes of what is queued behind it.
            self.flush_soon(id);
        }
        self.queues.reserve()?;
        let Some(conn) = self.table.get_mut(id) else { return Err(OutOfMemory) };
        let key = *conn.queue.get_or_insert_with(|| self.queues.take());
        self.queues[key].reserve()?;
        Ok(key)
    }

    pub(crate) fn unreserve_queue(&mut self, id: ConnId) {
        let Some(key) = self.table.get(id).and_then(|conn| conn.queue) else { return };
        self.queues[key].unreserve();
        if self.queues[key].is_empty() {
            self.drop_queue(id);
        }
    }
}
