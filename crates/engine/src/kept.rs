//! What is kept of a connection's input until its next turn.

use std::collections::TryReserveError;

use crate::ConnId;
use crate::conn::Conn;
use crate::engine::{Engine, INPUT};
use crate::turn::{Step, Turn};

/// A connection's own buffer has room for at least so many bytes more.
pub(crate) const MIN_SPARE: usize = 512;

/// What is kept of a connection's input.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) bytes: Vec<u8>,
    /// How much of it is dealt with.
    pub(crate) pos: usize,
}

impl Engine {
    /// Makes what is kept of a connection's input the input. Returns where it goes on, and whether there is
    /// any.
    pub(crate) fn take_kept(&mut self, id: ConnId) -> (usize, bool) {
        let Some(key) = self.table.get_mut(id).and_then(|conn| conn.input.take()) else {
            self.input.truncate(self.input_start);
            return (self.input_start, false);
        };
        let Kept { bytes, pos } = std::mem::take(&mut self.starts[key]);
        self.memory.change(bytes.capacity(), 0);
        self.starts.give_back(key);
        self.parked = std::mem::replace(&mut self.input, bytes);
        (pos, true)
    }

    /// Keeps what is left of the input, and has the engine's own in its place.
    pub(crate) fn put_input_back(&mut self, turn: &Turn, has_rest: bool) {
        let is_keeping = self.table.get(turn.conn).is_some_and(Conn::is_keeping);
        let is_lost = is_keeping && self.keep(turn, has_rest).is_err();
        if turn.is_own {
            let own = std::mem::replace(&mut self.input, std::mem::take(&mut self.parked));
            if own.capacity() > self.spare.capacity() && own.capacity() <= INPUT {
                self.spare = own;
            }
        }
        if is_lost && let Step::Event(event) = self.drop_for_memory(turn.conn) {
            self.report(event);
        }
    }

    /// Keeps what is left of the input in a buffer of the connection's own. Where that is a rest that was not
    /// looked at, it comes again after the others.
    fn keep(&mut self, turn: &Turn, has_rest: bool) -> Result<(), TryReserveError> {
        let Turn { conn: id, pos, is_own, .. } = *turn;
        let left = &self.input[pos..];
        if left.is_empty() {
            return Ok(());
        }
        self.starts.reserve()?;
        let kept = if is_own && (has_rest || pos == 0) {
            Kept { bytes: std::mem::take(&mut self.input), pos }
        } else {
            let mut bytes = if has_rest { std::mem::take(&mut self.spare) } else { Vec::new() };
            bytes.clear();
            bytes.try_reserve_exact(left.len() + MIN_SPARE)?;
            bytes.extend_from_slice(left);
            Kept { bytes, pos: 0 }
        };
        let Some(conn) = self.table.get_mut(id) else { return Ok(()) };
        let key = self.starts.take();
        self.memory.change(0, kept.bytes.capacity());
        self.starts[key] = kept;
        (conn.input, conn.has_rest) = (Some(key), has_rest);
        if has_rest {
            self.ready.push_next(id, &mut self.table);
        }
        Ok(())
    }

    /// Frees what is kept of a connection's input.
    pub(crate) fn drop_start(&mut self, id: ConnId) {
        if let Some(key) = self.table.get_mut(id).and_then(|conn| conn.input.take()) {
            self.memory.change(self.starts[key].bytes.capacity(), 0);
            self.starts[key] = Kept::default();
            self.starts.give_back(key);
        }
    }
}
