//! Sending: the answers of a turn at once, and queues in turns.

use std::collections::TryReserveError;
use std::io::IoSlice;
use std::os::fd::{AsFd, BorrowedFd};

use dorrit_proto::{Coding, FrameHead, MessageKind, encode_whole, fragments};

use crate::config::{Config, TURN};
use crate::conn::{Drain, Listed, Phase, Then, Watch};
use crate::deadlines::Kind;
use crate::direct::MIN_DIRECT;
use crate::engine::Engine;
use crate::event::OutOfMemory;
use crate::messages::Messages;
use crate::pool::Key;
use crate::queue::Queue;
use crate::sys::Sent;
use crate::{ConnId, sys};

/// How many messages of a queue are sent with one call.
const SLICES: usize = 64;

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
    /// An empty one, with all the memory that it will ever have.
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

/// As much room is left for an answer that is copied.
const ANSWER: usize = MIN_DIRECT + FrameHead::MAX;

/// What is left of bytes that were sent: a message for a queue.
pub(crate) struct Rest {
    pub(crate) bytes: Vec<u8>,
    pub(crate) frames: u32,
    /// How many bytes at the start are no frame.
    pub(crate) skip: usize,
    /// How many bytes at the start are sent.
    pub(crate) sent: usize,
}

impl Engine {
    /// Sends what the turn of a connection produced.
    pub(crate) fn send_output(&mut self, id: ConnId) {
        let Some(conn) = self.table.get(id) else { return self.output.clear() };
        let is_flushing = matches!(conn.phase, Phase::Flushing(_));
        let owes_drain = conn.drain == Drain::Owed;
        let has_queue = conn.queue.is_some();
        if self.output.len() > 0 {
            let all = self.output.len();
            let sent = match &conn.socket {
                Some(socket) if !conn.is_mute => {
                    sys::send(socket.as_fd(), &[IoSlice::new(self.output.bytes())])
                }
                _ => Sent::Bytes(all),
            };
            self.stats.bytes_out += sent.bytes() as u64;
            if sent != Sent::Bytes(all) {
                return self.queue_unsent(id, sent, all);
            }
            self.output.clear();
        }
        if has_queue {
            self.flush_after_turn(id);
        }
        if owes_drain {
            self.note_drained(id);
        }
        if is_flushing {
            self.settle(id);
        }
    }

    /// Queues what was not sent of a turn's output. Where the peer takes nothing more, it is counted as queued
    /// until the connection's end.
    #[inline(never)]
    fn queue_unsent(&mut self, id: ConnId, sent: Sent, all: usize) {
        let queued = self.spill_output(id, sent.bytes());
        self.output.clear();
        match queued {
            Ok(()) => self.note_sent(id, sent, all),
            Err(OutOfMemory) => self.kill(id),
        }
        self.settle(id);
    }

    /// Does what follows from a call that was to send so many bytes, of which the rest is queued.
    pub(crate) fn note_sent(&mut self, id: ConnId, sent: Sent, all: usize) {
        match sent {
            Sent::Bytes(len) if len == all => {}
            Sent::Bytes(_) => self.block(id),
            Sent::Later => {
                self.owe_drain(id);
                self.retry(id);
            }
            Sent::Refused => self.mute(id),
            Sent::Failed => self.kill(id),
        }
    }

    /// Moves the output of a turn, of which this much is sent, into the connection's queue.
    pub(crate) fn spill_output(&mut self, id: ConnId, sent: usize) -> Result<(), OutOfMemory> {
        if self.output.len() == 0 {
            return Ok(());
        }
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(self.output.len())?;
        bytes.extend_from_slice(self.output.bytes());
        let (frames, skip) = (self.output.frames(), self.output.skip());
        let len = bytes.len();
        self.queue_rest(id, Rest { bytes, frames, skip, sent })?;
        self.output.clear();
        self.output.charge(len);
        Ok(())
    }

    /// Queues what the socket did not take of a connection that has no queue.
    pub(crate) fn queue_rest(&mut self, id: ConnId, rest: Rest) -> Result<(), OutOfMemory> {
        let Rest { bytes, frames, skip, sent } = rest;
        self.messages.reserve()?;
        self.queues.reserve()?;
        let key = self.queues.take();
        if self.queues[key].reserve().is_err() {
            self.queues.give_back(key);
            return Err(OutOfMemory);
        }
        let message = self.messages.insert(bytes, frames);
        self.queues[key].push_rest(message, skip, sent, &mut self.messages);
        if let Some(conn) = self.table.get_mut(id) {
            conn.queue = Some(key);
        }
        Ok(())
    }

    /// Sees to it that a connection's queue, which has grown, is sent, unless it waits for its socket anyway.
    /// For the connection whose turn it is, the end of the turn does.
    pub(crate) fn flush_soon(&mut self, id: ConnId) {
        if !self.is_turn_of(id) {
            self.flush_in_round(id);
        }
    }

    fn flush_in_round(&mut self, id: ConnId) {
        let Some(conn) = self.table.get_mut(id).filter(|conn| conn.watch == Watch::Read) else {
            return;
        };
        if conn.listed.is_in(Listed::NEXT) {
            conn.can_write = true;
        } else if conn.listed.enter(Listed::DIRTY) {
            self.ready.push_dirty(id, &self.table);
        }
    }

    /// Sees to it that what a turn has queued is sent: in this round where it is not more than the turn may
    /// still send, else in the next (CONTRACT D16).
    #[inline(never)]
    fn flush_after_turn(&mut self, id: ConnId) {
        let waits = self.table.get(id).is_some_and(|conn| conn.watch != Watch::Read);
        if self.output.is_used_up() && !waits {
            self.resume_sending(id);
        } else {
            self.flush_in_round(id);
        }
    }

    /// Sends from a connection's queue what the socket takes, as much as a turn allows. Returns how many
    /// bytes that was.
    pub(crate) fn flush(&mut self, id: ConnId) -> usize {
        let Some(conn) = self.table.get_mut(id) else { return 0 };
        let (Some(key), Some(socket), false) = (conn.queue, &conn.socket, conn.is_mute) else {
            self.settle(id);
            return 0;
        };
        let (queue, budget) = (&self.queues[key], self.config.turn());
        let (sent, total) = match queue.only(&self.messages, budget) {
            Some(bytes) => (sys::send(socket.as_fd(), &[IoSlice::new(bytes)]), bytes.len()),
            None => send_many(socket.as_fd(), queue, &self.messages, budget),
        };
        let len = sent.bytes();
        self.stats.bytes_out += len as u64;
        conn.is_stalled &= len == 0;
        if len == self.queues[key].bytes() {
            self.finish_flush(id, key);
        } else {
            self.queues[key].advance(len, &mut self.messages);
            self.note_sent(id, sent, total);
            if sent == Sent::Bytes(total) {
                self.owe_drain(id);
                self.resume_sending(id);
            }
        }
        len
    }

    /// Goes on where all that was queued for a connection is sent.
    fn finish_flush(&mut self, id: ConnId, key: Key) {
        self.queues[key].clear(&mut self.messages);
        self.queues.give_back(key);
        let Some(conn) = self.table.get_mut(id) else { return };
        conn.queue = None;
        let is_flushing = matches!(conn.phase, Phase::Flushing(_));
        let is_watched = conn.watch != Watch::Read;
        self.note_drained(id);
        if is_watched {
            self.watch(id, false);
        }
        if is_flushing {
            self.settle(id);
        }
    }

    /// Waits for the socket to take more.
    pub(crate) fn block(&mut self, id: ConnId) {
        self.owe_drain(id);
        self.watch(id, true);
    }

    /// The peer takes nothing more. What it has sent is still read, to its end.
    pub(crate) fn mute(&mut self, id: ConnId) {
        let Some(conn) = self.table.get_mut(id) else { return };
        conn.is_mute = true;
        if conn.phase == Phase::Open { self.resume(id) } else { self.kill(id) }
    }

    /// Frees a connection's queue.
    pub(crate) fn drop_queue(&mut self, id: ConnId) {
        if let Some(key) = self.table.get_mut(id).and_then(|conn| conn.queue.take()) {
            self.queues[key].clear(&mut self.messages);
            self.queues.give_back(key);
        }
    }

    /// Goes on with a connection that waited for its queue to be empty, where it is.
    pub(crate) fn settle(&mut self, id: ConnId) {
        let Some(conn) = self.table.get_mut(id) else { return };
        let Phase::Flushing(then) = conn.phase else { return };
        if conn.queue.is_some() && !conn.is_mute {
            return;
        }
        match then {
            Then::AwaitClose => {
                conn.phase = Phase::AwaitingClose;
                self.set_deadline(id, Kind::Close, Kind::CLOSE);
                self.resume(id);
            }
            Then::Discard => {
                conn.phase = Phase::Discarding;
                match conn.socket.as_ref().map(|socket| sys::shutdown(socket.as_fd())) {
                    Some(Ok(())) => {
                        self.set_deadline(id, Kind::Close, Kind::CLOSE);
                        self.resume(id);
                    }
                    _ => self.kill(id),
                }
            }
            Then::Close => self.kill(id),
            Then::Respond => self.send_body(id),
        }
    }
}

/// Sends the first of several messages of a queue. Returns how many bytes that was, and should have been.
fn send_many(
    socket: BorrowedFd<'_>,
    queue: &Queue,
    messages: &Messages,
    budget: usize,
) -> (Sent, usize) {
    let mut slices = [IoSlice::new(&[]); SLICES];
    let (count, total) = queue.slices(messages, budget, &mut slices);
    (sys::send(socket, &slices[..count]), total)
}
