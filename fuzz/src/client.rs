//! A client of the engine, which knows what it is owed.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;

use dorrit_proto::{Coding, Deflater, Inflater, MessageKind, OpCode, fragments, frame_len, unmask};

/// A message of the server's, which it is known by.
#[derive(Clone, Copy, Debug)]
pub struct Numbered {
    /// Its place among all.
    pub number: usize,
    /// Text or not.
    pub kind: MessageKind,
    /// The length of its payload in bytes, where its number has room in it.
    pub len: usize,
}

impl Numbered {
    /// What is sent: its number, and letters that follow from that.
    pub fn payload(self) -> Vec<u8> {
        let mut payload = format!("{};", self.number).into_bytes();
        let len = self.len.max(payload.len());
        payload.resize(len, b'a' + (self.number % 26) as u8);
        payload
    }
}

/// A client. What it does with its socket never waits.
#[derive(Debug)]
pub struct Client {
    stream: Option<UnixStream>,
    /// What it has to write.
    out: Vec<u8>,
    /// What it has read and not understood yet.
    input: Vec<u8>,
    stage: Stage,
    /// What it is answered before its request for a connection is.
    answers: VecDeque<Vec<u8>>,
    /// Whether the server is offered compression, and takes it.
    pub is_deflating: bool,
    /// The messages that the server is to be told, in their order.
    pub said: VecDeque<(MessageKind, Vec<u8>)>,
    /// It has written what is no frame: all may follow.
    pub is_garbled: bool,
    /// It has ended its side, or begun to.
    pub is_leaving: bool,
    /// The messages that it is sent, in their order, and whether each must come if no end comes first.
    pub owed: VecDeque<(Numbered, bool)>,
    /// The start of a message that comes in fragments.
    partial: Option<(MessageKind, Coding, Vec<u8>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The answer to its request has not come.
    Asking,
    Open,
    /// A close frame has come.
    Closed,
    /// It was given no connection.
    Refused,
}

impl Client {
    /// One that has connected, and written nothing yet.
    pub fn new(path: &Path) -> Self {
        let stream = UnixStream::connect(path).expect("the engine listens");
        stream.set_nonblocking(true).expect("a socket");
        Self {
            stream: Some(stream),
            out: Vec::new(),
            input: Vec::new(),
            stage: Stage::Asking,
            answers: VecDeque::new(),
            is_deflating: false,
            said: VecDeque::new(),
            is_garbled: false,
            is_leaving: false,
            owed: VecDeque::new(),
            partial: None,
        }
    }

    /// Makes a plain request, which is answered so.
    pub fn request(&mut self, (request, answer): (Vec<u8>, Vec<u8>)) {
        self.out.extend_from_slice(&request);
        self.answers.push_back(answer);
    }

    /// Asks for a connection, with this target and what else stands in the head.
    pub fn ask(&mut self, target: &str, more: &str) {
        self.is_deflating = more.contains("permessage-deflate");
        self.out.extend_from_slice(
            format!(
                "GET {target} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
                 Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
            )
            .as_bytes(),
        );
    }

    /// Says a message, in frames of at most so many bytes.
    pub fn say(&mut self, kind: MessageKind, payload: Vec<u8>, max: usize, key: [u8; 4]) {
        let (mut deflated, mut coding) = (Vec::new(), Coding::Plain);
        if self.is_deflating && payload.len().is_multiple_of(2) {
            coding = Coding::Deflated;
            Deflater::new(6, 15).expect("memory").deflate(&payload, &mut deflated).expect("memory");
        }
        let body = if coding == Coding::Plain { &payload } else { &deflated };
        let max = max.max(body.len().div_ceil(64));
        for (head, part) in fragments(kind, coding, body.len(), max) {
            self.frame(head.as_bytes(), &body[part], key);
        }
        self.said.push_back((kind, payload));
    }

    /// Says a control frame.
    pub fn say_control(&mut self, opcode: OpCode, payload: &[u8], key: [u8; 4]) {
        let payload = &payload[..payload.len().min(125)];
        self.is_leaving |= opcode == OpCode::Close;
        self.frame(&[0x80 | opcode as u8, payload.len() as u8], payload, key);
    }

    fn frame(&mut self, head: &[u8], payload: &[u8], key: [u8; 4]) {
        let start = self.out.len();
        self.out.extend_from_slice(head);
        self.out[start + 1] |= 0x80;
        self.out.extend_from_slice(&key);
        let start = self.out.len();
        self.out.extend_from_slice(payload);
        unmask(key, &mut self.out[start..]);
    }

    /// Says anything.
    pub fn say_raw(&mut self, bytes: &[u8]) {
        self.is_garbled |= !bytes.is_empty();
        self.out.extend_from_slice(bytes);
    }

    /// Writes at most so many bytes of what it has said. Returns how many the socket took.
    pub fn write(&mut self, most: usize) -> usize {
        let Some(stream) = &mut self.stream else { return 0 };
        match stream.write(&self.out[..most.min(self.out.len())]) {
            Ok(len) => {
                self.out.drain(..len);
                len
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(_) => self.end(),
        }
    }

    /// Reads at most so many bytes, and understands them. Returns how many there were.
    pub fn read(&mut self, most: usize) -> usize {
        let Some(stream) = &mut self.stream else { return 0 };
        let mut room = [0; 65536];
        let most = most.min(room.len());
        match stream.read(&mut room[..most]) {
            Ok(len) if len > 0 || most == 0 => {
                self.input.extend_from_slice(&room[..len]);
                self.understand();
                len
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            _ => self.end(),
        }
    }

    /// Writes no more.
    pub fn shut_down(&mut self) {
        self.is_leaving = true;
        self.out.clear();
        if let Some(stream) = &self.stream {
            let _ = stream.shutdown(Shutdown::Write);
        }
    }

    /// Closes its socket.
    pub fn leave(&mut self) {
        self.is_leaving = true;
        self.stream = None;
    }

    /// Whether it has done nothing that might end its connection.
    pub fn is_staying(&self) -> bool {
        !self.is_leaving && !self.is_garbled
    }

    /// Whether it has a connection that the server has not ended.
    pub fn is_open(&self) -> bool {
        self.stage == Stage::Open
    }

    /// Notes that the server has closed the socket: nothing can be written or read.
    fn end(&mut self) -> usize {
        (self.stream, self.stage) = (None, Stage::Closed);
        0
    }

    /// Takes the answers to plain requests. Returns whether all have come.
    fn take_answers(&mut self) -> bool {
        while let Some(answer) = self.answers.front() {
            if self.input.len() < answer.len() && answer.starts_with(&self.input) {
                return false;
            }
            if !self.input.starts_with(answer) {
                let start = String::from_utf8_lossy(&self.input);
                // It may be refused, for want of room or memory or by the caller.
                assert!(!start.starts_with("HTTP/1.1 200 "), "{start}");
                return true;
            }
            self.input.drain(..answer.len());
            self.answers.pop_front();
        }
        true
    }

    fn understand(&mut self) {
        if self.stage == Stage::Asking && !self.take_answers() {
            return;
        }
        if self.stage == Stage::Asking {
            let end = self.input.windows(4).position(|four| four == b"\r\n\r\n");
            let Some(end) = end else { return };
            let is_open = self.input.starts_with(b"HTTP/1.1 101 ");
            assert!(!is_open || self.answers.is_empty(), "an answer is left out");
            let head = self.input.drain(..end + 4).collect::<Vec<_>>();
            let head = String::from_utf8(head).expect("a head in ASCII");
            assert!(head.starts_with("HTTP/1.1 "), "{head}");
            self.is_deflating = head.contains("permessage-deflate");
            self.stage = if is_open { Stage::Open } else { Stage::Refused };
        }
        if self.stage == Stage::Refused {
            return self.input.clear();
        }
        while let Some(len) = frame_len(&self.input).filter(|len| *len <= self.input.len()) {
            let frame = self.input.drain(..len).collect::<Vec<_>>();
            self.hear(&frame);
        }
    }

    fn hear(&mut self, frame: &[u8]) {
        assert_eq!(self.stage, Stage::Open, "a frame follows the close frame");
        let (first, start) = (frame[0], [2, 4, 10][usize::from(frame[1].saturating_sub(125))]);
        let payload = &frame[start..];
        let is_final = first & 0x80 != 0;
        match first & 0x0f {
            8 => self.stage = Stage::Closed,
            9 | 10 => assert!(is_final && payload.len() < 126, "{frame:x?}"),
            0 => {
                let (.., message) = self.partial.as_mut().expect("a fragment goes on with one");
                assert_eq!(first & 0x70, 0, "{frame:x?}");
                message.extend_from_slice(payload);
            }
            opcode @ (1 | 2) => {
                let kind = if opcode == 1 { MessageKind::Text } else { MessageKind::Binary };
                let coding = if first & 0x40 == 0 { Coding::Plain } else { Coding::Deflated };
                assert!(coding == Coding::Plain || self.is_deflating, "{frame:x?}");
                let before = self.partial.replace((kind, coding, payload.to_vec()));
                assert!(before.is_none(), "a message begins within another");
            }
            _ => panic!("a frame of no kind: {frame:x?}"),
        }
        if is_final && first & 8 == 0 {
            let (kind, coding, message) = self.partial.take().expect("a message");
            self.take(kind, coding, message);
        }
    }

    /// Compares a message with those that it is owed.
    fn take(&mut self, kind: MessageKind, coding: Coding, mut message: Vec<u8>) {
        if coding == Coding::Deflated {
            let (deflated, mut inflater) =
                (std::mem::take(&mut message), Inflater::new().expect("memory"));
            let inflated =
                inflater.inflate_whole(MessageKind::Binary, &deflated, 1 << 30, &mut message);
            assert_eq!((inflated, message.pop()), (Ok(()), Some(0)));
        }
        loop {
            let (next, is_certain) = self.owed.pop_front().expect("a message that it is owed");
            if next.kind == kind && next.payload() == message {
                return;
            }
            assert!(
                !is_certain,
                "{next:?} is missing before {:x?}",
                &message[..message.len().min(20)]
            );
        }
    }
}
