//! Values by number, whose places are used again.

use std::collections::TryReserveError;
use std::num::NonZeroU32;
use std::ops::{Index, IndexMut};

/// Names a place in a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PoolKey(NonZeroU32);

impl PoolKey {
    /// The first key is 1, so that an `Option` of one takes no room of its own.
    fn new(index: usize) -> Self {
        Self(NonZeroU32::MIN.saturating_add(index as u32))
    }

    fn index(self) -> usize {
        (self.0.get() - 1) as usize
    }
}

/// Values that stay in their place when they are given back, with what memory they have, for the
/// next one who takes it. Places at the end that nobody takes are given up (CONTRACT S22).
pub(crate) struct Pool<T> {
    slots: Vec<T>,
    vacant: Vec<PoolKey>,
    /// When so many places are vacant, those at the end are given up.
    shrinks_at: usize,
}

/// So many vacant places are kept.
const KEPT: usize = 1024;

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), vacant: Vec::new(), shrinks_at: 2 * KEPT }
    }
}

impl<T: Default> Pool<T> {
    /// Makes room, so that the next [`Pool::take`] takes no memory.
    pub(crate) fn reserve(&mut self) -> Result<(), TryReserveError> {
        if self.vacant.is_empty() {
            self.slots.try_reserve(1)?;
            // Every place can become vacant, which must take no memory either.
            self.vacant.try_reserve(self.slots.len() + 1)?;
        }
        Ok(())
    }

    /// Takes a place: with the value that was given back there last, or with the default.
    pub(crate) fn take(&mut self) -> PoolKey {
        self.vacant.pop().unwrap_or_else(|| {
            self.slots.push(T::default());
            PoolKey::new(self.slots.len() - 1)
        })
    }

    /// Gives a place back, which nobody names any more.
    pub(crate) fn give_back(&mut self, key: PoolKey) {
        self.vacant.push(key);
        if self.vacant.len() >= 2 * KEPT {
            let is_last = key.index() + 1 == self.slots.len();
            let are_all = self.vacant.len() == self.slots.len();
            if is_last || are_all || self.vacant.len() >= self.shrinks_at {
                self.shrink();
            }
        }
    }

    /// Gives up the vacant places at the end, but for some. Those at the front are taken first then, so that
    /// it is long before the last one is given back again.
    #[cold]
    fn shrink(&mut self) {
        self.vacant.sort_unstable_by_key(|key| std::cmp::Reverse(key.0));
        let at_the_end = |(i, key): &(usize, &PoolKey)| key.index() + i + 1 == self.slots.len();
        let vacant_at_end = self.vacant.iter().enumerate().take_while(at_the_end).count();
        let given_up = vacant_at_end.saturating_sub(KEPT);
        if given_up > 0 {
            self.slots.truncate(self.slots.len() - given_up);
            self.vacant.drain(..given_up);
            // Room for as many vacant places as there are places stays: giving back takes no memory.
            self.slots.shrink_to(self.slots.len());
            self.vacant.shrink_to(self.slots.len() + 1);
        }
        self.shrinks_at = (2 * self.vacant.len()).max(2 * KEPT);
    }

    /// Frees the memory of the places that nobody has.
    pub(crate) fn reset_vacant(&mut self) {
        for key in &self.vacant {
            self.slots[key.index()] = T::default();
        }
    }

    /// All places, those that were given back among them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter()
    }

    #[cfg(test)]
    pub(crate) fn in_use(&self) -> usize {
        self.slots.len() - self.vacant.len()
    }
}

impl<T> Index<PoolKey> for Pool<T> {
    type Output = T;
    fn index(&self, key: PoolKey) -> &T {
        &self.slots[key.index()]
    }
}

impl<T> IndexMut<PoolKey> for Pool<T> {
    fn index_mut(&mut self, key: PoolKey) -> &mut T {
        &mut self.slots[key.index()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(pool: &mut Pool<u64>, count: usize) -> Vec<PoolKey> {
        let take = |_| {
            pool.reserve().unwrap();
            pool.take()
        };
        (0..count).map(take).collect()
    }

    /// CONTRACT S22: what many have needed once is not kept for ever.
    #[test]
    fn places_are_given_up() {
        let mut pool = Pool::default();
        let mut keys = take(&mut pool, 100_000);
        let last = keys.pop().unwrap();
        pool[last] = 7;
        keys.into_iter().for_each(|key| pool.give_back(key));
        assert_eq!((pool.slots.len(), pool[last]), (100_000, 7), "the last one is in use");
        pool.give_back(last);
        assert!(pool.slots.capacity() <= 2 * KEPT, "{} places", pool.slots.capacity());
        assert!(pool.vacant.capacity() <= 2 * KEPT, "{} keys", pool.vacant.capacity());
        let keys = take(&mut pool, 100_000);
        keys.into_iter().rev().for_each(|key| pool.give_back(key));
        assert!(pool.slots.capacity() <= 2 * KEPT, "{} places", pool.slots.capacity());
    }

    /// Every place that is given back can be taken again, whatever the order was.
    #[test]
    fn none_is_lost_and_none_given_twice() {
        let mut pool = Pool::default();
        for round in 1..6 {
            let mut keys = take(&mut pool, 7_000 * round);
            keys.sort_unstable_by_key(|key| key.0);
            assert!(keys.windows(2).all(|pair| pair[0] != pair[1]));
            let (now, later): (Vec<_>, Vec<_>) =
                keys.into_iter().partition(|key| key.index() % (round + 1) == 0);
            now.into_iter().chain(later).for_each(|key| pool.give_back(key));
            assert_eq!(pool.in_use(), 0);
            assert!(pool.slots.len() <= pool.vacant.capacity());
        }
    }
}
