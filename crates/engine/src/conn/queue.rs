//! What goes into a connection's queue, and what is too much for it.

use dorrit_proto::{CloseCode, Coding, FrameHead, MessageKind, OpCode, Refusal};

use super::close::Cause;
use super::{Conn, Context, Excess, Phase, Standing};
use crate::config::OverflowPolicy;
use crate::event::{DropCause, Event, OutOfMemory};
use crate::outbox::{
    FrameId, Frames, MIN_DIRECT, Outbox, PLAIN, Prepared, Queue, Variant, variant,
};
use crate::pool::PoolKey;

/// A message for one connection of at most so many bytes is joined to what waits there.
const SMALL: usize = 4096;
/// A message for many of at most so many bytes is copied, where a reference to it would take as much.
const TINY: usize = 64;

impl Conn {
    /// How a message of so many bytes is sent to a connection.
    pub(crate) fn variant(&self, len: usize) -> Variant {
        variant(self.deflate, len)
    }

    /// Whether what is queued for a connection now may go into its turn's output.
    fn is_output(&self, cx: &Context) -> bool {
        self.queue.is_none() && cx.is_turn()
    }

    /// Puts a plain message into the output of a connection's turn, or sends it behind that now, where
    /// [`Conn::ways`] says so. Returns whether it could.
    pub(crate) fn send_in_turn(
        &mut self,
        cx: &mut Context,
        kind: MessageKind,
        payload: &[u8],
    ) -> Result<bool, OutOfMemory> {
        if !cx.is_turn()
            || !self.ways(&cx.config).frames_whole
            || cx.config.is_overflow(cx.outbox.output.len(), payload.len())
        {
            return Ok(false);
        }
        let is_long = payload.len() >= MIN_DIRECT && self.phase == Phase::Open;
        let is_taken = (is_long && self.send_directly(cx, kind, payload)?) || {
            let max = cx.config.max_fragment;
            cx.outbox.output.push_message(kind, Coding::Plain, payload, max)
        };
        if is_taken {
            cx.note_output();
        }
        Ok(is_taken)
    }

    /// Sends a message to one connection by a shorter way than its queue, where there is one. Returns for how many
    /// connections that was.
    pub(crate) fn send_single(
        &mut self,
        cx: &mut Context,
        kind: MessageKind,
        payload: &[u8],
    ) -> Result<Option<usize>, OutOfMemory> {
        if !self.is_output(cx) {
            return Ok(self.join(cx, kind, payload).then_some(1));
        }
        if cx.config.is_overflow(cx.outbox.output.len(), payload.len()) {
            self.overflow(cx, DropCause::QueueFull);
            return Ok(Some(0));
        }
        let variant = self.variant(payload.len());
        let is_taken = cx.outbox.push_message(&cx.config, variant, kind, payload)?;
        cx.note_output();
        Ok(is_taken.then_some(1))
    }

    /// Joins a small message to what waits for a connection, which takes no memory of its own.
    fn join(&mut self, cx: &mut Context, kind: MessageKind, payload: &[u8]) -> bool {
        let Some(key) = self.queue else { return false };
        let len = FrameHead::MAX + payload.len();
        let is_small = len <= SMALL && payload.len() <= cx.config.max_fragment;
        if !is_small
            || self.variant(payload.len()) != PLAIN
            || cx.is_overflow(cx.outbox.queues[key].held(), len)
        {
            return false;
        }
        let head = FrameHead::new(kind.into(), payload.len());
        let Outbox { queues, frames, .. } = &mut cx.outbox;
        if !queues[key].join([head.as_bytes(), payload], frames) {
            return false;
        }
        self.note_queued(cx, len);
        true
    }

    /// Queues a message that was prepared for a connection, where its limit allows. Returns whether it does.
    pub(crate) fn queue_prepared(
        &mut self,
        cx: &mut Context,
        messages: &Prepared,
        len: usize,
    ) -> bool {
        if !self.is_writable(cx) {
            return false;
        }
        let (Some(key), Some(message)) = (self.queue, messages[self.variant(len)]) else {
            return false;
        };
        let frames = &cx.outbox.frames;
        let len = frames.bytes(message).len();
        let is_small = len <= TINY && frames.frames(message) == 1;
        let queue = &cx.outbox.queues[key];
        let weight = match is_small && queue.is_joinable(len, frames) {
            true => len,
            false => frames.weight(message),
        };
        let held = queue.held();
        self.excess = match self.excess {
            Excess::None if cx.config.is_overflow(held, weight) => Excess::Queue,
            // The message itself is counted already.
            Excess::None if held > 0 && cx.is_memory_full(0) => Excess::Memory,
            excess => excess,
        };
        if self.excess != Excess::None {
            return false;
        }
        let Outbox { queues, frames, .. } = &mut cx.outbox;
        if !(is_small && join_copy(&mut queues[key], message, frames)) {
            queues[key].push(message, frames);
        }
        self.note_queued(cx, len);
        true
    }

    /// Ends what a call has begun with a connection: what was too much for it is acted upon.
    pub(crate) fn end_call(&mut self, cx: &mut Context) {
        let excess = std::mem::replace(&mut self.excess, Excess::None);
        self.unreserve_queue(cx);
        match excess {
            Excess::None => {}
            Excess::Queue => self.overflow(cx, DropCause::QueueFull),
            Excess::Memory => self.overflow(cx, DropCause::QueueMemory),
        }
    }

    /// Notes that so many bytes more wait in a connection's queue.
    fn note_queued(&mut self, cx: &mut Context, len: usize) {
        if cx.is_turn() {
            cx.outbox.output.charge(len);
            cx.note_output();
        }
        self.flush_soon(cx);
    }

    /// Does with a client that does not read what the configuration says.
    fn overflow(&mut self, cx: &mut Context, cause: DropCause) {
        if cx.config.queue_limit.policy == OverflowPolicy::Skip {
            cx.stats.skipped += 1;
            return self.owe_drain();
        }
        if self.standing == Standing::Deferred {
            self.refuse(cx, Refusal::Status(503));
        } else {
            self.keep_first(cx);
            self.begin_close(cx, Cause::Fail(CloseCode::POLICY), "too much is queued");
        }
        cx.stats.dropped_queue += 1;
        cx.pending.report(Event::Dropped(cx.id, cause));
    }

    /// Throws a connection's queue away, but for the message of which a part may be sent.
    pub(super) fn keep_first(&mut self, cx: &mut Context) {
        if let Some(key) = self.queue {
            cx.outbox.queues[key].keep_first(&mut cx.outbox.frames);
        }
    }

    /// Queues a control frame. A pong takes the place of one that waits.
    pub(super) fn queue_control(
        &mut self,
        cx: &mut Context,
        opcode: OpCode,
        payload: &[u8],
    ) -> Result<(), OutOfMemory> {
        let head = FrameHead::new(opcode, payload.len());
        if self.is_output(cx) && cx.outbox.output.push_frame(head, payload) {
            return Ok(());
        }
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(head.as_bytes().len() + payload.len())?;
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(payload);
        cx.outbox.frames.reserve()?;
        let key = self.reserve_queue(cx)?;
        let Outbox { queues, frames, .. } = &mut cx.outbox;
        if opcode == OpCode::Pong {
            queues[key].push_pong(bytes, frames);
        } else {
            let message = frames.insert(bytes, 1);
            queues[key].push_new(message, frames);
        }
        self.flush_soon(cx);
        Ok(())
    }

    /// Queues an answer to a request, in two parts, behind all that is queued already.
    pub(super) fn queue_response(
        &mut self,
        cx: &mut Context,
        parts: [&[u8]; 2],
    ) -> Result<(), OutOfMemory> {
        if self.is_output(cx) && cx.outbox.output.push_answer(parts) {
            return Ok(());
        }
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(parts[0].len() + parts[1].len())?;
        parts.into_iter().for_each(|part| bytes.extend_from_slice(part));
        cx.outbox.frames.reserve()?;
        let key = self.reserve_queue(cx)?;
        let Outbox { queues, frames, .. } = &mut cx.outbox;
        let message = frames.insert(bytes, 0);
        queues[key].push_new(message, frames);
        self.flush_soon(cx);
        Ok(())
    }

    /// Queues the answer that accepts a request before all that is queued already.
    pub(super) fn queue_answer(
        &mut self,
        cx: &mut Context,
        answer: Vec<u8>,
    ) -> Result<(), OutOfMemory> {
        if self.is_output(cx) && cx.outbox.output.prepend(&answer) {
            return Ok(());
        }
        cx.outbox.frames.reserve()?;
        let key = self.reserve_queue(cx)?;
        let Outbox { queues, frames, .. } = &mut cx.outbox;
        let message = frames.insert(answer, 0);
        queues[key].push_answer(message, frames);
        self.flush_soon(cx);
        Ok(())
    }

    /// Makes room in a connection's queue, behind the output of its turn.
    pub(crate) fn reserve_queue(&mut self, cx: &mut Context) -> Result<PoolKey, OutOfMemory> {
        if self.is_output(cx) {
            self.spill_output(cx, 0)?;
        }
        cx.outbox.queues.reserve()?;
        let key = *self.queue.get_or_insert_with(|| cx.outbox.queues.take());
        cx.outbox.queues[key].reserve()?;
        Ok(key)
    }

    /// Gives back the room that a call has made and did not use.
    pub(crate) fn unreserve_queue(&mut self, cx: &mut Context) {
        let Some(key) = self.queue else { return };
        cx.outbox.queues[key].unreserve();
        if cx.outbox.queues[key].is_empty() {
            self.drop_queue(cx);
        }
    }
}

/// Copies a message behind what waits in a queue: smaller than what a reference to it takes.
fn join_copy(queue: &mut Queue, message: FrameId, frames: &mut Frames) -> bool {
    let mut copy = [0; TINY];
    let bytes = frames.bytes(message);
    let copy = &mut copy[..bytes.len()];
    copy.copy_from_slice(bytes);
    queue.join([copy, &[]], frames)
}
