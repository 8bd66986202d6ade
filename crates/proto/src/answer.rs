//! The head of an answer to a plain request (RFC 9112 4, 6).

use std::collections::TryReserveError;

/// The head of an answer.
#[derive(Clone, Copy, Debug)]
pub struct AnswerHead<'a> {
    /// The status code, of three digits.
    pub status: u16,
    /// The value of Date.
    pub date: &'a str,
    /// Header lines, each with its CR LF: those of one party behind those of another.
    pub headers: [&'a [u8]; 2],
    /// What follows the head.
    pub content: Content,
    /// What becomes of the connection.
    pub connection: Connection,
}

/// What an answer says of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// There is none.
    None,
    /// The content has so many bytes. They do not follow where the request is HEAD, or the status is 304.
    Length(u64),
}

/// What an answer says of the connection (RFC 9112 9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// The connection stays, as it does in HTTP/1.1 where nothing is said.
    KeepAlive,
    /// The connection stays, which is said: the request is of HTTP/1.0.
    SayKeepAlive,
    /// The connection ends behind this answer.
    Close,
}

impl AnswerHead<'_> {
    /// Appends the head to `out`. An interim answer, 1xx, has the program's lines alone.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), TryReserveError> {
        let status = self.status.clamp(100, 999);
        let phrase = phrase(status);
        out.try_reserve(
            FIXED + phrase.len() + self.date.len() + self.headers[0].len() + self.headers[1].len(),
        )?;
        out.extend_from_slice(b"HTTP/1.1 ");
        let digit = |place: u16| b'0' + (status / place % 10) as u8;
        out.extend_from_slice(&[digit(100), digit(10), digit(1), b' ']);
        out.extend_from_slice(phrase.as_bytes());
        out.extend_from_slice(b"\r\n");
        let is_interim = status < 200;
        if !is_interim {
            out.extend_from_slice(b"Date: ");
            out.extend_from_slice(self.date.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(self.headers[0]);
        out.extend_from_slice(self.headers[1]);
        if let Some(len) = self.content_length(status) {
            out.extend_from_slice(b"Content-Length: ");
            push_number(len, out);
            out.extend_from_slice(b"\r\n");
        }
        match self.connection {
            _ if is_interim => {}
            Connection::KeepAlive => {}
            Connection::SayKeepAlive => out.extend_from_slice(b"Connection: keep-alive\r\n"),
            Connection::Close => out.extend_from_slice(b"Connection: close\r\n"),
        }
        out.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// The Content-Length that is due (RFC 9110 8.6): an answer without one would end with the connection.
    fn content_length(&self, status: u16) -> Option<u64> {
        match (status, self.content) {
            (..200 | 204, _) | (304, Content::None) => None,
            (_, Content::None) => Some(0),
            (_, Content::Length(len)) => Some(len),
        }
    }
}

/// More than is fixed of a head, with the longest Content-Length, in bytes.
const FIXED: usize = 128;

/// Appends a number in decimal digits.
fn push_number(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 20];
    let mut start = digits.len() - 1;
    loop {
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
        start -= 1;
    }
    out.extend_from_slice(&digits[start..]);
}

/// The words for a status (RFC 9110 15, and IANA's registry); for one that nobody knows, those for its class.
pub fn phrase(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        102 => "Processing",
        103 => "Early Hints",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        207 => "Multi-Status",
        208 => "Already Reported",
        226 => "IM Used",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        305 => "Use Proxy",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        423 => "Locked",
        424 => "Failed Dependency",
        425 => "Too Early",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        506 => "Variant Also Negotiates",
        507 => "Insufficient Storage",
        508 => "Loop Detected",
        510 => "Not Extended",
        511 => "Network Authentication Required",
        _ => match status / 100 {
            0 | 1 => "Informational",
            2 => "Successful",
            3 => "Redirected",
            4 => "Refused",
            _ => "Failed",
        },
    }
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
