//! What is sent: the output of the turn, the queues, and the frames in them.

mod deflaters;
mod frames;
mod output;
mod queue;

use std::collections::TryReserveError;

use dorrit_proto::{Coding, MessageKind, fragments};

use crate::config::Config;
use crate::event::OutOfMemory;
use crate::pool::{Pool, PoolKey};

pub(crate) use deflaters::{PLAIN, Prepared, VARIANTS, Variant, variant};
pub(crate) use frames::{FrameId, Frames};
pub(crate) use output::{MIN_DIRECT, Output};
pub(crate) use queue::Queue;

use deflaters::Deflaters;

/// What is to be sent to all connections.
pub(crate) struct Outbox {
    /// What the connection whose turn it is is sent when its turn ends.
    pub(crate) output: Output,
    pub(crate) queues: Pool<Queue>,
    pub(crate) frames: Frames,
    deflaters: Deflaters,
    /// The part of a file that is being sent.
    pub(crate) body: Vec<u8>,
}

/// What is left of bytes that were sent: a message for a queue.
pub(crate) struct Rest {
    pub(crate) bytes: Vec<u8>,
    pub(crate) frames: u32,
    /// How many bytes at the start are no frame.
    pub(crate) skip: usize,
    /// How many bytes at the start are sent.
    pub(crate) sent: usize,
}

impl Outbox {
    /// An empty outbox, with the memory for a turn's output.
    pub(crate) fn new(config: &Config) -> Result<Self, TryReserveError> {
        Ok(Self {
            output: Output::new(config)?,
            queues: Pool::default(),
            frames: Frames::default(),
            deflaters: Deflaters::default(),
            body: Vec::new(),
        })
    }

    /// How much memory is held for what is sent, in bytes.
    pub(crate) fn held(&self) -> usize {
        self.frames.held() + self.deflaters.held()
    }

    /// The most memory that was held for what is sent, in bytes; see [`Frames::peak`].
    pub(crate) fn peak(&self) -> usize {
        self.frames.peak() + self.deflaters.held()
    }

    /// How many bytes wait to be sent, to all.
    pub(crate) fn unsent(&self) -> usize {
        self.queues.iter().map(Queue::bytes).sum::<usize>() + self.output.len()
    }

    /// Frames a message in this variant, for queues. The caller has the first reference.
    pub(crate) fn make(
        &mut self,
        config: &Config,
        variant: Variant,
        kind: MessageKind,
        payload: &[u8],
    ) -> Result<FrameId, OutOfMemory> {
        let max = config.max_fragment;
        let (bytes, count) = match variant {
            PLAIN => frame(kind, Coding::Plain, payload, max)?,
            bits => {
                let deflated = self.deflaters.deflate(config.compression, bits, payload)?;
                frame(kind, Coding::Deflated, deflated, max)?
            }
        };
        self.frames.reserve()?;
        Ok(self.frames.insert(bytes, count))
    }

    /// Puts a message in this variant into the output of the turn; false where it has no room there.
    pub(crate) fn push_message(
        &mut self,
        config: &Config,
        variant: Variant,
        kind: MessageKind,
        payload: &[u8],
    ) -> Result<bool, OutOfMemory> {
        let max = config.max_fragment;
        match variant {
            PLAIN => Ok(self.output.push_message(kind, Coding::Plain, payload, max)),
            bits => {
                let deflated = self.deflaters.deflate(config.compression, bits, payload)?;
                Ok(self.output.push_message(kind, Coding::Deflated, deflated, max))
            }
        }
    }

    /// Makes a queue of what was left of bytes that were sent.
    pub(crate) fn queue_rest(&mut self, rest: Rest) -> Result<PoolKey, OutOfMemory> {
        let Rest { bytes, frames, skip, sent } = rest;
        self.frames.reserve()?;
        self.queues.reserve()?;
        let key = self.queues.take();
        if self.queues[key].reserve().is_err() {
            self.queues.give_back(key);
            return Err(OutOfMemory);
        }
        let message = self.frames.insert(bytes, frames);
        self.queues[key].push_rest(message, skip, sent, &mut self.frames);
        Ok(key)
    }

    /// Frees a queue.
    pub(crate) fn drop_queue(&mut self, key: PoolKey) {
        self.queues[key].clear(&mut self.frames);
        self.queues.give_back(key);
    }
}

/// Frames a message. Returns the bytes and the number of its frames.
fn frame(
    kind: MessageKind,
    coding: Coding,
    payload: &[u8],
    max_fragment: usize,
) -> Result<(Vec<u8>, u32), OutOfMemory> {
    let parts = fragments(kind, coding, payload.len(), max_fragment);
    let heads: usize = parts.clone().map(|(head, _)| head.as_bytes().len()).sum();
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(payload.len().checked_add(heads).ok_or(OutOfMemory)?)?;
    let mut frames = 0;
    for (head, part) in parts {
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(&payload[part]);
        frames += 1;
    }
    Ok((bytes, frames))
}
