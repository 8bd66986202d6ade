//! The turn of a connection: what has arrived is read and dealt with, and answered once.

use std::io;
use std::ops::Range;
use std::os::fd::AsFd;

use dorrit_proto::{MessageKind, OpCode, Received, Refusal, Request, encode_accept, receive_frame};

use crate::conn::{Phase, Then};
use crate::engine::{Engine, Event};
use crate::{ConnId, sys};

/// What a connection's turn is given for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    read: bool,
    write: bool,
    /// The peer's end of the stream may be near: read until it is there.
    hang_up: bool,
}

impl Ready {
    /// A turn without an event: whatever can be done is tried.
    pub(crate) const RESUMED: Self = Self { read: true, write: true, hang_up: false };
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
    /// The payload of the message that the caller deals with.
    message: Range<usize>,
    terminator: Terminator,
}

/// What stood where a zero byte was put behind a message.
#[derive(Debug)]
enum Terminator {
    None,
    Over(u8),
    AtEnd,
}

/// A connection's own buffer has room for at least so many bytes more.
const MIN_SPARE: usize = 512;

impl Engine {
    /// The request of the connection that [`Event::Opened`] told last.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The payload of the message that [`Event::Message`] told last, with a zero byte behind it. The
    /// caller may write into it. It stays where it is until the next event.
    pub fn message(&mut self) -> &mut [u8] {
        match &self.turn {
            Some(turn) if turn.message.end < self.input.len() => {
                &mut self.input[turn.message.start..=turn.message.end]
            }
            _ => &mut [],
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
        let is_own = !conn.input.is_empty();
        if is_own {
            self.parked = std::mem::replace(&mut self.input, std::mem::take(&mut conn.input));
        } else {
            self.input.clear();
        }
        let seen = self.input.len();
        let received = match self.input.try_reserve(if is_own { seen.max(MIN_SPARE) } else { 1 }) {
            Ok(()) => sys::receive(socket.as_fd(), &mut self.input),
            Err(_) => Err(io::ErrorKind::OutOfMemory.into()),
        };
        let more = ready.hang_up || self.input.len() == self.input.capacity();
        self.turn = Some(Turn {
            conn: id,
            pos: 0,
            seen,
            is_own,
            more,
            message: 0..0,
            terminator: Terminator::None,
        });
        match received {
            Ok(1..) => {}
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

    /// Goes on with the turn. Without an event it has ended.
    pub(crate) fn continue_turn(&mut self) -> Option<Event> {
        self.remove_terminator();
        loop {
            let (id, pos) = self.turn.as_ref().map(|turn| (turn.conn, turn.pos))?;
            let event = match self.table.get(id).map_or(Phase::Dead, |conn| conn.phase) {
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
            Ok(_) if self.open >= self.config.max_connections => Refusal::Full,
            Ok(key) => {
                encode_accept(key, self.output.start());
                self.output.end_of_answer();
                self.set_phase(id, Phase::Opening);
                self.opening = Some(id);
                return Step::Event(Event::Opened(id));
            }
            Err(refusal) => refusal,
        };
        self.refuse(id, refusal);
        Step::Next
    }

    fn receive_frame(&mut self, id: ConnId, pos: usize) -> Step {
        let frame = match receive_frame(&self.config.rules, &mut self.input[pos..]) {
            Ok(None) => return Step::End,
            Ok(Some(frame)) => frame,
            Err(violation) => {
                self.fail(id, violation);
                return Step::Event(Event::Violation(id, violation));
            }
        };
        self.consume(frame.payload.end);
        let payload = pos + frame.payload.start..pos + frame.payload.end;
        match frame.received {
            Received::Message(kind) => return Step::Event(self.deliver(id, kind, payload)),
            Received::Ping => self.queue_pong(id, payload),
            Received::Pong => {}
            Received::Close(code) => self.answer_close(id, code),
        }
        Step::Next
    }

    /// Looks for the peer's close frame, after ours.
    fn receive_close(&mut self, id: ConnId, pos: usize) -> Step {
        match receive_frame(&self.config.rules, &mut self.input[pos..]) {
            Ok(None) => return Step::End,
            Ok(Some(frame)) => {
                self.consume(frame.payload.end);
                if matches!(frame.received, Received::Close(_)) {
                    self.kill(id);
                }
            }
            // Where its next frame starts is not known any more.
            Err(_) => self.set_phase(id, Phase::Flushing(Then::Discard)),
        }
        Step::Next
    }

    /// Puts a zero byte behind a message, over what stands there (CONTRACT D13).
    fn deliver(&mut self, id: ConnId, kind: MessageKind, mut payload: Range<usize>) -> Event {
        let terminator = if let Some(behind) = self.input.get_mut(payload.end) {
            Terminator::Over(std::mem::take(behind))
        } else if self.input.len() < self.input.capacity() {
            self.input.push(0);
            Terminator::AtEnd
        } else {
            // The buffer is full to its last byte: the message moves over its own header's end.
            self.input.copy_within(payload.clone(), payload.start - 1);
            payload = payload.start - 1..payload.end - 1;
            self.input[payload.end] = 0;
            Terminator::None
        };
        if let Some(turn) = &mut self.turn {
            turn.message = payload;
            turn.terminator = terminator;
        }
        Event::Message(id, kind)
    }

    /// Puts back what stood behind the last message.
    fn remove_terminator(&mut self) {
        let Some(turn) = &mut self.turn else { return };
        match std::mem::replace(&mut turn.terminator, Terminator::None) {
            Terminator::None => {}
            Terminator::Over(byte) => self.input[turn.message.end] = byte,
            Terminator::AtEnd => self.input.truncate(turn.message.end),
        }
        turn.message = 0..0;
    }

    /// Ends the turn: keeps the start of what is not complete, and sends the answers.
    fn end_turn(&mut self) {
        self.remove_terminator();
        let Some(turn) = self.turn.take() else { return };
        let is_kept = match self.table.get_mut(turn.conn) {
            Some(conn) if conn.is_keeping() => {
                if turn.is_own && turn.pos == 0 {
                    conn.input = std::mem::take(&mut self.input);
                    true
                } else {
                    keep(&self.input[turn.pos..], &mut conn.input)
                }
            }
            _ => true,
        };
        if turn.is_own {
            self.input = std::mem::take(&mut self.parked);
        }
        if !is_kept {
            self.kill(turn.conn);
        }
        self.send_output(turn.conn);
        if turn.more {
            self.resume(turn.conn);
        }
    }

    pub(crate) fn set_phase(&mut self, id: ConnId, phase: Phase) {
        if let Some(conn) = self.table.get_mut(id) {
            conn.phase = phase;
        }
    }

    /// Owes a client the answer to its ping (CONTRACT D2).
    fn queue_pong(&mut self, id: ConnId, payload: Range<usize>) {
        let input = std::mem::take(&mut self.input);
        // Without memory there is no pong: the client will ask again.
        let _ = self.queue_control(id, OpCode::Pong, &input[payload]);
        self.input = input;
    }
}

/// Keeps bytes in a buffer of a connection's own; false where there is no memory for that.
fn keep(bytes: &[u8], own: &mut Vec<u8>) -> bool {
    if bytes.is_empty() {
        return true;
    }
    let mut buffer = Vec::new();
    if buffer.try_reserve_exact(bytes.len() + MIN_SPARE).is_err() {
        return false;
    }
    buffer.extend_from_slice(bytes);
    *own = buffer;
    true
}

enum Step {
    Next,
    Event(Event),
    End,
}
