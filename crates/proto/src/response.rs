//! The server's opening handshake, and the answers to all else (RFC 6455 4.2.2, CONTRACT S2).

use std::collections::TryReserveError;
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use crate::answer::phrase;
use crate::deflate::Deflate;

/// Why a request gets no connection. The answer that says so is the last thing that its client hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 400: the request breaks HTTP or RFC 6455 4.2.1, in the way that these words say.
    Malformed(&'static str),
    /// 400: the request is no HTTP but TLS, which this server does not speak.
    Tls,
    /// 403: the program does not want the connection.
    Forbidden,
    /// 403: the request comes from a page of an origin that may not connect.
    Origin,
    /// The program does not want the connection, and says so with a status of its own, 300 to 599.
    Status(u16),
    /// 400: a connection does not begin with a header of the PROXY protocol.
    NoProxyHeader,
    /// 405: the request for an upgrade is not a GET.
    MethodNotAllowed,
    /// 405: the request is plain, and neither a GET nor a HEAD.
    PageMethod,
    /// 408: the request was not complete in time.
    TooSlow,
    /// 413: the request's body is larger than is taken here.
    BodyTooLarge,
    /// 417: the request expects what is not known here.
    ExpectationFailed,
    /// 426: the request asks for no upgrade, or for one to another version of the protocol.
    UpgradeRequired,
    /// 431: the request's head is too large, or has too many lines.
    HeadTooLarge,
    /// 501: the request's body has a coding that is not known here.
    UnknownCoding,
    /// 501: the request asks for a tunnel, by CONNECT.
    NoTunnel,
    /// 503: the program did not decide in time.
    DecisionTimeout,
    /// 503: the server has as many connections as it may.
    Full,
    /// 503: the server holds as much memory for its clients as it may.
    NoMemory,
}

impl Refusal {
    /// The status code of the answer.
    pub fn status(self) -> u16 {
        self.parts().0
    }

    /// The status code, and the headers that only this answer has.
    fn parts(self) -> (u16, &'static str) {
        match self {
            Self::Malformed(_) | Self::Tls | Self::NoProxyHeader => (400, ""),
            Self::Forbidden | Self::Origin => (403, ""),
            Self::Status(status) => (status, ""),
            Self::MethodNotAllowed => (405, "Allow: GET\r\n"),
            Self::PageMethod => (405, "Allow: GET, HEAD\r\n"),
            Self::TooSlow => (408, ""),
            Self::BodyTooLarge => (413, ""),
            Self::ExpectationFailed => (417, ""),
            // RFC 9110 15.5.22 wants Upgrade, and RFC 6455 4.4 the version.
            Self::UpgradeRequired => (426, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"),
            Self::HeadTooLarge => (431, ""),
            Self::UnknownCoding | Self::NoTunnel => (501, ""),
            Self::Full | Self::NoMemory | Self::DecisionTimeout => (503, ""),
        }
    }

    /// A few words on the refusal, for the log and for the answer.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Malformed(why) => why,
            Self::Tls => {
                "this is TLS, and the server speaks plain HTTP: wss:// needs a proxy before it"
            }
            Self::Origin => "pages of this origin may not connect",
            Self::Status(500..) => "the server cannot answer this request",
            Self::Forbidden | Self::Status(_) => "the server does not want this connection",
            Self::NoProxyHeader => {
                "this server is reached by way of a proxy that speaks the PROXY protocol"
            }
            Self::MethodNotAllowed => "an upgrade is asked for with GET",
            Self::PageMethod => "pages are asked for with GET or HEAD",
            Self::TooSlow => "the request took too long",
            Self::BodyTooLarge => "the request's body is too large",
            Self::ExpectationFailed => "nothing but 100-continue can be expected",
            Self::UpgradeRequired => "this is a WebSocket server: ask for an upgrade to version 13",
            Self::HeadTooLarge => "the request's headers are too large or too many",
            Self::UnknownCoding => "a body may be chunked, and have no other coding",
            Self::NoTunnel => "this server makes no tunnels",
            Self::DecisionTimeout => "the server did not decide in time",
            Self::Full => "the server has as many connections as it may",
            Self::NoMemory => "the server holds as much memory as it may",
        }
    }

    /// The whole answer to the request: the status line, the headers, with this value of Date (RFC 9110 6.6.1), and one
    /// line of text.
    pub fn encode(self, date: &str) -> Result<Vec<u8>, TryReserveError> {
        let (status, headers) = self.parts();
        let phrase = phrase(status);
        let text = self.reason();
        let connection = if self == Self::UpgradeRequired { "Upgrade, close" } else { "close" };
        let mut out = Vec::new();
        out.try_reserve_exact(MAX_ANSWER + date.len())?;
        let _ = write!(
            out,
            "HTTP/1.1 {status} {phrase}\r\nDate: {date}\r\n{headers}Connection: {connection}\r\n\
             Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{text}\n",
            text.len() + 1,
        );
        Ok(out)
    }
}

/// No answer to a request is longer, in bytes.
const MAX_ANSWER: usize = 512;

/// The value of Sec-WebSocket-Accept for the value of a Sec-WebSocket-Key (RFC 6455 4.2.2).
pub fn accept_key(key: &[u8]) -> [u8; 28] {
    let digest = Sha1::new().chain_update(key).chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let mut accept = [b'='; 28];
    let encoded = STANDARD.encode_slice(digest.finalize(), &mut accept);
    debug_assert_eq!(encoded, Ok(28));
    accept
}

/// Appends to `out` the answer that accepts the request with this Sec-WebSocket-Key, with the sub-protocol
/// that was chosen of those that it offers, the compression that was agreed, and the program's own header
/// lines, each with its CR LF.
pub fn encode_accept(
    key: &[u8],
    protocol: Option<&[u8]>,
    deflate: Option<Deflate>,
    headers: &[u8],
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Accept: ",
    );
    out.extend_from_slice(&accept_key(key));
    if let Some(protocol) = protocol {
        out.extend_from_slice(b"\r\nSec-WebSocket-Protocol: ");
        out.extend_from_slice(protocol);
    }
    if let Some(deflate) = deflate {
        out.extend_from_slice(b"\r\nSec-WebSocket-Extensions: ");
        deflate.encode(out);
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(headers);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 6455 1.3.
    #[test]
    fn the_key_of_the_rfc() {
        let accept = accept_key(b"dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(&accept, b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn the_chosen_protocol_is_named() {
        let mut out = Vec::new();
        encode_accept(b"dGhlIHNhbXBsZSBub25jZQ==", Some(b"chat"), None, b"", &mut out);
        assert!(out.ends_with(b"K+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n"));
    }

    #[test]
    fn the_programs_lines_end_the_head() {
        let mut out = Vec::new();
        encode_accept(b"dGhlIHNhbXBsZSBub25jZQ==", None, None, b"A: b\r\nC: d\r\n", &mut out);
        assert!(out.ends_with(b"K+xOo=\r\nA: b\r\nC: d\r\n\r\n"));
    }

    #[test]
    fn answers_are_whole() {
        for refusal in [
            Refusal::Malformed("why"),
            Refusal::Tls,
            Refusal::Forbidden,
            Refusal::Origin,
            Refusal::MethodNotAllowed,
            Refusal::PageMethod,
            Refusal::TooSlow,
            Refusal::UpgradeRequired,
            Refusal::HeadTooLarge,
            Refusal::Full,
            Refusal::NoMemory,
            Refusal::Status(307),
            Refusal::Status(511),
            Refusal::NoProxyHeader,
            Refusal::BodyTooLarge,
            Refusal::ExpectationFailed,
            Refusal::UnknownCoding,
            Refusal::NoTunnel,
            Refusal::DecisionTimeout,
        ] {
            let answer = String::from_utf8(refusal.encode("now").unwrap()).unwrap();
            assert!(answer.len() <= MAX_ANSWER);
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with(&format!("HTTP/1.1 {} ", refusal.status())));
            assert!(head.contains(&format!("\r\nContent-Length: {}", body.len())));
            assert!(head.contains("close\r\n"));
        }
    }
}
