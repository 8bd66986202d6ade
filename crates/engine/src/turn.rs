//! The turn of a connection: what has arrived is read and dealt with, and answered once.

use std::io;
use std::ops::Range;
use std::os::fd::AsFd;

use dorrit_proto::{MessageKind, OpCode, Received, Rules, Violation, receive_frame, receive_whole};

use crate::conn::{Listed, Phase};
use crate::engine::Engine;
use crate::event::{DropCause, Event};
use crate::kept::MIN_SPARE;
use crate::message::{InPlace, Message};
use crate::{Buffers, ConnId, sys};

/// The connection whose input is in the engine's input buffer.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) conn: ConnId,
    /// How much of the input is dealt with.
    pub(crate) pos: usize,
    /// How much of it was looked at before.
    pub(crate) seen: usize,
    /// The buffer is the connection's own, and the engine's is parked.
    pub(crate) is_own: bool,
    /// There may be more to read.
    pub(crate) more: bool,
    /// How many messages and frames it may deal with yet.
    pub(crate) left: u32,
    /// Where the message stands that the caller deals with.
    pub(crate) message: Message,
}

impl Turn {
    pub(crate) fn new(conn: ConnId, pos: usize, seen: usize, is_own: bool, more: bool) -> Self {
        Self { conn, pos, seen, is_own, more, left: MESSAGES, message: Message::None }
    }
}

/// How many messages and frames of a connection are dealt with in a turn (CONTRACT S20).
const MESSAGES: u32 = 64;
impl Engine {
    /// Gives a connection its turn: sends what is queued, and reads once, or goes on with what was read.
    /// Returns what there is to tell already.
    pub(crate) fn begin_turn(&mut self, id: ConnId) -> Option<Event> {
        let mut conn = self.table.get_mut(id)?;
        conn.listed.leave(Listed::NOW);
        let can_write = std::mem::take(&mut conn.can_write);
        let mut sent = 0;
        if conn.queue.is_some() || matches!(conn.phase, Phase::Flushing(_)) {
            if can_write {
                sent = self.flush(id);
            }
            if self.is_held(id) {
                return None;
            }
            conn = self.table.get_mut(id)?;
        }
        if !conn.is_reading() || !(conn.has_rest || conn.can_read) {
            return None;
        }
        if !self.output.begin(sent) {
            // Its answers, too, would be more than a turn sends.
            self.ready.push_next(id, &mut self.table);
            return None;
        }
        if conn.has_rest || conn.incoming.is_some() || conn.input.is_some() {
            return self.go_on(id);
        }
        conn.can_read = false;
        let socket = conn.socket.as_ref()?;
        let start = self.input_start;
        self.input.truncate(start);
        let received = sys::receive(socket.as_fd(), &mut self.input);
        let more = conn.reads_to_end || self.input.len() == self.input.capacity();
        self.turn = Some(Turn::new(id, start, start, false, more));
        match received {
            Ok(len @ 1..) => {
                conn.heard_at = self.clock.loop_time().nanos();
                self.stats.bytes_in += len as u64;
            }
            other => self.hear_nothing(id, other),
        }
        None
    }

    /// Goes on with what is kept of a connection's input, and reads more where that is not enough.
    #[inline(never)]
    fn go_on(&mut self, id: ConnId) -> Option<Event> {
        if let Some(event) = self.go_on_inflating(id) {
            return event;
        }
        let conn = self.table.get_mut(id)?;
        let can_read = std::mem::take(&mut conn.can_read);
        if std::mem::take(&mut conn.has_rest) {
            let (pos, is_own) = self.take_kept(id);
            self.turn = Some(Turn::new(id, pos, pos, is_own, can_read));
            return None;
        }
        let reads_to_end = conn.reads_to_end;
        if let Some(InPlace { key, received, is_full }) = self.receive_in_place(id) {
            let start = self.input_start;
            self.input.truncate(start);
            self.turn = Some(Turn::new(id, start, start, false, reads_to_end || is_full));
            return self.hear(id, received).and_then(|len| self.continue_in_place(id, key, len));
        }
        self.receive_behind(id);
        None
    }

    /// Reads what has arrived behind what is kept of the input.
    #[inline(never)]
    fn receive_behind(&mut self, id: ConnId) {
        let (pos, is_own) = self.take_kept(id);
        let Some(conn) = self.table.get(id) else { return };
        let Some(socket) = &conn.socket else { return };
        let seen = self.input.len();
        let spare = if is_own { (seen - pos).max(MIN_SPARE) } else { 1 };
        let received = match self.input.try_reserve(spare) {
            Ok(()) => sys::receive(socket.as_fd(), &mut self.input),
            Err(_) => Err(io::ErrorKind::OutOfMemory.into()),
        };
        let more = conn.reads_to_end || self.input.len() == self.input.capacity();
        self.turn = Some(Turn::new(id, pos, seen, is_own, more));
        self.hear(id, received);
    }

    /// Notes what was read from a client: how many bytes, where there were any.
    fn hear(&mut self, id: ConnId, received: io::Result<usize>) -> Option<usize> {
        match received {
            Ok(len @ 1..) => {
                self.stats.bytes_in += len as u64;
                let now = self.clock.loop_time().nanos();
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

    #[inline(never)]
    fn hear_nothing(&mut self, id: ConnId, received: io::Result<usize>) {
        let is_transient = received.as_ref().is_err_and(sys::is_transient);
        if !is_transient {
            self.kill(id);
            self.end_turn(false);
            return;
        }
        // What was kept of the input may be all that is needed now.
        self.turn = self.turn.take().map(|turn| Turn { more: false, ..turn });
        let is_empty = received.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        if !is_empty {
            self.retry(id);
        } else if let Some(conn) = self.table.get_mut(id) {
            conn.reads_to_end = false;
        }
    }

    /// Tells the next message of the turn by the shortest way, where that is a whole one of less than
    /// 64 KiB: what [`Engine::next`] would tell, and where its payload stands with a zero byte behind it.
    /// `None` says nothing.
    #[inline(always)]
    pub fn next_whole(&mut self) -> Option<(ConnId, MessageKind, &mut [u8])> {
        let (id, kind, payload) = self.take_whole()?;
        self.hand_over();
        Some((id, kind, &mut self.input[payload]))
    }

    /// Takes what [`Engine::next_whole`] tells. Returns where in the input the payload stands with its zero
    /// byte.
    #[inline(always)]
    pub(crate) fn take_whole(&mut self) -> Option<(ConnId, MessageKind, Range<usize>)> {
        let turn = self.turn.as_mut()?;
        match &turn.message {
            Message::None | Message::Input(_) => {}
            Message::Incoming(_) | Message::Inflated => return None,
        }
        turn.message = Message::None;
        let input = self.input.get_mut(turn.pos..).filter(|input| !input.is_empty())?;
        let conn = self.table.get(turn.conn)?;
        let is_shared = self.config.buffers == Buffers::Shared;
        let is_open = conn.phase == Phase::Open && conn.incoming.is_none();
        if !is_open || !is_shared || turn.left == 0 {
            return None;
        }
        let Rules { max_payload, binary, .. } = self.config.rules;
        let whole = receive_whole(max_payload, binary, input)?;
        let payload = turn.pos + whole.payload.start..turn.pos + whole.payload.end;
        turn.message = Message::Input(payload.clone());
        turn.pos += whole.frame_len();
        turn.left = turn.left.wrapping_sub(1);
        self.stats.messages_in += 1;
        Some((turn.conn, whole.kind, payload.start..payload.end + 1))
    }

    /// Goes on with the turn. Without an event it has ended.
    pub(crate) fn continue_turn(&mut self) -> Option<Event> {
        self.take_back_message();
        loop {
            let turn = self.turn.as_mut()?;
            let (id, pos) = (turn.conn, turn.pos);
            if pos == self.input.len() {
                return self.end_turn(false);
            }
            let is_over = turn.left == 0;
            turn.left = turn.left.saturating_sub(1);
            let step = match self.phase(id) {
                Phase::Opening | Phase::Flushing(_) | Phase::Discarding | Phase::Dead => {
                    Step::Pause
                }
                _ if is_over => Step::Pause,
                Phase::Handshake => self.receive_request(id),
                Phase::Open => self.receive_frame(id, pos),
                Phase::AwaitingClose => self.receive_close(id, pos),
            };
            match step {
                Step::Next => {}
                Step::Event(event) => return Some(event),
                Step::End => return self.end_turn(false),
                Step::Pause => return self.end_turn(true),
            }
        }
    }

    pub(crate) fn consume(&mut self, len: usize) {
        if let Some(turn) = &mut self.turn {
            turn.pos += len;
        }
    }

    fn receive_request(&mut self, id: ConnId) -> Step {
        let (pos, seen) = self.turn.as_ref().map_or((0, 0), |turn| (turn.pos, turn.seen));
        let judged = match self.request.receive(&self.input[pos..], seen.saturating_sub(pos)) {
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
        let judged = judged.and_then(|()| self.is_full().map_or(Ok(()), Err));
        let refusal = match judged {
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
        self.consume(frame.len);
        let payload = pos + frame.payload.start..pos + frame.payload.end;
        match frame.received {
            Received::Message(complete) => return self.deliver(id, complete, payload),
            Received::Part(start) => return self.begin_part(id, start, pos + frame.len),
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

    /// Ends the turn: keeps what was not dealt with, and sends the answers.
    pub(crate) fn end_turn(&mut self, has_rest: bool) -> Option<Event> {
        self.take_back_message();
        let turn = self.turn.take()?;
        if turn.is_own || turn.pos < self.input.len() {
            self.put_input_back(&turn, has_rest);
        }
        self.send_output(turn.conn);
        if turn.more {
            self.resume(turn.conn);
        }
        None
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
    /// More of the input must come.
    End,
    /// What is left of the input is not to be dealt with now.
    Pause,
}
