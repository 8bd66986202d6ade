//! What waits for a client: how much that is, who is told when it is sent, and whose input waits for it.

use crate::ConnId;
use crate::conn::{Drain, Phase};
use crate::deadlines::Kind;
use crate::engine::Engine;

impl Engine {
    /// How many frames wait for this connection (CONTRACT D11). Where that is not 0, the caller is told
    /// when it is (CONTRACT S25).
    pub fn queued_frames(&mut self, id: ConnId) -> u32 {
        let frames = self.unsent_frames(id);
        if frames > 0 {
            self.owe_drain(id);
        }
        frames
    }

    /// How many bytes wait for this connection, their frames' headers included. Where that is not 0, the
    /// caller is told when it is (CONTRACT S25).
    pub fn queued_bytes(&mut self, id: ConnId) -> usize {
        let bytes = self.unsent_bytes(id);
        if bytes > 0 {
            self.owe_drain(id);
        }
        bytes
    }

    pub(crate) fn unsent_frames(&self, id: ConnId) -> u32 {
        let Some(conn) = self.table.get(id) else { return 0 };
        let queued = conn.queue.map_or(0, |key| self.queues[key].frames());
        let output = if self.is_turn_of(id) { self.output.frames() } else { 0 };
        queued.saturating_add(output)
    }

    pub(crate) fn unsent_bytes(&self, id: ConnId) -> usize {
        let Some(conn) = self.table.get(id) else { return 0 };
        let queued = conn.queue.map_or(0, |key| self.queues[key].bytes());
        queued + if self.is_turn_of(id) { self.output.len() } else { 0 }
    }

    /// Whether the caller is to be told now that a connection's queue is empty.
    pub(crate) fn take_drained(&mut self, id: ConnId) -> bool {
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

    /// Owes the caller the news that a connection's queue is empty, when it is (CONTRACT S25).
    pub(crate) fn owe_drain(&mut self, id: ConnId) {
        if let Some(conn) = self.table.get_mut(id)
            && conn.drain == Drain::None
        {
            conn.drain = Drain::Owed;
        }
    }

    /// Whether a connection's input waits until more of its queue is taken: who asks for more than it reads
    /// must not lose its connection for that, nor fill our memory.
    pub(crate) fn is_held(&mut self, id: ConnId) -> bool {
        let Some(conn) = self.table.get_mut(id).filter(|conn| conn.phase == Phase::Open) else {
            return false;
        };
        let Some(key) = conn.queue.filter(|_| !conn.is_stalled && !conn.is_mute) else {
            return false;
        };
        let is_long = self.config.is_half_full(self.queues[key].held(), self.queues[key].frames());
        if is_long && !std::mem::replace(&mut conn.is_hold_watched, true) {
            self.set_deadline(id, Kind::Hold, Kind::HOLD);
        }
        is_long
    }

    /// Goes on watching whether something of a long queue is taken.
    pub(crate) fn watch_hold(&mut self, id: ConnId) {
        if let Some(conn) = self.table.get_mut(id) {
            conn.is_hold_watched = false;
        }
        self.is_held(id);
    }

    /// Deals with the input of a connection again whose peer takes nothing: what it asks for makes its queue
    /// too long.
    pub(crate) fn stop_holding(&mut self, id: ConnId) {
        if let Some(conn) = self.table.get_mut(id) {
            (conn.is_hold_watched, conn.is_stalled) = (false, true);
        }
        self.resume(id);
    }
}
