//! What is kept of a connection's input until its next turn.

use std::collections::TryReserveError;

use crate::memory::Memory;
use crate::pool::{Pool, PoolKey};

/// A connection's own buffer has room for at least so many bytes more.
pub(crate) const MIN_SPARE: usize = 512;

/// What is kept of a connection's input.
#[derive(Default)]
struct Partial {
    bytes: Vec<u8>,
    /// How much of it is dealt with.
    pos: usize,
}

/// What is kept of the input of all connections.
#[derive(Default)]
pub(crate) struct Partials {
    pool: Pool<Partial>,
    /// A buffer for what is left of the next input that is not dealt with in one turn.
    spare: Vec<u8>,
}

impl Partials {
    /// How much memory is held for what is kept there, in bytes.
    pub(crate) fn held(&self, key: PoolKey) -> usize {
        self.pool[key].bytes.capacity()
    }

    /// Takes what is kept there. Returns it, and how much of it is dealt with.
    pub(super) fn take(&mut self, key: PoolKey, memory: &mut Memory) -> (Vec<u8>, usize) {
        let Partial { bytes, pos } = std::mem::take(&mut self.pool[key]);
        memory.change(bytes.capacity(), 0);
        self.pool.give_back(key);
        (bytes, pos)
    }

    /// Keeps what is left of an input that is a connection's own.
    pub(super) fn keep(
        &mut self,
        input: &mut Vec<u8>,
        pos: usize,
        memory: &mut Memory,
    ) -> Result<PoolKey, TryReserveError> {
        self.pool.reserve()?;
        Ok(self.insert(std::mem::take(input), pos, memory))
    }

    /// Keeps a copy of what is left of an input; where it `has_rest`, which comes again soon, in the spare buffer.
    pub(crate) fn keep_copy(
        &mut self,
        left: &[u8],
        has_rest: bool,
        memory: &mut Memory,
    ) -> Result<PoolKey, TryReserveError> {
        self.pool.reserve()?;
        let mut bytes = if has_rest { std::mem::take(&mut self.spare) } else { Vec::new() };
        bytes.clear();
        bytes.try_reserve_exact(left.len() + MIN_SPARE)?;
        bytes.extend_from_slice(left);
        Ok(self.insert(bytes, 0, memory))
    }

    fn insert(&mut self, bytes: Vec<u8>, pos: usize, memory: &mut Memory) -> PoolKey {
        let key = self.pool.take();
        memory.change(0, bytes.capacity());
        self.pool[key] = Partial { bytes, pos };
        key
    }

    /// Keeps a buffer as the spare one, where it is larger than that.
    pub(super) fn keep_spare(&mut self, buffer: Vec<u8>) {
        if buffer.capacity() > self.spare.capacity() {
            self.spare = buffer;
        }
    }

    /// Gives the spare buffer's memory back.
    pub(super) fn drop_spare(&mut self) {
        self.spare = Vec::new();
    }

    /// Frees what is kept of a connection's input.
    pub(crate) fn drop(&mut self, partial: &mut Option<PoolKey>, memory: &mut Memory) {
        if let Some(key) = partial.take() {
            self.take(key, memory);
        }
    }
}
