//! The answers to plain requests: a head and a part of a file, sent in turns like all else.

use std::io::IoSlice;
use std::time::Duration;

use super::expire::LOOK;
use super::{Conn, Context, Phase, Then};
use crate::config::{PlainRequests, TURN};
use crate::event::{Event, OutOfMemory};
use crate::outbox::Response;
use crate::pool::PoolKey;
use crate::sys::Sent;
use crate::timers::{Deadline, Kind, Moment};
use crate::turn::Step;

impl Conn {
    /// Answers a plain request.
    pub(crate) fn respond(&mut self, cx: &mut Context, response: Response) {
        if self.phase == Phase::Ended {
            return cx.wants.end();
        }
        if self.begin_response(cx, response).is_err() {
            self.end(cx);
        }
    }

    fn begin_response(&mut self, cx: &mut Context, response: Response) -> Result<(), OutOfMemory> {
        // Whatever was queued for it meanwhile was for a connection that it is not.
        self.drop_queue(cx);
        cx.drop_output();
        cx.outbox.responses.reserve()?;
        let key = *self.response.get_or_insert_with(|| cx.outbox.responses.take());
        let Response { head, body, keeps_alive } = response;
        let (file, left) = body.unzip();
        let progress = &mut cx.outbox.responses[key];
        (progress.file, progress.left) = (file, left.unwrap_or(0));
        (progress.sent, progress.keeps_alive) = (0, keeps_alive);
        self.phase = Phase::Flushing(Then::Respond);
        self.queue_answer(cx, head)?;
        expect(cx, key, Kind::DRAIN);
        Ok(())
    }

    /// Tells the caller of a plain request, where it wants to hear of them.
    pub(super) fn receive_plain(&mut self, cx: &mut Context) -> Option<Step> {
        if cx.config.plain_requests == PlainRequests::Refused {
            return None;
        }
        let request = &cx.inbox.request;
        let judged = request.judge_plain();
        match judged.and_then(|plain| plain.map(|_| request.judge_page()).transpose()) {
            Ok(None) => None,
            Ok(Some(())) => {
                self.phase = Phase::Opening;
                cx.pending.opening = Some(cx.id);
                Some(Step::Event(Event::Requested(cx.id)))
            }
            Err(refusal) => {
                self.refuse(cx, refusal);
                Some(Step::Event(Event::Refused(cx.id, refusal)))
            }
        }
    }

    /// Sends a turn's worth of the file, when all before it is sent.
    pub(super) fn send_body(&mut self, cx: &mut Context) {
        let Some(key) = self.response else { return self.end(cx) };
        let progress = &mut cx.outbox.responses[key];
        if progress.left == 0 {
            return self.end_response(cx, key);
        }
        let len = progress.left.min(TURN as u64) as usize;
        if progress.read(&mut cx.outbox.body, len).is_err() {
            return self.end(cx);
        }
        let body = &cx.outbox.body;
        let sent = match self.write(&[IoSlice::new(body)], &mut cx.stats) {
            Sent::Bytes(sent) => sent,
            Sent::Later => return self.retry(cx),
            Sent::Refused | Sent::Failed => return self.end(cx),
        };
        let progress = &mut cx.outbox.responses[key];
        progress.sent += sent as u64;
        progress.left -= sent as u64;
        let (is_blocked, is_over) = (sent < body.len(), progress.left == 0);
        if sent > 0 {
            expect(cx, key, Kind::DRAIN);
        }
        if is_over {
            self.end_response(cx, key);
        } else if is_blocked {
            cx.wants.watch(true);
        } else {
            self.resume_sending(cx);
        }
    }

    /// Goes on with a connection whose request is answered.
    fn end_response(&mut self, cx: &mut Context, key: PoolKey) {
        let progress = &mut cx.outbox.responses[key];
        if !progress.keeps_alive || cx.lifecycle.is_stopping() {
            self.drop_response(cx);
            self.phase = Phase::Flushing(Then::Discard);
            cx.wants.deadline(Kind::Flush);
            return self.proceed(cx);
        }
        progress.file = None;
        self.phase = Phase::Handshake;
        cx.wants.watch(false);
        expect(cx, key, Kind::HANDSHAKE);
        self.resume(cx);
    }

    /// Ends a connection whose client has not done its next step, if that is so.
    pub(super) fn expire_page(&mut self, cx: &mut Context, expired: Deadline) {
        let Some(key) = self.response else { return };
        let progress = &mut cx.outbox.responses[key];
        if progress.watched != Some(expired.at) {
            // An earlier one has taken its place.
            return;
        }
        if let Some(due) = progress.due.filter(|due| *due > expired.at) {
            return watch_page(cx, key, due);
        }
        if self.listed.is_any() {
            let at = cx.clock.deadline(LOOK);
            return watch_page(cx, key, at);
        }
        match self.phase {
            Phase::Handshake if self.partial.is_some() => self.refuse_slow(cx),
            // It has nothing more to ask, which is no fault.
            _ => self.end(cx),
        }
    }

    /// Closes the file, and frees what is kept of the answers.
    pub(super) fn drop_response(&mut self, cx: &mut Context) {
        if let Some(key) = self.response.take() {
            cx.outbox.drop_response(key);
        }
    }
}

/// Expects the client's next step so long from now. A connection has one such deadline, which is moved
/// when it comes.
fn expect(cx: &mut Context, key: PoolKey, after: Duration) {
    let at = cx.clock.deadline(after);
    let progress = &mut cx.outbox.responses[key];
    progress.due = Some(at);
    if progress.watched.is_none_or(|watched| watched > at) {
        watch_page(cx, key, at);
    }
}

fn watch_page(cx: &mut Context, key: PoolKey, at: Moment) {
    cx.outbox.responses[key].watched = Some(at);
    cx.wants.deadline(Kind::Page);
}
