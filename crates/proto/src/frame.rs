//! Frame headers, both ways (RFC 6455 5.2).

use std::ops::Range;

use crate::{Deflate, Violation};

/// The bit of a compressed message (RFC 7692 6).
const RSV1: u8 = 0x40;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum OpCode {
    /// A further fragment of a message.
    Continuation = 0,
    /// A text message, or its first fragment.
    Text = 1,
    /// A binary message, or its first fragment.
    Binary = 2,
    /// The end of the connection.
    Close = 8,
    /// A question whether the peer is there.
    Ping = 9,
    /// The answer to a ping.
    Pong = 10,
}

impl OpCode {
    fn new(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    /// Whether frames of this kind stand between the fragments of messages (RFC 6455 5.5).
    pub fn is_control(self) -> bool {
        self as u8 & 8 != 0
    }
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// UTF-8 text.
    Text,
    /// Any bytes.
    Binary,
}

impl From<MessageKind> for OpCode {
    fn from(kind: MessageKind) -> Self {
        match kind {
            MessageKind::Text => Self::Text,
            MessageKind::Binary => Self::Binary,
        }
    }
}

/// How a message's bytes are to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Coding {
    /// As they are.
    #[default]
    Plain,
    /// Compressed (RFC 7692).
    Deflated,
}

/// The header of a client's frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) is_final: bool,
    pub(crate) coding: Coding,
    pub(crate) opcode: OpCode,
    pub(crate) key: [u8; 4],
    /// The header's own length in bytes, mask included.
    pub(crate) len: usize,
    /// The payload's length in bytes.
    pub(crate) payload_len: usize,
}

impl FrameHeader {
    /// Reads the header at the start of `input`, a client's. A fault is told as soon as the bytes
    /// that show it are there. `deflate` says whether messages may be compressed, and `max_payload` how
    /// long the payload of a data frame may be, by its opcode and coding.
    pub(crate) fn receive(
        input: &[u8],
        deflate: Option<Deflate>,
        max_payload: impl FnOnce(OpCode, Coding) -> usize,
    ) -> Result<Option<Self>, Violation> {
        let [first, second, rest @ ..] = input else { return Ok(None) };
        let opcode = OpCode::new(first & 0x0f).ok_or(Violation::ReservedOpCode)?;
        let is_final = first & 0x80 != 0;
        let short = second & 0x7f;
        let coding = if first & RSV1 == 0 { Coding::Plain } else { Coding::Deflated };
        let may_be_deflated = deflate.is_some() && matches!(opcode, OpCode::Text | OpCode::Binary);
        if first & 0x30 != 0 || (coding == Coding::Deflated && !may_be_deflated) {
            return Err(Violation::ReservedBit);
        }
        if second & 0x80 == 0 {
            return Err(Violation::Unmasked);
        }
        if opcode.is_control() && (!is_final || short > 125) {
            return Err(Violation::BadControl);
        }
        let (payload_len, rest) = match short {
            126 => match rest.split_first_chunk::<2>() {
                None => return Ok(None),
                Some((len, rest)) => match u16::from_be_bytes(*len) {
                    ..126 => return Err(Violation::BadLength),
                    len => (u64::from(len), rest),
                },
            },
            127 => match rest.split_first_chunk::<8>() {
                None => return Ok(None),
                Some((len, rest)) => match u64::from_be_bytes(*len) {
                    ..0x1_0000 | 0x8000_0000_0000_0000.. => return Err(Violation::BadLength),
                    len => (len, rest),
                },
            },
            len => (u64::from(len), rest),
        };
        let payload_len = usize::try_from(payload_len).map_err(|_| Violation::TooLong)?;
        if !opcode.is_control() && payload_len > max_payload(opcode, coding) {
            return Err(Violation::TooLong);
        }
        let Some((key, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
        let len = input.len() - rest.len();
        Ok(Some(Self { is_final, coding, opcode, key: *key, len, payload_len }))
    }
}

/// The header of a frame of ours: never masked (RFC 6455 5.1).
#[derive(Clone, Copy, Debug)]
pub struct FrameHead {
    bytes: [u8; 10],
    len: u8,
}

impl FrameHead {
    /// The longest there is, in bytes.
    pub const MAX: usize = 10;

    /// The header of a whole message or a control frame.
    pub fn new(opcode: OpCode, payload_len: usize) -> Self {
        Self::with_first_byte(0x80 | opcode as u8, payload_len)
    }

    fn with_first_byte(first: u8, payload_len: usize) -> Self {
        let mut bytes = [0; 10];
        bytes[0] = first;
        let len = match payload_len {
            ..126 => {
                bytes[1] = payload_len as u8;
                2
            }
            126..0x1_0000 => {
                bytes[1] = 126;
                bytes[2..4].copy_from_slice(&(payload_len as u16).to_be_bytes());
                4
            }
            _ => {
                bytes[1] = 127;
                bytes[2..10].copy_from_slice(&(payload_len as u64).to_be_bytes());
                10
            }
        };
        Self { bytes, len }
    }

    /// The bytes to send before the payload.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// Frames a whole and plain message of less than 64 KiB to the start of `room`, in one step. Returns the
/// length of the frame in bytes; `None` where the message is longer, or the room too small.
#[inline(always)]
pub fn encode_whole(kind: MessageKind, payload: &[u8], room: &mut [u8]) -> Option<usize> {
    let (opcode, len) = (0x80 | OpCode::from(kind) as u8, payload.len());
    if len < 126 {
        let [first, second, room @ ..] = room.get_mut(..len + 2)? else { return None };
        (*first, *second) = (opcode, len as u8);
        room.copy_from_slice(payload);
        return Some(len + 2);
    }
    let [high, low] = u16::try_from(len).ok()?.to_be_bytes();
    let (head, room) = room.get_mut(..len + 4)?.split_first_chunk_mut()?;
    *head = [opcode, 126, high, low];
    room.copy_from_slice(payload);
    Some(len + 4)
}

/// The frames in which a message of `len` bytes goes out: one, or fragments of at most
/// `max_payload` bytes (CONTRACT D15). Each header comes with the part of the message behind it.
pub fn fragments(
    kind: MessageKind,
    coding: Coding,
    len: usize,
    max_payload: usize,
) -> impl Iterator<Item = (FrameHead, Range<usize>)> + Clone {
    let max_payload = max_payload.max(1);
    let count = len.div_ceil(max_payload).max(1);
    (0..count).map(move |i| {
        let part = i * max_payload..len.min((i + 1).saturating_mul(max_payload));
        let opcode = if i == 0 { OpCode::from(kind) } else { OpCode::Continuation };
        let is_final = u8::from(i + 1 == count) << 7;
        // RFC 7692 6.1: the first fragment speaks for all.
        let rsv1 = if i == 0 && coding == Coding::Deflated { RSV1 } else { 0 };
        (FrameHead::with_first_byte(is_final | rsv1 | opcode as u8, part.len()), part)
    })
}

/// The length in bytes, header included, of the frame of ours at the start of `bytes`; `None` where
/// its header is not whole.
pub fn frame_len(bytes: &[u8]) -> Option<usize> {
    let (_, [short, rest @ ..]) = bytes.split_first()? else { return None };
    Some(match short {
        126 => 4 + usize::from(u16::from_be_bytes(*rest.first_chunk()?)),
        127 => 10 + usize::try_from(u64::from_be_bytes(*rest.first_chunk()?)).ok()?,
        len => 2 + usize::from(*len),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(kind: MessageKind, len: usize, max: usize) -> Vec<(Vec<u8>, Range<usize>)> {
        fragments(kind, Coding::Plain, len, max)
            .map(|(head, part)| (head.as_bytes().to_vec(), part))
            .collect()
    }

    #[test]
    fn a_message_is_one_frame_up_to_the_limit() {
        assert_eq!(whole(MessageKind::Text, 5, 5), [(vec![0x81, 5], 0..5)]);
        assert_eq!(whole(MessageKind::Binary, 0, 5), [(vec![0x82, 0], 0..0)]);
        assert_eq!(whole(MessageKind::Text, 126, 200), [(vec![0x81, 126, 0, 126], 0..126)]);
        let long = vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0];
        assert_eq!(whole(MessageKind::Binary, 65536, 1 << 20), [(long, 0..65536)]);
    }

    #[test]
    fn a_longer_one_is_fragments() {
        let frames = [(vec![0x01, 5], 0..5), (vec![0x00, 5], 5..10), (vec![0x80, 1], 10..11)];
        assert_eq!(whole(MessageKind::Text, 11, 5), frames);
        assert_eq!(whole(MessageKind::Text, 10, 5)[1], (vec![0x80, 5], 5..10));
    }

    #[test]
    fn the_first_fragment_says_that_all_are_compressed() {
        let firsts: Vec<_> = fragments(MessageKind::Text, Coding::Deflated, 12, 5)
            .map(|(head, _)| head.as_bytes()[0])
            .collect();
        assert_eq!(firsts, [0x41, 0x00, 0x80]);
    }

    /// One step or several, the frame is the same, and nothing is written behind it.
    #[test]
    fn whole_messages_in_one_step() {
        for len in [0, 1, 125, 126, 300, 65535] {
            let payload: Vec<u8> = (0..len).map(|i| i as u8).collect();
            for (kind, opcode) in
                [(MessageKind::Text, OpCode::Text), (MessageKind::Binary, OpCode::Binary)]
            {
                let frame = [FrameHead::new(opcode, len).as_bytes(), &payload].concat();
                let mut room = vec![7; frame.len() + 1];
                assert_eq!(encode_whole(kind, &payload, &mut room), Some(frame.len()));
                assert_eq!(room, [&frame[..], &[7]].concat());
                for cut in (0..frame.len()).rev().take(10) {
                    assert_eq!(encode_whole(kind, &payload, &mut room[..cut]), None);
                }
            }
        }
        assert_eq!(encode_whole(MessageKind::Text, &[b'a'; 65536], &mut [0; 70000]), None);
    }

    #[test]
    fn own_frames_tell_their_length() {
        for len in [0, 1, 125, 126, 65535, 65536, 70000] {
            let head = FrameHead::new(OpCode::Text, len);
            let bytes = head.as_bytes();
            assert_eq!(frame_len(bytes), Some(bytes.len() + len));
            for cut in 0..bytes.len() {
                assert_eq!(frame_len(&bytes[..cut]), None);
            }
        }
    }
}
