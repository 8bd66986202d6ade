//! How much memory is held for clients, and what follows where it is as much as may be (CONTRACT S22).

use dorrit_proto::{CloseCode, Refusal};

use crate::ConnId;
use crate::closing::Ending;
use crate::conn::{Phase, Then};
use crate::deadlines::Kind;
use crate::engine::Engine;
use crate::event::{DropCause, Event};
use crate::turn::Step;

/// What is held for clients besides their queues: their input and messages that come, and what compression
/// takes.
#[derive(Debug)]
pub(crate) struct Memory {
    held: usize,
    /// How much may be held altogether.
    limit: usize,
    /// The most that was held altogether since the caller was told that it is much less.
    peak: usize,
}

/// The caller is told when at least so much, and half of what there was, is not held any more.
const RELEASED: usize = 1 << 20;

impl Memory {
    /// Nothing yet, and no more than that, where there is a limit.
    pub(crate) fn new(limit: Option<usize>) -> Self {
        Self { held: 0, limit: limit.unwrap_or(usize::MAX), peak: 0 }
    }

    /// Notes that something takes `after` bytes that took `before`.
    pub(crate) fn change(&mut self, before: usize, after: usize) {
        self.held = self.held.saturating_sub(before).saturating_add(after);
    }

    /// Whether so many bytes more would be too many, where queues take that much.
    pub(crate) fn is_full(&self, queued: usize, more: usize) -> bool {
        self.held.saturating_add(queued).saturating_add(more) > self.limit
    }

    /// Whether much less is held than there was, where queues take that much, and took so much at most.
    #[inline(always)]
    fn is_released(&mut self, queued: usize, most_queued: usize) -> bool {
        let held = self.held + queued;
        self.peak = self.peak.max(self.held + most_queued);
        let is_released = held <= self.peak / 2 && self.peak - held >= RELEASED;
        if is_released {
            self.peak = held;
        }
        is_released
    }
}

impl Engine {
    /// Whether so many bytes more would be more than may be held for clients. What is kept for later is given
    /// back before that is said.
    pub(crate) fn is_memory_full(&mut self, more: usize) -> bool {
        if !self.memory.is_full(self.queued_memory(), more) {
            return false;
        }
        self.drop_kept();
        self.memory.is_full(self.queued_memory(), more)
    }

    /// Tells the caller where much of what was held is not held any more.
    pub(crate) fn report_released(&mut self) {
        let most_queued = self.messages.take_peak() + self.deflaters.held();
        if self.memory.is_released(self.queued_memory(), most_queued) {
            self.report(Event::MemoryReleased);
        }
    }

    /// How much memory is held for clients, in bytes.
    pub(crate) fn held_memory(&self) -> usize {
        self.memory.held + self.queued_memory()
    }

    /// How much memory is held for what is sent, in bytes.
    pub(crate) fn queued_memory(&self) -> usize {
        self.messages.held() + self.deflaters.held()
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

    /// Drops a client for whose message there is no memory.
    pub(crate) fn drop_for_memory(&mut self, id: ConnId) -> Step {
        if self.phase(id) != Phase::Open {
            self.kill(id);
            return Step::Next;
        }
        self.drop_incoming(id);
        self.end_for_memory(id);
        self.stats.dropped_memory += 1;
        Step::Event(Event::Dropped(id, DropCause::MessageMemory))
    }

    /// Ends connection `id` with a close frame of 1013, for want of memory.
    pub(crate) fn end_for_memory(&mut self, id: ConnId) {
        let code = Some(CloseCode::TRY_AGAIN_LATER);
        let (then, reason) = (Then::Discard, "there is no memory");
        self.end(id, Ending { then, code, reason, deadline: Kind::Flush });
    }
}
