//! What the caller decides on a request: at once, or later.

use dorrit_proto::{Refusal, Request, encode_accept};

use super::{Announced, Conn, Context, Phase, Standing, Then};
use crate::event::OutOfMemory;
use crate::id::ConnId;
use crate::timers::Kind;

impl Conn {
    /// Accepts a connection, with a sub-protocol where one of those was chosen that its request offers, and with these
    /// header lines in the answer. Returns whether the caller is owed its end from now on.
    pub(crate) fn accept(
        &mut self,
        cx: &mut Context,
        protocol: Option<&[u8]>,
        headers: &[u8],
    ) -> bool {
        if self.standing == Standing::Deferred {
            if self.phase != Phase::Opening {
                return false;
            }
            if let Some(refusal) = cx.is_full() {
                self.refuse_and_report(cx, refusal);
                return false;
            }
        }
        let answered = match self.phase {
            Phase::Ended => Ok(()),
            _ => self.answer(cx, protocol, headers),
        };
        let was_deferred = self.standing == Standing::Deferred;
        self.standing = Standing::Asking;
        self.decide(cx);
        self.drop_exchange(cx);
        // From here on the caller is owed its end, also where the answer cannot be sent (CONTRACT S5).
        self.standing = Standing::Accepted;
        cx.stats.accepted += 1;
        match self.phase {
            Phase::Ended => cx.wants.end(),
            _ if answered.is_err() => self.end(cx),
            Phase::Opening => {
                self.phase = Phase::Open;
                cx.live += 1;
                self.watch_idle(cx);
                if cx.lifecycle.is_stopping() {
                    self.close(cx, dorrit_proto::CloseCode::SERVICE_RESTART, "");
                }
            }
            _ => {}
        }
        if was_deferred && self.phase != Phase::Ended {
            self.resume(cx);
        }
        true
    }

    fn answer(
        &mut self,
        cx: &mut Context,
        protocol: Option<&[u8]>,
        headers: &[u8],
    ) -> Result<(), OutOfMemory> {
        let mut answer = Vec::new();
        answer.try_reserve_exact(512 + protocol.map_or(0, <[u8]>::len) + headers.len())?;
        let key = self.request(cx.id, cx).map_or(&b""[..], Request::key);
        encode_accept(key, protocol, self.deflate, headers, &mut answer);
        self.queue_answer(cx, answer)
    }

    /// Answers a request without a connection, and no other one behind it. Nothing that was sent before goes out.
    pub(crate) fn refuse(&mut self, cx: &mut Context, refusal: Refusal) {
        if self.is_accepted() || self.standing == Standing::Over {
            return;
        }
        cx.stats.refuse(refusal);
        match refusal.encode(cx.date.now()) {
            Ok(answer) => self.answer_last(cx, [&answer, b""]),
            Err(_) => {
                self.decide(cx);
                self.end(cx);
            }
        }
    }

    /// Refuses a client, as the caller is told.
    pub(super) fn refuse_and_report(&mut self, cx: &mut Context, refusal: Refusal) {
        let kept = self.exchange.and_then(|key| {
            let request = cx.exchanges[key].request.take()?;
            cx.memory.change(request.held(), 0);
            Some(request)
        });
        self.refuse(cx, refusal);
        cx.pending.report_refused(cx.id, refusal, kept);
    }

    /// Gives a request an answer behind which the connection ends.
    pub(super) fn answer_last(&mut self, cx: &mut Context, answer: [&[u8]; 2]) {
        let is_asked = cx.pending.opening == Some(cx.id) || self.standing == Standing::Deferred;
        if is_asked && !self.is_plain(cx) {
            // What was sent to it meanwhile was for a connection that it is not.
            self.drop_queue(cx);
            cx.drop_output();
        }
        self.decide(cx);
        if self.phase == Phase::Ended {
            return cx.wants.end();
        }
        self.phase = Phase::Flushing(Then::Discard);
        self.drop_exchange(cx);
        if self.queue_response(cx, answer).is_err() {
            return self.end(cx);
        }
        cx.wants.deadline(Kind::Flush);
    }

    /// Notes that the caller has decided. Where it had put that off, it is owed the request's end unless there is a
    /// connection now.
    pub(super) fn decide(&mut self, cx: &mut Context) {
        cx.pending.opening.take_if(|opening| *opening == cx.id);
        if self.standing == Standing::Deferred {
            self.end_deferral(cx);
        }
        if let Some(key) = self.exchange
            && cx.exchanges[key].held() > 0
        {
            cx.exchanges[key].drop_request(&mut cx.memory);
        }
    }

    /// Owes the caller the end of a request on which it has put the decision off.
    pub(crate) fn end_deferral(&mut self, cx: &mut Context) {
        self.standing = Standing::Over;
        cx.pending.push_closed(self.public_id(cx));
    }

    /// Puts the decision on the request off that the caller was told last.
    pub(crate) fn defer(&mut self, cx: &mut Context) -> Result<(), OutOfMemory> {
        if self.phase != Phase::Opening {
            return Err(OutOfMemory);
        }
        if self.standing != Standing::Asking {
            return Ok(());
        }
        let key = self.take_exchange(cx)?;
        self.keep_request(cx, key)?;
        self.standing = Standing::Deferred;
        Ok(())
    }

    /// Goes on where the caller has returned without a decision.
    pub(crate) fn leave_undecided(&mut self, cx: &mut Context) {
        if self.standing != Standing::Deferred {
            return self.refuse(cx, Refusal::Forbidden);
        }
        cx.pending.opening = None;
        if let Some(key) = self.exchange {
            let exchange = &mut cx.exchanges[key];
            exchange.drop_body(&mut cx.memory);
            (exchange.due, exchange.watched) = (None, None);
        }
        if self.phase == Phase::Ended {
            return cx.wants.end();
        }
        cx.wants.deadline(Kind::Decision);
        self.await_decision(cx);
    }

    /// Ends a connection on which the decision is awaited, where its client has left.
    pub(super) fn await_decision(&mut self, cx: &mut Context) {
        if self.announced >= Announced::End && self.standing == Standing::Deferred {
            self.end(cx);
        }
    }

    /// Keeps what a turn has produced for a connection that is not accepted yet.
    pub(super) fn hold_output(&mut self, cx: &mut Context) {
        if self.spill_output(cx, 0).is_err() {
            cx.outbox.output.clear();
            self.end(cx);
        }
    }

    /// Forgets a request whose end the caller was told.
    pub(crate) fn forget_request(&mut self, cx: &mut Context) {
        (self.standing, self.tag) = (Standing::Asking, 0);
        if let Some(key) = self.exchange {
            (cx.exchanges[key].generation, cx.exchanges[key].plain) = (None, None);
        }
        match self.phase {
            Phase::Ended => cx.wants.end(),
            Phase::Flushing(Then::Discard) | Phase::Discarding => self.drop_exchange(cx),
            // Its next request may wait already.
            Phase::Handshake => self.resume(cx),
            _ => {}
        }
    }

    /// Whether its request is a plain one that the caller knows.
    pub(crate) fn is_plain(&self, cx: &Context) -> bool {
        self.exchange.is_some_and(|key| cx.exchanges[key].generation.is_some())
    }

    /// The id by which the caller knows it: its own, or its request's.
    pub(super) fn public_id(&self, cx: &Context) -> ConnId {
        let generation = self.exchange.and_then(|key| cx.exchanges[key].generation);
        generation.map_or(cx.id, |generation| cx.id.with(generation))
    }

    /// Whether the caller knows it by its own id, which is this.
    #[inline(always)]
    pub(crate) fn is_known_as(&self, id: ConnId, cx: &Context) -> bool {
        match self.standing {
            Standing::Accepted => true,
            Standing::Asking if cx.pending.opening != Some(id) => false,
            _ => !self.is_plain(cx),
        }
    }

    /// The request on which the caller decides, of the connection with this id.
    pub(crate) fn request<'a>(&self, id: ConnId, cx: &'a Context) -> Option<&'a Request> {
        let kept = self.exchange.and_then(|key| cx.exchanges[key].request.as_ref());
        match cx.pending.opening == Some(id) {
            // It stays until the caller has returned, also where the connection is being closed by then.
            true => Some(kept.unwrap_or(&cx.inbox.request)),
            false => kept.filter(|_| self.phase == Phase::Opening),
        }
    }
}
