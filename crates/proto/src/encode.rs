//! Frames that are sent (RFC 6455 5.2 to 5.4).

use std::ops::Range;

use crate::frame::{Coding, MessageKind, OpCode, RSV1};
use crate::mask::{MASK, mask_to};

/// The header of a frame to send: as a server sends it, unmasked (RFC 6455 5.1). A client sends it
/// [`FrameHead::masked`].
#[derive(Clone, Copy, Debug)]
pub struct FrameHead {
    bytes: [u8; 10],
    len: u8,
}

impl FrameHead {
    /// The length of the longest header that is not masked, in bytes.
    pub const MAX: usize = 10;

    /// The header of a frame that is a whole message or a control frame, with a payload of this length in
    /// bytes.
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

    /// The bytes of the header, to be sent before the payload.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// The header of the same frame as a client sends it, masked with this key, which must be one that
    /// nobody can guess, and a new one for each frame (RFC 6455 5.3).
    pub fn masked(self, key: [u8; 4]) -> MaskedHead {
        MaskedHead { head: self, key }
    }
}

/// The header of a frame that a client sends (RFC 6455 5.3).
#[derive(Clone, Copy, Debug)]
pub struct MaskedHead {
    head: FrameHead,
    key: [u8; 4],
}

impl MaskedHead {
    /// The length of the longest header that is masked, in bytes.
    pub const MAX: usize = FrameHead::MAX + MASK;

    /// Writes this header and the payload behind it to the start of `room`, the payload masked on its way
    /// there. It must have the length that the header says. Returns the length of the frame in bytes; `None`
    /// where the room is too small.
    pub fn encode(&self, payload: &[u8], room: &mut [u8]) -> Option<usize> {
        let head = self.head.as_bytes();
        let (head_room, room) = room.split_at_mut_checked(head.len())?;
        let (key_room, room) = room.split_first_chunk_mut()?;
        let room = room.get_mut(..payload.len())?;
        head_room.copy_from_slice(head);
        head_room[1] |= 0x80;
        *key_room = self.key;
        mask_to(self.key, payload, room);
        Some(head.len() + MASK + payload.len())
    }
}

/// Writes a whole and plain message of less than 64 KiB to the start of `room`, as a server's frame, in one
/// step. Returns the length of the frame in bytes; `None` where the message is longer, or the room too
/// small.
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

/// The length in bytes, header included, of the frame that was encoded to the start of `bytes`; `None` where
/// its header is not whole, but for its masking key.
pub fn frame_len(bytes: &[u8]) -> Option<usize> {
    let (_, [second, rest @ ..]) = bytes.split_first()? else { return None };
    let mask = if second & 0x80 == 0 { 0 } else { MASK };
    Some(match second & 0x7f {
        126 => mask + 4 + usize::from(u16::from_be_bytes(*rest.first_chunk()?)),
        127 => mask + 10 + usize::try_from(u64::from_be_bytes(*rest.first_chunk()?)).ok()?,
        short => mask + 2 + usize::from(short),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6455 5.7: the examples of a masked text and a masked pong.
    #[test]
    fn a_client_masks() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        for (opcode, first) in [(OpCode::Text, 0x81), (OpCode::Pong, 0x8a)] {
            let hello = [first, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
            let head = FrameHead::new(opcode, 5).masked(key);
            let mut room = [7; 12];
            assert_eq!(head.encode(b"Hello", &mut room), Some(11));
            assert_eq!(room, [&hello[..], &[7]].concat()[..]);
            for cut in 0..11 {
                assert_eq!(head.encode(b"Hello", &mut room[..cut]), None);
            }
        }
    }

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
            let (mut room, payload) = (vec![0; len + MaskedHead::MAX], vec![b'a'; len]);
            let masked = head.masked([1, 2, 3, 4]).encode(&payload, &mut room);
            assert_eq!(frame_len(&room), masked);
        }
    }
}
