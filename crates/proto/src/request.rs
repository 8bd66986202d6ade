//! The client's opening handshake (RFC 6455 4.2.1, CONTRACT S2).

use std::collections::TryReserveError;
use std::mem::MaybeUninit;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::memchr_iter;

use crate::deflate::Deflate;
use crate::fields::{has_token, is_host, is_token, tokens};
use crate::response::Refusal;

/// The longest head of a request, in bytes, its empty line included.
pub const MAX_HEAD: usize = 16384;
/// The most header lines that a request may have.
pub const MAX_HEADERS: usize = 128;
/// The most empty lines that a request may have before it (RFC 9112 2.2).
const MAX_EMPTY_LINES: usize = 8;
/// How a client begins that speaks TLS: the type of a record, and the first byte of its version
/// (RFC 8446 5.1). No method has such bytes.
const TLS_HANDSHAKE: [u8; 2] = [0x16, 0x03];

/// A request to a server: for an upgrade, unless plain ones are wanted too. One value is reused for all
/// requests: it has the memory for any from the start, and takes none later.
#[derive(Debug)]
pub struct Request {
    head: Vec<u8>,
    method: Part,
    target: Part,
    headers: Vec<Line>,
    /// The request is of HTTP/1.1.
    is_current: bool,
}

/// Where a part of the head is. No head is too long for it.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    start: u16,
    end: u16,
}

/// Where a header line is.
#[derive(Clone, Copy, Debug)]
struct Line {
    name: Part,
    value: Part,
}

const _: () = assert!(MAX_HEAD <= u16::MAX as usize);

impl Request {
    /// An empty request, to receive into.
    pub fn new() -> Result<Self, TryReserveError> {
        let (mut head, mut headers) = (Vec::new(), Vec::new());
        head.try_reserve_exact(MAX_HEAD)?;
        headers.try_reserve_exact(MAX_HEADERS)?;
        let (method, target) = (Part::default(), Part::default());
        Ok(Self { head, method, target, headers, is_current: false })
    }

    /// A copy that has no more memory than it needs, for a request that is answered later.
    pub fn keep(&self) -> Result<Self, TryReserveError> {
        let (mut head, mut headers) = (Vec::new(), Vec::new());
        head.try_reserve_exact(self.head.len())?;
        head.extend_from_slice(&self.head);
        headers.try_reserve_exact(self.headers.len())?;
        headers.extend_from_slice(&self.headers);
        Ok(Self { head, headers, ..*self })
    }

    /// How much memory the request has, in bytes.
    pub fn held(&self) -> usize {
        self.head.capacity() + self.headers.capacity() * size_of::<Line>()
    }

    /// Takes a request's head from the start of `input`, of which the first `seen` bytes were there
    /// at the last call. Returns the head's length in bytes, that of empty lines before it included, or
    /// `Ok(None)` while it is not whole.
    ///
    /// A head that is whole may be refused later, by [`Request::judge`] or [`Request::judge_plain`]: each
    /// request that was received is to be judged by one of them.
    pub fn receive(&mut self, input: &[u8], seen: usize) -> Result<Option<usize>, Refusal> {
        if seen == 0
            && let Some(len) = self.parse_at_once(input)
        {
            return Ok(Some(len));
        }
        let start = skip_empty_lines(input)?;
        let Some(end) = find_end(input, start.max(seen))? else { return Ok(None) };
        self.parse(&input[start..end])?;
        Ok(Some(end))
    }

    /// Reads the head at the start of `input` where that is whole and good, as most are. Returns its length; `None` says
    /// nothing.
    fn parse_at_once(&mut self, input: &[u8]) -> Option<usize> {
        let mut lines = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let mut parsed = httparse::Request::new(&mut []);
        let window = &input[..input.len().min(MAX_HEAD)];
        let status = parsed.parse_with_uninit_headers(window, &mut lines);
        let Ok(httparse::Status::Complete(len)) = status else { return None };
        let head = &input[..len];
        if matches!(head.first(), None | Some(b'\r' | b'\n')) || has_lone_line_feed(head) {
            return None;
        }
        self.note(&parsed, head).ok()?;
        Some(len)
    }

    /// Reads a head that is whole.
    fn parse(&mut self, head: &[u8]) -> Result<(), Refusal> {
        self.headers.clear();
        (self.method, self.target) = (Part::default(), Part::default());
        let mut lines = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let mut parsed = httparse::Request::new(&mut []);
        match parsed.parse_with_uninit_headers(head, &mut lines) {
            Ok(httparse::Status::Complete(len)) if len == head.len() => {}
            Err(httparse::Error::TooManyHeaders) => return Err(Refusal::HeadTooLarge),
            _ => return Err(Refusal::Malformed("this is no HTTP request")),
        }
        self.note(&parsed, head).map_err(|_| Refusal::NoMemory)
    }

    /// Keeps this head, and notes where its parts are.
    #[inline(always)]
    fn note(
        &mut self,
        parsed: &httparse::Request<'_, '_>,
        head: &[u8],
    ) -> Result<(), TryReserveError> {
        self.head.clear();
        self.head.try_reserve(head.len())?;
        self.head.extend_from_slice(head);
        let head_start = head.as_ptr().addr();
        let part = |part: &[u8]| {
            let start = part.as_ptr().addr() - head_start;
            Part { start: start as u16, end: (start + part.len()) as u16 }
        };
        self.method = part(parsed.method.unwrap_or_default().as_bytes());
        self.target = part(parsed.path.unwrap_or_default().as_bytes());
        self.is_current = parsed.version == Some(1);
        self.headers.clear();
        self.headers.try_reserve(parsed.headers.len())?;
        let lines = parsed.headers.iter();
        self.headers.extend(
            lines.map(|line| Line { name: part(line.name.as_bytes()), value: part(line.value) }),
        );
        Ok(())
    }

    /// Whether this is a valid request for an upgrade to WebSocket version 13.
    pub fn judge(&self) -> Result<(), Refusal> {
        if self.method() != b"GET" {
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
            Ok(Some(host)) if is_host(host) => {}
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
    pub(crate) fn judge_target(&self) -> Result<(), Refusal> {
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

    /// The request's method as sent, such as `GET`.
    pub fn method(&self) -> &[u8] {
        self.part(self.method)
    }

    /// The request's target as sent, such as `/path?query`.
    pub fn target(&self) -> &[u8] {
        self.part(self.target)
    }

    /// Whether the request is of HTTP/1.1, and not of HTTP/1.0.
    pub fn is_current(&self) -> bool {
        self.is_current
    }

    /// The names and values of the request's header lines, in their order; as sent, without the white space
    /// around them.
    pub fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        self.headers.iter().map(|line| (self.part(line.name), self.part(line.value)))
    }

    fn part(&self, part: Part) -> &[u8] {
        &self.head[usize::from(part.start)..usize::from(part.end)]
    }

    /// The values of the request's header with this name, in any case, in the order of their lines; as sent,
    /// without the white space around them.
    pub fn header<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> + Clone {
        let lines = self.headers();
        lines
            .filter(move |(found, _)| found.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
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
        let names = self.header("sec-websocket-protocol").flat_map(tokens);
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
        self.header(name).any(|list| has_token(list, token.as_bytes()))
    }
}

/// Where the request begins that may have empty lines before it.
fn skip_empty_lines(input: &[u8]) -> Result<usize, Refusal> {
    let lines = input.chunks_exact(2).take(MAX_EMPTY_LINES + 1);
    match lines.take_while(|line| line == b"\r\n").count() {
        count @ ..=MAX_EMPTY_LINES => Ok(2 * count),
        _ => Err(Refusal::Malformed("too many empty lines before the request")),
    }
}

/// Whether a line of the head ends without CR.
fn has_lone_line_feed(head: &[u8]) -> bool {
    let pairs = head.iter().zip(&head[1..]);
    // All of them are looked at, which the compiler does for many at a time.
    pairs.fold(0, |found, (before, byte)| found | u8::from(*byte == b'\n' && *before != b'\r')) != 0
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
