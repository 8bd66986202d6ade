//! The turn of a connection: what has arrived is read and dealt with, and answered once.

use std::collections::TryReserveError;
use std::io;
use std::ops::Range;
use std::os::fd::AsFd;

use dorrit_proto::{
    Coding, Complete, FrameStart, Incoming, IncomingError, MessageKind, OpCode, Received, Refusal,
    Rules, SHORT_HEADER, Violation, receive_frame, receive_short,
};

use crate::conn::{Conn, Phase};
use crate::engine::Engine;
use crate::event::{DropCause, Event};
use crate::pool::Key;
use crate::{Buffers, ConnId, sys};

/// What a connection's turn is given for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    read: bool,
    write: bool,
    /// The peer's end of the stream may be near: read until it is there.
    hang_up: bool,
}

impl Ready {
    /// A turn without an event.
    pub(crate) fn resumed(read: bool) -> Self {
        Self { read, write: true, hang_up: false }
    }
}

impl From<&mio::event::Event> for Ready {
    fn from(event: &mio::event::Event) -> Self {
        let hang_up = event.is_read_closed() || event.is_write_closed() || event.is_error();
        Self {
            read: event.is_readable() || hang_up,
            write: event.is_writable() || hang_up,
            hang_up,
        }
    }
}

/// The connection whose input is in the engine's input buffer.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) conn: ConnId,
    /// How much of the input is dealt with.
    pos: usize,
    /// How much of it was there before.
    seen: usize,
    /// The buffer is the connection's own, and the engine's is parked.
    is_own: bool,
    /// There may be more to read.
    more: bool,
    /// Where the message stands that the caller deals with.
    message: Message,
}

/// Where a message stands, with a zero byte behind it.
#[derive(Debug)]
enum Message {
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
enum Terminator {
    Nothing,
    Over(u8),
    End,
}

/// More memory than this, in bytes, and it is given back behind a message.
const KEPT: usize = 16 * 1024;
/// A connection's own buffer has room for at least so many bytes more.
const MIN_SPARE: usize = 512;

impl Engine {
    /// The payload of the message that [`Event::Message`] told last, with a zero byte behind it. The
    /// caller may write into it. It stays where it is as [`Buffers`](crate::Buffers) says.
    pub fn message(&mut self) -> &mut [u8] {
        match self.turn.as_ref().map(|turn| &turn.message) {
            Some(Message::Input(range, _)) => &mut self.input[range.start..=range.end],
            Some(Message::Incoming(key)) => self.incoming[*key].message(),
            Some(Message::Inflated) => &mut self.inflated,
            Some(Message::None) | None => &mut [],
        }
    }

    /// Gives a connection its turn: sends what is queued, and reads once.
    pub(crate) fn begin_turn(&mut self, id: ConnId, ready: Ready) {
        let Some(conn) = self.table.get(id) else { return };
        if ready.write && (conn.queue.is_some() || matches!(conn.phase, Phase::Flushing(_))) {
            self.flush(id);
        }
        let Some(conn) = self.table.get_mut(id) else { return };
        if !ready.read || !conn.is_reading() {
            return;
        }
        let Some(socket) = &conn.socket else { return };
        let start = conn.input.take();
        let is_own = start.is_some();
        if let Some(key) = start {
            let start = std::mem::take(&mut self.starts[key]);
            self.starts.give_back(key);
            self.parked = std::mem::replace(&mut self.input, start);
        } else {
            self.input.clear();
        }
        let seen = self.input.len();
        let received = match self.input.try_reserve(if is_own { seen.max(MIN_SPARE) } else { 1 }) {
            Ok(()) => sys::receive(socket.as_fd(), &mut self.input),
            Err(_) => Err(io::ErrorKind::OutOfMemory.into()),
        };
        let more = ready.hang_up || self.input.len() == self.input.capacity();
        self.turn = Some(Turn { conn: id, pos: 0, seen, is_own, more, message: Message::None });
        match received {
            Ok(1..) => self.hear(id),
            // What was kept of the input may be all that is needed now.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.turn = self.turn.take().map(|turn| Turn { more: false, ..turn });
            }
            Ok(0) | Err(_) => {
                self.kill(id);
                self.end_turn();
            }
        }
    }

    /// Takes the short way to the next message of the turn, where that is a short one. Where it is not,
    /// nothing has happened yet but what [`Engine::continue_turn`] begins with.
    #[inline]
    pub(crate) fn next_short(&mut self) -> Option<Event> {
        let turn = self.turn.as_mut()?;
        match turn.message {
            Message::None => {}
            Message::Input(ref range, Terminator::Over(byte)) => {
                self.input[range.end] = byte;
                turn.message = Message::None;
            }
            _ => return None,
        }
        let (id, pos) = (turn.conn, turn.pos);
        let conn = self.table.get(id)?;
        let is_shared = self.config.buffers == Buffers::Shared;
        if conn.phase != Phase::Open || conn.incoming.is_some() || !is_shared {
            return None;
        }
        let Rules { max_payload, binary, .. } = self.config.rules;
        let short = receive_short(max_payload, binary, self.input.get_mut(pos..)?)?;
        let start = pos + SHORT_HEADER;
        let message = self.terminate(start..start + short.len);
        let turn = self.turn.as_mut()?;
        turn.pos = start + short.len;
        turn.message = message;
        Some(Event::Message(id, short.kind))
    }

    /// Goes on with the turn. Without an event it has ended.
    pub(crate) fn continue_turn(&mut self) -> Option<Event> {
        self.take_back_message();
        loop {
            let (id, pos) = self.turn.as_ref().map(|turn| (turn.conn, turn.pos))?;
            let event = match self.phase(id) {
                Phase::Handshake => self.receive_request(id),
                Phase::Open => self.receive_frame(id, pos),
                Phase::AwaitingClose => self.receive_close(id, pos),
                Phase::Opening | Phase::Flushing(_) | Phase::Discarding | Phase::Dead => Step::End,
            };
            match event {
                Step::Next => {}
                Step::Event(event) => return Some(event),
                Step::End => {
                    self.end_turn();
                    return None;
                }
            }
        }
    }

    fn consume(&mut self, len: usize) {
        if let Some(turn) = &mut self.turn {
            turn.pos += len;
        }
    }

    fn receive_request(&mut self, id: ConnId) -> Step {
        let seen = self.turn.as_ref().map_or(0, |turn| turn.seen);
        let judged = match self.request.receive(&self.input, seen) {
            Ok(None) => return Step::End,
            Ok(Some(len)) => {
                self.consume(len);
                self.request.judge()
            }
            Err(refusal) => Err(refusal),
        };
        let refusal = match judged {
            Ok(()) if self.open >= self.config.max_connections => Refusal::Full,
            Ok(()) => {
                let deflate = self.request.deflate().filter(|_| self.config.compression > 0);
                if let Some(conn) = self.table.get_mut(id) {
                    conn.phase = Phase::Opening;
                    conn.deflate = deflate;
                }
                self.opening = Some(id);
                return Step::Event(Event::Opened(id));
            }
            Err(refusal) => refusal,
        };
        self.refuse(id, refusal);
        Step::Next
    }

    fn receive_frame(&mut self, id: ConnId, pos: usize) -> Step {
        let Some(conn) = self.table.get(id) else { return Step::End };
        let (incoming, deflate) = (conn.incoming, conn.deflate);
        let incoming = incoming.map(|key| (key, &self.incoming[key]));
        if let Some((key, _)) = incoming.filter(|(_, incoming)| incoming.is_in_frame()) {
            return self.receive_part(id, key, pos);
        }
        let incoming = incoming.map(|(_, incoming)| incoming);
        let received = receive_frame(&self.config.rules, incoming, deflate, &mut self.input[pos..]);
        let frame = match received {
            Ok(None) => return Step::End,
            Ok(Some(frame)) => frame,
            Err(violation) => return self.violated(id, violation),
        };
        self.consume(frame.payload.end);
        let payload = pos + frame.payload.start..pos + frame.payload.end;
        match frame.received {
            Received::Message(complete) => return self.deliver(id, complete, payload),
            Received::Part(start) => return self.begin_part(id, start, payload.end),
            Received::Ping => self.queue_pong(id, payload),
            Received::Pong => {}
            Received::Close(code) => self.answer_close(id, code),
        }
        Step::Next
    }

    /// Notes that something came from a client.
    fn hear(&mut self, id: ConnId) {
        let now = self.now_millis;
        if let Some(conn) = self.table.get_mut(id) {
            conn.heard_at = now;
        }
    }

    fn violated(&mut self, id: ConnId, violation: Violation) -> Step {
        let is_news = self.phase(id) == Phase::Open;
        self.fail(id, violation);
        let event = Event::Dropped(id, DropCause::Violation(violation));
        if is_news { Step::Event(event) } else { Step::Next }
    }

    /// Takes a place for a message that comes in parts, or goes on with it.
    fn begin_part(&mut self, id: ConnId, start: FrameStart, pos: usize) -> Step {
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
        Some(*conn.incoming.get_or_insert_with(|| self.incoming.take()))
    }

    fn receive_part(&mut self, id: ConnId, key: Key, pos: usize) -> Step {
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
        if let Some(conn) = self.table.get_mut(id) {
            conn.incoming = None;
            self.incoming.give_back(key);
        }
    }

    /// Looks for the peer's close frame, after ours. Messages on the way are passed over.
    fn receive_close(&mut self, id: ConnId, pos: usize) -> Step {
        match self.receive_frame(id, pos) {
            Step::Event(Event::Message(..)) => {
                self.take_back_message();
                Step::Next
            }
            step => step,
        }
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
        message.shrink(KEPT);
        self.incoming[key] = message;
        self.release_incoming(id, key);
        match inflated {
            Ok(()) => self.tell_message(id, complete.kind, Message::Inflated),
            Err(error) => self.failed(id, error),
        }
    }

    fn inflate(&mut self, kind: MessageKind, payload: &[u8]) -> Result<(), IncomingError> {
        let inflater = self.inflater.get_or_insert_default();
        inflater.inflate(kind, payload, self.config.rules.max_payload, &mut self.inflated)
    }

    /// Tells a message that stands in the input.
    fn deliver(&mut self, id: ConnId, complete: Complete, payload: Range<usize>) -> Step {
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
        let message = self.terminate(payload);
        self.tell_message(id, kind, message)
    }

    fn tell_message(&mut self, id: ConnId, kind: MessageKind, message: Message) -> Step {
        if let Some(turn) = &mut self.turn {
            turn.message = message;
        }
        Step::Event(Event::Message(id, kind))
    }

    /// Puts a zero byte behind a message, over what stands there (CONTRACT D13).
    fn terminate(&mut self, payload: Range<usize>) -> Message {
        if let Some(behind) = self.input.get_mut(payload.end) {
            Message::Input(payload, Terminator::Over(std::mem::take(behind)))
        } else if self.input.len() < self.input.capacity() {
            self.input.push(0);
            Message::Input(payload, Terminator::End)
        } else {
            // The buffer is full to its last byte: the message moves over its own header's end.
            let moved = payload.start - 1..payload.end - 1;
            self.input.copy_within(payload, moved.start);
            self.input[moved.end] = 0;
            Message::Input(moved, Terminator::Nothing)
        }
    }

    /// Takes back what the caller has dealt with: what stood behind it in the input, or its memory.
    fn take_back_message(&mut self) {
        let Some(turn) = &mut self.turn else { return };
        match std::mem::replace(&mut turn.message, Message::None) {
            Message::Input(range, Terminator::Over(byte)) => self.input[range.end] = byte,
            Message::Input(range, Terminator::End) => self.input.truncate(range.end),
            Message::Incoming(key) if self.config.buffers == Buffers::Shared => {
                self.incoming[key].shrink(KEPT);
                let id = turn.conn;
                self.release_incoming(id, key);
            }
            Message::Inflated if self.inflated.capacity() > KEPT => self.inflated = Vec::new(),
            Message::None
            | Message::Inflated
            | Message::Incoming(_)
            | Message::Input(_, Terminator::Nothing) => {}
        }
    }

    /// Ends the turn: keeps the start of what is not complete, and sends the answers.
    fn end_turn(&mut self) {
        self.take_back_message();
        let Some(turn) = self.turn.take() else { return };
        let is_keeping = self.table.get(turn.conn).is_some_and(Conn::is_keeping);
        let is_lost = is_keeping && self.keep_start(&turn).is_err();
        if turn.is_own {
            self.input = std::mem::take(&mut self.parked);
        }
        if is_lost {
            self.kill(turn.conn);
        }
        self.send_output(turn.conn);
        if turn.more {
            self.resume(turn.conn);
        }
    }

    /// Keeps what is left of the input in a buffer of the connection's own.
    fn keep_start(&mut self, turn: &Turn) -> Result<(), TryReserveError> {
        let rest = &self.input[turn.pos..];
        if rest.is_empty() {
            return Ok(());
        }
        self.starts.reserve()?;
        let start = if turn.is_own && turn.pos == 0 {
            std::mem::take(&mut self.input)
        } else {
            let mut start = Vec::new();
            start.try_reserve_exact(rest.len() + MIN_SPARE)?;
            start.extend_from_slice(rest);
            start
        };
        let Some(conn) = self.table.get_mut(turn.conn) else { return Ok(()) };
        let key = self.starts.take();
        self.starts[key] = start;
        conn.input = Some(key);
        Ok(())
    }

    /// Frees what is kept of a connection's input.
    pub(crate) fn drop_start(&mut self, id: ConnId) {
        if let Some(key) = self.table.get_mut(id).and_then(|conn| conn.input.take()) {
            self.starts[key] = Vec::new();
            self.starts.give_back(key);
        }
    }

    pub(crate) fn phase(&self, id: ConnId) -> Phase {
        self.table.get(id).map_or(Phase::Dead, |conn| conn.phase)
    }

    pub(crate) fn set_phase(&mut self, id: ConnId, phase: Phase) {
        if let Some(conn) = self.table.get_mut(id) {
            conn.phase = phase;
        }
    }

    /// Owes a client the answer to its ping (CONTRACT D2). Nothing follows a close frame.
    fn queue_pong(&mut self, id: ConnId, payload: Range<usize>) {
        if self.phase(id) != Phase::Open {
            return;
        }
        let input = std::mem::take(&mut self.input);
        // Without memory there is no pong: the client will ask again.
        let _ = self.queue_control(id, OpCode::Pong, &input[payload]);
        self.input = input;
    }
}

enum Step {
    Next,
    Event(Event),
    End,
}
