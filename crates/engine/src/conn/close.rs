//! The ends of a connection: the caller's, and the client's.

use std::os::fd::AsRawFd as _;

use dorrit_proto::{AfterFlush, CloseCode, OpCode, Refusal, Violation};

use super::{Conn, Context, Phase, Standing, Then};
use crate::event::{DropCause, Event};
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
    /// Closes a connection when its queue is sent, with this code and reason. Nothing more is read from it. Where the
    /// decision on it was put off, it is refused.
    pub(crate) fn close(&mut self, cx: &mut Context, code: CloseCode, reason: &str) {
        if self.standing == Standing::Deferred || self.is_plain(cx) {
            return self.refuse(cx, Refusal::Forbidden);
        }
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
        if !self.is_open() {
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
        if self.is_open() && self.unsent_bytes(cx) <= most {
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
        if self.phase != Phase::Opening && !self.is_open() {
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
        cx.live -= usize::from(self.is_open());
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
        cx.live -= usize::from(self.is_open());
        self.phase = Phase::Ended;
        self.closing.end();
        if let Some(transport) = self.transport.take() {
            // Its number is anybody's when it is closed.
            cx.descriptors.remove(transport.as_raw_fd());
        }
        cx.inbox.partials.drop(&mut self.partial, &mut cx.memory);
        self.drop_exchange(cx);
        self.drop_inflation(cx);
        cx.drop_output();
        cx.wants.end();
    }
}
