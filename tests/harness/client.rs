//! A WebSocket client over a UNIX socket or TCP: blocking, with a limit on every wait, and free to break
//! every rule.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::frame::{Frame, Op};
use super::request::{Request, Response};
use super::stream::Stream;
use super::wait::{LIMIT, uninterrupted, until};

/// One connection, and what has come from it and is not yet looked at.
pub(crate) struct Client {
    stream: Stream,
    input: Vec<u8>,
    ended: bool,
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Client {
    /// Connects, and says nothing yet.
    pub(crate) fn raw(socket: &Path) -> Client {
        let stream = UnixStream::connect(socket)
            .unwrap_or_else(|e| panic!("cannot connect to {}: {e}", socket.display()));
        Client::on(stream)
    }

    /// The same over TCP.
    pub(crate) fn raw_tcp(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address);
        let stream = stream.unwrap_or_else(|e| panic!("cannot connect to {address}: {e}"));
        // What a test sends in pieces is to arrive in pieces.
        stream.set_nodelay(true).expect("an option");
        Client::on(stream)
    }

    /// The same on a stream that is there.
    pub(crate) fn on(stream: impl Into<Stream>) -> Client {
        let stream = stream.into();
        stream.set_read_timeout(LIMIT);
        stream.set_write_timeout(LIMIT);
        Client { stream, input: Vec::new(), ended: false }
    }

    /// Connects and upgrades with that request.
    pub(crate) fn upgraded(socket: &Path, request: &Request) -> Client {
        Client::raw(socket).upgrade(request)
    }

    /// Upgrades with that request.
    pub(crate) fn upgrade(mut self, request: &Request) -> Client {
        self.send_bytes(&request.bytes());
        let response = self.response();
        assert_eq!(response.status, "HTTP/1.1 101 Switching Protocols", "{response:?}");
        self
    }

    /// The stream itself.
    pub(crate) fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Sends bytes. A server that has closed meanwhile is no failure: what it says is read later.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        match (&self.stream).write_all(bytes) {
            Ok(()) => {}
            Err(e) if matches!(e.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {}
            Err(e) => panic!("cannot send {} bytes: {e}", bytes.len()),
        }
    }

    /// Sends a frame.
    pub(crate) fn send(&mut self, frame: &Frame) {
        self.send_bytes(&frame.bytes());
    }

    /// Sends a text.
    pub(crate) fn text(&mut self, text: &str) {
        self.send(&Frame::text(text));
    }

    /// Sends bytes and waits until the server has taken the last of them off the socket.
    pub(crate) fn send_and_drain(&mut self, bytes: &[u8]) {
        self.send_bytes(bytes);
        assert!(until(|| self.stream.is_drained().then_some(())).is_some(), "not read");
    }

    /// The next frame, which must come.
    pub(crate) fn receive(&mut self) -> Frame {
        self.next().expect("a frame, not the end")
    }

    /// The next frame, or `None` at the end of the stream.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some((frame, length)) = Frame::parse(&self.input) {
                self.input.drain(..length);
                return Some(frame);
            }
            if !self.fill() {
                assert!(self.input.is_empty(), "the stream ends in a frame: {:?}", self.input);
                return None;
            }
        }
    }

    /// The next frame must be that text.
    pub(crate) fn expect_text(&mut self, text: &str) {
        let frame = self.receive();
        assert_eq!((frame.op, frame.fin), (Op::TEXT, true), "{frame:?} instead of {text:?}");
        assert_eq!(frame.as_text(), text);
    }

    /// The next frame must be the answer to a `!write` to this client itself: that it succeeded, and that
    /// no more than `frames` were queued. Those that the socket took at once are not among them, which
    /// may be where frames are long and nothing waits before them (CONTRACT D11).
    pub(crate) fn expect_queued(&mut self, frames: u32) {
        let answer = self.receive();
        let queued = answer.as_text().strip_prefix("0 ").and_then(|it| it.parse::<u32>().ok());
        let queued = queued.unwrap_or_else(|| panic!("{answer:?} instead of a queue's length"));
        assert!(queued <= frames, "{queued} of {frames} are queued");
    }

    /// Sends a text and returns the text that comes back.
    pub(crate) fn ask(&mut self, text: &str) -> String {
        self.text(text);
        let frame = self.receive();
        assert_eq!(frame.op, Op::TEXT, "{frame:?} is no answer to {text:?}");
        frame.as_text().to_owned()
    }

    /// Sends a text, which must come back: the connection is served.
    pub(crate) fn echo(&mut self, text: &str) {
        self.text(text);
        self.expect_text(text);
    }

    /// A close frame with that code must come next, then the end.
    pub(crate) fn expect_close(&mut self, code: u16) {
        let frame = self.receive();
        assert_eq!(frame.code(), Some(code), "{frame:?}");
        self.expect_end();
    }

    /// The end of the stream must come next.
    pub(crate) fn expect_end(&mut self) {
        let rest = self.next();
        assert!(rest.is_none(), "{rest:?} instead of the end");
    }

    /// The answer to a request, which must come.
    pub(crate) fn response(&mut self) -> Response {
        loop {
            if let Some((response, length)) = Response::parse(&self.input) {
                self.input.drain(..length);
                return response;
            }
            assert!(self.fill(), "the stream ends in a response: {:?}", self.input);
        }
    }

    /// The head of the answer to a request, which must come. What follows it is left.
    pub(crate) fn head(&mut self) -> Response {
        loop {
            if let Some((response, length)) = Response::parse_head(&self.input) {
                self.input.drain(..length);
                return response;
            }
            assert!(self.fill(), "the stream ends in a head: {:?}", self.input);
        }
    }

    /// So many bytes, or those before the end of the stream.
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.input.len() < count && self.fill() {}
        self.input.drain(..count.min(self.input.len())).collect()
    }

    /// Waits for bytes at most that long; whether any came, or the end did.
    pub(crate) fn hears_within(&mut self, limit: Duration) -> bool {
        if !self.input.is_empty() || self.ended {
            return true;
        }
        self.stream.set_read_timeout(limit);
        let mut byte = [0];
        let result = uninterrupted(|| (&self.stream).read(&mut byte));
        self.stream.set_read_timeout(LIMIT);
        match result {
            Ok(0) => self.ended = true,
            Ok(_) => self.input.push(byte[0]),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return false;
            }
            Err(e) if e.kind() == ErrorKind::ConnectionReset => self.ended = true,
            Err(e) => panic!("cannot listen: {e}"),
        }
        true
    }

    /// Reads what is there; false at the end.
    fn fill(&mut self) -> bool {
        if self.ended {
            return false;
        }
        let mut buffer = [0; 64 * 1024];
        match uninterrupted(|| (&self.stream).read(&mut buffer)) {
            Ok(0) => self.ended = true,
            Ok(count) => self.input.extend(&buffer[..count]),
            // Where the server closes before it has read everything, the kernel says so after its
            // last byte.
            Err(e) if e.kind() == ErrorKind::ConnectionReset => self.ended = true,
            Err(e) => panic!("nothing comes: {e}; so far {:?}", self.input),
        }
        !self.ended
    }
}
