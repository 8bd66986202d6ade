//! What comes from clients: the input of the turn, what is kept of others' input, messages in parts, and what is
//! decompressed.

mod inflation;
mod partials;

use std::collections::TryReserveError;
use std::ops::Range;

use dorrit_proto::{Incoming, IncomingError, Inflated, Request};

use crate::memory::Memory;
use crate::payload::Payload;
use crate::pool::{Pool, PoolKey};
use crate::turn::Turn;

pub(crate) use inflation::{Inflation, Source};
pub(crate) use partials::MIN_SPARE;

use inflation::Inflations;
use partials::Partials;

/// How much is read at a time, in bytes: as much as a socket holds for us.
const INPUT: usize = 256 * 1024;
/// Where in a page the input begins. Most of what the kernel copies to it begins with a page, or is a header's
/// length less: the copy takes several times as long to an address that is 1 to 15 past its source's, in
/// their pages, and least to a multiple of 64.
const PLACE: usize = 64;
const PAGE: usize = 4096;
/// How much memory is kept for messages that will come in parts, in bytes.
const KEPT: usize = 8 << 20;

/// What comes from all connections.
pub(crate) struct Inbox {
    /// The input of the connection whose turn it is: the shared one, or the connection's own.
    pub(crate) input: Vec<u8>,
    /// Where the shared input begins: what stands before it has it begin at its place in a page.
    start: usize,
    /// The shared input, while another one is in its place.
    shared: Vec<u8>,
    /// What was read and not dealt with.
    pub(crate) partials: Partials,
    /// Messages that come in parts.
    pub(crate) incoming: Pool<Incoming>,
    /// How much memory those have that are not in use, in bytes.
    kept: usize,
    /// Messages that are being decompressed.
    pub(crate) inflations: Inflations,
    /// The request that was read last.
    pub(crate) request: Request,
}

impl Inbox {
    /// An empty inbox, with the memory for the shared input.
    pub(crate) fn new() -> Result<Self, TryReserveError> {
        let mut input: Vec<u8> = Vec::new();
        input.try_reserve_exact(INPUT)?;
        let start = |input: &Vec<u8>| PLACE.wrapping_sub(input.as_ptr().addr()) % PAGE;
        // So large a buffer grows by pages: where in its first one it begins stays.
        input.try_reserve_exact(INPUT + start(&input))?;
        let start = start(&input);
        input.resize(start, 0);
        Ok(Self {
            input,
            start,
            shared: Vec::new(),
            partials: Partials::default(),
            incoming: Pool::default(),
            kept: 0,
            inflations: Inflations::default(),
            request: Request::new()?,
        })
    }

    /// Empties the shared input. Returns where it begins.
    #[inline(always)]
    pub(crate) fn clear_input(&mut self) -> usize {
        self.input.truncate(self.start);
        self.start
    }

    /// A message's payload with the zero byte behind it.
    pub(crate) fn payload(&mut self, payload: &Payload) -> &mut [u8] {
        match payload {
            Payload::Input(range) => &mut self.input[range.start..=range.end],
            Payload::Incoming(key) => self.incoming[*key].message(),
            Payload::Inflated => self.inflations.message(),
            Payload::None => &mut [],
        }
    }

    /// Makes what is kept of a connection's input the input. Returns where it goes on, and whether there is
    /// any.
    pub(crate) fn take_partial(
        &mut self,
        partial: &mut Option<PoolKey>,
        memory: &mut Memory,
    ) -> (usize, bool) {
        let Some(key) = partial.take() else {
            return (self.clear_input(), false);
        };
        let (bytes, pos) = self.partials.take(key, memory);
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
    ) -> Result<Option<PoolKey>, TryReserveError> {
        let Turn { pos, is_own, .. } = *turn;
        let left = &self.input[pos..];
        if left.is_empty() {
            return Ok(None);
        }
        if is_own && (has_rest || pos == 0) {
            return self.partials.keep(&mut self.input, pos, memory).map(Some);
        }
        self.partials.keep_copy(left, has_rest, memory).map(Some)
    }

    /// Has the shared input in the place of the one of a turn that has ended.
    pub(crate) fn restore_shared(&mut self, turn: &Turn) {
        if turn.is_own {
            let own = std::mem::replace(&mut self.input, std::mem::take(&mut self.shared));
            if own.capacity() <= INPUT {
                self.partials.keep_spare(own);
            }
        }
    }

    /// Decompresses as much of a message as a turn may.
    pub(crate) fn inflate(
        &mut self,
        inflation: &mut Inflation,
        max: usize,
        memory: &mut Memory,
    ) -> Result<Inflated, IncomingError> {
        inflation.inflate(&self.input, &mut self.incoming, max, memory)
    }

    /// Takes all the memory that a message needs to go on in another turn.
    pub(crate) fn ready_to_suspend(
        &mut self,
        inflation: &mut Inflation,
        memory: &mut Memory,
    ) -> Result<(), TryReserveError> {
        self.inflations.reserve()?;
        if let Source::Input(at) = &inflation.source {
            let mut copy = Vec::new();
            copy.try_reserve_exact(at.len())?;
            copy.extend_from_slice(&self.input[at.clone()]);
            memory.change(0, copy.capacity());
            inflation.source = Source::Copy(copy);
        }
        Ok(())
    }

    /// Gives back what no connection needs, but for what the caller looks at.
    pub(crate) fn drop_kept(&mut self, told: &Payload, memory: &mut Memory) {
        self.incoming.reset_vacant();
        memory.change(std::mem::take(&mut self.kept), 0);
        if !matches!(told, Payload::Inflated) {
            self.inflations.drop_message(memory);
        }
        self.partials.drop_spare();
    }

    /// A connection's place for a message that comes in parts, which it has already or takes; `None` where there
    /// is no memory.
    pub(crate) fn take_incoming(&mut self, place: &mut Option<PoolKey>) -> Option<PoolKey> {
        self.incoming.reserve().ok()?;
        Some(*place.get_or_insert_with(|| {
            let key = self.incoming.take();
            self.kept -= self.incoming[key].capacity();
            key
        }))
    }

    /// Copies a message that has come in one piece to its connection's place, which has room for it.
    pub(crate) fn set_incoming(
        &mut self,
        key: PoolKey,
        payload: Range<usize>,
        memory: &mut Memory,
    ) -> Result<(), TryReserveError> {
        let before = self.incoming[key].capacity();
        let set = self.incoming[key].set(&self.input[payload]);
        memory.change(before, self.incoming[key].capacity());
        set
    }

    /// Gives a connection's place for messages in parts back, and keeps its memory, where that is not too much.
    pub(crate) fn release_incoming(&mut self, key: PoolKey, memory: &mut Memory) {
        let capacity = self.incoming[key].capacity();
        if self.kept + capacity <= KEPT {
            self.kept += capacity;
        } else {
            memory.change(capacity, 0);
            self.incoming[key] = Incoming::new();
        }
        self.incoming.give_back(key);
    }

    /// Frees a connection's place for messages in parts, with its memory.
    pub(crate) fn drop_incoming(&mut self, key: PoolKey, memory: &mut Memory) {
        memory.change(self.incoming[key].capacity(), 0);
        self.incoming[key] = Incoming::new();
        self.release_incoming(key, memory);
    }
}
