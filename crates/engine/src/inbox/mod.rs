//! What comes from clients: the input of the turn, what is kept of others' input, messages in parts, and what is
//! decompressed.

mod inflation;
mod partials;
mod payload;

use std::collections::TryReserveError;
use std::ops::Range;

use dorrit_proto::{Incoming, Inflater, Request};

use crate::memory::Memory;
use crate::pool::{Key, Pool};

pub(crate) use inflation::{Inflation, Source};
pub(crate) use partials::{MIN_SPARE, Partial};
pub(crate) use payload::Payload;

/// How much is read at a time, in bytes: as much as a socket holds for us.
const INPUT: usize = 256 * 1024;
/// Where in a page the input begins. Most of what the kernel copies to it begins with a page, or is a header's
/// length less: the copy takes several times as long to an address that is 1 to 15 past its source's, in
/// their pages, and least to a multiple of 64.
const PLACE: usize = 64;
const PAGE: usize = 4096;
/// How much memory is kept for messages that will come in parts, in bytes.
const KEPT: usize = 8 << 20;
/// How much memory is kept for messages that will be compressed, in bytes.
const KEPT_INFLATED: usize = 1 << 20;

/// What comes from all connections.
pub(crate) struct Inbox {
    /// The input of the connection whose turn it is: the shared one, or the connection's own.
    pub(crate) input: Vec<u8>,
    /// Where the shared input begins: what stands before it has it begin at its place in a page.
    start: usize,
    /// The shared input, while another one is in its place.
    shared: Vec<u8>,
    /// A buffer for what is left of the next input that is not dealt with in one turn.
    spare: Vec<u8>,
    /// What was read and not dealt with.
    pub(crate) partials: Pool<Partial>,
    /// Messages that come in parts.
    pub(crate) incoming: Pool<Incoming>,
    /// How much memory those have that are not in use, in bytes.
    kept: usize,
    inflater: Option<Inflater>,
    /// Messages that are too long to be decompressed in one turn.
    inflations: Vec<Inflation>,
    /// The message that was decompressed last.
    inflated: Vec<u8>,
    /// The request that was read last.
    pub(crate) request: Request,
}

impl Inbox {
    /// An empty one, with the memory for the shared input.
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
            spare: Vec::new(),
            partials: Pool::default(),
            incoming: Pool::default(),
            kept: 0,
            inflater: None,
            inflations: Vec::new(),
            inflated: Vec::new(),
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
            Payload::Inflated => &mut self.inflated,
            Payload::None => &mut [],
        }
    }

    /// Gives back the memory of the message that was decompressed last, where that is much.
    pub(crate) fn shrink_inflated(&mut self, memory: &mut Memory) {
        if self.inflated.capacity() > KEPT_INFLATED {
            self.drop_inflated(memory);
        }
    }

    fn drop_inflated(&mut self, memory: &mut Memory) {
        memory.change(self.inflated.capacity(), 0);
        self.inflated = Vec::new();
    }

    /// Gives back what no connection needs, but for what the caller looks at.
    pub(crate) fn drop_kept(&mut self, told: &Payload, memory: &mut Memory) {
        self.incoming.reset_vacant();
        memory.change(std::mem::take(&mut self.kept), 0);
        if !matches!(told, Payload::Inflated) {
            self.drop_inflated(memory);
        }
        self.spare = Vec::new();
    }

    /// A connection's place for a message that comes in parts, which it has already or takes; `None` where there
    /// is no memory.
    pub(crate) fn take_incoming(&mut self, place: &mut Option<Key>) -> Option<Key> {
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
        key: Key,
        payload: Range<usize>,
        memory: &mut Memory,
    ) -> Result<(), TryReserveError> {
        let before = self.incoming[key].capacity();
        let set = self.incoming[key].set(&self.input[payload]);
        memory.change(before, self.incoming[key].capacity());
        set
    }

    /// Gives a connection's place for messages in parts back, and keeps its memory, where that is not too much.
    pub(crate) fn release_incoming(&mut self, key: Key, memory: &mut Memory) {
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
    pub(crate) fn drop_incoming(&mut self, key: Key, memory: &mut Memory) {
        memory.change(self.incoming[key].capacity(), 0);
        self.incoming[key] = Incoming::new();
        self.release_incoming(key, memory);
    }
}
