//! Messages on their way from the input to the caller: whole, or in parts.

use std::io;
use std::ops::Range;

use dorrit_proto::{Coding, Complete, FrameStart, IncomingError, MessageKind};

use super::{Conn, Context, Phase};
use crate::config::Buffers;
use crate::event::{Event, Told};
use crate::inbox::Source;
use crate::payload::Payload;
use crate::pool::PoolKey;
use crate::turn::Step;

/// What was read of a message to where it is kept.
pub(super) struct InPlace {
    /// How many bytes were read.
    pub(super) len: io::Result<usize>,
    /// There may be more to read.
    pub(super) is_full: bool,
}

impl Conn {
    /// Takes a place for a message that comes in parts, or goes on with it.
    pub(super) fn begin_part(&mut self, cx: &mut Context, start: FrameStart, pos: usize) -> Step {
        let Some(key) = cx.inbox.take_incoming(&mut self.incoming) else {
            return self.drop_for_memory(cx);
        };
        cx.inbox.incoming[key].begin(start);
        self.receive_part(cx, key, pos)
    }

    /// Reads the next bytes of a long message to where it is kept; `None` where they have to come through the
    /// input.
    pub(super) fn receive_in_place(&mut self, cx: &mut Context) -> Option<(PoolKey, InPlace)> {
        let key = self.incoming.filter(|_| self.phase == Phase::Open)?;
        let transport = self.transport.as_ref()?;
        let incoming = &mut cx.inbox.incoming[key];
        if self.partial.is_some() || !incoming.is_in_frame() {
            return None;
        }
        let before = incoming.capacity();
        let growth = incoming.growth(usize::MAX);
        if growth > 0 && cx.memory.is_full(cx.outbox.held(), growth) {
            return None;
        }
        let room = incoming.room().ok().filter(|room| !room.is_empty())?;
        let room_len = room.len();
        let len = transport.receive_to(room);
        cx.memory.change(before, incoming.capacity());
        let is_full = len.as_ref().is_ok_and(|len| *len == room_len);
        Some((key, InPlace { len, is_full }))
    }

    /// Goes on with a message of which so many bytes were read in place.
    pub(super) fn continue_in_place(
        &mut self,
        cx: &mut Context,
        key: PoolKey,
        len: usize,
    ) -> Option<Told> {
        let step = match cx.inbox.incoming[key].receive_in_place(len) {
            Ok(Some(complete)) => self.deliver_incoming(cx, complete, key),
            Ok(None) => Step::End,
            Err(error) => self.failed(cx, error),
        };
        match step {
            Step::Event(told) => Some(told),
            Step::Next | Step::End | Step::Pause => None,
        }
    }

    /// Takes the next bytes of a message that comes in parts from the input.
    pub(super) fn receive_part(&mut self, cx: &mut Context, key: PoolKey, pos: usize) -> Step {
        let left = cx.inbox.input.len() - pos;
        let incoming = &cx.inbox.incoming[key];
        let (before, growth) = (incoming.capacity(), incoming.growth(left));
        if growth > 0 && cx.is_memory_full(growth) {
            return self.drop_for_memory(cx);
        }
        let incoming = &mut cx.inbox.incoming[key];
        let received = incoming.receive(&cx.inbox.input[pos..]);
        let is_in_frame = incoming.is_in_frame();
        cx.memory.change(before, incoming.capacity());
        match received {
            Ok((len, complete)) => {
                cx.consume(len);
                match complete {
                    Some(complete) => self.deliver_incoming(cx, complete, key),
                    None if is_in_frame => Step::End,
                    None => Step::Next,
                }
            }
            Err(error) => self.failed(cx, error),
        }
    }

    /// Drops a client whose message cannot be taken.
    pub(super) fn failed(&mut self, cx: &mut Context, error: IncomingError) -> Step {
        match error {
            IncomingError::Violation(violation) => self.violated(cx, violation),
            IncomingError::OutOfMemory => self.drop_for_memory(cx),
        }
    }

    /// Frees a connection's place for a message that comes in parts.
    pub(crate) fn drop_incoming(&mut self, cx: &mut Context) {
        if let Some(key) = self.incoming.take() {
            cx.inbox.drop_incoming(key, &mut cx.memory);
        }
    }

    /// Gives a connection's place for messages in parts back.
    pub(super) fn release_incoming(&mut self, cx: &mut Context, key: PoolKey) {
        self.incoming = None;
        cx.inbox.release_incoming(key, &mut cx.memory);
    }

    /// Tells a message that came in parts.
    fn deliver_incoming(&mut self, cx: &mut Context, complete: Complete, key: PoolKey) -> Step {
        if complete.coding == Coding::Plain {
            return self.tell_message(cx, complete.kind, Payload::Incoming(key));
        }
        self.deliver_deflated(cx, complete.kind, Source::Incoming(key))
    }

    /// Tells a message that stands in the input.
    pub(super) fn deliver(
        &mut self,
        cx: &mut Context,
        complete: Complete,
        payload: Range<usize>,
    ) -> Step {
        let kind = complete.kind;
        if complete.coding == Coding::Deflated {
            return self.deliver_deflated(cx, kind, Source::Input(payload));
        }
        if cx.config.buffers == Buffers::Own {
            return match self.set_own(cx, payload) {
                Some(key) => self.tell_message(cx, kind, Payload::Incoming(key)),
                None => self.drop_for_memory(cx),
            };
        }
        self.tell_message(cx, kind, Payload::Input(payload))
    }

    /// Copies a message that has come in one piece to the connection's own place; `None` where there is no memory.
    fn set_own(&mut self, cx: &mut Context, payload: Range<usize>) -> Option<PoolKey> {
        let key = cx.inbox.take_incoming(&mut self.incoming)?;
        let growth = (payload.len() + 1).saturating_sub(cx.inbox.incoming[key].capacity());
        if growth > 0 && cx.is_memory_full(growth) {
            return None;
        }
        cx.inbox.set_incoming(key, payload, &mut cx.memory).is_ok().then_some(key)
    }

    /// Tells a message whose payload stands there.
    pub(super) fn tell_message(
        &mut self,
        cx: &mut Context,
        kind: MessageKind,
        payload: Payload,
    ) -> Step {
        if let Some(turn) = &mut cx.turn {
            turn.payload = payload;
        }
        // What comes behind our close frame is passed over.
        if self.phase == Phase::Open {
            cx.stats.messages_in += 1;
        }
        Step::Event(Event::Message(cx.id, kind, ()))
    }

    /// Takes back the memory of what the caller has dealt with.
    #[inline(always)]
    pub(super) fn take_back_payload(&mut self, cx: &mut Context) {
        if cx.turn.as_ref().is_some_and(|turn| !turn.payload.is_dealt_with()) {
            self.take_back_own_payload(cx);
        }
    }

    /// Takes back the memory of a message that does not stand in the input.
    #[inline(never)]
    fn take_back_own_payload(&mut self, cx: &mut Context) {
        let Some(turn) = &mut cx.turn else { return };
        match std::mem::replace(&mut turn.payload, Payload::None) {
            Payload::Incoming(key) if cx.config.buffers == Buffers::Shared => {
                self.release_incoming(cx, key);
            }
            Payload::Inflated => cx.inbox.inflations.shrink(&mut cx.memory),
            Payload::None | Payload::Input(_) | Payload::Incoming(_) => {}
        }
    }
}
