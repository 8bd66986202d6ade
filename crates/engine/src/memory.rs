//! How much memory is held for clients (CONTRACT S22).

/// What is held for clients besides their queues: their input and messages that come, and what compression
/// takes.
#[derive(Debug)]
pub(crate) struct Memory {
    held: usize,
    /// How much may be held altogether.
    limit: usize,
    /// The most that was held since the caller was told that it is much less.
    peak: usize,
}

/// The caller is told when at least so much, and half of what there was, is not held any more.
const RELEASED: usize = 1 << 20;

impl Memory {
    /// An account of nothing yet, of no more than that where there is a limit.
    pub(crate) fn new(limit: Option<usize>) -> Self {
        Self { held: 0, limit: limit.unwrap_or(usize::MAX), peak: 0 }
    }

    /// Notes that something takes `after` bytes that took `before`.
    pub(crate) fn change(&mut self, before: usize, after: usize) {
        self.held = self.held.saturating_sub(before).saturating_add(after);
        self.peak = self.peak.max(self.held);
    }

    /// How many bytes are held where queues take that much.
    pub(crate) fn held(&self, queued: usize) -> usize {
        self.held + queued
    }

    /// Whether so many bytes more would be too many, where queues take that much.
    pub(crate) fn is_full(&self, queued: usize, more: usize) -> bool {
        self.held.saturating_add(queued).saturating_add(more) > self.limit
    }

    /// Whether much less is held than there was, where queues take that much, and took so much at most.
    #[inline(always)]
    pub(crate) fn is_released(&self, queued: usize, most_queued: usize) -> bool {
        let (held, peak) = (self.held + queued, self.peak + most_queued);
        peak.saturating_sub(held) >= RELEASED && held <= peak / 2
    }

    /// Begins to note anew what is the most that is held.
    pub(crate) fn reset_peak(&mut self) {
        self.peak = self.held;
    }
}
