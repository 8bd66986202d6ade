//! Values by key.

use std::collections::{HashMap, TryReserveError};
use std::hash::Hash;

/// So many places are kept.
const KEPT: usize = 1024;

/// Values by key. What many have needed once is given back when few are left (CONTRACT S22).
pub(crate) struct Table<K, V> {
    map: HashMap<K, V>,
    /// The most that there were since memory was given back.
    peak: usize,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { map: HashMap::new(), peak: 0 }
    }
}

impl<K: Hash + Eq, V> Table<K, V> {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Puts a value in, in the place of one that is there already: for that it takes no memory.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Result<(), TryReserveError> {
        if let Some(place) = self.map.get_mut(&key) {
            *place = value;
            return Ok(());
        }
        self.map.try_reserve(1)?;
        self.map.insert(key, value);
        self.peak = self.peak.max(self.map.len());
        Ok(())
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.map.get_mut(key)
    }

    pub(crate) fn has(&self, key: &K) -> bool {
        self.map.contains_key(key)
    }

    /// Takes a value out. Returns it, and whether much less memory is needed than was, so that what else grows with
    /// the table should be given back too.
    pub(crate) fn remove(&mut self, key: &K) -> Option<(V, bool)> {
        let value = self.map.remove(key)?;
        let is_released = self.peak > KEPT && self.map.len() < self.peak / 4;
        if is_released {
            self.give_back();
        }
        Some((value, is_released))
    }

    /// Moves what is left to a place that is not larger than it must be. Where there is no memory for that, it stays.
    #[cold]
    fn give_back(&mut self) {
        self.peak = self.map.len();
        let mut map = HashMap::new();
        if map.try_reserve(self.map.len()).is_ok() {
            map.extend(self.map.drain());
            self.map = map;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CONTRACT S22.
    #[test]
    fn memory_is_given_back() {
        let mut table = Table::default();
        for round in 0..3 {
            for key in 0..100_000 {
                table.insert(key, key).unwrap();
                table.insert(key, key + round).unwrap();
            }
            assert_eq!(table.len(), 100_000);
            let mut released = 0;
            for key in 0..99_999 {
                let (value, is_released) = table.remove(&key).unwrap();
                assert_eq!(value, key + round);
                released += i32::from(is_released);
            }
            assert_eq!(table.get_mut(&99_999), Some(&mut (99_999 + round)));
            assert!(table.map.capacity() <= 4 * KEPT, "{}", table.map.capacity());
            assert!((1..10).contains(&released), "{released} times");
        }
    }
}
