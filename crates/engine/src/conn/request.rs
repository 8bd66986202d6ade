//! What a client asks for: a connection, or something else.

use dorrit_proto::{Body, BodyLength, Plain, ProxyHeader, Refusal};

use super::{Conn, Context, Phase};
use crate::config::{PlainRequests, Upgrades};
use crate::event::{Event, OutOfMemory};
use crate::pending::Refused;
use crate::pool::PoolKey;
use crate::turn::Step;

/// The answer that has a client send the body of its request (RFC 9110 10.1.1).
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What is asked for.
enum Asked {
    Upgrade,
    Plain(Plain),
}

impl Conn {
    /// Takes what a proxy says of the client.
    pub(super) fn receive_proxied(&mut self, cx: &mut Context, pos: usize) -> Step {
        match ProxyHeader::receive(&cx.inbox.input[pos..]) {
            Ok(None) => Step::End,
            Ok(Some(header)) => {
                cx.consume(header.len);
                if header.source.is_some() {
                    cx.peers.set(cx.id.index(), header.source);
                }
                self.phase = Phase::Handshake;
                Step::Next
            }
            Err(refusal) => self.turn_away(cx, refusal),
        }
    }

    /// Takes the head of a request.
    #[inline(never)]
    pub(super) fn receive_request(&mut self, cx: &mut Context) -> Step {
        let (pos, seen) = cx.turn.as_ref().map_or((0, 0), |turn| (turn.pos, turn.seen));
        let input = &cx.inbox.input[pos..];
        let len = match cx.inbox.request.receive(input, seen.saturating_sub(pos)) {
            Ok(None) => return Step::End,
            Ok(Some(len)) => len,
            Err(refusal) => return self.turn_away(cx, refusal),
        };
        match judge(cx) {
            // What is sent from here on is the connection's, if there will be one.
            Ok(Asked::Upgrade) if cx.outbox.output.len() > 0 => return Step::Pause,
            Ok(Asked::Upgrade) => {
                cx.consume(len);
                self.deflate = cx.inbox.request.deflate().filter(|_| cx.config.compression > 0);
            }
            Ok(Asked::Plain(plain)) => {
                cx.consume(len);
                return self.receive_plain(cx, plain);
            }
            Err(refusal) => {
                cx.consume(len);
                cx.pending.refused = Some(Refused { id: cx.id, kept: None });
                return self.turn_away(cx, refusal);
            }
        }
        self.phase = Phase::Opening;
        self.tag = 0;
        cx.pending.opening = Some(cx.id);
        Step::Event(Event::Opened(cx.id))
    }

    /// Answers a request that the caller does not decide on.
    fn turn_away(&mut self, cx: &mut Context, refusal: Refusal) -> Step {
        self.refuse(cx, refusal);
        Step::Event(Event::Refused(cx.id, refusal))
    }

    /// Goes on behind the head of a plain request.
    fn receive_plain(&mut self, cx: &mut Context, plain: Plain) -> Step {
        let Ok(key) = self.take_exchange(cx) else {
            return self.turn_away(cx, Refusal::NoMemory);
        };
        cx.exchanges[key].plain = Some(plain);
        let has_body = plain.body != BodyLength::None;
        if !has_body || cx.config.plain_requests == PlainRequests::Told {
            return self.tell_request(cx, key);
        }
        cx.exchanges[key].coming = Some(Body::new(plain.body));
        self.phase = Phase::Body;
        self.expect_body(cx, key);
        let is_awaited = cx.turn.as_ref().is_some_and(|turn| turn.pos == cx.inbox.input.len());
        if !is_awaited {
            return Step::Next;
        }
        // Other requests are received before the body is.
        if self.keep_request(cx, key).is_err() {
            return self.turn_away(cx, Refusal::NoMemory);
        }
        if plain.expects_continue && self.queue_response(cx, [CONTINUE, b""]).is_err() {
            self.end(cx);
        }
        Step::Next
    }

    /// Takes what has come of the body of a request.
    pub(super) fn receive_body(&mut self, cx: &mut Context, pos: usize) -> Step {
        let Some(key) = self.exchange else { return Step::Pause };
        match self.collect(cx, key, pos) {
            Ok(true) => self.tell_request(cx, key),
            Ok(false) => {
                self.expect_body(cx, key);
                match self.keep_request(cx, key) {
                    Ok(()) => Step::End,
                    Err(OutOfMemory) => self.turn_away(cx, Refusal::NoMemory),
                }
            }
            Err(refusal) => self.turn_away(cx, refusal),
        }
    }

    /// Copies what has come of a body. Returns whether that is all of it.
    fn collect(&mut self, cx: &mut Context, key: PoolKey, pos: usize) -> Result<bool, Refusal> {
        let PlainRequests::ToldWithBody(most) = cx.config.plain_requests else { return Ok(true) };
        let (mut at, mut is_complete) = (pos, false);
        while !is_complete {
            let exchange = &mut cx.exchanges[key];
            let Some(coming) = &mut exchange.coming else { return Ok(true) };
            let input = &cx.inbox.input[at..];
            let piece = coming.receive(input)?;
            is_complete = coming.is_complete();
            let data = &input[piece.data];
            if data.len() > most.saturating_sub(exchange.body.len()) {
                return Err(Refusal::BodyTooLarge);
            }
            let before = exchange.body.capacity();
            exchange.body.try_reserve(data.len()).map_err(|_| Refusal::NoMemory)?;
            exchange.body.extend_from_slice(data);
            let after = exchange.body.capacity();
            cx.memory.change(before, after);
            if after > before && cx.is_memory_full(0) {
                return Err(Refusal::NoMemory);
            }
            at += piece.consumed;
            cx.consume(piece.consumed);
            if piece.consumed == 0 {
                break;
            }
        }
        Ok(is_complete)
    }

    /// Tells the caller of a plain request, by an id that no other one has had.
    fn tell_request(&mut self, cx: &mut Context, key: PoolKey) -> Step {
        let exchange = &mut cx.exchanges[key];
        let requests = exchange.requests.saturating_add(1);
        let Some(id) = cx.id.later(requests) else {
            return self.turn_away(cx, Refusal::Full);
        };
        (exchange.requests, exchange.generation) = (requests, Some(id.generation()));
        (exchange.coming, exchange.began) = (None, None);
        self.phase = Phase::Opening;
        self.tag = 0;
        cx.pending.opening = Some(cx.id);
        cx.stats.requests += 1;
        Step::Event(Event::Requested(id))
    }

    /// Keeps the request that was received last until it is decided on.
    pub(super) fn keep_request(
        &mut self,
        cx: &mut Context,
        key: PoolKey,
    ) -> Result<(), OutOfMemory> {
        if cx.exchanges[key].request.is_none() {
            let request = cx.inbox.request.keep()?;
            cx.memory.change(0, request.held());
            cx.exchanges[key].request = Some(request);
        }
        Ok(())
    }

    /// The place for the connection's requests, which it has already or takes.
    pub(super) fn take_exchange(&mut self, cx: &mut Context) -> Result<PoolKey, OutOfMemory> {
        cx.exchanges.reserve()?;
        Ok(*self.exchange.get_or_insert_with(|| cx.exchanges.take()))
    }
}

/// Judges the request that was received.
fn judge(cx: &mut Context) -> Result<Asked, Refusal> {
    let request = &cx.inbox.request;
    let plain = match cx.config.plain_requests {
        PlainRequests::Refused => None,
        PlainRequests::Told | PlainRequests::ToldWithBody(_) => request.judge_plain()?,
    };
    if let Some(plain) = plain {
        match (cx.config.plain_requests, plain.body) {
            (PlainRequests::ToldWithBody(most), BodyLength::Known(len)) if len > most as u64 => {
                return Err(Refusal::BodyTooLarge);
            }
            (PlainRequests::ToldWithBody(_), _) => {}
            _ => request.judge_page()?,
        }
        return Ok(Asked::Plain(plain));
    }
    request.judge()?;
    if cx.config.upgrades == Upgrades::Refused {
        return Err(Refusal::UpgradeRequired);
    }
    cx.is_full().map_or(Ok(Asked::Upgrade), Err)
}
