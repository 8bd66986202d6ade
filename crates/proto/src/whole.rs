//! The short way to receive what a server is sent most of the time.

use std::ops::Range;

use crate::frame::MessageKind;
use crate::mask::{MASK, unmask, unmask_back, unmask_back_long};
use crate::rules::Binary;

/// A message that [`receive_whole`] has taken from the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    /// What the message is: text or not.
    pub kind: MessageKind,
    /// Where in the input its payload stands, unmasked: by one byte nearer to the front than in the frame as
    /// it came. The zero byte behind it is the last byte of its frame.
    pub payload: Range<usize>,
}

impl Whole {
    /// The length in bytes of the frame that was taken. What is next in the input starts there.
    #[inline(always)]
    pub fn frame_len(&self) -> usize {
        self.payload.end + 1
    }
}

/// Takes the message at the start of `input` where it is what a server is sent most of the time: plain, in
/// one frame that is masked and all there, of less than 64 KiB and of no more than `max_payload` bytes. It
/// is for a server, on connections on which no message is under way, and takes nothing that
/// [`receive_frame`] would not take there.
///
/// The payload of what is taken is unmasked, moved to the front by one byte over the end of its mask, and
/// has a zero byte behind it, in the place of its last byte, as by [`receive_frame`]: what stands behind the
/// frame is not touched. `None` says nothing of what stands in the input, and leaves it as it was.
///
/// [`receive_frame`]: crate::receive_frame
#[inline(always)]
pub fn receive_whole(max_payload: usize, binary: Binary, input: &mut [u8]) -> Option<Whole> {
    let &[first, second, ..] = input.first_chunk::<2>()?;
    let kind = match first {
        0x81 => MessageKind::Text,
        0x82 if binary == Binary::Accepted => MessageKind::Binary,
        _ => return None,
    };
    let len = usize::from(second ^ 0x80);
    if len > 125 {
        let len = receive_long(max_payload, kind, input)?;
        return Some(Whole { kind, payload: 3 + MASK..3 + MASK + len });
    }
    if len > max_payload {
        return None;
    }
    let masked = input.get_mut(2..2 + MASK + len)?;
    let key = *masked.first_chunk()?;
    let is_ascii = unmask_back(masked);
    if !is_ascii && kind == MessageKind::Text {
        check(key, masked)?;
    }
    Some(Whole { kind, payload: 1 + MASK..1 + MASK + len })
}

/// Takes what [`receive_whole`] takes whose length stands in 16 bits (RFC 6455 5.2). Returns that length.
#[inline(never)]
fn receive_long(max_payload: usize, kind: MessageKind, input: &mut [u8]) -> Option<usize> {
    let &[_, 0xfe, high, low] = input.first_chunk()? else { return None };
    let len = usize::from(u16::from_be_bytes([high, low]));
    if len < 126 || len > max_payload {
        return None;
    }
    let masked = input.get_mut(4..4 + MASK + len)?;
    let key = *masked.first_chunk()?;
    let is_ascii = unmask_back_long(masked);
    if !is_ascii && kind == MessageKind::Text {
        check(key, masked)?;
    }
    Some(len)
}

/// Checks text that was unmasked and moved, in the place of its mask and itself. What is no UTF-8 is put
/// back as it was, for [`receive_frame`](crate::receive_frame) to judge it (RFC 6455 8.1).
#[inline(always)]
fn check(key: [u8; MASK], unmasked: &mut [u8]) -> Option<()> {
    let len = unmasked.len() - MASK;
    let payload = &mut unmasked[MASK - 1..];
    if simdutf8::basic::from_utf8(&payload[..len]).is_err() {
        payload.copy_within(..len, 1);
        unmask(key, &mut payload[1..]);
        payload[0] = key[MASK - 1];
        return None;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receive::tests::{RULES, masked, message};
    use crate::receive::{Frame, receive_frame};

    /// The short way and the long one say the same, where the short one says something; and the short one
    /// touches nothing but the frame.
    #[test]
    fn the_short_way_is_the_long_one() {
        let texts = [
            "",
            "a",
            "hello",
            "caf\u{e9}",
            "a whole caf\u{e9} of text",
            &"x".repeat(125),
            &"x".repeat(126),
            &"caf\u{e9}s ".repeat(300),
        ];
        let long_binary = b"\xc3 ".repeat(700);
        let binary: [&[u8]; 5] =
            [b"\xff", b"\xc3", b"", b"bytes that are \xff no text", &long_binary];
        let payloads = texts.iter().map(|text| text.as_bytes()).chain(binary);
        for payload in payloads {
            for first in [0x81, 0x82, 0x01, 0x80, 0x89, 0xc1] {
                let whole = [&masked(first, payload)[..], b"next"].concat();
                for cut in 0..=whole.len() {
                    let (mut one, mut two) = (whole[..cut].to_vec(), whole[..cut].to_vec());
                    let short = receive_whole(65535, Binary::Accepted, &mut one);
                    let long = receive_frame(&RULES, None, None, &mut two);
                    let Some(short) = short else {
                        assert_eq!(one, whole[..cut]);
                        continue;
                    };
                    assert_eq!(one, two);
                    let received = message(short.kind);
                    let len = short.frame_len();
                    assert_eq!(long, Ok(Some(Frame { received, payload: short.payload, len })));
                }
                let is_text = first == 0x81 && std::str::from_utf8(payload).is_ok();
                let is_known = is_text || first == 0x82;
                let short = receive_whole(65535, Binary::Accepted, &mut whole.clone());
                assert_eq!(short.is_some(), is_known);
            }
        }
    }

    #[test]
    fn what_is_not_taken() {
        let whole = |max, binary, mut input: Vec<u8>| receive_whole(max, binary, &mut input);
        assert_eq!(whole(9, Binary::Refused, masked(0x82, b"12")), None);
        assert_eq!(whole(1, Binary::Accepted, masked(0x81, b"12")), None);
        assert_eq!(whole(999, Binary::Refused, masked(0x82, &[0; 300])), None);
        assert_eq!(whole(299, Binary::Accepted, masked(0x82, &[0; 300])), None);
        assert_eq!(whole(99_999, Binary::Accepted, masked(0x82, &[0; 65536])), None);
        // RFC 6455 5.2: not the shortest form.
        assert_eq!(whole(9, Binary::Accepted, b"\x82\xfe\x00\x01\0\0\0\0a".to_vec()), None);
        // RFC 6455 5.1: not masked.
        assert_eq!(whole(9, Binary::Accepted, b"\x82\x01aaaaaaaa".to_vec()), None);
    }
}
