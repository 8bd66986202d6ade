//! The caller's timers, each of which is told once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::clock::Moment;
use crate::id::{Key, TimerId};
use crate::table::Table;

/// So many that were cancelled may stand among the others, and as many as there are of those.
const CANCELLED: usize = 64;

/// The caller's timers. They are reckoned in real time, which goes on while a callback runs.
#[derive(Default)]
pub(crate) struct OneShots {
    /// When each is due, the first at the top; those that were cancelled stand among them, but not at the top.
    heap: BinaryHeap<Reverse<(Moment, TimerId)>>,
    /// Those that are to be told.
    keys: Table<TimerId, Key>,
    /// How many were ever set.
    count: u64,
    /// When the timer was due that the caller deals with, and its key.
    told: Option<(Key, Moment)>,
}

impl OneShots {
    /// Sets a timer; `None` where there is no memory for it, or no id. It counts from now, and where the caller deals
    /// with a timer with the same key from when that was due: periods that have passed are left out.
    pub(crate) fn set(&mut self, shard: u8, after: Duration, key: Key) -> Option<TimerId> {
        let now = Moment::now();
        let at = match self.told {
            Some((told, due)) if told == key && !after.is_zero() => due.next(after, now),
            _ => now + after,
        };
        let id = TimerId::new(shard, self.count)?;
        self.heap.try_reserve(1).ok()?;
        self.keys.insert(id, key).ok()?;
        self.heap.push(Reverse((at, id)));
        self.count += 1;
        Some(id)
    }

    /// Forgets a timer, if it is still to be told.
    pub(crate) fn cancel(&mut self, id: TimerId) {
        if let Some((_, is_released)) = self.keys.remove(&id) {
            self.tidy(is_released);
        }
    }

    /// When the first is due.
    #[inline(always)]
    pub(crate) fn next_at(&self) -> Option<Moment> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Whether one was due before that moment.
    #[inline(always)]
    pub(crate) fn is_due(&self, moment: Moment) -> bool {
        self.next_at().is_some_and(|at| at < moment)
    }

    /// The key of the next timer that was due before that moment, with which the caller deals until
    /// [`OneShots::take_back`].
    pub(crate) fn pop(&mut self, moment: Moment) -> Option<Key> {
        if !self.is_due(moment) {
            return None;
        }
        let Reverse((at, id)) = self.heap.pop()?;
        let (key, is_released) = self.keys.remove(&id)?;
        self.tidy(is_released);
        self.told = Some((key, at));
        Some(key)
    }

    /// The caller has dealt with the timer that it was told last.
    pub(crate) fn take_back(&mut self) {
        self.told = None;
    }

    /// Forgets those that were cancelled where they are many or come first, and gives memory back where few are left
    /// (CONTRACT S22).
    fn tidy(&mut self, is_released: bool) {
        let Self { heap, keys, .. } = self;
        if is_released || heap.len() > 2 * keys.len() + CANCELLED {
            heap.retain(|Reverse((_, id))| keys.has(id));
        }
        if is_released {
            heap.shrink_to(2 * keys.len());
        }
        while heap.peek().is_some_and(|Reverse((_, id))| !keys.has(id)) {
            heap.pop();
        }
    }
}
