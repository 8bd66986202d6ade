//! Messages that are being decompressed.

use std::collections::TryReserveError;
use std::ops::Range;

use dorrit_proto::{IncomingError, Inflated, Inflater, MessageKind};

use super::Inbox;
use crate::id::ConnId;
use crate::memory::Memory;
use crate::pool::Key;

/// How many bytes are taken and given in a turn.
pub(crate) const WORK: usize = 1 << 20;

/// A message that is being decompressed.
pub(crate) struct Inflation {
    pub(crate) conn: ConnId,
    pub(crate) kind: MessageKind,
    pub(crate) source: Source,
    inflater: Inflater,
    /// What has come out.
    out: Vec<u8>,
}

/// Where a compressed message is.
pub(crate) enum Source {
    /// In the input.
    Input(Range<usize>),
    /// Copied from there, so that the input can go on.
    Copy(Vec<u8>),
    /// Where it came in parts.
    Incoming(Key),
}

impl Inflation {
    /// The decompression of a message of a connection, by this inflater, into memory that is used again.
    pub(crate) fn new(
        conn: ConnId,
        kind: MessageKind,
        source: Source,
        mut inflater: Inflater,
        mut out: Vec<u8>,
    ) -> Self {
        inflater.begin(&mut out);
        Self { conn, kind, source, inflater, out }
    }

    /// How much more memory the next step may take, in bytes, where a message may be so long.
    pub(crate) fn growth(&self, max: usize) -> usize {
        let before = self.out.capacity();
        let most = (self.out.len() + WORK).max(2 * before).min(max + 1);
        most.saturating_sub(before)
    }

    /// How much memory the message takes besides the place where it came in parts, in bytes.
    fn held(&self) -> usize {
        let copy = if let Source::Copy(bytes) = &self.source { bytes.capacity() } else { 0 };
        copy + self.out.capacity()
    }
}

impl Inbox {
    /// Decompresses as much of a message as a turn may.
    pub(crate) fn inflate(
        &mut self,
        inflation: &mut Inflation,
        max: usize,
        memory: &mut Memory,
    ) -> Result<Inflated, IncomingError> {
        let Inflation { kind, source, inflater, out, .. } = inflation;
        let before = out.capacity();
        let inflated = match source {
            Source::Input(at) => inflater.inflate(*kind, &self.input[at.clone()], max, WORK, out),
            Source::Copy(bytes) => inflater.inflate(*kind, bytes, max, WORK, out),
            Source::Incoming(key) => {
                let message = self.incoming[*key].message();
                inflater.inflate(*kind, &message[..message.len() - 1], max, WORK, out)
            }
        };
        memory.change(before, out.capacity());
        inflated
    }

    /// Takes all the memory that a message needs to go on in another turn.
    pub(crate) fn ready_to_suspend(
        &mut self,
        inflation: &mut Inflation,
        memory: &mut Memory,
    ) -> Result<(), TryReserveError> {
        self.inflations.try_reserve(1)?;
        if let Source::Input(at) = &inflation.source {
            let mut copy = Vec::new();
            copy.try_reserve_exact(at.len())?;
            copy.extend_from_slice(&self.input[at.clone()]);
            memory.change(0, copy.capacity());
            inflation.source = Source::Copy(copy);
        }
        Ok(())
    }

    /// Has a message go on in its connection's next turn, after [`Inbox::ready_to_suspend`].
    pub(crate) fn suspend(&mut self, inflation: Inflation) {
        self.inflations.push(inflation);
    }

    /// Takes a connection's message that is to go on.
    pub(crate) fn take_inflation(&mut self, conn: ConnId) -> Option<Inflation> {
        let at = self.inflations.iter().position(|inflation| inflation.conn == conn)?;
        Some(self.inflations.swap_remove(at))
    }

    /// How much memory a connection's message takes that is being decompressed, in bytes.
    pub(crate) fn inflating(&self, conn: ConnId) -> usize {
        let mut all = self.inflations.iter();
        all.find(|inflation| inflation.conn == conn).map_or(0, Inflation::held)
    }

    /// Keeps what came out of a message as the one that was decompressed last. Returns where the message is, which
    /// is to be given back.
    pub(crate) fn end_inflation(&mut self, inflation: Inflation, memory: &mut Memory) -> Source {
        let Inflation { source, inflater, out, .. } = inflation;
        memory.change(self.inflated.capacity(), 0);
        self.inflated = out;
        if self.inflater.replace(inflater).is_some() {
            memory.change(Inflater::MEMORY, 0);
        }
        source
    }

    /// The memory of the message that was decompressed last, for the next one.
    pub(crate) fn take_inflated(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.inflated)
    }

    /// The inflater that nobody uses.
    pub(crate) fn take_inflater(&mut self) -> Option<Inflater> {
        self.inflater.take()
    }
}
