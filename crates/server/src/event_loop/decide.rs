//! What becomes of a request once the program has decided: an answer, and a line in the access log.

use std::ffi::CStr;

use dorrit_engine::{ConnId, Engine, Response, ResponseBody};
use dorrit_proto::{Content, Plain, Refusal, Request};

use super::answer::{Answer, Decision, Writer, Written};
use super::current::Loop;
use super::requests::{Requests, find_address};
use crate::forwarded::Forwarded;
use crate::log::{self, AccessLog, Entry, Level};
use crate::pages::{Page, PageContent};

/// How a request was answered, for the access log.
struct Answered<'a> {
    status: u16,
    /// How many bytes the body of the answer has.
    bytes: u64,
    /// The client's address, where it is at hand.
    address: Option<&'a CStr>,
}

impl Answered<'_> {
    /// An answer with a line of the library's.
    fn of(refusal: Refusal) -> Self {
        let bytes = refusal.reason().len() as u64 + 1;
        Self { status: refusal.status(), bytes, address: None }
    }
}

/// What is answered where there is no memory for a request, or for its answer.
pub(crate) const SHORTAGE: Refusal = Refusal::Status(503);

/// What answers are given with: the loop, but for what was said of them.
pub(crate) struct Answering<'a> {
    engine: &'a mut Engine,
    writer: &'a mut Writer,
    access: &'a mut Option<AccessLog>,
    forwarded: Option<Forwarded>,
}

impl Loop {
    /// What was said of answers, and what these are given with.
    pub(crate) fn answering(&mut self) -> (&mut Requests, Answering<'_>) {
        let Self { engine, requests, writer, access, server, .. } = self;
        (requests, Answering { engine, writer, access, forwarded: server.forwarded })
    }

    /// Accepts a connection. Returns whether it is one now.
    pub(crate) fn accept(&mut self, id: ConnId, mut answer: Answer) -> bool {
        let (requests, mut answering) = self.answering();
        let address = answer.address.as_deref();
        answering.note_access(id, &Answered { status: 101, bytes: 0, address });
        let Answering { engine, forwarded, .. } = answering;
        if forwarded.is_some() && answer.address.is_none() {
            // The request, which says it, is gone then.
            answer.address = find_address(engine, forwarded, id);
        }
        let protocol = answer.protocol.take();
        let name = protocol.as_deref().map(CStr::to_bytes);
        let is_accepted = engine.accept(id, name, answer.headers());
        if is_accepted {
            requests.open(id, protocol, answer.address.take());
            if answer.is_paused {
                engine.pause(id);
            }
        }
        is_accepted
    }

    /// Answers a request on which the decision was put off. The strings that the program was given of it live until its
    /// close callback has returned.
    pub(crate) fn respond_late(&mut self, id: ConnId, status: u16, mut answer: Answer) {
        let (requests, mut answering) = self.answering();
        answer.plain = answering.engine.plain(id);
        answering.respond(id, status, &answer);
        requests.open(id, None, answer.address.take());
    }

    /// Does what was decided while the callback was running that has put the decision off; or keeps what was said for
    /// the one who decides later.
    pub(crate) fn settle_deferred(&mut self, id: ConnId, answer: Answer) {
        match answer.decision {
            Some(Decision::Accept) => {
                self.accept(id, answer);
            }
            Some(Decision::Respond(status)) => {
                self.respond_late(id, status, answer);
            }
            None => self.requests.put_off(id, answer),
        }
    }

    /// Answers a request with a line of the library's, and ends its connection.
    pub(crate) fn refuse(&mut self, id: ConnId, refusal: Refusal) {
        self.answering().1.refuse(id, refusal);
    }
}

impl Answering<'_> {
    /// Answers a request with a status, and with what was said of the answer.
    pub(crate) fn respond(&mut self, id: ConnId, status: u16, answer: &Answer) {
        if answer.lacks_challenge(status) {
            log_missing_challenge();
        }
        let plain = answer.plain;
        if plain.is_none() && answer.is_bare() {
            let refusal = if status == 403 { Refusal::Forbidden } else { Refusal::Status(status) };
            return self.refuse(id, refusal);
        }
        let Some(head) = self.writer.write(answer, status, self.engine.date()) else {
            return self.refuse(id, SHORTAGE);
        };
        let body = answer.sent_body(status);
        let (bytes, address) = (body.len() as u64, answer.address.as_deref());
        self.note_access(id, &Answered { status, bytes, address });
        self.give(id, head, ResponseBody::Bytes(body), plain);
    }

    /// Gives a request its answer: the head that was written, and what follows it.
    fn give(&mut self, id: ConnId, head: Written, body: ResponseBody<'_>, plain: Option<Plain>) {
        let keeps_alive = plain.is_some_and(|plain| plain.keeps_alive);
        let head = self.writer.bytes(head);
        self.engine.respond(id, Response { head, body, keeps_alive });
    }

    /// Takes back that the decision on a request was put off.
    pub(crate) fn undefer(&mut self, id: ConnId) {
        self.engine.undefer(id);
    }

    /// Answers a request with a page.
    pub(crate) fn respond_with_page(&mut self, id: ConnId, page: Page) {
        let Page { status, headers, content } = page;
        let plain = self.engine.plain(id);
        let (len, body) = match content {
            None => (None, ResponseBody::Bytes(b"")),
            Some(PageContent::Text(text)) => {
                (Some(text.len() as u64), ResponseBody::Bytes(text.as_bytes()))
            }
            Some(PageContent::File(file, len)) => (Some(len), ResponseBody::File(file, len)),
        };
        let is_head = plain.is_some_and(|plain| plain.is_head);
        let body = if is_head { ResponseBody::Bytes(b"") } else { body };
        let bytes = if is_head { 0 } else { len.unwrap_or(0) };
        let content = len.map_or(Content::None, Content::Length);
        let headers = [headers.as_bytes(), b""];
        let date = self.engine.date();
        let Some(head) = self.writer.write_head(status, headers, content, plain, date) else {
            return self.refuse(id, SHORTAGE);
        };
        self.note_access(id, &Answered { status, bytes, address: None });
        self.give(id, head, body, plain);
    }

    /// Answers a request with a line of the library's, and ends its connection.
    pub(crate) fn refuse(&mut self, id: ConnId, refusal: Refusal) {
        self.note_access(id, &Answered::of(refusal));
        self.engine.refuse(id, refusal);
    }

    /// Notes a request and its answer in the access log, where there is one: to be called before the answer is given. One
    /// that the end of its connection has decided is not noted.
    fn note_access(&mut self, id: ConnId, answer: &Answered<'_>) {
        let Some(access) = self.access else { return };
        if let Some(request) = self.engine.request(id) {
            note(access, self.engine, self.forwarded, id, Some(request), answer);
        }
    }

    /// Notes a request in the access log, where there is one, that the engine has refused.
    pub(crate) fn note_refused(&mut self, id: ConnId, refusal: Refusal) {
        let Some(access) = self.access else { return };
        let request = self.engine.refused_request(id);
        note(access, self.engine, self.forwarded, id, request, &Answered::of(refusal));
    }
}

fn note(
    access: &mut AccessLog,
    engine: &Engine,
    forwarded: Option<Forwarded>,
    id: ConnId,
    request: Option<&Request>,
    answer: &Answered<'_>,
) {
    let found = match answer.address {
        Some(_) => None,
        None => find_address(engine, forwarded, id),
    };
    let address = answer.address.or(found.as_deref());
    let address = address.and_then(|address| address.to_str().ok());
    access.write(&Entry { address, request, status: answer.status, bytes: answer.bytes });
}

/// Says, once, that a 401 names no way to authenticate.
fn log_missing_challenge() {
    use std::sync::atomic::{AtomicBool, Ordering};
    static IS_TOLD: AtomicBool = AtomicBool::new(false);
    if !IS_TOLD.swap(true, Ordering::Relaxed) {
        let why = "a client is answered 401 without WWW-Authenticate: set it by ws_set_header";
        log::limited(Level::Warning, format_args!("{why}"));
    }
}
