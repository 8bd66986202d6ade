//! Sending: the answers of a turn at once, and queues in turns.

use std::io::IoSlice;
use std::os::fd::AsFd;

use dorrit_proto::{Coding, FrameHead, MessageKind, OpCode, fragments};

use crate::conn::{Phase, Then};
use crate::deadlines::Kind;
use crate::engine::Engine;
use crate::event::OutOfMemory;
use crate::{ConnId, sys};

/// How many bytes a connection is sent in a turn (CONTRACT D16): the longest frame of the default limit.
pub(crate) const TURN: usize = 65540;
/// How many messages of a queue are sent with one call.
const SLICES: usize = 64;

/// What the connection whose turn it is will be sent when its turn ends.
#[derive(Default)]
pub(crate) struct Output {
    bytes: Vec<u8>,
    /// How many bytes at the start are no frame.
    skip: usize,
    frames: u32,
}

impl Output {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn frames(&self) -> u32 {
        self.frames
    }

    /// Puts the answer to a request before all else.
    pub(crate) fn prepend(&mut self, answer: &[u8]) -> Result<(), OutOfMemory> {
        self.bytes.try_reserve(answer.len())?;
        self.bytes.splice(0..0, answer.iter().copied());
        self.skip = answer.len();
        Ok(())
    }

    /// Frames a message into it; false where there is no room.
    pub(crate) fn push_message(
        &mut self,
        kind: MessageKind,
        coding: Coding,
        payload: &[u8],
        max_fragment: usize,
    ) -> Result<bool, OutOfMemory> {
        let is_single = payload.len() <= max_fragment;
        let count = if is_single { 1 } else { payload.len().div_ceil(max_fragment) };
        let heads = FrameHead::MAX.saturating_mul(count);
        if !self.reserve(payload.len().saturating_add(heads))? {
            return Ok(false);
        }
        if is_single && payload.len() < 126 && coding == Coding::Plain {
            let first = 0x80 | OpCode::from(kind) as u8;
            self.bytes.extend_from_slice(&[first, payload.len() as u8]);
            self.bytes.extend_from_slice(payload);
            self.frames += 1;
            return Ok(true);
        }
        for (head, part) in fragments(kind, coding, payload.len(), max_fragment) {
            self.bytes.extend_from_slice(head.as_bytes());
            self.bytes.extend_from_slice(&payload[part]);
            self.frames += 1;
        }
        Ok(true)
    }

    /// Puts a control frame into it; false where there is no room.
    pub(crate) fn push_control(
        &mut self,
        head: FrameHead,
        payload: &[u8],
    ) -> Result<bool, OutOfMemory> {
        if !self.reserve(head.as_bytes().len() + payload.len())? {
            return Ok(false);
        }
        self.bytes.extend_from_slice(head.as_bytes());
        self.bytes.extend_from_slice(payload);
        self.frames += 1;
        Ok(true)
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        (self.skip, self.frames) = (0, 0);
    }

    /// Room for this many bytes more; false where that is more than goes out in a turn.
    fn reserve(&mut self, len: usize) -> Result<bool, OutOfMemory> {
        if self.bytes.len().saturating_add(len) > TURN + FrameHead::MAX {
            return Ok(false);
        }
        self.bytes.try_reserve(len)?;
        Ok(true)
    }
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
        if !self.output.bytes.is_empty() {
            let sent = match &conn.socket {
                Some(socket) if !conn.is_mute => {
                    sys::send(socket.as_fd(), &[IoSlice::new(&self.output.bytes)])
                }
                _ => Ok(self.output.bytes.len()),
            };
            match sent {
                Ok(sent) if sent == self.output.bytes.len() => {}
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
        self.settle(id);
    }

    /// Sends the output of a turn, and a frame behind it, now. What the socket does not take is queued; that
    /// it has failed is acted on when the turn ends.
    pub(crate) fn send_directly(&mut self, id: ConnId, head: FrameHead, payload: &[u8]) {
        let Some(socket) = self.table.get(id).and_then(|conn| conn.socket.as_ref()) else { return };
        let parts = [&self.output.bytes[..], head.as_bytes(), payload];
        let sent = sys::send(socket.as_fd(), &parts.map(IoSlice::new));
        let len: usize = parts.iter().map(|part| part.len()).sum();
        if sent.as_ref().is_ok_and(|sent| *sent == len) {
            return self.output.clear();
        }
        if self.output.bytes.try_reserve_exact(len - self.output.bytes.len()).is_err() {
            // A frame of which a part is lost cannot be made up for.
            return self.kill(id);
        }
        self.output.bytes.extend_from_slice(head.as_bytes());
        self.output.bytes.extend_from_slice(payload);
        self.output.frames += 1;
        match (self.spill_output(id, *sent.as_ref().unwrap_or(&0)), sent) {
            (Ok(()), Ok(_)) => self.block(id),
            (Ok(()), Err(_)) => self.mute(id),
            (Err(_), _) => self.kill(id),
        }
    }

    /// Moves the output of a turn, of which this much is sent, into the connection's queue.
    pub(crate) fn spill_output(&mut self, id: ConnId, sent: usize) -> Result<(), OutOfMemory> {
        if self.output.bytes.is_empty() {
            return Ok(());
        }
        self.messages.reserve()?;
        self.queues.reserve()?;
        let key = self.queues.take();
        if self.queues[key].reserve().is_err() {
            self.queues.give_back(key);
            return Err(OutOfMemory);
        }
        let output = std::mem::take(&mut self.output);
        let message = self.messages.insert(output.bytes, output.frames);
        self.queues[key].push_rest(message, output.skip, sent, &mut self.messages);
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
        let mut slices = [IoSlice::new(&[]); SLICES];
        let (count, total) = self.queues[key].slices(&self.messages, TURN, &mut slices);
        let Ok(sent) = sys::send(socket.as_fd(), &slices[..count]) else { return self.mute(id) };
        self.queues[key].advance(sent, &mut self.messages);
        if self.queues[key].is_empty() {
            self.drop_queue(id);
            self.watch(id, false);
            self.tell_drained(id);
            self.settle(id);
        } else if sent < total {
            self.block(id);
        } else {
            self.note_wait(id);
            self.resume_sending(id);
        }
    }

    /// Waits for the socket to take more.
    fn block(&mut self, id: ConnId) {
        self.note_wait(id);
        self.watch(id, true);
    }

    /// Notes that not all could be sent at once.
    fn note_wait(&mut self, id: ConnId) {
        if let Some(conn) = self.table.get_mut(id) {
            conn.has_waited = true;
        }
    }

    /// Owes the caller the news that a queue which had to wait is empty.
    fn tell_drained(&mut self, id: ConnId) {
        let Some(conn) = self.table.get_mut(id) else { return };
        if std::mem::take(&mut conn.has_waited) && conn.phase == Phase::Open {
            self.drained.push(id);
        }
    }

    /// The peer takes nothing more. What it has sent is still read, to its end.
    fn mute(&mut self, id: ConnId) {
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
