//! The plain request of a run, and the answer that a server gives to it.

use std::io::{self, ErrorKind};
use std::ops::Range;

/// What each client asks again and again.
pub const REQUEST: &[u8] =
    b"GET /health HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n";
/// What each server answers.
const BODY: &[u8] = b"ok\n";

/// The value of a header, as a place in the answer's head.
fn header(head: &str, wanted: &str) -> Option<Range<usize>> {
    let mut start = 0;
    for line in head.split("\r\n") {
        if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case(wanted)
        {
            let end = start + line.len();
            return Some(end - value.len()..end);
        }
        start += line.len() + 2;
    }
    None
}

/// The head of the first answer in `bytes` and its body, as long as its Content-Length says; `None` while it is
/// not whole.
pub fn answer(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.windows(4).position(|end| end == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let len = head[header(head, "content-length")?].parse::<usize>().ok()?;
    let body = bytes.get(end + 4..)?.get(..len)?;
    Some((head, body))
}

/// Checks the answer to the request, which must be all that has come, and says where its date is.
pub fn check(bytes: &[u8]) -> io::Result<Option<Range<usize>>> {
    let wrong = |what: String| Err(io::Error::new(ErrorKind::InvalidData, what));
    let Some((head, body)) = answer(bytes) else { return wrong("no answer".into()) };
    if !head.starts_with("HTTP/1.1 200 ") || body != BODY {
        return wrong(format!(
            "not 200 and the body: {}",
            head.lines().next().unwrap_or("nothing")
        ));
    }
    if head.len() + 4 + body.len() != bytes.len() {
        return wrong("bytes behind the answer".into());
    }
    Ok(header(head, "date"))
}
