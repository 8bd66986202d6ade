//! The answers to plain requests: short ones are sent in the turn, others in turns like all else.

use std::io::IoSlice;
use std::time::Duration;

use super::expire::LOOK;
use super::{Conn, Context, Drain, Phase, Standing, Then};
use crate::config::TURN;
use crate::event::OutOfMemory;
use crate::exchange::{Exchange, Response, ResponseBody};
use crate::pool::PoolKey;
use crate::sys::Sent;
use crate::timers::{Deadline, Kind, Moment};

/// How many bytes of a body must come in a second, beyond the time that there is for every request.
const LEAST_RATE: usize = 500;

impl Conn {
    /// Answers a request: a plain one, behind which others may follow, or one for an upgrade, which is refused by that.
    pub(crate) fn respond(&mut self, cx: &mut Context, response: Response<'_>) {
        if self.is_accepted() || self.standing == Standing::Over {
            return;
        }
        let Some(key) = self.exchange.filter(|_| self.is_plain(cx)) else {
            cx.stats.refused_caller += 1;
            return match response.body {
                ResponseBody::Bytes(body) => self.answer_last(cx, [response.head, body]),
                ResponseBody::File(..) => self.end(cx),
            };
        };
        self.decide(cx);
        if self.phase == Phase::Ended {
            return cx.wants.end();
        }
        if self.begin_response(cx, key, response).is_err() {
            self.end(cx);
        }
    }

    fn begin_response(
        &mut self,
        cx: &mut Context,
        key: PoolKey,
        response: Response<'_>,
    ) -> Result<(), OutOfMemory> {
        let Response { head, body, keeps_alive } = response;
        let exchange = &mut cx.exchanges[key];
        if self.standing == Standing::Asking {
            (exchange.generation, exchange.plain) = (None, None);
        }
        (exchange.sent, exchange.left, exchange.keeps_alive) = (0, 0, keeps_alive);
        let body = match body {
            ResponseBody::Bytes(body) => body,
            ResponseBody::File(file, len) => {
                (exchange.file, exchange.left) = (Some(file), len);
                &[]
            }
        };
        let is_whole = exchange.file.is_none();
        self.queue_response(cx, [head, body])?;
        if is_whole && self.queue.is_none() && cx.is_turn() {
            cx.note_output();
            self.end_response(cx, key);
            return Ok(());
        }
        self.phase = Phase::Flushing(Then::Respond);
        self.expect(cx, key, Kind::DRAIN);
        Ok(())
    }

    /// Waits for the answers of a turn that the client has not taken before there is another one.
    pub(super) fn await_flush(&mut self, cx: &mut Context) {
        if self.phase == Phase::Handshake
            && self.queue.is_some()
            && let Some(key) = self.exchange
        {
            self.phase = Phase::Flushing(Then::Respond);
            self.expect(cx, key, Kind::DRAIN);
        }
    }

    /// Sends what is left of answers before a plain request that is being decided on.
    pub(super) fn send_earlier(&mut self, cx: &mut Context) {
        if self.queue.is_some() && self.is_plain(cx) && std::mem::take(&mut self.can_write) {
            self.flush(cx);
        }
    }

    /// Sends a turn's worth of the file, when all before it is sent.
    pub(super) fn send_body(&mut self, cx: &mut Context) {
        let Some(key) = self.exchange else { return self.end(cx) };
        let exchange = &cx.exchanges[key];
        if exchange.left == 0 {
            self.end_response(cx, key);
            return self.go_on_with_requests(cx);
        }
        let len = exchange.left.min(TURN as u64) as usize;
        if exchange.read(&mut cx.outbox.body, len).is_err() {
            return self.end(cx);
        }
        let body = &cx.outbox.body;
        let sent = match self.write(&[IoSlice::new(body)], &mut cx.stats) {
            Sent::Bytes(sent) => sent,
            Sent::Later => return self.retry(cx),
            Sent::Refused | Sent::Failed => return self.end(cx),
        };
        let exchange = &mut cx.exchanges[key];
        exchange.sent += sent as u64;
        exchange.left -= sent as u64;
        let (is_blocked, is_over) = (sent < body.len(), exchange.left == 0);
        if sent > 0 {
            self.expect(cx, key, Kind::DRAIN);
        }
        if is_over {
            self.end_response(cx, key);
            self.go_on_with_requests(cx);
        } else if is_blocked {
            cx.wants.watch(true);
        } else {
            self.resume_sending(cx);
        }
    }

    /// Goes on with a connection whose request is answered: with the next one, or to its end.
    fn end_response(&mut self, cx: &mut Context, key: PoolKey) {
        let exchange = &mut cx.exchanges[key];
        exchange.file = None;
        if exchange.keeps_alive && !cx.lifecycle.is_stopping() {
            // That an answer had to wait is no news of a connection that comes behind it.
            (self.phase, self.drain) = (Phase::Handshake, Drain::None);
            self.expect_next(cx, key);
            return;
        }
        self.drop_exchange(cx);
        self.phase = Phase::Flushing(Then::Discard);
        cx.wants.deadline(Kind::Flush);
    }

    /// Goes on behind an answer that was not given in the turn.
    fn go_on_with_requests(&mut self, cx: &mut Context) {
        match self.phase {
            Phase::Handshake => {
                cx.wants.watch(false);
                self.resume(cx);
            }
            _ => self.proceed(cx),
        }
    }

    /// Ends a connection whose client has not done its next step, if that is so.
    pub(super) fn expire_page(&mut self, cx: &mut Context, expired: Deadline) {
        let Some(key) = self.exchange else { return };
        let exchange = &cx.exchanges[key];
        if exchange.watched != Some(expired.at) {
            // An earlier one has taken its place.
            return;
        }
        if let Some(due) = exchange.due.filter(|due| *due > expired.at) {
            return watch(cx, key, due);
        }
        if self.listed.is_any() {
            let at = cx.clock.deadline(LOOK);
            return watch(cx, key, at);
        }
        let has_moved = self.unsent_bytes(cx) != exchange.unsent;
        match self.phase {
            Phase::Flushing(_) if has_moved => {
                cx.exchanges[key].watched = None;
                self.expect(cx, key, Kind::DRAIN);
            }
            Phase::Handshake if self.partial.is_some() => {
                self.refuse_and_report(cx, dorrit_proto::Refusal::TooSlow);
            }
            Phase::Body => self.refuse_and_report(cx, dorrit_proto::Refusal::TooSlow),
            // It has nothing more to ask, which is no fault.
            _ => self.end(cx),
        }
    }

    /// Expects the client's next step so long from now. A connection has one such deadline, which is moved when it
    /// comes.
    fn expect(&self, cx: &mut Context, key: PoolKey, after: Duration) {
        let at = cx.clock.deadline(after);
        self.expect_at(cx, key, at);
    }

    /// Expects the next request. Where answers follow each other that moves the deadline once a second.
    fn expect_next(&self, cx: &mut Context, key: PoolKey) {
        const OFTEN: Duration = Duration::from_secs(1);
        let at = cx.clock.loop_time() + Kind::HANDSHAKE;
        let exchange = &mut cx.exchanges[key];
        match exchange.due {
            Some(due) if exchange.watched.is_some() && due <= at && due + OFTEN > at => {
                exchange.unsent = 0;
            }
            _ => self.expect(cx, key, Kind::HANDSHAKE),
        }
    }

    fn expect_at(&self, cx: &mut Context, key: PoolKey, at: Moment) {
        cx.exchanges[key].unsent = self.unsent_bytes(cx);
        let exchange = &mut cx.exchanges[key];
        exchange.due = Some(at);
        if exchange.watched.is_none_or(|watched| watched > at) {
            watch(cx, key, at);
        }
    }

    /// Expects the rest of the body of a request: for as long as any request may take, and longer by what has come.
    pub(super) fn expect_body(&self, cx: &mut Context, key: PoolKey) {
        let now = cx.clock.deadline(Duration::ZERO);
        let exchange = &mut cx.exchanges[key];
        let began = *exchange.began.get_or_insert(now);
        let more = Duration::from_secs((exchange.body.len() / LEAST_RATE) as u64);
        self.expect_at(cx, key, began + Kind::HANDSHAKE + more);
    }

    /// Frees what is kept of the requests, but for what says which ids they had.
    pub(crate) fn drop_exchange(&mut self, cx: &mut Context) {
        let Some(key) = self.exchange else { return };
        let exchange = &mut cx.exchanges[key];
        exchange.drop_request(&mut cx.memory);
        let generation = exchange.generation.filter(|_| self.standing != Standing::Asking);
        let requests = exchange.requests;
        *exchange = Exchange { generation, requests, ..Exchange::default() };
        if requests == 0 {
            cx.exchanges.give_back(key);
            self.exchange = None;
        }
    }

    /// Frees all that is kept of the requests. Returns how many ids they had.
    pub(crate) fn give_exchange_back(&mut self, cx: &mut Context) -> u32 {
        let Some(key) = self.exchange.take() else { return 0 };
        let exchange = &mut cx.exchanges[key];
        exchange.drop_request(&mut cx.memory);
        let requests = std::mem::take(exchange).requests;
        cx.exchanges.give_back(key);
        requests
    }

    /// How many plain requests it has made.
    pub(crate) fn requests(&self, cx: &Context) -> u32 {
        self.exchange.map_or(0, |key| cx.exchanges[key].requests)
    }
}

fn watch(cx: &mut Context, key: PoolKey, at: Moment) {
    cx.exchanges[key].watched = Some(at);
    cx.wants.deadline(Kind::Page);
}
