//! How a plain request is read: its body, and what may follow it (RFC 9110, RFC 9112).

use crate::fields::{has_token, is_host, tokens};
use crate::request::Request;
use crate::response::Refusal;

/// How a plain request is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plain {
    /// The request asks for the head of the answer alone (RFC 9110 9.3.2).
    pub is_head: bool,
    /// Another request may follow on the connection, behind the body (RFC 9112 9.3).
    pub keeps_alive: bool,
    /// The request is of HTTP/1.1. Another one is told in words that the connection stays.
    pub is_current: bool,
    /// What follows the head.
    pub body: BodyLength,
    /// The client waits with the body for `100 Continue` (RFC 9110 10.1.1). Without a body it does not.
    pub expects_continue: bool,
}

/// How long the body of a request is (RFC 9112 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// There is no body.
    None,
    /// The body has so many bytes, and at least one.
    Known(u64),
    /// The body comes in chunks, which tell where it ends.
    Chunked,
}

impl Plain {
    /// The request for one who does not read its body: behind a body that stays unread nothing can follow.
    pub fn without_body(self) -> Self {
        Self { keeps_alive: self.keeps_alive && self.body == BodyLength::None, ..self }
    }
}

impl Request {
    /// Whether this is a valid plain request, with any method; `None` where it asks for an upgrade to
    /// WebSocket, of which [`Request::judge`] is the judge.
    pub fn judge_plain(&self) -> Result<Option<Plain>, Refusal> {
        let fields = Fields::of(self);
        if fields.is_upgrade {
            return Ok(None);
        }
        match (self.method(), self.target()) {
            (b"CONNECT", _) => return Err(Refusal::NoTunnel),
            (b"OPTIONS", b"*") => {}
            _ => self.judge_target()?,
        }
        fields.judge_host(self.is_current())?;
        let body = fields.body(self.is_current())?;
        if fields.expects_other {
            return Err(Refusal::ExpectationFailed);
        }
        Ok(Some(Plain {
            is_head: self.method() == b"HEAD",
            keeps_alive: (self.is_current() || fields.keeps_alive) && !fields.closes,
            is_current: self.is_current(),
            body,
            expects_continue: fields.expects_continue
                && self.is_current()
                && body != BodyLength::None,
        }))
    }

    /// Whether the plain request asks for a page: its method is GET or HEAD.
    pub fn judge_page(&self) -> Result<(), Refusal> {
        match self.method() {
            b"GET" | b"HEAD" => Ok(()),
            _ => Err(Refusal::PageMethod),
        }
    }
}

/// What the header lines of a plain request say of it, read in one pass.
#[derive(Default)]
struct Fields<'a> {
    host: Lines<'a>,
    length: Lines<'a>,
    codings: Codings,
    is_upgrade: bool,
    closes: bool,
    keeps_alive: bool,
    expects_continue: bool,
    /// Something else is expected than 100-continue.
    expects_other: bool,
}

/// The lines of a header that may stand there once.
#[derive(Clone, Copy, Default)]
enum Lines<'a> {
    #[default]
    None,
    One(&'a [u8]),
    Many,
}

/// What the lines of Transfer-Encoding say, in their order.
#[derive(Clone, Copy, Default)]
enum Codings {
    /// There is no such line.
    #[default]
    None,
    /// The one coding is chunked.
    Chunked,
    /// There are other codings, and none of them is chunked.
    Others,
    /// There are other codings, and chunked behind them.
    OthersInChunks,
    /// Chunked is not the last, or stands there twice, or a member of the list is empty.
    Unclear,
}

impl<'a> Fields<'a> {
    fn of(request: &'a Request) -> Self {
        let mut fields = Self::default();
        for (name, value) in request.headers() {
            let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
            match name.len() {
                4 if is(b"host") => fields.host.add(value),
                14 if is(b"content-length") => fields.length.add(value),
                17 if is(b"transfer-encoding") => fields.codings.add(value),
                7 if is(b"upgrade") => fields.is_upgrade |= has_token(value, b"websocket"),
                10 if is(b"connection") => {
                    fields.closes |= has_token(value, b"close");
                    fields.keeps_alive |= has_token(value, b"keep-alive");
                }
                6 if is(b"expect") => {
                    for token in tokens(value).filter(|token| !token.is_empty()) {
                        let is_known = token.eq_ignore_ascii_case(b"100-continue");
                        fields.expects_continue |= is_known;
                        fields.expects_other |= !is_known;
                    }
                }
                _ => {}
            }
        }
        fields
    }

    /// Whether there is one Host, as there must be (RFC 9112 3.2).
    fn judge_host(&self, is_current: bool) -> Result<(), Refusal> {
        match self.host {
            Lines::None if !is_current => Ok(()),
            Lines::One(host) if host.is_empty() || is_host(host) => Ok(()),
            _ => Err(Refusal::Malformed("there must be one Host header")),
        }
    }

    /// How long the body is (RFC 9112 6.1, 6.3). A request that two servers may read in two ways has no
    /// length (ADVISORIES T32).
    fn body(&self, is_current: bool) -> Result<BodyLength, Refusal> {
        let unclear = Refusal::Malformed("the length of the body is not clear");
        match (self.codings, self.length) {
            (Codings::None, Lines::None) => Ok(BodyLength::None),
            (Codings::None, Lines::One(digits)) => match number(digits).ok_or(unclear)? {
                Some(0) => Ok(BodyLength::None),
                Some(len) => Ok(BodyLength::Known(len)),
                None => Err(Refusal::BodyTooLarge),
            },
            (Codings::Chunked, Lines::None) if is_current => Ok(BodyLength::Chunked),
            (Codings::OthersInChunks, Lines::None) if is_current => Err(Refusal::UnknownCoding),
            _ => Err(unclear),
        }
    }
}

impl<'a> Lines<'a> {
    fn add(&mut self, value: &'a [u8]) {
        *self = if matches!(self, Self::None) { Self::One(value) } else { Self::Many };
    }
}

impl Codings {
    /// Adds a line, which goes on with the list of those before it.
    fn add(&mut self, value: &[u8]) {
        for coding in tokens(value) {
            let is_chunked = coding.eq_ignore_ascii_case(b"chunked");
            *self = match *self {
                _ if coding.is_empty() => Self::Unclear,
                Self::None if is_chunked => Self::Chunked,
                Self::Others if is_chunked => Self::OthersInChunks,
                Self::None | Self::Others => Self::Others,
                Self::Chunked | Self::OthersInChunks | Self::Unclear => Self::Unclear,
            };
        }
    }
}

/// The number that digits say: `None` where it is none, and none within where it is too large.
fn number(digits: &[u8]) -> Option<Option<u64>> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add = |number: u64, digit: &u8| number.checked_mul(10)?.checked_add((digit - b'0').into());
    Some(digits.iter().try_fold(0, add))
}

#[cfg(test)]
#[path = "plain_tests.rs"]
mod tests;
