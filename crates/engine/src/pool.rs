//! Values by number, whose places are used again.

use std::collections::TryReserveError;
use std::num::NonZeroU32;
use std::ops::{Index, IndexMut};

/// Names a place in a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(NonZeroU32);

impl Key {
    /// The first key is 1, so that an `Option` of one takes no room of its own.
    fn new(index: usize) -> Self {
        Self(NonZeroU32::MIN.saturating_add(index as u32))
    }

    fn index(self) -> usize {
        (self.0.get() - 1) as usize
    }
}

/// Values that stay in their place when they are given back, with what memory they have, for the
/// next one who takes it.
#[derive(Default)]
pub(crate) struct Pool<T> {
    slots: Vec<T>,
    vacant: Vec<Key>,
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
    pub(crate) fn take(&mut self) -> Key {
        self.vacant.pop().unwrap_or_else(|| {
            self.slots.push(T::default());
            Key::new(self.slots.len() - 1)
        })
    }

    /// Gives a place back, which nobody names any more.
    pub(crate) fn give_back(&mut self, key: Key) {
        self.vacant.push(key);
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

impl<T> Index<Key> for Pool<T> {
    type Output = T;
    fn index(&self, key: Key) -> &T {
        &self.slots[key.index()]
    }
}

impl<T> IndexMut<Key> for Pool<T> {
    fn index_mut(&mut self, key: Key) -> &mut T {
        &mut self.slots[key.index()]
    }
}
