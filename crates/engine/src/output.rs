//! Sending: the answers of a turn at once, and queues in turns.

use std::io::IoSlice;
use std::os::fd::AsFd;

use dorrit_proto::{FrameHead, MessageKind, OpCode, fragments};

use crate::conn::{Phase, Then};
use crate::deadlines::{Deadline, Kind};
use crate::engine::{Engine, OutOfMemory, SendError};
use crate::pool::Key;
use crate::{ConnId, sys};

/// How many bytes a connection is sent in a turn (CONTRACT D16): the longest frame of the default limit.
const TURN: usize = 65540;
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
    /// Puts the answer to a request before all else.
    fn prepend(&mut self, answer: &[u8]) -> Result<(), OutOfMemory> {
        self.bytes.try_reserve(answer.len())?;
        self.bytes.splice(0..0, answer.iter().copied());
        self.skip = answer.len();
        Ok(())
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        (self.skip, self.frames) = (0, 0);
    }

    /// Room for this many bytes more; false where that is more than goes out in a turn.
    fn reserve(&mut self, len: usize) -> Result<bool, OutOfMemory> {
        if self.bytes.len().saturating_add(len) > TURN {
            return Ok(false);
        }
        self.bytes.try_reserve(len)?;
        Ok(true)
    }
}

impl Engine {
    /// Sends a message to each of these connections that is open, in this order; one that stands there
    /// twice gets it twice. It is framed once, and waits once for all of them.
    pub fn send(
        &mut self,
        conns: impl Iterator<Item = ConnId> + Clone,
        kind: MessageKind,
        payload: &[u8],
    ) -> Result<(), SendError> {
        let table = &self.table;
        let is_writable = |id: &ConnId| table.get(*id).is_some_and(|conn| conn.is_writable());
        let mut writable = conns.clone().filter(is_writable);
        let Some(first) = writable.next() else { return Ok(()) };
        let is_single = writable.next().is_none();
        self.check_queues(conns.clone(), payload.len())?;
        if is_single && self.send_in_turn(first, kind, payload)? {
            return Ok(());
        }
        let (bytes, frames) = frame(kind, payload, self.config.max_fragment)?;
        self.messages.reserve()?;
        for id in conns.clone() {
            if let Err(error) = self.reserve_queue(id) {
                conns.for_each(|id| self.unreserve_queue(id));
                return Err(error.into());
            }
        }
        let message = self.messages.insert(bytes, frames);
        for id in conns {
            let Some(conn) = self.table.get(id).filter(|conn| conn.is_writable()) else { continue };
            let Some(key) = conn.queue else { continue };
            self.queues[key].push(message, &mut self.messages);
            self.mark_dirty(id);
        }
        Ok(())
    }

    /// Whether each of these connections may have a message of this length queued.
    fn check_queues(
        &self,
        mut conns: impl Iterator<Item = ConnId>,
        len: usize,
    ) -> Result<(), SendError> {
        let Some(limit) = self.config.max_queued_frames else { return Ok(()) };
        let frames = len.div_ceil(self.config.max_fragment).max(1);
        let is_full = |id| {
            let is_writable = self.table.get(id).is_some_and(|conn| conn.is_writable());
            is_writable && self.queued_frames(id) as usize + frames > limit as usize
        };
        if conns.any(is_full) { Err(SendError::QueueFull) } else { Ok(()) }
    }

    /// How many frames wait for this connection (CONTRACT D11).
    pub fn queued_frames(&self, id: ConnId) -> u32 {
        let Some(conn) = self.table.get(id) else { return 0 };
        let queued = conn.queue.map_or(0, |key| self.queues[key].frames());
        let output = if self.is_turn_of(id) { self.output.frames } else { 0 };
        queued.saturating_add(output)
    }

    pub(crate) fn is_turn_of(&self, id: ConnId) -> bool {
        self.turn.as_ref().is_some_and(|turn| turn.conn == id)
    }

    /// Whether what is queued for this connection now may go into its turn's output.
    fn is_output_of(&self, id: ConnId) -> bool {
        self.is_turn_of(id) && self.table.get(id).is_some_and(|conn| conn.queue.is_none())
    }

    /// Puts a message into the output of the turn; false where it cannot go there.
    fn send_in_turn(
        &mut self,
        id: ConnId,
        kind: MessageKind,
        payload: &[u8],
    ) -> Result<bool, OutOfMemory> {
        if !self.is_output_of(id) {
            return Ok(false);
        }
        let max = self.config.max_fragment;
        let heads = FrameHead::MAX.saturating_mul(payload.len().div_ceil(max));
        if !self.output.reserve(payload.len().saturating_add(heads))? {
            return Ok(false);
        }
        for (head, part) in fragments(kind, payload.len(), max) {
            self.output.bytes.extend_from_slice(head.as_bytes());
            self.output.bytes.extend_from_slice(&payload[part]);
            self.output.frames += 1;
        }
        Ok(true)
    }

    /// Queues a control frame. A pong takes the place of one that waits.
    pub(crate) fn queue_control(
        &mut self,
        id: ConnId,
        opcode: OpCode,
        payload: &[u8],
    ) -> Result<(), OutOfMemory> {
        let head = FrameHead::new(opcode, payload.len());
        let len = head.as_bytes().len() + payload.len();
        if self.is_output_of(id) && self.output.reserve(len)? {
            self.output.bytes.extend_from_slice(head.as_bytes());
            self.output.bytes.extend_from_slice(payload);
            self.output.frames += 1;
            return Ok(());
        }
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(len)?;
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(payload);
        self.messages.reserve()?;
        let key = self.reserve_queue_of(id)?;
        if opcode == OpCode::Pong {
            self.queues[key].push_pong(bytes, &mut self.messages);
        } else {
            let message = self.messages.insert(bytes, 1);
            self.queues[key].push(message, &mut self.messages);
        }
        self.mark_dirty(id);
        Ok(())
    }

    /// Sends the answer to a request before all that is queued already.
    pub(crate) fn queue_answer(&mut self, id: ConnId, answer: Vec<u8>) -> Result<(), OutOfMemory> {
        if self.is_output_of(id) {
            return self.output.prepend(&answer);
        }
        self.messages.reserve()?;
        let key = self.reserve_queue_of(id)?;
        let message = self.messages.insert(answer, 0);
        self.queues[key].push_answer(message, &mut self.messages);
        self.mark_dirty(id);
        Ok(())
    }

    /// Makes room in the queue of a connection that is open.
    fn reserve_queue(&mut self, id: ConnId) -> Result<(), OutOfMemory> {
        if self.table.get(id).is_some_and(|conn| conn.is_writable()) {
            self.reserve_queue_of(id)?;
        }
        Ok(())
    }

    /// Makes room in a connection's queue, behind the output of its turn.
    fn reserve_queue_of(&mut self, id: ConnId) -> Result<Key, OutOfMemory> {
        if self.is_output_of(id) {
            self.spill_output(id, 0)?;
        }
        self.queues.reserve()?;
        let Some(conn) = self.table.get_mut(id) else { return Err(OutOfMemory) };
        let key = *conn.queue.get_or_insert_with(|| self.queues.take());
        self.queues[key].reserve()?;
        Ok(key)
    }

    fn unreserve_queue(&mut self, id: ConnId) {
        let Some(key) = self.table.get(id).and_then(|conn| conn.queue) else { return };
        self.queues[key].unreserve();
        if self.queues[key].is_empty() {
            self.drop_queue(id);
        }
    }

    fn mark_dirty(&mut self, id: ConnId) {
        if let Some(conn) = self.table.get_mut(id)
            && !conn.is_dirty
        {
            conn.is_dirty = true;
            self.dirty.push(id);
        }
    }

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
                Ok(sent) if sent == self.output.bytes.len() => self.output.clear(),
                Ok(sent) => {
                    if self.spill_output(id, sent).is_err() {
                        self.output.clear();
                        return self.kill(id);
                    }
                    self.watch(id, true);
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

    /// Moves the output of a turn, of which this much is sent, into the connection's queue.
    fn spill_output(&mut self, id: ConnId, sent: usize) -> Result<(), OutOfMemory> {
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
            self.settle(id);
        } else if sent < total {
            self.watch(id, true);
        } else {
            self.resume(id);
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
    fn settle(&mut self, id: ConnId) {
        let Some(conn) = self.table.get_mut(id) else { return };
        let Phase::Flushing(then) = conn.phase else { return };
        if conn.queue.is_some() && !conn.is_mute {
            return;
        }
        match then {
            Then::AwaitClose => {
                conn.phase = Phase::AwaitingClose;
                self.set_deadline(id, Kind::Close);
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
        }
    }

    /// Sets a deadline for a connection; without memory for one, now is the time.
    pub(crate) fn set_deadline(&mut self, id: ConnId, kind: Kind) {
        let queue = self.table.get(id).and_then(|conn| conn.queue);
        let mut bytes = queue.map_or(0, |key| self.queues[key].bytes());
        if self.is_turn_of(id) {
            bytes += self.output.bytes.len();
        }
        let now = self.now;
        if self.deadlines.push(now, Deadline { conn: id, kind, bytes }).is_err() {
            self.kill(id);
        }
    }
}

/// Frames a message. Returns its bytes and the number of its frames.
fn frame(
    kind: MessageKind,
    payload: &[u8],
    max_fragment: usize,
) -> Result<(Vec<u8>, u32), OutOfMemory> {
    let parts = fragments(kind, payload.len(), max_fragment);
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
