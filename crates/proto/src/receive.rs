//! A client's frames, judged and unmasked (RFC 6455 5 and 6.2).

use std::ops::Range;

use crate::close::receive_close;
use crate::frame::FrameHeader;
use crate::incoming::{Complete, FrameStart};
use crate::mask::{MASK, unmask_back};
use crate::{CloseCode, Coding, Deflate, Incoming, MessageKind, OpCode, Violation, unmask};

/// Whether a server takes binary messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    /// They are messages like text.
    Accepted,
    /// They end their connection.
    Refused,
}

/// Whether a server takes messages in fragments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragments {
    /// They are joined.
    Joined,
    /// They end their connection.
    Refused,
}

/// What a server accepts.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The longest payload of a message, in bytes.
    pub max_payload: usize,
    /// Whether binary messages are taken.
    pub binary: Binary,
    /// Whether messages in fragments are taken.
    pub fragments: Fragments,
}

/// What a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// A complete message.
    Message(Complete),
    /// A part of a message: its payload, which is still masked, is for [`Incoming::receive`].
    Part(FrameStart),
    /// A ping: it is owed a pong with the same payload (RFC 6455 5.5.2).
    Ping,
    /// A pong; nothing is owed.
    Pong,
    /// A close frame, with the code that it carries.
    Close(Option<CloseCode>),
}

/// A frame that was taken from the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it says.
    pub received: Received,
    /// Where in the input its payload stands, unmasked. What is next in the input starts where this
    /// ends. Of a part it is empty.
    pub payload: Range<usize>,
}

/// Takes the frame at the start of `input` and unmasks its payload in place. `incoming` is the message
/// that is under way on this connection, if there is one, and `deflate` what was agreed with its client.
/// A frame is judged by its header, before its payload is there.
///
/// `Ok(None)` asks for more bytes: call again with the same ones and those that have come since.
pub fn receive_frame(
    rules: &Rules,
    incoming: Option<&Incoming>,
    deflate: Option<Deflate>,
    input: &mut [u8],
) -> Result<Option<Frame>, Violation> {
    let under_way = incoming.filter(|incoming| incoming.is_under_way());
    let max_payload = |opcode, coding| {
        let (coding, len) = match under_way {
            Some(incoming) if opcode == OpCode::Continuation => (incoming.coding(), incoming.len()),
            _ => (coding, 0),
        };
        let max = match coding {
            Coding::Plain => rules.max_payload,
            // Bytes that cannot be compressed grow a little; what they become is measured later.
            Coding::Deflated => rules.max_payload.saturating_add(rules.max_payload / 64 + 64),
        };
        max.saturating_sub(len)
    };
    let Some(header) = FrameHeader::receive(input, deflate, max_payload)? else { return Ok(None) };
    let start = header.len;
    let kind = match header.opcode {
        OpCode::Text => MessageKind::Text,
        OpCode::Binary | OpCode::Continuation => MessageKind::Binary,
        OpCode::Close | OpCode::Ping | OpCode::Pong => return receive_control(&header, input),
    };
    judge_data(rules, &header, under_way.is_some())?;
    if header.is_final && under_way.is_none() && input.len() >= start + header.payload_len {
        let payload = start..start + header.payload_len;
        let bytes = &mut input[payload.clone()];
        let is_ascii = unmask(header.key, bytes);
        if kind == MessageKind::Text && header.coding == Coding::Plain && !is_ascii {
            simdutf8::basic::from_utf8(bytes).map_err(|_| Violation::NotUtf8)?;
        }
        let complete = Complete { kind, coding: header.coding };
        return Ok(Some(Frame { received: Received::Message(complete), payload }));
    }
    let kind = (header.opcode != OpCode::Continuation).then_some(kind);
    let received = Received::Part(FrameStart { header, kind });
    Ok(Some(Frame { received, payload: start..start }))
}

/// Takes what [`receive_frame`] would take, where that is a whole and plain message of less than 126
/// bytes and of no more than `max_payload`, on a connection on which no message is under way: what most
/// servers are sent most of the time. `None` says nothing, and leaves the input as it was.
#[inline(always)]
pub fn receive_short(max_payload: usize, binary: Binary, input: &mut [u8]) -> Option<Short> {
    let &[first, second, ..] = input.first_chunk::<2>()?;
    let len = usize::from(second ^ 0x80);
    let kind = whole_kind(first, binary)?;
    if len > 125 || len > max_payload {
        return None;
    }
    let masked = input.get_mut(2..2 + MASK + len)?;
    let key = *masked.first_chunk()?;
    if !unmask_back(masked) && kind == MessageKind::Text {
        let payload = &mut masked[MASK - 1..];
        if simdutf8::basic::from_utf8(&payload[..len]).is_err() {
            // Back as it was, for the long way to judge it.
            payload.copy_within(..len, 1);
            unmask(key, &mut payload[1..]);
            payload[0] = key[MASK - 1];
            return None;
        }
    }
    Some(Short { kind, len })
}

/// A message that [`receive_short`] has taken. Its payload was moved to the front by one byte, over the
/// end of its mask, and a zero byte put behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short {
    /// Text or not.
    pub kind: MessageKind,
    /// The length of its payload in bytes.
    pub len: usize,
}

impl Short {
    /// Where in the input its payload stands.
    pub const PAYLOAD: usize = 1 + MASK;

    /// How much of the input it was.
    pub fn frame_len(&self) -> usize {
        2 + MASK + self.len
    }
}

/// Takes what [`receive_short`] would take if it were of 126 bytes to 64 KiB. Returns what it is, and where
/// in the input its payload stands, unmasked.
pub fn receive_medium(
    max_payload: usize,
    binary: Binary,
    input: &mut [u8],
) -> Option<(MessageKind, Range<usize>)> {
    const START: usize = 4 + MASK;
    let &[first, 0xfe, high, low] = input.first_chunk()? else { return None };
    let kind = whole_kind(first, binary)?;
    let len = usize::from(u16::from_be_bytes([high, low]));
    if len < 126 || len > max_payload {
        return None;
    }
    let (key, payload) = input.get_mut(4..START + len)?.split_first_chunk_mut()?;
    let is_good = unmask(*key, payload)
        || kind == MessageKind::Binary
        || simdutf8::basic::from_utf8(payload).is_ok();
    if !is_good {
        // Back as it was, for the long way to judge it.
        unmask(*key, payload);
        return None;
    }
    Some((kind, START..START + len))
}

/// What a frame is that begins so, where it is a whole and plain message that is taken.
#[inline(always)]
fn whole_kind(first: u8, binary: Binary) -> Option<MessageKind> {
    match first {
        0x81 => Some(MessageKind::Text),
        0x82 if binary == Binary::Accepted => Some(MessageKind::Binary),
        _ => None,
    }
}

/// Judges a data frame by what the server accepts, and by whether it may stand here (RFC 6455 5.4).
fn judge_data(rules: &Rules, header: &FrameHeader, is_under_way: bool) -> Result<(), Violation> {
    let is_continuation = header.opcode == OpCode::Continuation;
    if rules.fragments == Fragments::Refused && (is_continuation || !header.is_final) {
        return Err(Violation::Fragment);
    }
    if is_continuation != is_under_way {
        return Err(Violation::OutOfOrder);
    }
    if header.opcode == OpCode::Binary && rules.binary == Binary::Refused {
        return Err(Violation::Binary);
    }
    Ok(())
}

fn receive_control(header: &FrameHeader, input: &mut [u8]) -> Result<Option<Frame>, Violation> {
    let payload = header.len..header.len + header.payload_len;
    let Some(bytes) = input.get_mut(payload.clone()) else { return Ok(None) };
    unmask(header.key, bytes);
    let received = match header.opcode {
        OpCode::Ping => Received::Ping,
        OpCode::Pong => Received::Pong,
        _ => Received::Close(receive_close(bytes)?),
    };
    Ok(Some(Frame { received, payload }))
}

#[cfg(test)]
#[path = "receive_tests.rs"]
mod tests;
