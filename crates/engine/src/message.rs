//! Messages on their way from the input to the caller: whole, in parts, or compressed.

use std::io;
use std::ops::Range;
use std::os::fd::AsFd;

use dorrit_proto::{Coding, Complete, FrameStart, Incoming, IncomingError, MessageKind};

use crate::config::Buffers;
use crate::conn::Phase;
use crate::engine::Engine;
use crate::event::Event;
use crate::inflating::Source;
use crate::pool::Key;
use crate::turn::{Step, Turn};
use crate::{ConnId, sys};

/// Where a message stands, with a zero byte behind it.
#[derive(Debug)]
pub(crate) enum Message {
    None,
    /// In the input.
    Input(Range<usize>),
    /// It came in parts.
    Incoming(Key),
    /// It was compressed.
    Inflated,
}

/// How much memory is kept for messages that will come in parts, in bytes.
const KEPT: usize = 8 << 20;
/// How much is kept for those that will be compressed.
const KEPT_INFLATED: usize = 1 << 20;

/// What was read of a message to where it is kept.
pub(crate) struct InPlace {
    pub(crate) key: Key,
    pub(crate) received: io::Result<usize>,
    /// There may be more to read.
    pub(crate) is_full: bool,
}

impl Engine {
    /// The payload of the message that [`Event::Message`] told last, with a zero byte behind it. The
    /// caller may write into it. It stays where it is as [`Buffers`](crate::Buffers) says.
    #[inline]
    pub fn message(&mut self) -> &mut [u8] {
        match self.turn.as_ref().map(|turn| &turn.message) {
            Some(Message::Input(range)) => &mut self.input[range.start..=range.end],
            Some(Message::Incoming(key)) => self.incoming[*key].message(),
            Some(Message::Inflated) => &mut self.inflated,
            Some(Message::None) | None => &mut [],
        }
    }

    /// Takes a place for a message that comes in parts, or goes on with it.
    pub(crate) fn begin_part(&mut self, id: ConnId, start: FrameStart, pos: usize) -> Step {
        let Some(key) = self.incoming_of(id) else { return self.drop_for_memory(id) };
        self.incoming[key].begin(start);
        self.receive_part(id, key, pos)
    }

    /// The place of a connection's message that comes in parts; `None` where there is no memory.
    fn incoming_of(&mut self, id: ConnId) -> Option<Key> {
        self.incoming.reserve().ok()?;
        let conn = self.table.get_mut(id)?;
        Some(*conn.incoming.get_or_insert_with(|| {
            let key = self.incoming.take();
            self.kept -= self.incoming[key].capacity();
            key
        }))
    }

    /// Reads the next bytes of a long message to where it is kept; `None` where they have to come through the
    /// input.
    pub(crate) fn receive_in_place(&mut self, id: ConnId) -> Option<InPlace> {
        let conn = self.table.get(id).filter(|conn| conn.phase == Phase::Open)?;
        let (socket, key) = (conn.socket.as_ref()?, conn.incoming?);
        if conn.input.is_some() || !self.incoming[key].is_in_frame() {
            return None;
        }
        let before = self.incoming[key].capacity();
        let growth = self.incoming[key].growth(usize::MAX);
        let room = match growth > 0 && self.memory.is_full(self.queued_memory(), growth) {
            true => None,
            false => self.incoming[key].room().ok(),
        };
        let room = room.filter(|room| !room.is_empty())?;
        let room_len = room.len();
        let received = sys::receive_to(socket.as_fd(), room);
        self.memory.change(before, self.incoming[key].capacity());
        Some(InPlace {
            key,
            is_full: received.as_ref().is_ok_and(|len| *len == room_len),
            received,
        })
    }

    /// Goes on with a message of which so many bytes were read in place.
    pub(crate) fn continue_in_place(&mut self, id: ConnId, key: Key, len: usize) -> Option<Event> {
        let step = match self.incoming[key].receive_in_place(len) {
            Ok(Some(complete)) => self.deliver_incoming(id, complete, key),
            Ok(None) => Step::End,
            Err(error) => self.failed(id, error),
        };
        match step {
            Step::Event(event) => Some(event),
            Step::Next | Step::End | Step::Pause => None,
        }
    }

    pub(crate) fn receive_part(&mut self, id: ConnId, key: Key, pos: usize) -> Step {
        let before = self.incoming[key].capacity();
        let growth = self.incoming[key].growth(self.input.len() - pos);
        if growth > 0 && self.is_memory_full(growth) {
            return self.drop_for_memory(id);
        }
        let received = self.incoming[key].receive(&self.input[pos..]);
        self.memory.change(before, self.incoming[key].capacity());
        match received {
            Ok((len, complete)) => {
                self.consume(len);
                match complete {
                    Some(complete) => self.deliver_incoming(id, complete, key),
                    None if self.incoming[key].is_in_frame() => Step::End,
                    None => Step::Next,
                }
            }
            Err(error) => self.failed(id, error),
        }
    }

    pub(crate) fn failed(&mut self, id: ConnId, error: IncomingError) -> Step {
        match error {
            IncomingError::Violation(violation) => self.violated(id, violation),
            IncomingError::OutOfMemory => self.drop_for_memory(id),
        }
    }

    /// Frees a connection's place for a message that comes in parts.
    pub(crate) fn drop_incoming(&mut self, id: ConnId) {
        if let Some(key) = self.table.get(id).and_then(|conn| conn.incoming) {
            self.memory.change(self.incoming[key].capacity(), 0);
            self.incoming[key] = Incoming::new();
            self.release_incoming(id, key);
        }
    }

    pub(crate) fn release_incoming(&mut self, id: ConnId, key: Key) {
        let Some(conn) = self.table.get_mut(id) else { return };
        conn.incoming = None;
        let capacity = self.incoming[key].capacity();
        if self.kept + capacity <= KEPT {
            self.kept += capacity;
        } else {
            self.memory.change(capacity, 0);
            self.incoming[key] = Incoming::new();
        }
        self.incoming.give_back(key);
    }

    /// Tells a message that came in parts.
    fn deliver_incoming(&mut self, id: ConnId, complete: Complete, key: Key) -> Step {
        if complete.coding == Coding::Plain {
            return self.tell_message(id, complete.kind, Message::Incoming(key));
        }
        self.deliver_deflated(id, complete.kind, Source::Incoming(key))
    }

    /// Tells a message that stands in the input.
    pub(crate) fn deliver(
        &mut self,
        id: ConnId,
        complete: Complete,
        payload: Range<usize>,
    ) -> Step {
        let kind = complete.kind;
        if complete.coding == Coding::Deflated {
            return self.deliver_deflated(id, kind, Source::Input(payload));
        }
        if self.config.buffers == Buffers::Own {
            return match self.incoming_of(id) {
                Some(key) if self.set_incoming(key, payload) => {
                    self.tell_message(id, kind, Message::Incoming(key))
                }
                _ => self.drop_for_memory(id),
            };
        }
        self.tell_message(id, kind, Message::Input(payload))
    }

    /// Copies a message that has come in one piece to where its connection has it. Returns whether there is
    /// memory for it.
    fn set_incoming(&mut self, key: Key, payload: Range<usize>) -> bool {
        let before = self.incoming[key].capacity();
        let growth = (payload.len() + 1).saturating_sub(before);
        if growth > 0 && self.is_memory_full(growth) {
            return false;
        }
        let is_set = self.incoming[key].set(&self.input[payload]).is_ok();
        self.memory.change(before, self.incoming[key].capacity());
        is_set
    }

    pub(crate) fn tell_message(&mut self, id: ConnId, kind: MessageKind, message: Message) -> Step {
        if let Some(turn) = &mut self.turn {
            turn.message = message;
        }
        // What comes behind our close frame is passed over.
        if self.phase(id) == Phase::Open {
            self.stats.messages_in += 1;
        }
        Step::Event(Event::Message(id, kind))
    }

    /// Takes back the memory of what the caller has dealt with.
    #[inline]
    pub(crate) fn take_back_message(&mut self) {
        if !matches!(self.turn, None | Some(Turn { message: Message::None, .. })) {
            self.take_back();
        }
    }

    fn take_back(&mut self) {
        let Some(turn) = &mut self.turn else { return };
        match std::mem::replace(&mut turn.message, Message::None) {
            Message::Incoming(key) if self.config.buffers == Buffers::Shared => {
                let id = turn.conn;
                self.release_incoming(id, key);
            }
            Message::Inflated if self.inflated.capacity() > KEPT_INFLATED => {
                self.memory.change(self.inflated.capacity(), 0);
                self.inflated = Vec::new();
            }
            Message::None | Message::Input(_) | Message::Inflated | Message::Incoming(_) => {}
        }
    }
}
