//! What waits for a client: how much that is, who is told when it is sent, and whose input waits for it.

use super::{Conn, Context, Drain};
use crate::timers::Kind;

impl Conn {
    /// How many frames wait for a connection (CONTRACT D11). Where that is not 0, the caller is told when it is
    /// (CONTRACT S25).
    pub(crate) fn queued_frames(&mut self, cx: &Context) -> u32 {
        let frames = self.unsent_frames(cx);
        if frames > 0 {
            self.owe_drain();
        }
        frames
    }

    /// How many bytes wait for a connection, their frames' headers included. Where that is not 0, the caller is told
    /// when it is (CONTRACT S25).
    pub(crate) fn queued_bytes(&mut self, cx: &Context) -> usize {
        let bytes = self.unsent_bytes(cx);
        if bytes > 0 {
            self.owe_drain();
        }
        bytes
    }

    pub(crate) fn unsent_frames(&self, cx: &Context) -> u32 {
        let queued = self.queue.map_or(0, |key| cx.outbox.queues[key].frames());
        let output = if cx.is_turn() { cx.outbox.output.frames() } else { 0 };
        queued.saturating_add(output)
    }

    pub(crate) fn unsent_bytes(&self, cx: &Context) -> usize {
        let queued = self.queue.map_or(0, |key| cx.outbox.queues[key].bytes());
        queued + if cx.is_turn() { cx.outbox.output.len() } else { 0 }
    }

    /// Whether the caller is to be told now that a connection's queue is empty.
    pub(crate) fn take_drained(&mut self) -> bool {
        let is_empty = self.is_empty();
        self.drain = if is_empty { Drain::None } else { Drain::Owed };
        is_empty
    }

    /// Has the caller told that a connection's queue is empty, where that is so and is owed.
    pub(super) fn note_drained(&mut self, cx: &mut Context) {
        if self.drain == Drain::Owed && self.is_empty() {
            self.drain = Drain::Listed;
            cx.wants.drained();
        }
    }

    /// Has the caller told that a connection's queue is empty, also where it is already. Returns whether that will be:
    /// it must not be being closed.
    pub(crate) fn want_drain(&mut self, cx: &mut Context) -> bool {
        if !self.is_writable(cx) {
            return false;
        }
        self.owe_drain();
        if cx.outbox.output.len() == 0 || !cx.is_turn() {
            self.note_drained(cx);
        }
        true
    }

    /// Whether it is open and nothing is queued for it.
    fn is_empty(&self) -> bool {
        self.queue.is_none() && self.is_open()
    }

    /// Owes the caller the news that a connection's queue is empty, when it is (CONTRACT S25).
    pub(super) fn owe_drain(&mut self) {
        if self.drain == Drain::None {
            self.drain = Drain::Owed;
        }
    }

    /// Whether a connection's input waits until more of its queue is taken: who asks for more than it reads
    /// must not lose its connection for that, nor fill our memory.
    pub(super) fn is_held(&mut self, cx: &mut Context) -> bool {
        let is_waiting = self.is_open() && !self.is_stalled && !self.is_write_closed;
        let Some(key) = self.queue.filter(|_| is_waiting) else { return false };
        let queue = &cx.outbox.queues[key];
        let is_long = cx.config.is_half_full(queue.held(), queue.frames());
        if is_long && !std::mem::replace(&mut self.is_hold_watched, true) {
            cx.wants.deadline(Kind::Hold);
        }
        is_long
    }

    /// Goes on watching whether something of a long queue is taken.
    pub(super) fn watch_hold(&mut self, cx: &mut Context) {
        self.is_hold_watched = false;
        self.is_held(cx);
    }

    /// Deals with the input of a connection again whose peer takes nothing: what it asks for makes its queue
    /// too long.
    pub(super) fn stop_holding(&mut self, cx: &mut Context) {
        (self.is_hold_watched, self.is_stalled) = (false, true);
        self.resume(cx);
    }
}
