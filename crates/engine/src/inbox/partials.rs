//! What is kept of a connection's input until its next turn.

use std::collections::TryReserveError;

use super::{INPUT, Inbox};
use crate::memory::Memory;
use crate::pool::Key;
use crate::turn::Turn;

/// A connection's own buffer has room for at least so many bytes more.
pub(crate) const MIN_SPARE: usize = 512;

/// What is kept of a connection's input.
#[derive(Default)]
pub(crate) struct Partial {
    pub(crate) bytes: Vec<u8>,
    /// How much of it is dealt with.
    pos: usize,
}

impl Inbox {
    /// Makes what is kept of a connection's input the input. Returns where it goes on, and whether there is
    /// any.
    pub(crate) fn take_partial(
        &mut self,
        partial: &mut Option<Key>,
        memory: &mut Memory,
    ) -> (usize, bool) {
        let Some(key) = partial.take() else {
            return (self.clear_input(), false);
        };
        let Partial { bytes, pos } = std::mem::take(&mut self.partials[key]);
        memory.change(bytes.capacity(), 0);
        self.partials.give_back(key);
        self.shared = std::mem::replace(&mut self.input, bytes);
        (pos, true)
    }

    /// Keeps what is left of the input of a turn in a buffer of the connection's own. Returns `None` where nothing
    /// is left.
    pub(crate) fn keep_partial(
        &mut self,
        turn: &Turn,
        has_rest: bool,
        memory: &mut Memory,
    ) -> Result<Option<Key>, TryReserveError> {
        let Turn { pos, is_own, .. } = *turn;
        let left = &self.input[pos..];
        if left.is_empty() {
            return Ok(None);
        }
        self.partials.reserve()?;
        let partial = if is_own && (has_rest || pos == 0) {
            Partial { bytes: std::mem::take(&mut self.input), pos }
        } else {
            let mut bytes = if has_rest { std::mem::take(&mut self.spare) } else { Vec::new() };
            bytes.clear();
            bytes.try_reserve_exact(left.len() + MIN_SPARE)?;
            bytes.extend_from_slice(left);
            Partial { bytes, pos: 0 }
        };
        let key = self.partials.take();
        memory.change(0, partial.bytes.capacity());
        self.partials[key] = partial;
        Ok(Some(key))
    }

    /// Has the shared input in the place of the one of a turn that has ended.
    pub(crate) fn restore_shared(&mut self, turn: &Turn) {
        if turn.is_own {
            let own = std::mem::replace(&mut self.input, std::mem::take(&mut self.shared));
            if own.capacity() > self.spare.capacity() && own.capacity() <= INPUT {
                self.spare = own;
            }
        }
    }

    /// Frees what is kept of a connection's input.
    pub(crate) fn drop_partial(&mut self, partial: &mut Option<Key>, memory: &mut Memory) {
        if let Some(key) = partial.take() {
            memory.change(self.partials[key].bytes.capacity(), 0);
            self.partials[key] = Partial::default();
            self.partials.give_back(key);
        }
    }
}
