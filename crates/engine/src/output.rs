//! Sending: the answers of a turn at once, and queues in turns.

use std::collections::TryReserveError;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};

use dorrit_proto::{Coding, FrameHead, MessageKind, encode_whole, fragments};

use crate::config::TURN;
use crate::conn::{Phase, Then, Watch};
use crate::deadlines::Kind;
use crate::engine::Engine;
use crate::event::OutOfMemory;
use crate::messages::Messages;
use crate::pool::Key;
use crate::queue::Queue;
use crate::{ConnId, sys};

/// How many messages of a queue are sent with one call.
const SLICES: usize = 64;

/// What the connection whose turn it is will be sent when its turn ends.
pub(crate) struct Output {
    /// As much as a turn sends.
    buffer: Vec<u8>,
    len: usize,
    /// How many bytes at the start are no frame.
    skip: usize,
    frames: u32,
}

impl Output {
    /// An empty one, with all the memory that it will ever have.
    pub(crate) fn new() -> Result<Self, TryReserveError> {
        let mut buffer = Vec::new();
        buffer.try_reserve_exact(TURN)?;
        buffer.resize(TURN, 0);
        Ok(Self { buffer, len: 0, skip: 0, frames: 0 })
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
        let room = self.buffer.get_mut(self.len..).unwrap_or_default();
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
        if most > self.buffer.len() - self.len {
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
    /// Sends what was queued since the last time, on every connection.
    pub(crate) fn flush_dirty(&mut self) {
        while let Some(id) = self.dirty.pop() {
            self.flush(id);
        }
    }

    /// Sends what the turn of a connection produced.
    pub(crate) fn send_output(&mut self, id: ConnId) {
        let Some(conn) = self.table.get(id) else { return self.output.clear() };
        let is_flushing = matches!(conn.phase, Phase::Flushing(_));
        if self.output.len() > 0 {
            let sent = match &conn.socket {
                Some(socket) if !conn.is_mute => {
                    let sent = sys::send(socket.as_fd(), &[IoSlice::new(self.output.bytes())]);
                    self.stats.bytes_out += *sent.as_ref().unwrap_or(&0) as u64;
                    sent
                }
                _ => Ok(self.output.len()),
            };
            match sent {
                Ok(sent) if sent == self.output.len() => {}
                Ok(sent) => {
                    if self.spill_output(id, sent).is_err() {
                        self.output.clear();
                        return self.kill(id);
                    }
                    self.block(id);
                }
                Err(_) => {
                    // What was not sent is counted as queued until the connection's end.
                    let _ = self.spill_output(id, 0);
                    self.mute(id);
                }
            }
            self.output.clear();
        }
        if is_flushing {
            self.settle(id);
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
        self.queue_rest(id, Rest { bytes, frames, skip, sent })?;
        self.output.clear();
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

    /// Sends from a connection's queue what the socket takes, as much as a turn allows.
    pub(crate) fn flush(&mut self, id: ConnId) {
        let Some(conn) = self.table.get_mut(id) else { return };
        conn.is_dirty = false;
        let (Some(key), Some(socket)) = (conn.queue, &conn.socket) else { return self.settle(id) };
        if conn.is_mute {
            return self.settle(id);
        }
        let (queue, budget) = (&self.queues[key], self.config.turn());
        let offered = match queue.only(&self.messages, budget) {
            Some(bytes) => (sys::send(socket.as_fd(), &[IoSlice::new(bytes)]), bytes.len()),
            None => send_many(socket.as_fd(), queue, &self.messages, budget),
        };
        let (Ok(sent), total) = offered else { return self.mute(id) };
        self.stats.bytes_out += sent as u64;
        if sent == self.queues[key].bytes() {
            return self.finish_flush(id, key);
        }
        self.queues[key].advance(sent, &mut self.messages);
        if sent < total {
            self.block(id);
        } else {
            self.note_wait(id);
            self.resume_sending(id);
        }
    }

    /// Goes on where all that was queued for a connection is sent.
    fn finish_flush(&mut self, id: ConnId, key: Key) {
        self.queues[key].clear(&mut self.messages);
        self.queues.give_back(key);
        let Some(conn) = self.table.get_mut(id) else { return };
        conn.queue = None;
        let is_drained = std::mem::take(&mut conn.has_waited) && conn.phase == Phase::Open;
        if is_drained && self.drained.try_reserve(1).is_ok() {
            self.drained.push(id);
        }
        let is_flushing = matches!(conn.phase, Phase::Flushing(_));
        if conn.watch != Watch::Read {
            self.watch(id, false);
        }
        if is_flushing {
            self.settle(id);
        }
    }

    /// Waits for the socket to take more.
    pub(crate) fn block(&mut self, id: ConnId) {
        self.note_wait(id);
        self.watch(id, true);
    }

    /// Notes that not all could be sent at once.
    fn note_wait(&mut self, id: ConnId) {
        if let Some(conn) = self.table.get_mut(id) {
            conn.has_waited = true;
        }
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
                self.set_deadline(id, Kind::Close, self.now + Kind::CLOSE);
                self.resume(id);
            }
            Then::Discard => {
                conn.phase = Phase::Discarding;
                match conn.socket.as_ref().map(|socket| sys::shutdown(socket.as_fd())) {
                    Some(Ok(())) => self.resume(id),
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
) -> (io::Result<usize>, usize) {
    let mut slices = [IoSlice::new(&[]); SLICES];
    let (count, total) = queue.slices(messages, budget, &mut slices);
    (sys::send(socket, &slices[..count]), total)
}
