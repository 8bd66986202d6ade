//! Queueing: a message for many is framed, compressed and kept once for all that take it alike.

use dorrit_proto::{CloseCode, Coding, Deflater, FrameHead, MessageKind, OpCode, fragments};

use crate::closing::Ending;
use crate::config::OverflowPolicy;
use crate::conn::{Conn, Excess, Phase, Then};
use crate::deadlines::Kind;
use crate::direct::MIN_DIRECT;
use crate::engine::Engine;
use crate::event::{DropCause, OutOfMemory, SendError};
use crate::messages::MessageId;
use crate::pool::Key;
use crate::{ConnId, Event};

/// Shorter messages are sent as they are: compression would not make them shorter.
const MIN_DEFLATED: usize = 64;

/// A message for one connection of at most so many bytes is joined to what waits there.
const SMALL: usize = 4096;
/// The same for a message for many: it is copied where a reference to it would take as much.
const TINY: usize = 64;

/// How a message is sent to a connection: the size of the window of the one that it is compressed for, or 0.
type Variant = usize;
const PLAIN: Variant = 0;
const VARIANTS: usize = 16;

/// One compressor for each size of the window, made when it is needed first.
#[derive(Default)]
pub(crate) struct Deflaters {
    deflaters: [Option<Deflater>; VARIANTS],
    /// What was compressed last.
    bytes: Vec<u8>,
    /// How many there are.
    count: usize,
}

impl Deflaters {
    fn deflate(&mut self, level: u32, bits: Variant, payload: &[u8]) -> Result<&[u8], OutOfMemory> {
        let deflater = &mut self.deflaters[bits];
        if deflater.is_none() {
            *deflater = Some(Deflater::new(level, bits as u8).ok_or(OutOfMemory)?);
            self.count += 1;
        }
        deflater.as_mut().ok_or(OutOfMemory)?.deflate(payload, &mut self.bytes)?;
        Ok(&self.bytes)
    }

    /// How much memory they take, in bytes.
    pub(crate) fn held(&self) -> usize {
        self.count * Deflater::MEMORY + self.bytes.capacity()
    }
}

impl Engine {
    /// Sends a message to each of these connections that is open, in this order; one that stands there
    /// twice gets it twice. Returns for how many it was queued.
    #[inline(never)]
    pub fn send(
        &mut self,
        conns: impl Iterator<Item = ConnId> + Clone,
        kind: MessageKind,
        payload: &[u8],
    ) -> Result<usize, SendError> {
        let table = &self.table;
        let is_writable = |id: &ConnId| table.get(*id).is_some_and(Conn::is_writable);
        let mut writable = conns.clone().filter(is_writable);
        let Some(first) = writable.next() else { return Ok(0) };
        let is_single = writable.next().is_none();
        self.check_frames(conns.clone(), payload.len())?;
        if is_single && let Some(count) = self.send_single(first, kind, payload)? {
            self.stats.messages_out += count as u64;
            return Ok(count);
        }
        let messages = match self.prepare(conns.clone(), kind, payload) {
            Ok(messages) => messages,
            Err(error) => {
                conns.for_each(|id| self.unreserve_queue(id));
                return Err(error.into());
            }
        };
        let mut count = 0;
        for id in conns.clone() {
            count += usize::from(self.queue_prepared(id, &messages, payload.len()));
        }
        // Only now, when no message is needed any more: who is over the limit may be the last one to have it.
        messages.into_iter().flatten().for_each(|message| self.messages.release(message));
        conns.for_each(|id| self.end_call(id));
        self.stats.messages_out += count as u64;
        Ok(count)
    }

    /// Sends a message to one connection by a shorter way, where there is one. Returns for how many
    /// connections that was.
    fn send_single(
        &mut self,
        id: ConnId,
        kind: MessageKind,
        payload: &[u8],
    ) -> Result<Option<usize>, OutOfMemory> {
        if self.is_output_of(id) {
            if self.config.is_overflow(self.output.len(), payload.len()) {
                self.overflow(id, DropCause::QueueFull);
                return Ok(Some(0));
            }
            let is_taken = self.send_in_turn(id, kind, payload)?;
            self.note_output();
            return Ok(is_taken.then_some(1));
        }
        Ok(self.join(id, kind, payload).then_some(1))
    }

    /// Joins a small message to what waits for a connection, which takes no memory of its own.
    fn join(&mut self, id: ConnId, kind: MessageKind, payload: &[u8]) -> bool {
        let Some(conn) = self.table.get(id) else { return false };
        let Some(key) = conn.queue else { return false };
        let len = FrameHead::MAX + payload.len();
        let is_small = len <= SMALL && payload.len() <= self.config.max_fragment;
        if !is_small
            || variant(conn, payload.len()) != PLAIN
            || self.is_overflow(self.queues[key].held(), len)
        {
            return false;
        }
        let head = FrameHead::new(kind.into(), payload.len());
        if !self.queues[key].join([head.as_bytes(), payload], &mut self.messages) {
            return false;
        }
        self.note_queued(id, len);
        true
    }

    /// Queues a message that was prepared for a connection, where its limit allows. Returns whether it does.
    fn queue_prepared(
        &mut self,
        id: ConnId,
        messages: &[Option<MessageId>; VARIANTS],
        len: usize,
    ) -> bool {
        let Some(conn) = self.table.get(id).filter(|conn| conn.is_writable()) else {
            return false;
        };
        let excess = conn.excess;
        let variant = variant(conn, len);
        let (Some(key), Some(message)) = (conn.queue, messages[variant]) else { return false };
        let bytes = self.messages.bytes(message);
        let len = bytes.len();
        let is_small = len <= TINY && self.messages.frames(message) == 1;
        let queue = &self.queues[key];
        let weight = match is_small && queue.is_joinable(len, &self.messages) {
            true => len,
            false => self.messages.weight(message),
        };
        let held = queue.held();
        let excess = match excess {
            Excess::None if self.config.is_overflow(held, weight) => Excess::Queue,
            // The message itself is counted already.
            Excess::None if held > 0 && self.is_memory_full(0) => Excess::Memory,
            excess => excess,
        };
        if excess != Excess::None {
            if let Some(conn) = self.table.get_mut(id) {
                conn.excess = excess;
            }
            return false;
        }
        if !(is_small && self.join_copy(key, message)) {
            self.queues[key].push(message, &mut self.messages);
        }
        self.note_queued(id, len);
        true
    }

    /// Copies a message behind what waits in a queue: smaller than what a reference to it takes.
    fn join_copy(&mut self, key: Key, message: MessageId) -> bool {
        let mut copy = [0; TINY];
        let bytes = self.messages.bytes(message);
        let copy = &mut copy[..bytes.len()];
        copy.copy_from_slice(bytes);
        self.queues[key].join([copy, &[]], &mut self.messages)
    }

    /// Ends what a call has begun with a connection: what was too much for it is acted upon.
    fn end_call(&mut self, id: ConnId) {
        let Some(conn) = self.table.get_mut(id) else { return };
        let excess = std::mem::replace(&mut conn.excess, Excess::None);
        self.unreserve_queue(id);
        match excess {
            Excess::None => {}
            Excess::Queue => self.overflow(id, DropCause::QueueFull),
            Excess::Memory => self.overflow(id, DropCause::QueueMemory),
        }
    }

    /// Notes that so many bytes more wait in a connection's queue.
    fn note_queued(&mut self, id: ConnId, len: usize) {
        if self.is_turn_of(id) {
            self.output.charge(len);
            self.note_output();
        }
        self.flush_soon(id);
    }

    /// Ends the turn with the message that is being dealt with, where its answers are enough for one.
    #[inline(always)]
    fn note_output(&mut self) {
        if self.output.is_enough()
            && let Some(turn) = &mut self.turn
        {
            turn.left = 0;
        }
    }

    /// Sends a message to one connection by a short way, where there is one: most often it is an answer.
    /// Where this is false nothing was done, and [`Engine::send`] is the way.
    #[inline(always)]
    pub fn send_at_once(
        &mut self,
        id: ConnId,
        kind: MessageKind,
        payload: &[u8],
    ) -> Result<bool, SendError> {
        if self.is_turn_of(id)
            && let Some(conn) = self.table.get(id)
            && conn.is_writable()
            && conn.queue.is_none()
            && conn.deflate.is_none()
            && self.config.max_queued_frames.is_none()
            && !self.config.is_overflow(self.output.len(), payload.len())
        {
            let is_open = conn.phase == Phase::Open;
            let max = self.config.max_fragment;
            let is_taken = match payload.len() {
                len @ ..MIN_DIRECT if len <= max => self.output.push_whole(kind, payload),
                MIN_DIRECT.. if is_open && self.send_directly(id, kind, payload)? => true,
                _ => self.output.push_message(kind, Coding::Plain, payload, max),
            };
            if is_taken {
                self.note_output();
                self.stats.messages_out += 1;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How many frames wait for this connection (CONTRACT D11). Where that is not 0, the caller is told
    /// when it is (CONTRACT S25).
    pub fn queued_frames(&mut self, id: ConnId) -> u32 {
        let frames = self.unsent_frames(id);
        if frames > 0 {
            self.owe_drain(id);
        }
        frames
    }

    /// How many bytes wait for this connection, their frames' headers included. Where that is not 0, the
    /// caller is told when it is (CONTRACT S25).
    pub fn queued_bytes(&mut self, id: ConnId) -> usize {
        let bytes = self.unsent_bytes(id);
        if bytes > 0 {
            self.owe_drain(id);
        }
        bytes
    }

    fn unsent_frames(&self, id: ConnId) -> u32 {
        let Some(conn) = self.table.get(id) else { return 0 };
        let queued = conn.queue.map_or(0, |key| self.queues[key].frames());
        let output = if self.is_turn_of(id) { self.output.frames() } else { 0 };
        queued.saturating_add(output)
    }

    pub(crate) fn unsent_bytes(&self, id: ConnId) -> usize {
        let Some(conn) = self.table.get(id) else { return 0 };
        let queued = conn.queue.map_or(0, |key| self.queues[key].bytes());
        queued + if self.is_turn_of(id) { self.output.len() } else { 0 }
    }

    /// Whether each of these connections may have a message of this length queued.
    fn check_frames(
        &self,
        mut conns: impl Iterator<Item = ConnId>,
        len: usize,
    ) -> Result<(), SendError> {
        let Some(limit) = self.config.max_queued_frames else { return Ok(()) };
        let frames = len.div_ceil(self.config.max_fragment).max(1);
        let is_full = |id| {
            let is_writable = self.table.get(id).is_some_and(Conn::is_writable);
            is_writable && self.unsent_frames(id) as usize + frames > limit as usize
        };
        if conns.any(is_full) { Err(SendError::QueueFull) } else { Ok(()) }
    }

    /// Makes room in the queues, and the message in each variant that is wanted. What was made is in no
    /// queue yet.
    fn prepare(
        &mut self,
        conns: impl Iterator<Item = ConnId>,
        kind: MessageKind,
        payload: &[u8],
    ) -> Result<[Option<MessageId>; VARIANTS], OutOfMemory> {
        let mut messages = [None; VARIANTS];
        let mut made = Ok(());
        for id in conns {
            let Some(conn) = self.table.get(id).filter(|conn| conn.is_writable()) else { continue };
            let variant = variant(conn, payload.len());
            made = self.reserve_queue(id).and_then(|_| match messages[variant] {
                Some(_) => Ok(()),
                None => self.make(variant, kind, payload).map(|id| messages[variant] = Some(id)),
            });
            if made.is_err() {
                break;
            }
        }
        if made.is_err() {
            messages.into_iter().flatten().for_each(|message| self.messages.release(message));
        }
        made.map(|()| messages)
    }

    fn make(
        &mut self,
        variant: Variant,
        kind: MessageKind,
        payload: &[u8],
    ) -> Result<MessageId, OutOfMemory> {
        let max = self.config.max_fragment;
        let (bytes, frames) = match variant {
            PLAIN => frame(kind, Coding::Plain, payload, max)?,
            bits => {
                let level = self.config.compression;
                frame(kind, Coding::Deflated, self.deflaters.deflate(level, bits, payload)?, max)?
            }
        };
        self.messages.reserve()?;
        Ok(self.messages.insert(bytes, frames))
    }

    /// Puts a message into the output of the turn; false where it has no room there.
    fn send_in_turn(
        &mut self,
        id: ConnId,
        kind: MessageKind,
        payload: &[u8],
    ) -> Result<bool, OutOfMemory> {
        let Some(conn) = self.table.get(id) else { return Ok(false) };
        let max = self.config.max_fragment;
        match variant(conn, payload.len()) {
            PLAIN => Ok(self.output.push_message(kind, Coding::Plain, payload, max)),
            bits => {
                let level = self.config.compression;
                let deflated = self.deflaters.deflate(level, bits, payload)?;
                Ok(self.output.push_message(kind, Coding::Deflated, deflated, max))
            }
        }
    }

    /// Does with a client that does not read what the configuration says.
    fn overflow(&mut self, id: ConnId, cause: DropCause) {
        if self.config.queue_limit.policy == OverflowPolicy::Skip {
            self.stats.skipped += 1;
            return self.owe_drain(id);
        }
        if let Some(key) = self.table.get(id).and_then(|conn| conn.queue) {
            self.queues[key].keep_first(&mut self.messages);
        }
        self.end(
            id,
            Ending {
                then: Then::Discard,
                code: Some(CloseCode::POLICY),
                reason: "too much is queued",
                deadline: Kind::Flush,
            },
        );
        self.stats.dropped_queue += 1;
        self.report(Event::Dropped(id, cause));
    }

    /// Queues a control frame. A pong takes the place of one that waits.
    pub(crate) fn queue_control(
        &mut self,
        id: ConnId,
        opcode: OpCode,
        payload: &[u8],
    ) -> Result<(), OutOfMemory> {
        let head = FrameHead::new(opcode, payload.len());
        if self.is_output_of(id) && self.output.push_frame(head, payload) {
            return Ok(());
        }
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(head.as_bytes().len() + payload.len())?;
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(payload);
        self.messages.reserve()?;
        let key = self.reserve_queue(id)?;
        if opcode == OpCode::Pong {
            self.queues[key].push_pong(bytes, &mut self.messages);
        } else {
            let message = self.messages.insert(bytes, 1);
            self.queues[key].push_new(message, &mut self.messages);
        }
        self.flush_soon(id);
        Ok(())
    }

    /// Sends the answer to a request before all that is queued already.
    pub(crate) fn queue_answer(&mut self, id: ConnId, answer: Vec<u8>) -> Result<(), OutOfMemory> {
        if self.is_output_of(id) && self.output.prepend(&answer) {
            return Ok(());
        }
        self.messages.reserve()?;
        let key = self.reserve_queue(id)?;
        let message = self.messages.insert(answer, 0);
        self.queues[key].push_answer(message, &mut self.messages);
        self.flush_soon(id);
        Ok(())
    }

    /// Makes room in a connection's queue, behind the output of its turn.
    fn reserve_queue(&mut self, id: ConnId) -> Result<Key, OutOfMemory> {
        if self.is_output_of(id) {
            self.spill_output(id, 0)?;
            // It goes out whatever becomes of what is queued behind it.
            self.flush_soon(id);
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

    pub(crate) fn is_turn_of(&self, id: ConnId) -> bool {
        self.turn.as_ref().is_some_and(|turn| turn.conn == id)
    }

    /// Whether what is queued for this connection now may go into its turn's output.
    fn is_output_of(&self, id: ConnId) -> bool {
        self.is_turn_of(id) && self.table.get(id).is_some_and(|conn| conn.queue.is_none())
    }
}

/// How a message of so many bytes is sent to a connection.
fn variant(conn: &Conn, len: usize) -> Variant {
    match conn.deflate {
        Some(deflate) if len >= MIN_DEFLATED => usize::from(deflate.window_bits),
        _ => PLAIN,
    }
}

/// Frames a message. Returns its bytes and the number of its frames.
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
