//! What has arrived from a client: it is read and dealt with in the connection's turn, and answered once.

use std::io;

use dorrit_proto::{OpCode, Received, Violation, receive_frame};

use super::{Announced, Conn, Context, Listed, Phase, Standing};
use crate::event::{DropCause, Event, Told};
use crate::inbox::MIN_SPARE;
use crate::sys;
use crate::turn::{Step, Turn};

impl Conn {
    /// Begins the turn of a connection: sends what is queued, and reads once, or goes on with what was read.
    /// Returns what there is to tell already.
    pub(crate) fn begin_turn(&mut self, cx: &mut Context) -> Option<Told> {
        self.listed.leave(Listed::NOW);
        if self.phase == Phase::Opening {
            self.send_earlier(cx);
            self.await_decision(cx);
            return None;
        }
        if self.phase == Phase::Paused && self.announced == Announced::Gone {
            self.end(cx);
            return None;
        }
        let can_write = std::mem::take(&mut self.can_write);
        let mut sent = 0;
        if self.queue.is_some() || matches!(self.phase, Phase::Flushing(_)) {
            if can_write {
                sent = self.flush(cx);
            }
            if self.is_held(cx) {
                return None;
            }
        }
        if !self.is_reading() || !(self.has_rest || self.can_read) {
            return None;
        }
        if !cx.outbox.output.begin(sent) {
            // Its answers, too, would be more than a turn sends.
            cx.wants.turn();
            return None;
        }
        if self.has_rest || self.incoming.is_some() || self.partial.is_some() {
            return self.go_on(cx);
        }
        self.can_read = false;
        let start = cx.inbox.clear_input();
        let received = self.transport.as_ref()?.receive(&mut cx.inbox.input);
        let more = self.reads_to_end() || cx.inbox.input.len() == cx.inbox.input.capacity();
        cx.turn = Some(Turn::new(cx.id, start, start, false, more));
        self.received(cx, received);
        None
    }

    /// Goes on with what is kept of a connection's input, and reads more where that is not enough.
    #[inline(never)]
    fn go_on(&mut self, cx: &mut Context) -> Option<Told> {
        if let Some(told) = self.go_on_inflating(cx) {
            return told;
        }
        let can_read = std::mem::take(&mut self.can_read);
        if std::mem::take(&mut self.has_rest) {
            let (pos, is_own) = cx.inbox.take_partial(&mut self.partial, &mut cx.memory);
            cx.turn = Some(Turn::new(cx.id, pos, pos, is_own, can_read));
            return None;
        }
        if let Some((key, received)) = self.receive_in_place(cx) {
            let more = self.reads_to_end() || received.is_full;
            let start = cx.inbox.clear_input();
            cx.turn = Some(Turn::new(cx.id, start, start, false, more));
            let len = self.received(cx, received.len)?;
            return self.continue_in_place(cx, key, len);
        }
        self.receive_behind(cx);
        None
    }

    /// Reads what has arrived behind what is kept of the input.
    #[inline(never)]
    fn receive_behind(&mut self, cx: &mut Context) {
        let (pos, is_own) = cx.inbox.take_partial(&mut self.partial, &mut cx.memory);
        let input = &mut cx.inbox.input;
        let seen = input.len();
        let spare = if is_own { (seen - pos).max(MIN_SPARE) } else { 1 };
        let received = match (input.try_reserve(spare), &self.transport) {
            (Ok(()), Some(transport)) => transport.receive(input),
            (Ok(()), None) => Ok(0),
            (Err(_), _) => Err(io::ErrorKind::OutOfMemory.into()),
        };
        let more = self.reads_to_end() || input.len() == input.capacity();
        cx.turn = Some(Turn::new(cx.id, pos, seen, is_own, more));
        self.received(cx, received);
    }

    /// Notes what was read from a client: how many bytes, where there were any.
    #[inline(always)]
    fn received(&mut self, cx: &mut Context, received: io::Result<usize>) -> Option<usize> {
        match received {
            Ok(len @ 1..) => {
                cx.stats.bytes_in += len as u64;
                self.received_at = cx.clock.loop_time().nanos();
                Some(len)
            }
            other => {
                self.received_nothing(cx, other);
                None
            }
        }
    }

    #[inline(never)]
    fn received_nothing(&mut self, cx: &mut Context, received: io::Result<usize>) {
        let is_transient = received.as_ref().is_err_and(sys::is_transient);
        if !is_transient {
            self.end(cx);
            self.end_turn(cx, false);
            return;
        }
        // What was kept of the input may be all that is needed now.
        if let Some(turn) = &mut cx.turn {
            turn.more = false;
        }
        if received.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            self.announced = Announced::Nothing;
        } else {
            self.retry(cx);
        }
    }

    /// Goes on with a connection's turn. Without an event it has ended.
    pub(crate) fn continue_turn(&mut self, cx: &mut Context) -> Option<Told> {
        self.take_back_payload(cx);
        loop {
            let turn = cx.turn.as_mut()?;
            let pos = turn.pos;
            if pos == cx.inbox.input.len() {
                return self.end_turn(cx, false);
            }
            let is_over = turn.left == 0;
            turn.left = turn.left.saturating_sub(1);
            let step = match self.phase {
                Phase::Opening
                | Phase::Paused
                | Phase::Flushing(_)
                | Phase::Discarding
                | Phase::Ended => Step::Pause,
                _ if is_over || self.standing == Standing::Over => Step::Pause,
                Phase::Proxied => self.receive_proxied(cx, pos),
                Phase::Handshake => self.receive_request(cx),
                Phase::Body => self.receive_body(cx, pos),
                Phase::Open => self.receive_frame(cx, pos),
                Phase::AwaitingClose => self.receive_close(cx, pos),
            };
            match step {
                Step::Next => {}
                Step::Event(told) => return Some(told),
                Step::End => return self.end_turn(cx, false),
                Step::Pause => return self.end_turn(cx, true),
            }
        }
    }

    fn receive_frame(&mut self, cx: &mut Context, pos: usize) -> Step {
        let incoming = self.incoming.map(|key| (key, &cx.inbox.incoming[key]));
        if let Some((key, _)) = incoming.filter(|(_, incoming)| incoming.is_in_frame()) {
            return self.receive_part(cx, key, pos);
        }
        let incoming = incoming.map(|(_, incoming)| incoming);
        let input = &mut cx.inbox.input[pos..];
        let frame = match receive_frame(&cx.config.rules, incoming, self.deflate, input) {
            Ok(None) => return Step::End,
            Ok(Some(frame)) => frame,
            Err(violation) => return self.violated(cx, violation),
        };
        cx.consume(frame.len);
        let payload = pos + frame.payload.start..pos + frame.payload.end;
        match frame.received {
            Received::Message(complete) => return self.deliver(cx, complete, payload),
            Received::Part(start) => return self.begin_part(cx, start, pos + frame.len),
            Received::Ping => {
                // Nothing follows a close frame.
                if self.phase == Phase::Open {
                    let input = std::mem::take(&mut cx.inbox.input);
                    // CONTRACT D2. Without memory there is no pong: the client will ask again.
                    let _ = self.queue_control(cx, OpCode::Pong, &input[payload]);
                    cx.inbox.input = input;
                }
            }
            Received::Pong => {}
            Received::Close(code) => self.answer_close(cx, code),
        }
        Step::Next
    }

    pub(crate) fn violated(&mut self, cx: &mut Context, violation: Violation) -> Step {
        let is_news = self.phase == Phase::Open;
        self.fail(cx, violation);
        if !is_news {
            return Step::Next;
        }
        cx.stats.dropped_violation += 1;
        Step::Event(Event::Dropped(cx.id, DropCause::Violation(violation)))
    }

    /// Looks for the peer's close frame, after ours. Messages on the way are passed over.
    fn receive_close(&mut self, cx: &mut Context, pos: usize) -> Step {
        match self.receive_frame(cx, pos) {
            Step::Event(Event::Message(..)) => {
                self.take_back_payload(cx);
                Step::Next
            }
            step => step,
        }
    }

    /// Ends the turn: keeps what was not dealt with, and sends the answers.
    pub(crate) fn end_turn(&mut self, cx: &mut Context, has_rest: bool) -> Option<Told> {
        self.take_back_payload(cx);
        let turn = cx.turn.take()?;
        if turn.is_own || turn.pos < cx.inbox.input.len() {
            self.put_input_back(cx, &turn, has_rest);
        }
        if self.phase == Phase::Opening && !self.is_plain(cx) {
            self.hold_output(cx);
        } else {
            self.send_output(cx);
            self.await_flush(cx);
        }
        if turn.more {
            self.resume(cx);
        }
        if self.phase == Phase::Ended && !self.is_accepted() {
            cx.wants.end();
        }
        None
    }

    /// Keeps what is left of the input, and has the shared one in its place. What was not looked at comes again after
    /// the others.
    fn put_input_back(&mut self, cx: &mut Context, turn: &Turn, has_rest: bool) {
        let mut is_lost = false;
        if self.is_keeping() {
            match cx.inbox.keep_partial(turn, has_rest, &mut cx.memory) {
                Ok(None) => {}
                Ok(partial) => {
                    (self.partial, self.has_rest) = (partial, has_rest);
                    if has_rest {
                        cx.wants.turn();
                    }
                }
                Err(_) => is_lost = true,
            }
        }
        cx.inbox.restore_shared(turn);
        if is_lost && let Step::Event(told) = self.drop_for_memory(cx) {
            cx.pending.report(told);
        }
    }

    /// Has a connection get another turn without an event, to be read and to be sent more.
    pub(crate) fn resume(&mut self, cx: &mut Context) {
        self.can_read = true;
        self.resume_sending(cx);
    }

    /// Has a connection be sent more without an event.
    pub(crate) fn resume_sending(&mut self, cx: &mut Context) {
        self.can_write = true;
        cx.wants.turn();
    }
}
