//! What a turn sends: the answers of a connection, which go out together when its turn ends.

use std::collections::TryReserveError;

use dorrit_proto::{Coding, FrameHead, MessageKind, encode_whole, fragments};

use crate::config::{Config, TURN};

/// Shorter answers are copied: several of them go out with one call.
pub(crate) const MIN_DIRECT: usize = 8192;
/// As much room is left for an answer that is copied, in bytes.
const ANSWER: usize = MIN_DIRECT + FrameHead::MAX;

/// What the connection whose turn it is will be sent when its turn ends.
pub(crate) struct Output {
    /// How many bytes a turn may send (CONTRACT D16).
    turn: usize,
    /// With so many bytes here no further message is dealt with in a turn that has sent nothing yet.
    most: usize,
    /// As much as a turn sends by default.
    buffer: Vec<u8>,
    len: usize,
    /// How many bytes this turn may still send, those that are here included (CONTRACT D16).
    room: usize,
    /// With so many bytes here no further message is dealt with in this turn.
    enough: usize,
    /// How many bytes at the start are no frame.
    skip: usize,
    frames: u32,
}

impl Output {
    /// An empty output, with all the memory that it will ever have.
    pub(crate) fn new(config: &Config) -> Result<Self, TryReserveError> {
        let mut buffer = Vec::new();
        buffer.try_reserve_exact(TURN)?;
        buffer.resize(TURN, 0);
        // What is queued by the answer to the next message must not be too much because the turn went on.
        let most = (TURN - ANSWER).min(config.queue_limit.bytes / 2).max(1);
        let turn = config.turn();
        Ok(Self { turn, most, buffer, len: 0, room: 0, enough: 0, skip: 0, frames: 0 })
    }

    /// Begins a turn in which so many bytes of a queue were sent. Returns whether it may go on.
    pub(crate) fn begin(&mut self, sent: usize) -> bool {
        self.room = self.turn.saturating_sub(sent);
        self.enough = self.most.min(self.room.saturating_sub(ANSWER));
        self.enough > 0
    }

    /// Notes that so many bytes were sent, or queued, that were never here.
    pub(crate) fn charge(&mut self, len: usize) {
        self.room = self.room.saturating_sub(len);
        self.enough = self.enough.min(self.room.saturating_sub(ANSWER));
    }

    /// Whether all that a turn may send was sent or queued.
    pub(crate) fn is_used_up(&self) -> bool {
        self.room == 0
    }

    /// How many bytes may be put here.
    pub(crate) fn room(&self) -> usize {
        self.room.saturating_sub(self.len)
    }

    /// Whether no further message is to be dealt with in this turn.
    #[inline(always)]
    pub(crate) fn is_enough(&self) -> bool {
        self.len >= self.enough
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How many bytes at the start are no frame.
    pub(crate) fn skip(&self) -> usize {
        self.skip
    }

    pub(crate) fn frames(&self) -> u32 {
        self.frames
    }

    /// Puts the answer to a request before all else; false where there is no room.
    pub(crate) fn prepend(&mut self, answer: &[u8]) -> bool {
        let Some(all) = self.buffer.get_mut(..self.len + answer.len()) else { return false };
        all.copy_within(..self.len, answer.len());
        all[..answer.len()].copy_from_slice(answer);
        self.len = all.len();
        self.skip = answer.len();
        true
    }

    /// Puts parts of an answer behind all else, of which nothing is a frame; false where there is no room.
    pub(crate) fn push_answer(&mut self, parts: [&[u8]; 2]) -> bool {
        let len = parts[0].len() + parts[1].len();
        let Some(room) = self.buffer.get_mut(self.len..self.len + len) else { return false };
        let (head, body) = room.split_at_mut(parts[0].len());
        head.copy_from_slice(parts[0]);
        body.copy_from_slice(parts[1]);
        self.len += len;
        self.skip = self.len;
        true
    }

    /// Frames a plain message of less than 64 KiB into it, in one frame; false where it is longer, or there
    /// is no room.
    #[inline(always)]
    pub(crate) fn push_whole(&mut self, kind: MessageKind, payload: &[u8]) -> bool {
        let end = self.room.min(self.buffer.len());
        let room = self.buffer.get_mut(self.len..end).unwrap_or_default();
        let Some(len) = encode_whole(kind, payload, room) else { return false };
        self.len += len;
        self.frames += 1;
        true
    }

    /// Frames a message into it; false where there is no room.
    pub(crate) fn push_message(
        &mut self,
        kind: MessageKind,
        coding: Coding,
        payload: &[u8],
        max_fragment: usize,
    ) -> bool {
        let is_single = payload.len() <= max_fragment;
        let count = if is_single { 1 } else { payload.len().div_ceil(max_fragment) };
        let most = count.saturating_mul(FrameHead::MAX).saturating_add(payload.len());
        if most > self.room().min(self.buffer.len() - self.len) {
            return false;
        }
        fragments(kind, coding, payload.len(), max_fragment)
            .all(|(head, part)| self.push_frame(head, &payload[part]))
    }

    /// Puts a frame into it; false where there is no room.
    pub(crate) fn push_frame(&mut self, head: FrameHead, payload: &[u8]) -> bool {
        let head = head.as_bytes();
        let end = self.len + head.len() + payload.len();
        let Some(room) = self.buffer.get_mut(self.len..end) else { return false };
        let (head_room, payload_room) = room.split_at_mut(head.len());
        head_room.copy_from_slice(head);
        payload_room.copy_from_slice(payload);
        self.len = end;
        self.frames += 1;
        true
    }

    pub(crate) fn clear(&mut self) {
        (self.len, self.skip, self.frames) = (0, 0, 0);
    }
}
