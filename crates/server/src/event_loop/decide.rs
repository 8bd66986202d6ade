//! What becomes of a request once the program has decided: an answer, and a line in the access log.

use std::ffi::CStr;

use dorrit_engine::{ConnId, Response, ResponseBody};
use dorrit_proto::{Content, Refusal};

use super::answer::{Answer, Decision};
use super::current::Loop;
use super::requests::find_address;
use crate::log::{self, Entry, Level};
use crate::pages::{Page, PageContent};

/// How a request was answered, for the access log.
pub(crate) struct Answered<'a> {
    pub(crate) status: u16,
    /// How many bytes the body of the answer has.
    pub(crate) bytes: u64,
    /// The client's address, where it is at hand.
    pub(crate) address: Option<&'a CStr>,
}

impl Answered<'_> {
    /// An answer with a line of the library's.
    pub(crate) fn of(refusal: Refusal) -> Self {
        let bytes = refusal.reason().len() as u64 + 1;
        Self { status: refusal.status(), bytes, address: None }
    }
}

/// What is answered where there is no memory for an answer.
const SHORTAGE: Refusal = Refusal::Status(503);

impl Loop {
    /// Accepts a connection. Returns whether it is one now.
    pub(crate) fn accept(&mut self, id: ConnId, mut answer: Answer) -> bool {
        let address = answer.address.as_deref();
        self.note_access(id, &Answered { status: 101, bytes: 0, address });
        let Self { engine, requests, server, .. } = self;
        if server.forwarded.is_some() && answer.address.is_none() {
            // The request, which says it, is gone then.
            answer.address = find_address(engine, server.forwarded, id);
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

    /// Answers a request with a status, and with what was said of the answer.
    pub(crate) fn respond(&mut self, id: ConnId, status: u16, answer: &Answer) {
        if self.engine.request(id).is_none() {
            // It was decided already, by the end of its connection.
            return;
        }
        if answer.lacks_challenge(status) {
            log_missing_challenge();
        }
        let plain = self.engine.plain(id);
        if plain.is_none() && answer.is_bare() {
            return self.refuse(
                id,
                if status == 403 { Refusal::Forbidden } else { Refusal::Status(status) },
            );
        }
        let mut writer = std::mem::take(&mut self.writer);
        match writer.write(answer, status, plain, self.engine.date()) {
            Ok((head, body)) => {
                let (bytes, address) = (body.len() as u64, answer.address.as_deref());
                self.note_access(id, &Answered { status, bytes, address });
                let keeps_alive = plain.is_some_and(|plain| plain.keeps_alive);
                let body = ResponseBody::Bytes(body);
                self.engine.respond(id, Response { head, body, keeps_alive });
            }
            Err(_) => self.refuse(id, SHORTAGE),
        }
        self.writer = writer;
    }

    /// Answers a request like [`Loop::respond`] on which the decision was put off. The strings that the program was given
    /// of it live until its close callback has returned.
    pub(crate) fn respond_late(&mut self, id: ConnId, status: u16, mut answer: Answer) {
        self.respond(id, status, &answer);
        self.requests.open(id, None, answer.address.take());
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
        let mut writer = std::mem::take(&mut self.writer);
        let content = len.map_or(Content::None, Content::Length);
        match writer.write_head(status, headers.as_bytes(), content, plain, self.engine.date()) {
            Ok(head) => {
                self.note_access(id, &Answered { status, bytes, address: None });
                let keeps_alive = plain.is_some_and(|plain| plain.keeps_alive);
                self.engine.respond(id, Response { head, body, keeps_alive });
            }
            Err(_) => self.refuse(id, SHORTAGE),
        }
        self.writer = writer;
    }

    /// Answers a request with a line of the library's, and ends its connection.
    pub(crate) fn refuse(&mut self, id: ConnId, refusal: Refusal) {
        if self.engine.request(id).is_none() {
            return;
        }
        self.note_access(id, &Answered::of(refusal));
        self.engine.refuse(id, refusal);
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

    /// Notes a request and its answer in the access log, where there is one: to be called before the answer is given.
    pub(crate) fn note_access(&mut self, id: ConnId, answer: &Answered<'_>) {
        let Self { engine, server, access, .. } = self;
        let Some(access) = access else { return };
        let found = match answer.address {
            Some(_) => None,
            None => find_address(engine, server.forwarded, id),
        };
        let address = answer.address.or(found.as_deref());
        let address = address.and_then(|address| address.to_str().ok());
        let request = engine.request(id).or_else(|| engine.refused_request(id));
        access.write(&Entry { address, request, status: answer.status, bytes: answer.bytes });
    }
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
