//! The turn of a connection: what has arrived is read and dealt with, and answered once.

use std::collections::TryReserveError;
use std::io;
use std::ops::Range;
use std::os::fd::AsFd;

use dorrit_proto::{
    MAX_HEAD, MessageKind, OpCode, Received, Refusal, Rules, Short, Violation, receive_frame,
    receive_medium, receive_short,
};

use crate::conn::{Conn, Phase};
use crate::engine::Engine;
use crate::event::{DropCause, Event};
use crate::message::{InPlace, Message, Terminator};
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
    pub(crate) message: Message,
}

/// A connection's own buffer has room for at least so many bytes more.
const MIN_SPARE: usize = 512;

impl Engine {
    /// Gives a connection its turn: sends what is queued, and reads once. Returns what there is to tell
    /// already.
    pub(crate) fn begin_turn(&mut self, id: ConnId, ready: Ready) -> Option<Event> {
        let mut conn = self.table.get(id)?;
        if ready.write && (conn.queue.is_some() || matches!(conn.phase, Phase::Flushing(_))) {
            self.flush(id);
            conn = self.table.get(id)?;
        }
        if !ready.read || !conn.is_reading() {
            return None;
        }
        if conn.incoming.is_some()
            && let Some(InPlace { key, received, is_full }) = self.receive_in_place(id)
        {
            self.input.clear();
            let message = Message::None;
            let more = ready.hang_up || is_full;
            self.turn = Some(Turn { conn: id, pos: 0, seen: 0, is_own: false, more, message });
            return self.hear(id, received).and_then(|len| self.continue_in_place(id, key, len));
        }
        self.receive_input(id, ready);
        None
    }

    /// Reads what has arrived into the input, behind what is kept there of it.
    fn receive_input(&mut self, id: ConnId, ready: Ready) {
        let is_own = self.take_start(id);
        let Some(conn) = self.table.get_mut(id) else { return };
        let Some(socket) = &conn.socket else { return };
        let seen = self.input.len();
        // Requests that came behind another are dealt with before there is more of them.
        let is_enough = seen > MAX_HEAD;
        let received = match self.input.try_reserve(if is_own { seen.max(MIN_SPARE) } else { 1 }) {
            _ if is_enough => None,
            Ok(()) => Some(sys::receive(socket.as_fd(), &mut self.input)),
            Err(_) => Some(Err(io::ErrorKind::OutOfMemory.into())),
        };
        let more = ready.hang_up || is_enough || self.input.len() == self.input.capacity();
        self.turn = Some(Turn { conn: id, pos: 0, seen, is_own, more, message: Message::None });
        if let Some(received) = received {
            self.hear(id, received);
        }
    }

    /// Makes what is kept of a connection's input the input, and says whether there is any.
    fn take_start(&mut self, id: ConnId) -> bool {
        let Some(key) = self.table.get_mut(id).and_then(|conn| conn.input.take()) else {
            self.input.clear();
            return false;
        };
        let start = std::mem::take(&mut self.starts[key]);
        self.starts.give_back(key);
        self.parked = std::mem::replace(&mut self.input, start);
        true
    }

    /// Notes what was read from a client: how many bytes, where there were any.
    #[inline(always)]
    fn hear(&mut self, id: ConnId, received: io::Result<usize>) -> Option<usize> {
        match received {
            Ok(len @ 1..) => {
                self.stats.bytes_in += len as u64;
                let now = self.now_millis;
                if let Some(conn) = self.table.get_mut(id) {
                    conn.heard_at = now;
                }
                Some(len)
            }
            other => {
                self.hear_nothing(id, other);
                None
            }
        }
    }

    fn hear_nothing(&mut self, id: ConnId, received: io::Result<usize>) {
        match received {
            // What was kept of the input may be all that is needed now.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.turn = self.turn.take().map(|turn| Turn { more: false, ..turn });
            }
            _ => {
                self.kill(id);
                self.end_turn();
            }
        }
    }

    /// Tells the next message of the turn by the shortest way, where that is a whole one of less than
    /// 64 KiB: what [`Engine::next`] would tell, and where its payload stands with a zero byte behind it.
    /// `None` says nothing.
    #[inline]
    pub fn next_whole(&mut self) -> Option<(ConnId, MessageKind, &mut [u8])> {
        let turn = self.turn.as_mut()?;
        match &turn.message {
            Message::None => {}
            Message::Input(range, terminator) => terminator.take_back(range.end, &mut self.input),
            Message::Incoming(_) | Message::Inflated => return None,
        }
        turn.message = Message::None;
        let input = self.input.get_mut(turn.pos..).filter(|input| !input.is_empty())?;
        let conn = self.table.get(turn.conn)?;
        let is_shared = self.config.buffers == Buffers::Shared;
        if conn.phase != Phase::Open || conn.incoming.is_some() || !is_shared {
            return None;
        }
        let Rules { max_payload, binary, .. } = self.config.rules;
        let Some(short) = receive_short(max_payload, binary, input) else {
            return self.next_medium();
        };
        let start = turn.pos + Short::PAYLOAD;
        turn.message = Message::Input(start..start + short.len, Terminator::Nothing);
        turn.pos += short.frame_len();
        self.stats.messages_in += 1;
        let payload = &mut self.input[start..=start + short.len];
        Some((turn.conn, short.kind, payload))
    }

    #[inline(never)]
    fn next_medium(&mut self) -> Option<(ConnId, MessageKind, &mut [u8])> {
        let turn = self.turn.as_mut()?;
        let Rules { max_payload, binary, .. } = self.config.rules;
        let (kind, payload) = receive_medium(max_payload, binary, &mut self.input[turn.pos..])?;
        let payload = turn.pos + payload.start..turn.pos + payload.end;
        turn.pos = payload.end;
        turn.message = Message::in_input(&mut self.input, payload);
        self.stats.messages_in += 1;
        Some((turn.conn, kind, self.message()))
    }

    /// Goes on with the turn. Without an event it has ended.
    pub(crate) fn continue_turn(&mut self) -> Option<Event> {
        self.take_back_message();
        loop {
            let (id, pos) = self.turn.as_ref().map(|turn| (turn.conn, turn.pos))?;
            let event = match self.phase(id) {
                Phase::Handshake => self.receive_request(id),
                Phase::Open if pos == self.input.len() => Step::End,
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

    pub(crate) fn consume(&mut self, len: usize) {
        if let Some(turn) = &mut self.turn {
            turn.pos += len;
        }
    }

    fn receive_request(&mut self, id: ConnId) -> Step {
        let seen = self.turn.as_ref().map_or(0, |turn| turn.seen);
        let seen = if self.is_first_look(id) { 0 } else { seen };
        let judged = match self.request.receive(&self.input, seen) {
            Ok(None) => return Step::End,
            Ok(Some(len)) => {
                self.consume(len);
                if let Some(step) = self.receive_plain(id) {
                    return step;
                }
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
        Step::Event(Event::Refused(id, refusal))
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

    pub(crate) fn violated(&mut self, id: ConnId, violation: Violation) -> Step {
        let is_news = self.phase(id) == Phase::Open;
        self.fail(id, violation);
        if !is_news {
            return Step::Next;
        }
        self.stats.dropped_violation += 1;
        Step::Event(Event::Dropped(id, DropCause::Violation(violation)))
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

    /// Ends the turn: keeps the start of what is not complete, and sends the answers.
    fn end_turn(&mut self) {
        self.take_back_message();
        let Some(turn) = self.turn.take() else { return };
        if turn.is_own || turn.pos < self.input.len() {
            self.put_input_back(&turn);
        }
        self.send_output(turn.conn);
        if turn.more {
            self.resume(turn.conn);
        }
    }

    /// Keeps what is left of the input, where more is to come, and has the engine's own in its place.
    fn put_input_back(&mut self, turn: &Turn) {
        let is_keeping = self.table.get(turn.conn).is_some_and(Conn::is_keeping);
        let is_lost = is_keeping && self.keep_start(turn).is_err();
        if turn.is_own {
            self.input = std::mem::take(&mut self.parked);
        }
        if is_lost {
            self.kill(turn.conn);
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

/// How a turn goes on.
pub(crate) enum Step {
    Next,
    Event(Event),
    End,
}
