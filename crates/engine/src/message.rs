//! Messages on their way from the input to the caller: whole, in parts, or compressed.

use std::io;
use std::ops::Range;
use std::os::fd::AsFd;

use dorrit_proto::{Coding, Complete, FrameStart, Incoming, IncomingError, Inflater, MessageKind};

use crate::config::Buffers;
use crate::conn::Phase;
use crate::engine::Engine;
use crate::event::Event;
use crate::pool::Key;
use crate::turn::{Step, Turn};
use crate::{ConnId, sys};

/// Where a message stands, with a zero byte behind it.
#[derive(Debug)]
pub(crate) enum Message {
    None,
    /// In the input, and what stood where the zero byte is.
    Input(Range<usize>, Terminator),
    /// It came in parts.
    Incoming(Key),
    /// It was compressed.
    Inflated,
}

/// What stood where a zero byte was put behind a message.
#[derive(Debug)]
pub(crate) enum Terminator {
    Nothing,
    Over(u8),
    End,
}

impl Terminator {
    /// Puts back what stood there in the input.
    #[inline(always)]
    pub(crate) fn take_back(&self, at: usize, input: &mut Vec<u8>) {
        match *self {
            Self::Nothing => {}
            Self::Over(byte) => input[at] = byte,
            Self::End => input.truncate(at),
        }
    }
}

impl Message {
    /// One that stands there in the input: puts a zero byte behind it, over what stands there (CONTRACT
    /// D13).
    pub(crate) fn in_input(input: &mut Vec<u8>, payload: Range<usize>) -> Self {
        if let Some(behind) = input.get_mut(payload.end) {
            Self::Input(payload, Terminator::Over(std::mem::take(behind)))
        } else if input.len() < input.capacity() {
            input.push(0);
            Self::Input(payload, Terminator::End)
        } else {
            // The buffer is full to its last byte: the message moves over its own header's end.
            let moved = payload.start - 1..payload.end - 1;
            input.copy_within(payload, moved.start);
            input[moved.end] = 0;
            Self::Input(moved, Terminator::Nothing)
        }
    }
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
            Some(Message::Input(range, _)) => &mut self.input[range.start..=range.end],
            Some(Message::Incoming(key)) => self.incoming[*key].message(),
            Some(Message::Inflated) => &mut self.inflated,
            Some(Message::None) | None => &mut [],
        }
    }

    /// Takes a place for a message that comes in parts, or goes on with it.
    pub(crate) fn begin_part(&mut self, id: ConnId, start: FrameStart, pos: usize) -> Step {
        let Some(key) = self.incoming_of(id) else {
            self.kill(id);
            return Step::Next;
        };
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
        let room = self.incoming[key].room().ok().filter(|room| !room.is_empty())?;
        let room_len = room.len();
        let received = sys::receive_to(socket.as_fd(), room);
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
        match self.incoming[key].receive(&self.input[pos..]) {
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

    fn failed(&mut self, id: ConnId, error: IncomingError) -> Step {
        match error {
            IncomingError::Violation(violation) => self.violated(id, violation),
            IncomingError::OutOfMemory => {
                self.kill(id);
                Step::Next
            }
        }
    }

    /// Frees a connection's place for a message that comes in parts.
    pub(crate) fn drop_incoming(&mut self, id: ConnId) {
        if let Some(key) = self.table.get(id).and_then(|conn| conn.incoming) {
            self.incoming[key] = Incoming::new();
            self.release_incoming(id, key);
        }
    }

    fn release_incoming(&mut self, id: ConnId, key: Key) {
        let Some(conn) = self.table.get_mut(id) else { return };
        conn.incoming = None;
        let capacity = self.incoming[key].capacity();
        if self.kept + capacity <= KEPT {
            self.kept += capacity;
        } else {
            self.incoming[key] = Incoming::new();
        }
        self.incoming.give_back(key);
    }

    /// Tells a message that came in parts.
    fn deliver_incoming(&mut self, id: ConnId, complete: Complete, key: Key) -> Step {
        if complete.coding == Coding::Plain {
            return self.tell_message(id, complete.kind, Message::Incoming(key));
        }
        let mut message = std::mem::take(&mut self.incoming[key]);
        let payload = message.message();
        let len = payload.len() - 1;
        let inflated = self.inflate(complete.kind, &payload[..len]);
        self.incoming[key] = message;
        self.release_incoming(id, key);
        match inflated {
            Ok(()) => self.tell_message(id, complete.kind, Message::Inflated),
            Err(error) => self.failed(id, error),
        }
    }

    fn inflate(&mut self, kind: MessageKind, payload: &[u8]) -> Result<(), IncomingError> {
        if self.inflater.is_none() {
            self.inflater = Inflater::new();
        }
        let Some(inflater) = &mut self.inflater else { return Err(IncomingError::OutOfMemory) };
        inflater.inflate(kind, payload, self.config.rules.max_payload, &mut self.inflated)
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
            let input = std::mem::take(&mut self.input);
            let inflated = self.inflate(kind, &input[payload]);
            self.input = input;
            return match inflated {
                Ok(()) => self.tell_message(id, kind, Message::Inflated),
                Err(error) => self.failed(id, error),
            };
        }
        if self.config.buffers == Buffers::Own {
            return match self.incoming_of(id) {
                Some(key) if self.incoming[key].set(&self.input[payload]).is_ok() => {
                    self.tell_message(id, kind, Message::Incoming(key))
                }
                _ => {
                    self.kill(id);
                    Step::Next
                }
            };
        }
        let message = Message::in_input(&mut self.input, payload);
        self.tell_message(id, kind, message)
    }

    fn tell_message(&mut self, id: ConnId, kind: MessageKind, message: Message) -> Step {
        if let Some(turn) = &mut self.turn {
            turn.message = message;
        }
        // What comes behind our close frame is passed over.
        if self.phase(id) == Phase::Open {
            self.stats.messages_in += 1;
        }
        Step::Event(Event::Message(id, kind))
    }

    /// Takes back what the caller has dealt with: what stood behind it in the input, or its memory.
    #[inline]
    pub(crate) fn take_back_message(&mut self) {
        if !matches!(self.turn, None | Some(Turn { message: Message::None, .. })) {
            self.take_back();
        }
    }

    fn take_back(&mut self) {
        let Some(turn) = &mut self.turn else { return };
        match std::mem::replace(&mut turn.message, Message::None) {
            Message::Input(range, terminator) => terminator.take_back(range.end, &mut self.input),
            Message::Incoming(key) if self.config.buffers == Buffers::Shared => {
                let id = turn.conn;
                self.release_incoming(id, key);
            }
            Message::Inflated if self.inflated.capacity() > KEPT_INFLATED => {
                self.inflated = Vec::new()
            }
            Message::None | Message::Inflated | Message::Incoming(_) => {}
        }
    }
}
