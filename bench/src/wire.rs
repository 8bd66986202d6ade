//! The bytes of a run, made before it: requests as a client sends them, answers as they must come.

use std::io::{self, Cursor, ErrorKind};
use std::ops::Range;

use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::frame::{Frame, FrameHeader};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// What RFC 6455 1.3 computes from that key.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// One that both ends can keep without a window of their own per connection.
const DEFLATE: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// What is said on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Language {
    /// The limit's: no handshake, and the server sends back what it has received.
    Bare,
    /// WebSocket.
    WebSocket,
    /// WebSocket with permessage-deflate, no context kept on either side.
    Deflate,
    /// Plain requests over connections that are kept, which `http` has.
    Http,
}

/// What a message is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Content {
    Text,
    Binary,
    Json,
}

/// Messages in a row, each of which is known by its place; they repeat after `count`.
pub struct Ring {
    pub bytes: Vec<u8>,
    /// Where each message starts; one more than there are messages in `bytes`.
    pub starts: Vec<usize>,
    pub count: usize,
    /// Where in each message a date stands, which changes while the rest stays.
    date: Option<Range<usize>>,
}

impl Ring {
    pub fn new(messages: &[Vec<u8>]) -> Self {
        let mut bytes = Vec::new();
        let mut starts = vec![0];
        for message in messages {
            bytes.extend_from_slice(message);
            starts.push(bytes.len());
        }
        Self { bytes, starts, count: messages.len(), date: None }
    }

    /// The same message again and again, with a date in that place.
    pub fn of_one(message: &[u8], count: usize, date: Option<Range<usize>>) -> Self {
        Self { date, ..Self::new(&vec![message.to_vec(); count]) }
    }

    /// Whether these bytes are those of the round that begin at that place. A date may be another, and is
    /// kept, so that the next answers are compared with it.
    pub fn is_next(&mut self, at: usize, bytes: &[u8]) -> bool {
        let own = &mut self.bytes[at..at + bytes.len()];
        if own == bytes {
            return true;
        }
        let Some(date) = &self.date else { return false };
        let len = self.starts[1];
        let differ = |&place: &usize| own[place] != bytes[place];
        if !(0..bytes.len()).filter(differ).all(|place| date.contains(&((at + place) % len))) {
            return false;
        }
        own.copy_from_slice(bytes);
        true
    }

    /// Sees to it that so many messages are repeated behind the last, so that as many lie in one piece
    /// anywhere.
    pub fn repeat(&mut self, spare: usize) {
        for index in self.starts.len() - 1..self.count + spare {
            let message = self.starts[index % self.count]..self.starts[index % self.count + 1];
            self.bytes.extend_from_within(message);
            self.starts.push(self.bytes.len());
        }
    }

    /// The length of one round.
    pub fn round(&self) -> usize {
        self.starts[self.count]
    }
}

/// The request for an upgrade.
pub fn request(language: Language) -> Vec<u8> {
    let extensions = match language {
        Language::Deflate => format!("Sec-WebSocket-Extensions: {DEFLATE}\r\n"),
        _ => String::new(),
    };
    format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n{extensions}\r\n"
    )
    .into_bytes()
}

/// Checks the answer to it, which must be all that has come.
pub fn check_response(head: &[u8], language: Language) -> io::Result<()> {
    let text = String::from_utf8_lossy(head);
    let wrong = |what: &str| {
        let line = text.lines().next().unwrap_or("nothing");
        Err(io::Error::new(ErrorKind::InvalidData, format!("handshake: {what}: {line}")))
    };
    if !text.starts_with("HTTP/1.1 101 ") {
        return wrong("no 101");
    }
    if !text.contains(ACCEPT) {
        return wrong("wrong Sec-WebSocket-Accept");
    }
    if !text.ends_with("\r\n\r\n") {
        return wrong("bytes behind the head");
    }
    let extensions = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-extensions").then_some(value)
    });
    match (language, extensions) {
        (Language::Deflate, Some(value))
            if value.contains("permessage-deflate")
                && value.contains("server_no_context_takeover")
                && value.contains("client_no_context_takeover") =>
        {
            Ok(())
        }
        (Language::Deflate, _) => wrong("compression was not agreed on as offered"),
        (_, Some(_)) => wrong("an extension that was not offered"),
        (_, None) => Ok(()),
    }
}

/// Different messages of one length, printable where they are text.
pub fn messages(content: Content, size: usize, count: usize) -> Vec<Vec<u8>> {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    (0..count)
        .map(|index| match content {
            Content::Text => (0..size).map(|_| b' ' + (next() % 95) as u8).collect(),
            Content::Binary => (0..size).map(|_| next() as u8).collect(),
            Content::Json => json(index, size, &mut next),
        })
        .collect()
}

/// What applications send: the same keys again and again, and values that differ.
fn json(index: usize, size: usize, next: &mut impl FnMut() -> u64) -> Vec<u8> {
    let mut text = format!("{{\"seq\":{index},\"items\":[");
    while text.len() + 90 < size {
        let (id, price, name) = (next() % 100_000, next() % 10_000, next() % 1_000);
        let state = ["open", "closed", "pending"][(next() % 3) as usize];
        text += &format!(
            "{{\"id\":{id},\"price\":{price}.25,\"name\":\"item {name}\",\"state\":\"{state}\"}},"
        );
    }
    text += "{}],\"note\":\"";
    while text.len() + 2 < size {
        text.push(char::from(b'a' + (next() % 26) as u8));
    }
    text += "\"}";
    text.into_bytes()
}

/// The header of a whole, unmasked message.
fn header(content: Content, language: Language) -> FrameHeader {
    let data = if content == Content::Binary { Data::Binary } else { Data::Text };
    FrameHeader {
        rsv1: language == Language::Deflate,
        opcode: OpCode::Data(data),
        ..FrameHeader::default()
    }
}

fn encode(header: FrameHeader, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(payload.len() + 14);
    let frame = Frame::from_payload(header, payload.to_vec().into());
    frame.format(&mut bytes).expect("memory takes all");
    bytes
}

/// A client's frame.
pub fn client_frame(payload: &[u8], content: Content, language: Language, seed: usize) -> Vec<u8> {
    let key = (seed as u32).wrapping_mul(0x9e37_79b9).wrapping_add(0x1234_5679).to_be_bytes();
    encode(FrameHeader { mask: Some(key), ..header(content, language) }, payload)
}

/// The frame with which a server answers: whole, unmasked, shortest length.
pub fn server_frame(payload: &[u8], content: Content) -> Vec<u8> {
    encode(header(content, Language::WebSocket), payload)
}

/// A message compressed as RFC 7692 7.2.1 has it.
pub fn deflate(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 64);
    let mut deflater = flate2::Compress::new(flate2::Compression::default(), false);
    deflater
        .compress_vec(payload, &mut out, flate2::FlushCompress::Sync)
        .expect("deflating bytes in memory");
    out.truncate(out.len() - 4);
    out
}

/// The first frame in `bytes`, with its length; `None` while it is not whole.
pub fn frame(bytes: &[u8]) -> Option<(FrameHeader, &[u8], usize)> {
    let mut cursor = Cursor::new(bytes);
    let (header, len) = FrameHeader::parse(&mut cursor).ok()??;
    let start = cursor.position() as usize;
    let end = start.checked_add(usize::try_from(len).ok()?)?;
    Some((header, bytes.get(start..end)?, end))
}

/// A message as it came.
pub struct Message {
    /// The header of its first frame; `None` where a frame of another kind came between its fragments,
    /// which is no part of an answer.
    kind: Option<FrameHeader>,
    payload: Vec<u8>,
    /// The length of all its frames.
    pub len: usize,
}

/// The first message in `bytes`, its fragments joined; `None` while it is not whole.
pub fn message(bytes: &[u8]) -> Option<Message> {
    let (first, payload, mut len) = frame(bytes)?;
    let mut payload = payload.to_vec();
    let mut is_final = first.is_final;
    let rest = FrameHeader { opcode: OpCode::Data(Data::Continue), ..FrameHeader::default() };
    while !is_final {
        let (next, part, more) = frame(&bytes[len..])?;
        payload.extend_from_slice(part);
        len += more;
        is_final = next.is_final;
        if (FrameHeader { is_final: true, ..next }) != rest {
            return Some(Message { kind: None, payload, len });
        }
    }
    Some(Message { kind: Some(FrameHeader { is_final, ..first }), payload, len })
}

/// Whether a message answers another: the same kind, the same content, compressed or not.
pub fn is_answer(answer: &Message, message: &[u8], content: Content) -> bool {
    let Message { kind: Some(kind), payload, .. } = answer else { return false };
    if *kind == header(content, Language::WebSocket) {
        return payload == message;
    }
    if *kind != header(content, Language::Deflate) {
        return false;
    }
    let mut whole = payload.clone();
    whole.extend_from_slice(&[0, 0, 0xff, 0xff]);
    let mut out = Vec::with_capacity(message.len() + 64);
    let inflated = flate2::Decompress::new(false).decompress_vec(
        &whole,
        &mut out,
        flate2::FlushDecompress::Sync,
    );
    inflated.is_ok() && out == message
}
