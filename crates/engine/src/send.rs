//! Queueing: a message for many is framed, compressed and kept once for all that take it alike.

use dorrit_proto::{Coding, MessageKind, fragments};

use crate::ConnId;
use crate::conn::{Conn, Phase};
use crate::deflaters::{PLAIN, Prepared, VARIANTS, Variant, variant};
use crate::direct::MIN_DIRECT;
use crate::engine::Engine;
use crate::event::{DropCause, OutOfMemory, SendError};
use crate::messages::MessageId;

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

    /// Ends the turn with the message that is being dealt with, where its answers are enough for one.
    #[inline(always)]
    pub(crate) fn note_output(&mut self) {
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
    ) -> Result<Prepared, OutOfMemory> {
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

    pub(crate) fn is_turn_of(&self, id: ConnId) -> bool {
        self.turn.as_ref().is_some_and(|turn| turn.conn == id)
    }

    /// Whether what is queued for this connection now may go into its turn's output.
    pub(crate) fn is_output_of(&self, id: ConnId) -> bool {
        self.is_turn_of(id) && self.table.get(id).is_some_and(|conn| conn.queue.is_none())
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
