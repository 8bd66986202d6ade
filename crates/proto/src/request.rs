//! The client's opening handshake (RFC 6455 4.2.1, CONTRACT S2).

use std::collections::TryReserveError;
use std::mem::MaybeUninit;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::memchr_iter;

use crate::deflate::Deflate;
use crate::response::Refusal;

/// The longest head of a request, in bytes, its empty line included.
pub const MAX_HEAD: usize = 16384;
/// The most header lines that a request may have.
pub const MAX_HEADERS: usize = 128;
/// How a client begins that speaks TLS: the type of a record, and the first byte of its version
/// (RFC 8446 5.1). No method has such bytes.
const TLS_HANDSHAKE: [u8; 2] = [0x16, 0x03];

/// A request to a server: for an upgrade, unless plain ones are wanted too. One value is reused for all
/// requests: it has the memory for any from the start, and takes none later.
#[derive(Debug)]
pub struct Request {
    head: Vec<u8>,
    target: Range<usize>,
    headers: Vec<(Range<usize>, Range<usize>)>,
    method: Method,
    /// The request is of HTTP/1.1.
    is_current: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Get,
    Head,
    Other,
}

/// How a plain request is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plain {
    /// The request asks for the head of the answer alone (RFC 9110 9.3.2).
    pub is_head: bool,
    /// Another request may follow on the connection (RFC 9112 9.3).
    pub keeps_alive: bool,
}

impl Request {
    /// An empty request, to receive into.
    pub fn new() -> Result<Self, TryReserveError> {
        let (mut head, mut headers) = (Vec::new(), Vec::new());
        head.try_reserve_exact(MAX_HEAD)?;
        headers.try_reserve_exact(MAX_HEADERS)?;
        Ok(Self { head, target: 0..0, headers, method: Method::Other, is_current: false })
    }

    /// Takes a request's head from the start of `input`, of which the first `seen` bytes were there
    /// at the last call. Returns the head's length in bytes, or `Ok(None)` while it is not whole.
    ///
    /// A head that is whole may be refused later, by [`Request::judge`] or [`Request::judge_plain`]: each
    /// request that was received is to be judged by one of them.
    pub fn receive(&mut self, input: &[u8], seen: usize) -> Result<Option<usize>, Refusal> {
        let Some(len) = find_end(input, seen)? else { return Ok(None) };
        self.parse(&input[..len])?;
        Ok(Some(len))
    }

    /// Reads a head that is whole.
    fn parse(&mut self, head: &[u8]) -> Result<(), Refusal> {
        self.head.clear();
        self.head.extend_from_slice(head);
        self.headers.clear();
        let mut lines = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let mut parsed = httparse::Request::new(&mut []);
        match parsed.parse_with_uninit_headers(&self.head, &mut lines) {
            Ok(httparse::Status::Complete(len)) if len == self.head.len() => {}
            Err(httparse::Error::TooManyHeaders) => return Err(Refusal::HeadTooLarge),
            _ => return Err(Refusal::Malformed("this is no HTTP request")),
        }
        let start = self.head.as_ptr().addr();
        let range = |part: &[u8]| {
            let offset = part.as_ptr().addr() - start;
            offset..offset + part.len()
        };
        self.target = range(parsed.path.unwrap_or_default().as_bytes());
        let lines = parsed.headers.iter();
        self.headers.extend(lines.map(|line| (range(line.name.as_bytes()), range(line.value))));
        self.is_current = parsed.version == Some(1);
        self.method = match parsed.method {
            Some("GET") => Method::Get,
            Some("HEAD") => Method::Head,
            _ => Method::Other,
        };
        Ok(())
    }

    /// Whether this is a valid plain request, with GET or HEAD; `None` where it asks for an upgrade to
    /// WebSocket, of which [`Request::judge`] is the judge.
    pub fn judge_plain(&self) -> Result<Option<Plain>, Refusal> {
        if self.has_token("upgrade", "websocket") {
            return Ok(None);
        }
        if self.method == Method::Other {
            return Err(Refusal::PageMethod);
        }
        self.judge_target()?;
        // RFC 9112 3.2, 6.1, 6.3.
        let has_host = matches!(self.single("host"), Ok(Some(_)));
        if self.is_current && !has_host || self.single("host").is_err() {
            return Err(Refusal::Malformed("there must be one Host header"));
        }
        let has_coding = self.header("transfer-encoding").next().is_some();
        let length = match self.single("content-length") {
            Ok(Some(_)) if has_coding => Err(()),
            Ok(Some(digits)) if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => {
                Ok(digits)
            }
            Ok(None) => Ok(&b"0"[..]),
            _ => Err(()),
        };
        let Ok(length) = length else {
            return Err(Refusal::Malformed("the length of the body is not clear"));
        };
        // A body is never read: nothing can follow it.
        let has_body = has_coding || length.iter().any(|digit| *digit != b'0');
        let keeps_alive = self.is_current && !has_body && !self.has_token("connection", "close");
        Ok(Some(Plain { is_head: self.method == Method::Head, keeps_alive }))
    }

    /// Whether this is a valid request for an upgrade to WebSocket version 13.
    pub fn judge(&self) -> Result<(), Refusal> {
        if self.method != Method::Get {
            return Err(Refusal::MethodNotAllowed);
        }
        self.judge_target()?;
        self.judge_body()?;
        if !self.is_current || !self.has_token("upgrade", "websocket") {
            return Err(Refusal::UpgradeRequired);
        }
        if !self.has_token("connection", "upgrade") {
            return Err(Refusal::UpgradeRequired);
        }
        match self.single("host") {
            Ok(Some(host)) if !host.is_empty() => {}
            _ => return Err(Refusal::Malformed("there must be one Host header")),
        }
        match self.single("sec-websocket-version") {
            Ok(Some(b"13")) => {}
            Ok(_) => return Err(Refusal::UpgradeRequired),
            Err(()) => return Err(Refusal::Malformed("more than one Sec-WebSocket-Version")),
        }
        let key = self.single("sec-websocket-key").ok().flatten();
        // RFC 6455 4.2.1: base64 that decodes to 16 bytes.
        let mut nonce = [0; 18];
        match key.map(|key| STANDARD.decode_slice(key, &mut nonce)) {
            Some(Ok(16)) => Ok(()),
            _ => Err(Refusal::Malformed("there must be one Sec-WebSocket-Key of 16 bytes")),
        }
    }

    /// Whether the target is a path (RFC 9112 3.2): the origin form, or the absolute form that proxies send.
    fn judge_target(&self) -> Result<(), Refusal> {
        let target = self.target();
        let absolute = [&b"http://"[..], b"https://", b"ws://", b"wss://"].into_iter();
        let is_absolute = |scheme: &[u8]| {
            target.len() > scheme.len() && target[..scheme.len()].eq_ignore_ascii_case(scheme)
        };
        if target.starts_with(b"/") || absolute.into_iter().any(is_absolute) {
            return Ok(());
        }
        Err(Refusal::Malformed("the target is no path"))
    }

    /// Whether the request for an upgrade has no body: one that announces it may be smuggling another
    /// request.
    fn judge_body(&self) -> Result<(), Refusal> {
        let has_length = self.header("content-length").any(|length| length != b"0");
        if has_length || self.header("transfer-encoding").next().is_some() {
            return Err(Refusal::Malformed("an upgrade has no body"));
        }
        Ok(())
    }

    /// The request's target as sent, such as `/path?query`.
    pub fn target(&self) -> &[u8] {
        &self.head[self.target.clone()]
    }

    /// The values of the request's header with this name, in any case, in the order of their lines; as sent,
    /// without the white space around them.
    pub fn header<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> + Clone {
        let lines = self.headers.iter();
        lines
            .filter(move |(found, _)| {
                self.head[found.clone()].eq_ignore_ascii_case(name.as_bytes())
            })
            .map(|(_, value)| &self.head[value.clone()])
    }

    /// Appends the values of a header of the request to `out`, with `separator` between them.
    pub fn join_header(
        &self,
        name: &str,
        separator: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), TryReserveError> {
        out.try_reserve(self.header(name).map(|value| value.len() + separator.len()).sum())?;
        for (i, value) in self.header(name).enumerate() {
            if i > 0 {
                out.extend_from_slice(separator);
            }
            out.extend_from_slice(value);
        }
        Ok(())
    }

    /// The value of the request's Sec-WebSocket-Key; empty where there is none.
    pub fn key(&self) -> &[u8] {
        self.header("sec-websocket-key").next().unwrap_or_default()
    }

    /// The sub-protocols that the client offers, in its order (RFC 6455 4.1). What is no token is passed
    /// over (ADVISORIES T25, T27, T28).
    pub fn protocols(&self) -> impl Iterator<Item = &[u8]> + Clone {
        let lists = self.header("sec-websocket-protocol");
        let names = lists.flat_map(|list| list.split(|&byte| byte == b',')).map(<[u8]>::trim_ascii);
        names.filter(|name| is_token(name))
    }

    /// What is agreed by the first of the client's offers to compress that can be accepted (RFC 7692 7.1).
    pub fn deflate(&self) -> Option<Deflate> {
        Deflate::negotiate(self.header("sec-websocket-extensions"))
    }

    /// The host that the request names, without its port (RFC 9110 4.2.3).
    pub fn host(&self) -> &[u8] {
        let host = self.header("host").next().unwrap_or_default();
        match host.iter().rposition(|&byte| byte == b':') {
            // The colons of an IPv6 address stand in brackets.
            Some(colon) if !host[colon..].contains(&b']') => &host[..colon],
            _ => host,
        }
    }

    /// The value of a header that may stand there once; `Err` where it stands there more often.
    fn single(&self, name: &'static str) -> Result<Option<&[u8]>, ()> {
        let mut values = self.header(name);
        let first = values.next();
        if values.next().is_some() { Err(()) } else { Ok(first) }
    }

    /// Whether a header that is a list of tokens, over any number of lines, has this one.
    fn has_token(&self, name: &str, token: &str) -> bool {
        let mut tokens = self.header(name).flat_map(|list| list.split(|&byte| byte == b','));
        tokens.any(|found| found.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
    }
}

/// Whether `name` is a token (RFC 9110 5.6.2), as the name of a sub-protocol must be.
pub fn is_token(name: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !name.is_empty() && name.iter().all(is_part)
}

/// The length of the head at the start of `input`, of which the first `seen` bytes were looked at
/// before. Every byte is looked at once, whatever pieces it comes in (ADVISORIES T23).
fn find_end(input: &[u8], seen: usize) -> Result<Option<usize>, Refusal> {
    if input.starts_with(&TLS_HANDSHAKE) {
        return Err(Refusal::Tls);
    }
    let window = &input[..input.len().min(MAX_HEAD)];
    let from = seen.min(window.len());
    for line_end in memchr_iter(b'\n', &window[from..]).map(|at| from + at) {
        let line = &window[..line_end];
        if !line.ends_with(b"\r") {
            return Err(Refusal::Malformed("a line ends without CR"));
        }
        if line.ends_with(b"\r\n\r") {
            return Ok(Some(line_end + 1));
        }
    }
    if input.len() > MAX_HEAD { Err(Refusal::HeadTooLarge) } else { Ok(None) }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
