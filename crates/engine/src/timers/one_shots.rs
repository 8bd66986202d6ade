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
    /// No timers, before which so many were set.
    pub(crate) fn new(earlier: u64) -> Self {
        Self { count: earlier, ..Self::default() }
    }

    /// How many were ever set.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Sets a timer; `None` where there is no memory for it, or no id. It counts from now, and where the caller deals
    /// with a timer with the same key from when that was due: periods that have passed are left out.
    pub(crate) fn set(&mut self, shard: u8, after: Duration, key: Key) -> Option<TimerId> {
        let now = Moment::now();
        let at = match self.told {
            Some((told, due)) if told == key && !after.is_zero() => due.next(after, now),
            _ => now + after,
        };
        self.insert(shard, at, key)
    }

    /// Sets a timer for that moment.
    fn insert(&mut self, shard: u8, at: Moment, key: Key) -> Option<TimerId> {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look as if they were drawn, and are the same each time.
    struct Random(u64);

    impl Random {
        fn below(&mut self, end: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (self.0 >> 33) % end
        }
    }

    /// What was set and cancelled in any order is told as a sorted list has it: by when it is due, and in the order of
    /// setting where that is the same.
    #[test]
    fn as_a_sorted_list() {
        let start = Moment::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut random = Random(7);
        let mut timers = OneShots::default();
        let mut model: Vec<(u64, usize, TimerId)> = Vec::new();
        let (mut now, mut told) = (0, 0);
        for count in 0..30_000 {
            // Long times in which more is set than is told or cancelled, and the other way round.
            let is_growing = count / 3_000 % 2 == 0;
            match random.below(10) {
                0..3 => {}
                3..5 if is_growing => {}
                3..6 => {
                    now += random.below(2);
                    let due = model.iter().min().copied().filter(|(due, ..)| *due < now);
                    let expected = due.map(|(_, number, _)| Key(number, 1));
                    assert_eq!(timers.pop(at(now)), expected, "at {now}");
                    model.retain(|entry| Some(*entry) != due);
                    told += usize::from(due.is_some());
                    continue;
                }
                6..8 if !model.is_empty() => {
                    let place = random.below(model.len() as u64) as usize;
                    let (.., id) = model.swap_remove(place);
                    timers.cancel(id);
                    timers.cancel(id);
                    continue;
                }
                _ => {}
            }
            if is_growing || random.below(4) == 0 {
                let due = now + random.below(50);
                let id = timers.insert(0, at(due), Key(count, 1)).unwrap();
                model.push((due, count, id));
            }
            let first = model.iter().map(|(due, ..)| *due).min();
            assert_eq!(timers.next_at(), first.map(at));
        }
        assert!(told > 3_000, "{told}");
    }

    /// Those that were cancelled take no more memory than the others, and what many have taken is given back.
    #[test]
    fn memory() {
        let mut timers = OneShots::default();
        let at = Moment::now();
        let set = |timers: &mut OneShots| timers.insert(0, at, Key(0, 0)).unwrap();
        let few: Vec<_> = (0..10).map(|_| set(&mut timers)).collect();
        for _ in 0..100_000 {
            let id = set(&mut timers);
            timers.cancel(id);
        }
        assert!(timers.heap.capacity() <= 4 * CANCELLED, "{}", timers.heap.capacity());
        for is_cancelled in [true, false] {
            let many: Vec<_> = (0..100_000).map(|_| set(&mut timers)).collect();
            assert!(timers.heap.len() >= 100_000);
            for id in many {
                if is_cancelled {
                    timers.cancel(id);
                } else {
                    timers.pop(at + Duration::from_nanos(1)).unwrap();
                }
            }
            assert!(timers.heap.capacity() < 10_000, "{}", timers.heap.capacity());
        }
        few.into_iter().for_each(|id| timers.cancel(id));
        assert_eq!(timers.keys.len(), 10, "those that were set first were told first");
    }
}
