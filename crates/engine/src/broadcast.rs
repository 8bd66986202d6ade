//! Sending: a message for many is framed, compressed and kept once for all that take it alike.

use dorrit_proto::MessageKind;

use crate::conn::Conn;
use crate::engine::Engine;
use crate::event::{OutOfMemory, SendError};
use crate::id::ConnId;
use crate::outbox::{MIN_DIRECT, Prepared, VARIANTS};

impl Engine {
    /// Sends a message to one connection, if it is open. Returns for how many connections it was queued or sent.
    #[inline(always)]
    pub fn send_to(
        &mut self,
        id: ConnId,
        kind: MessageKind,
        payload: &[u8],
    ) -> Result<usize, SendError> {
        let cx = &mut self.cx;
        let output = &mut cx.outbox.output;
        if let Some(turn) = &mut cx.turn
            && turn.conn == id
            && turn.ways.frames_whole
            && payload.len() < MIN_DIRECT
            && payload.len() <= cx.config.max_fragment
            && !cx.config.is_overflow(output.len(), payload.len())
            && output.push_whole(kind, payload)
        {
            if output.is_enough() {
                turn.left = 0;
            }
            cx.stats.messages_out += 1;
            return Ok(1);
        }
        self.send_one(id, kind, payload)
    }

    #[inline(never)]
    fn send_one(
        &mut self,
        id: ConnId,
        kind: MessageKind,
        payload: &[u8],
    ) -> Result<usize, SendError> {
        let sent = self.with(id, |conn, cx| conn.send_in_turn(cx, kind, payload));
        if sent.transpose()? == Some(true) {
            self.cx.stats.messages_out += 1;
            return Ok(1);
        }
        self.send(std::iter::once(id), kind, payload)
    }

    /// Sends a message to each of these connections that is open, in this order; one that stands there
    /// twice gets it twice. Returns for how many it was queued.
    #[inline(never)]
    pub fn send(
        &mut self,
        conns: impl Iterator<Item = ConnId> + Clone,
        kind: MessageKind,
        payload: &[u8],
    ) -> Result<usize, SendError> {
        let Self { conns: table, cx, .. } = &*self;
        let is_writable = |id: &ConnId| table.get(*id).is_some_and(|conn| conn.is_writable(cx));
        let mut writable = conns.clone().filter(is_writable);
        let Some(first) = writable.next() else { return Ok(0) };
        let is_single = writable.next().is_none();
        self.check_frames(conns.clone(), payload.len())?;
        if is_single {
            let single = self.with(first, |conn, cx| conn.send_single(cx, kind, payload));
            if let Some(count) = single.transpose()?.flatten() {
                self.cx.stats.messages_out += count as u64;
                return Ok(count);
            }
        }
        let messages = match self.prepare(conns.clone(), kind, payload) {
            Ok(messages) => messages,
            Err(error) => {
                for id in conns {
                    self.with(id, Conn::unreserve_queue);
                }
                return Err(error.into());
            }
        };
        let mut count = 0;
        for id in conns.clone() {
            let queued =
                self.with(id, |conn, cx| conn.queue_prepared(cx, &messages, payload.len()));
            count += usize::from(queued == Some(true));
        }
        // Only now, when no message is needed any more: who is over the limit may be the last one to have it.
        self.release(messages);
        for id in conns {
            self.with(id, Conn::end_call);
        }
        self.cx.stats.messages_out += count as u64;
        Ok(count)
    }

    /// Whether each of these connections may have a message of this length queued.
    fn check_frames(
        &mut self,
        mut conns: impl Iterator<Item = ConnId>,
        len: usize,
    ) -> Result<(), SendError> {
        let Some(limit) = self.cx.config.max_queued_frames else { return Ok(()) };
        let frames = len.div_ceil(self.cx.config.max_fragment).max(1);
        let is_full = conns.any(|id| {
            let unsent =
                self.with(id, |conn, cx| conn.is_writable(cx).then(|| conn.unsent_frames(cx)));
            unsent.flatten().is_some_and(|unsent| unsent as usize + frames > limit as usize)
        });
        if is_full { Err(SendError::QueueFull) } else { Ok(()) }
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
        for id in conns {
            let reserved = self.with(id, |conn, cx| {
                if !conn.is_writable(cx) {
                    return Ok(());
                }
                conn.reserve_queue(cx)?;
                let variant = conn.variant(payload.len());
                if messages[variant].is_none() {
                    let made = cx.outbox.make(&cx.config, variant, kind, payload)?;
                    messages[variant] = Some(made);
                }
                Ok(())
            });
            if let Some(Err(error)) = reserved {
                self.release(messages);
                return Err(error);
            }
        }
        Ok(messages)
    }

    /// Gives back the references to what was prepared.
    fn release(&mut self, messages: Prepared) {
        for message in messages.into_iter().flatten() {
            self.cx.outbox.frames.release(message);
        }
    }
}
