//! Frames that are received, judged and unmasked (RFC 6455 5 and 6.2).

use std::ops::Range;

use crate::close::CloseCode;
use crate::deflate::Deflate;
use crate::frame::{Coding, MessageKind, OpCode};
use crate::header::FrameHeader;
use crate::incoming::{Complete, FrameStart, Incoming};
use crate::mask::{MASK, unmask_back_long};
use crate::rules::{Binary, Fragments, Rules};
use crate::violation::Violation;

/// What a frame that was received says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// The frame is a whole message.
    Message(Complete),
    /// The frame is a part of a message: its payload, which is not taken yet, is for [`Incoming::receive`].
    Part(FrameStart),
    /// The frame is a ping: it is owed a pong with the same payload (RFC 6455 5.5.2).
    Ping,
    /// The frame is a pong; nothing is owed.
    Pong,
    /// The frame is a close frame, with the code that it carries.
    Close(Option<CloseCode>),
}

/// A frame that was taken from the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What the frame says.
    pub received: Received,
    /// Where in the input its payload stands, unmasked: by one byte nearer to the front than it came, over
    /// the end of its header. The zero byte behind it is the last byte of the frame. Of a part the range is
    /// empty, and the bytes are as they came.
    pub payload: Range<usize>,
    /// How many bytes of the input were taken. What is next in the input starts there.
    pub len: usize,
}

/// Takes the frame at the start of `input`, unmasks its payload and puts a zero byte behind it, within the
/// frame's own bytes: what stands behind the frame is not touched. `incoming` is the message that is under way
/// on this connection, if there is one, and `deflate` what was agreed with the peer. A frame is judged by its
/// header, before its payload is there.
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
    let Some(header) = FrameHeader::receive(rules.role, input, deflate, max_payload)? else {
        return Ok(None);
    };
    let start = header.len;
    let kind = match header.opcode {
        OpCode::Text => MessageKind::Text,
        OpCode::Binary | OpCode::Continuation => MessageKind::Binary,
        OpCode::Close | OpCode::Ping | OpCode::Pong => return receive_control(&header, input),
    };
    judge_data(rules, &header, under_way.is_some())?;
    if header.is_final && under_way.is_none() && input.len() >= start + header.payload_len {
        let (payload, is_ascii) = unmask_payload(&header, input);
        if kind == MessageKind::Text && header.coding == Coding::Plain && !is_ascii {
            let text = &input[payload.clone()];
            simdutf8::basic::from_utf8(text).map_err(|_| Violation::NotUtf8)?;
        }
        let received = Received::Message(Complete { kind, coding: header.coding });
        return Ok(Some(Frame { received, payload, len: start + header.payload_len }));
    }
    let kind = (header.opcode != OpCode::Continuation).then_some(kind);
    let received = Received::Part(FrameStart { header, kind });
    Ok(Some(Frame { received, payload: start..start, len: start }))
}

/// Unmasks the payload of the frame at the start of `input`, which is all there, and moves it to the front
/// by one byte, with a zero byte behind it. Returns where it stands, and whether it is ASCII.
fn unmask_payload(header: &FrameHeader, input: &mut [u8]) -> (Range<usize>, bool) {
    let end = header.len + header.payload_len;
    let payload = header.len - 1..end - 1;
    let is_ascii = match header.key {
        Some(_) => unmask_back_long(&mut input[header.len - MASK..end]),
        None => {
            input.copy_within(header.len..end, payload.start);
            input[payload.end] = 0;
            input[payload.clone()].is_ascii()
        }
    };
    (payload, is_ascii)
}

/// Judges a data frame by what is accepted, and by whether it may stand here (RFC 6455 5.4).
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

/// Takes a control frame, whose header was judged; `Ok(None)` while it is not all there.
fn receive_control(header: &FrameHeader, input: &mut [u8]) -> Result<Option<Frame>, Violation> {
    let len = header.len + header.payload_len;
    if input.len() < len {
        return Ok(None);
    }
    let (payload, _) = unmask_payload(header, input);
    let received = match header.opcode {
        OpCode::Ping => Received::Ping,
        OpCode::Pong => Received::Pong,
        _ => Received::Close(receive_close(&input[payload.clone()])?),
    };
    Ok(Some(Frame { received, payload, len }))
}

/// Reads the payload of a close frame: no code, or a code and a reason.
fn receive_close(payload: &[u8]) -> Result<Option<CloseCode>, Violation> {
    match payload {
        [] => Ok(None),
        [_] => Err(Violation::BadClose),
        [high, low, reason @ ..] => {
            let code = CloseCode::new(u16::from_be_bytes([*high, *low]));
            let code = code.ok_or(Violation::BadClose)?;
            simdutf8::basic::from_utf8(reason).map_err(|_| Violation::NotUtf8)?;
            Ok(Some(code))
        }
    }
}

#[cfg(test)]
#[path = "receive_tests.rs"]
pub(crate) mod tests;
