//! Messages that are being decompressed.

use std::collections::TryReserveError;
use std::ops::Range;

use dorrit_proto::{Incoming, IncomingError, Inflated, Inflater, MessageKind};

use crate::id::ConnId;
use crate::memory::Memory;
use crate::pool::{Pool, PoolKey};

/// How many bytes are taken and given in a turn.
const WORK: usize = 1 << 20;

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
    /// In the place where it came in parts.
    Incoming(PoolKey),
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

    /// Decompresses as much as a turn may of the message, which is in this input, or where messages come in parts,
    /// unless it was copied.
    pub(super) fn inflate(
        &mut self,
        input: &[u8],
        incoming: &mut Pool<Incoming>,
        max: usize,
        memory: &mut Memory,
    ) -> Result<Inflated, IncomingError> {
        let Self { kind, source, inflater, out, .. } = self;
        let bytes = match source {
            Source::Input(at) => &input[at.clone()],
            Source::Copy(bytes) => bytes,
            Source::Incoming(key) => {
                let message = incoming[*key].message();
                &message[..message.len() - 1]
            }
        };
        let before = out.capacity();
        let inflated = inflater.inflate(*kind, bytes, max, WORK, out);
        memory.change(before, out.capacity());
        inflated
    }

    /// How much memory the message takes besides the place where it came in parts, in bytes.
    fn held(&self) -> usize {
        let copy = if let Source::Copy(bytes) = &self.source { bytes.capacity() } else { 0 };
        copy + self.out.capacity()
    }
}

/// How much memory is kept for messages that will be compressed, in bytes.
const KEPT: usize = 1 << 20;

/// The messages that are being decompressed, and what that takes.
#[derive(Default)]
pub(crate) struct Inflations {
    inflater: Option<Inflater>,
    /// Messages that are too long to be decompressed in one turn.
    suspended: Vec<Inflation>,
    /// The message that was decompressed last.
    out: Vec<u8>,
}

impl Inflations {
    /// The message that was decompressed last, with a zero byte behind it.
    pub(super) fn message(&mut self) -> &mut [u8] {
        &mut self.out
    }

    /// The memory of the message that was decompressed last, for the next one.
    pub(crate) fn take_memory(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// The inflater that nobody uses.
    pub(crate) fn take_inflater(&mut self) -> Option<Inflater> {
        self.inflater.take()
    }

    /// Gives back the memory of the message that was decompressed last, where that is much.
    pub(crate) fn shrink(&mut self, memory: &mut Memory) {
        if self.out.capacity() > KEPT {
            self.drop_message(memory);
        }
    }

    /// Gives back the memory of the message that was decompressed last.
    pub(super) fn drop_message(&mut self, memory: &mut Memory) {
        memory.change(self.out.capacity(), 0);
        self.out = Vec::new();
    }

    /// Makes room for one more message that goes on in another turn.
    pub(super) fn reserve(&mut self) -> Result<(), TryReserveError> {
        self.suspended.try_reserve(1)
    }

    /// Has a message go on in its connection's next turn, after [`Inflations::reserve`].
    pub(crate) fn suspend(&mut self, inflation: Inflation) {
        self.suspended.push(inflation);
    }

    /// Takes a connection's message that is to go on.
    pub(crate) fn take(&mut self, conn: ConnId) -> Option<Inflation> {
        let at = self.suspended.iter().position(|inflation| inflation.conn == conn)?;
        Some(self.suspended.swap_remove(at))
    }

    /// How much memory a connection's message takes that is being decompressed, in bytes.
    pub(crate) fn held(&self, conn: ConnId) -> usize {
        let mut all = self.suspended.iter();
        all.find(|inflation| inflation.conn == conn).map_or(0, Inflation::held)
    }

    /// Keeps what came out of a message as the one that was decompressed last. Returns where the message is, which
    /// is to be given back.
    pub(crate) fn end(&mut self, inflation: Inflation, memory: &mut Memory) -> Source {
        let Inflation { source, inflater, out, .. } = inflation;
        self.drop_message(memory);
        self.out = out;
        if self.inflater.replace(inflater).is_some() {
            memory.change(Inflater::MEMORY, 0);
        }
        source
    }
}
