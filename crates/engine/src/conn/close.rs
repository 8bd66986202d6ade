//! The beginnings and ends of a connection: the caller's, and the client's.

use std::os::fd::AsRawFd as _;

use dorrit_proto::{AfterFlush, CloseCode, OpCode, Refusal, Violation, encode_accept};

use super::{Conn, Context, Phase, Then};
use crate::event::{DropCause, Event, OutOfMemory};
use crate::timers::Kind;
use crate::turn::Step;

/// Why a close frame is sent (RFC 6455 5.5.1 and 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The caller closes the connection.
    Close(CloseCode),
    /// The connection is failed.
    Fail(CloseCode),
    /// The peer has sent a close frame with this code.
    Answer(Option<CloseCode>),
}

/// The longest reason of a close frame, in bytes (RFC 6455 5.5).
const MAX_REASON: usize = 123;

impl Conn {
    /// Accepts a connection, with a sub-protocol where one of those was chosen that its request offers.
    pub(crate) fn accept(&mut self, cx: &mut Context, protocol: Option<&[u8]>) {
        self.drop_response(cx);
        // From here on the caller is owed its end, also where the answer cannot be sent (CONTRACT S5).
        self.is_accepted = true;
        cx.stats.accepted += 1;
        if self.phase != Phase::Ended && self.answer(cx, protocol).is_err() {
            return self.end(cx);
        }
        match self.phase {
            Phase::Opening => {
                self.phase = Phase::Open;
                self.watch_idle(cx);
                if cx.lifecycle.is_stopping() {
                    self.close(cx, CloseCode::SERVICE_RESTART, "");
                }
            }
            Phase::Ended => cx.wants.end(),
            _ => {}
        }
    }

    fn answer(&mut self, cx: &mut Context, protocol: Option<&[u8]>) -> Result<(), OutOfMemory> {
        let mut answer = Vec::new();
        answer.try_reserve_exact(512 + protocol.map_or(0, <[u8]>::len))?;
        encode_accept(cx.inbox.request.key(), protocol, self.deflate, b"", &mut answer);
        self.queue_answer(cx, answer)
    }

    /// Answers a request without a connection. Nothing that was sent before goes out.
    pub(crate) fn refuse(&mut self, cx: &mut Context, refusal: Refusal) {
        if cx.pending.opening == Some(cx.id) {
            cx.pending.opening = None;
        }
        if self.is_accepted {
            return;
        }
        cx.stats.refuse(refusal);
        if self.phase == Phase::Ended {
            return cx.wants.end();
        }
        self.phase = Phase::Flushing(Then::Discard);
        self.drop_response(cx);
        self.drop_queue(cx);
        cx.drop_output();
        let answer = refusal.encode().map_err(OutOfMemory::from);
        if answer.and_then(|answer| self.queue_answer(cx, answer)).is_err() {
            return self.end(cx);
        }
        cx.wants.deadline(Kind::Flush);
    }

    /// Refuses a client whose request is not complete in time (CONTRACT S17).
    pub(super) fn refuse_slow(&mut self, cx: &mut Context) {
        self.refuse(cx, Refusal::TooSlow);
        cx.pending.report(Event::Refused(cx.id, Refusal::TooSlow));
    }

    /// Closes a connection when its queue is sent, with this code and reason. Nothing more is read from it.
    pub(crate) fn close(&mut self, cx: &mut Context, code: CloseCode, reason: &str) {
        if self.is_write_closed {
            return self.end(cx);
        }
        self.begin_close(cx, Cause::Close(code), reason);
    }

    /// Closes a connection now, and throws its queue away.
    pub(crate) fn close_now(&mut self, cx: &mut Context) {
        self.drop_queue(cx);
        self.end(cx);
    }

    /// Drops a client that broke the protocol (CONTRACT S8).
    pub(super) fn fail(&mut self, cx: &mut Context, violation: Violation) {
        if self.phase == Phase::AwaitingClose {
            // Where its next frame starts is not known any more, and our close frame is out.
            let _ = self.closing.fail(violation.close_code());
            self.phase = Phase::Flushing(Then::Discard);
            return;
        }
        self.begin_close(cx, Cause::Fail(violation.close_code()), violation.reason());
    }

    /// Answers a client's close frame with its own code (RFC 6455 5.5.1), unless it is an answer itself.
    pub(super) fn answer_close(&mut self, cx: &mut Context, code: Option<CloseCode>) {
        if self.phase == Phase::AwaitingClose {
            let _ = self.closing.receive(code);
            return self.end(cx);
        }
        self.begin_close(cx, Cause::Answer(code), "");
    }

    /// Drops a client for whose message there is no memory.
    pub(super) fn drop_for_memory(&mut self, cx: &mut Context) -> Step {
        if self.phase != Phase::Open {
            self.end(cx);
            return Step::Next;
        }
        self.drop_incoming(cx);
        self.close_for_memory(cx);
        cx.stats.dropped_memory += 1;
        Step::Event(Event::Dropped(cx.id, DropCause::MessageMemory))
    }

    /// Drops a client that holds much: told so, where what it must be sent before is not what takes the memory,
    /// which is so for no more than `most` bytes.
    pub(crate) fn drop_holder(&mut self, cx: &mut Context, most: usize) {
        cx.stats.dropped_memory += 1;
        self.keep_first(cx);
        self.drop_inflation(cx);
        self.drop_incoming(cx);
        if self.phase == Phase::Open && self.unsent_bytes(cx) <= most {
            self.close_for_memory(cx);
        } else {
            self.close_now(cx);
        }
        cx.pending.report(Event::Dropped(cx.id, DropCause::NoMemory));
    }

    /// Closes a connection with 1013, for want of memory.
    fn close_for_memory(&mut self, cx: &mut Context) {
        self.begin_close(cx, Cause::Fail(CloseCode::TRY_AGAIN_LATER), "there is no memory");
    }

    /// Queues a close frame as the last one of a connection that is open, with a reason of which 123 bytes are sent
    /// at most.
    pub(super) fn begin_close(&mut self, cx: &mut Context, cause: Cause, reason: &str) {
        if !matches!(self.phase, Phase::Open | Phase::Opening) {
            return;
        }
        let (code, deadline) = match cause {
            Cause::Close(code) => (Some(code), Kind::Drain),
            Cause::Fail(code) => (Some(code), Kind::Flush),
            Cause::Answer(code) => (code, Kind::Flush),
        };
        let mut payload = [0; 2 + MAX_REASON];
        let mut len = 0;
        if let Some(code) = code {
            let end = (0..=MAX_REASON).rev().find(|&end| reason.is_char_boundary(end));
            let reason = &reason.as_bytes()[..end.unwrap_or(0)];
            len = 2 + reason.len();
            payload[..2].copy_from_slice(&code.number().to_be_bytes());
            payload[2..len].copy_from_slice(reason);
        }
        if self.queue_control(cx, OpCode::Close, &payload[..len]).is_err() {
            return self.end(cx);
        }
        let _ = match cause {
            Cause::Close(code) => self.closing.close(Some(code)),
            Cause::Fail(code) => self.closing.fail(code),
            Cause::Answer(code) => self.closing.receive(code),
        };
        self.phase = Phase::Flushing(match self.closing.after_flush(cx.config.rules.role) {
            AfterFlush::AwaitClose => Then::AwaitClose,
            AfterFlush::Discard => Then::Discard,
            AfterFlush::GoOn | AfterFlush::AwaitEnd | AfterFlush::Close => Then::Close,
        });
        cx.wants.deadline(deadline);
    }

    /// Ends a connection for its client. The caller learns of it by an event of its own.
    pub(crate) fn end(&mut self, cx: &mut Context) {
        if self.phase == Phase::Ended {
            return;
        }
        self.phase = Phase::Ended;
        self.closing.end();
        if let Some(transport) = self.transport.take() {
            // Its number is anybody's when it is closed.
            cx.descriptors.remove(transport.as_raw_fd());
        }
        cx.inbox.partials.drop(&mut self.partial, &mut cx.memory);
        self.drop_response(cx);
        self.drop_inflation(cx);
        cx.drop_output();
        cx.wants.end();
    }
}
