//! The ids that engines of this process have given away that are there no more: none that comes later gives them again
//! (CONTRACT S6, F6).

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The first generation of which no connection has had an id.
static GENERATION: AtomicU32 = AtomicU32::new(1);
/// How many timers were set.
static TIMERS: AtomicU64 = AtomicU64::new(0);

/// Where the ids of an engine begin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FirstIds {
    /// The generation of the first connections.
    pub(crate) generation: NonZeroU32,
    /// How many timers were set before.
    pub(crate) timers: u64,
}

impl FirstIds {
    /// Behind those that were given away. Generations that are used up begin anew.
    pub(crate) fn new() -> Self {
        let generation = NonZeroU32::new(GENERATION.load(Ordering::Relaxed));
        let generation = generation.filter(|it| *it != NonZeroU32::MAX);
        Self {
            generation: generation.unwrap_or(NonZeroU32::MIN),
            timers: TIMERS.load(Ordering::Relaxed),
        }
    }

    /// Has the ids of engines that come later begin here at least.
    pub(crate) fn keep(self) {
        GENERATION.fetch_max(self.generation.get(), Ordering::Relaxed);
        TIMERS.fetch_max(self.timers, Ordering::Relaxed);
    }
}
