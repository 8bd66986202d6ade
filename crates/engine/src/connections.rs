//! How many connections there are, in all loops together.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The connections of all loops that are accepted and not closed, and how many there may be. To be shared by the
/// loops of a server.
#[derive(Debug)]
pub struct Connections {
    count: AtomicUsize,
    max: usize,
}

impl Connections {
    /// A count of no connection yet, of `max` at most.
    pub fn new(max: usize) -> Self {
        Self { count: AtomicUsize::new(0), max }
    }

    /// How many connections there are now.
    pub fn count(&self) -> usize {
        // Relaxed: the number alone is shared.
        self.count.load(Ordering::Relaxed)
    }

    /// Whether there are as many as there may be.
    pub fn is_full(&self) -> bool {
        self.count() >= self.max
    }

    pub(crate) fn add(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn remove(&self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}
