//! What the program says of the answer to a request, and the answer that becomes of it.

use std::collections::TryReserveError;
use std::ffi::{CStr, CString, c_char};
use std::ptr;

use dorrit_proto::{
    AnswerHead, Connection, Content, Plain, is_header_value, is_reserved_header, is_token,
};

/// What the program has said of the answer to a request so far.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// What the request asks for, where it asks for no upgrade.
    pub(crate) plain: Option<Plain>,
    /// The sub-protocol that was chosen.
    pub(crate) protocol: Option<CString>,
    /// How an upgrade is refused, where `ws_open_callback` does not accept it.
    pub(crate) status: Option<u16>,
    /// The connection is paused from its acceptance on.
    pub(crate) is_paused: bool,
    /// The decision was put off.
    pub(crate) is_deferred: bool,
    /// What was decided before the callback has returned that has put it off.
    pub(crate) decision: Option<Decision>,
    /// The client's address, where it was asked for.
    pub(crate) address: Option<CString>,
    /// The header lines, each with its end.
    headers: Vec<u8>,
    body: Vec<u8>,
    /// There is a Content-Type among the headers.
    has_type: bool,
    /// There is a WWW-Authenticate among the headers.
    has_challenge: bool,
    /// The strings that the program was given; they live as long as this.
    strings: Vec<CString>,
}

/// What the program has decided on a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Accept,
    Respond(u16),
}

/// Why a header cannot be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoHeader;

impl Answer {
    /// Forgets all, but for some of the memory.
    pub(crate) fn clear(&mut self) {
        const KEPT: usize = 4096;
        let [headers, body] = [&mut self.headers, &mut self.body].map(|bytes| {
            bytes.clear();
            if bytes.capacity() <= KEPT { std::mem::take(bytes) } else { Vec::new() }
        });
        *self = Self { headers, body, ..Self::default() };
    }

    /// Chooses a sub-protocol. What was chosen before stays as long as this.
    pub(crate) fn choose(&mut self, name: &[u8]) -> Result<(), TryReserveError> {
        let name = string(name)?;
        self.strings.try_reserve(1)?;
        self.strings.extend(self.protocol.take());
        self.protocol = name;
        Ok(())
    }

    /// Keeps a string for the program; NULL where a byte of it is zero.
    pub(crate) fn keep(&mut self, bytes: &[u8]) -> Result<*const c_char, TryReserveError> {
        self.strings.try_reserve(1)?;
        let Some(string) = string(bytes)? else { return Ok(ptr::null()) };
        let start = string.as_ptr();
        self.strings.push(string);
        Ok(start)
    }

    /// Adds a header line, where it leaves the answer whole and is not the library's (RFC 9110 5).
    pub(crate) fn add_header(&mut self, name: &CStr, value: &CStr) -> Result<(), NoHeader> {
        let (name, value) = (name.to_bytes(), trim(value.to_bytes()));
        if !is_token(name) || is_reserved_header(name) || !is_header_value(value) {
            return Err(NoHeader);
        }
        let parts = [name, b": ", value, b"\r\n"];
        let len = parts.iter().map(|part| part.len()).sum();
        self.headers.try_reserve(len).map_err(|_| NoHeader)?;
        parts.into_iter().for_each(|part| self.headers.extend_from_slice(part));
        self.has_type |= name.eq_ignore_ascii_case(b"content-type");
        self.has_challenge |= name.eq_ignore_ascii_case(b"www-authenticate");
        Ok(())
    }

    /// Sets the body, in the place of what was set before.
    pub(crate) fn set_body(&mut self, bytes: &[u8]) -> Result<(), TryReserveError> {
        self.body.try_reserve_exact(bytes.len().saturating_sub(self.body.len()))?;
        self.body.clear();
        self.body.extend_from_slice(bytes);
        Ok(())
    }

    /// The header lines.
    pub(crate) fn headers(&self) -> &[u8] {
        &self.headers
    }

    /// What is sent of the body, in an answer with this status.
    pub(crate) fn sent_body(&self, status: u16) -> &[u8] {
        let is_head = self.plain.is_some_and(|plain| plain.is_head);
        if has_content(status) && !is_head { &self.body } else { &[] }
    }

    /// Whether there is nothing of the program's in it, but for a status.
    pub(crate) fn is_bare(&self) -> bool {
        self.headers.is_empty() && self.body.is_empty()
    }

    /// Whether it would ask for credentials, and does not say which (RFC 9110 15.5.2).
    pub(crate) fn lacks_challenge(&self, status: u16) -> bool {
        status == 401 && !self.has_challenge
    }
}

/// What answers are written with: memory that is used again.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    head: Vec<u8>,
}

/// A head that was written whole.
pub(crate) struct Written;

/// How much memory for heads is kept, in bytes.
const KEPT: usize = 1 << 16;

impl Writer {
    /// Writes the head of an answer; `None` where there is no memory.
    pub(crate) fn write(&mut self, answer: &Answer, status: u16, date: &str) -> Option<Written> {
        const TYPE: &[u8] = b"Content-Type: text/plain; charset=utf-8\r\n";
        let is_typed = answer.has_type || answer.body.is_empty() || !has_content(status);
        let headers = [if is_typed { b"" } else { TYPE }, &answer.headers];
        let content = match (status, answer.body.len() as u64) {
            (304, 0) => Content::None,
            (_, len) => Content::Length(len),
        };
        self.write_head(status, headers, content, answer.plain, date)
    }

    /// Writes the head of an answer, with these header lines; `None` where there is no memory. `plain` is what a request
    /// asks for that asks for no upgrade.
    pub(crate) fn write_head(
        &mut self,
        status: u16,
        headers: [&[u8]; 2],
        content: Content,
        plain: Option<Plain>,
        date: &str,
    ) -> Option<Written> {
        let head = &mut self.head;
        head.clear();
        if head.capacity() > KEPT {
            *head = Vec::new();
        }
        let connection = match plain {
            Some(Plain { keeps_alive: true, is_current: true, .. }) => Connection::KeepAlive,
            Some(Plain { keeps_alive: true, .. }) => Connection::SayKeepAlive,
            _ => Connection::Close,
        };
        AnswerHead { status, date, headers, content, connection }.encode(head).ok()?;
        Some(Written)
    }

    /// What was written last.
    pub(crate) fn bytes(&self, _: Written) -> &[u8] {
        &self.head
    }
}

/// Whether an answer with this status has a content (RFC 9110 15).
fn has_content(status: u16) -> bool {
    !matches!(status, 204 | 304)
}

/// A header's value without the white space around it (RFC 9110 5.5). Ends of lines are none.
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// These bytes as a string of C's; `None` where one of them is zero.
pub(super) fn string(bytes: &[u8]) -> Result<Option<CString>, TryReserveError> {
    let mut string = Vec::new();
    string.try_reserve_exact(bytes.len() + 1)?;
    string.extend_from_slice(bytes);
    string.push(0);
    Ok(CString::from_vec_with_nul(string).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Plain = Plain {
        is_head: false,
        keeps_alive: true,
        is_current: true,
        body: dorrit_proto::BodyLength::None,
        expects_continue: false,
    };

    fn written(answer: &mut Answer, status: u16, plain: Option<Plain>) -> String {
        let mut writer = Writer::default();
        answer.plain = plain;
        let head = writer.write(answer, status, "now").unwrap();
        let bytes = [writer.bytes(head), answer.sent_body(status)].concat();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains("\r\nDate: now\r\n"), "{text}");
        text.replace("Date: now\r\n", "")
    }

    /// RFC 9110 5: what would break the answer is refused, and so is what the library says itself.
    #[test]
    fn headers() {
        let mut answer = Answer::default();
        for (name, value) in [
            (c"", c"a"),
            (c"a b", c"a"),
            (c"a:", c"a"),
            (c"a", c"a\r\nb: c"),
            (c"a", c"a\nb"),
            (c"a", c"a\r\n"),
            (c"a", c"\n"),
            (c"a", c"\x01"),
            (c"Date", c"a"),
            (c"connection", c"close"),
            (c"sec-websocket-anything", c"a"),
        ] {
            assert_eq!(answer.add_header(name, value), Err(NoHeader), "{name:?} {value:?}");
        }
        assert!(answer.is_bare());
        answer.add_header(c"Set-Cookie", c" a=1\t").unwrap();
        answer.add_header(c"Set-Cookie", c"b=2").unwrap();
        answer.add_header(c"x", c"").unwrap();
        assert_eq!(answer.headers(), b"Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nx: \r\n");
    }

    /// Nothing of one answer is in the next one.
    #[test]
    fn forgotten() {
        let mut answer = Answer {
            plain: Some(PLAIN),
            status: Some(401),
            is_paused: true,
            is_deferred: true,
            decision: Some(Decision::Accept),
            address: Some(c"192.0.2.7".into()),
            ..Answer::default()
        };
        answer.choose(b"chat").unwrap();
        answer.keep(b"kept").unwrap();
        answer.add_header(c"Content-Type", c"a/b").unwrap();
        answer.add_header(c"WWW-Authenticate", c"Basic").unwrap();
        answer.set_body(b"hello").unwrap();
        answer.clear();
        assert_eq!(format!("{answer:?}"), format!("{:?}", Answer::default()));
    }

    #[test]
    fn answers() {
        let mut answer = Answer::default();
        assert_eq!(written(&mut answer, 204, Some(PLAIN)), "HTTP/1.1 204 No Content\r\n\r\n");
        assert_eq!(
            written(&mut answer, 200, Some(Plain { is_current: false, ..PLAIN })),
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"
        );
        answer.set_body(b"hello").unwrap();
        assert_eq!(
            written(&mut answer, 200, Some(PLAIN)),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n\r\nhello"
        );
        answer.add_header(c"content-type", c"a/b").unwrap();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: a/b\r\nContent-Length: 5\r\n\r\n";
        assert_eq!(written(&mut answer, 200, Some(Plain { is_head: true, ..PLAIN })), head);
        let refused = "HTTP/1.1 401 Unauthorized\r\ncontent-type: a/b\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
        assert_eq!(written(&mut answer, 401, None), refused);
        assert!(answer.lacks_challenge(401) && !answer.lacks_challenge(403));
        answer.add_header(c"WWW-Authenticate", c"Basic").unwrap();
        assert!(!answer.lacks_challenge(401));
        let body = written(&mut answer, 204, Some(PLAIN));
        assert!(body.ends_with("Basic\r\n\r\n"), "{body}");
        answer.clear();
        assert!(answer.is_bare());
    }
}
