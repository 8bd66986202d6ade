//! A client's frames, judged and unmasked (RFC 6455 5 and 6.2).

use std::ops::Range;

use crate::close::receive_close;
use crate::frame::FrameHeader;
use crate::{CloseCode, MessageKind, OpCode, Violation, unmask};

/// Whether a server takes binary messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    /// They are messages like text.
    Accepted,
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
}

/// What a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// A complete message.
    Message(MessageKind),
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
    /// Where in the input its payload stands, unmasked.
    pub payload: Range<usize>,
}

/// Takes the frame at the start of `input` and unmasks its payload in place. The next frame starts
/// where this one's payload ends. A frame is judged by its header before its payload is there.
///
/// `Ok(None)` asks for more bytes: call again with the same ones and those that have come since.
pub fn receive_frame(rules: &Rules, input: &mut [u8]) -> Result<Option<Frame>, Violation> {
    let Some(header) = FrameHeader::receive(input, rules.max_payload)? else { return Ok(None) };
    if header.opcode == OpCode::Continuation || !header.is_final {
        return Err(Violation::Fragment);
    }
    if header.opcode == OpCode::Binary && rules.binary == Binary::Refused {
        return Err(Violation::Binary);
    }
    let payload = header.len..header.len + header.payload_len;
    let Some(bytes) = input.get_mut(payload.clone()) else { return Ok(None) };
    unmask(header.key, bytes);
    let received = match header.opcode {
        OpCode::Text => {
            simdutf8::basic::from_utf8(bytes).map_err(|_| Violation::NotUtf8)?;
            Received::Message(MessageKind::Text)
        }
        OpCode::Binary | OpCode::Continuation => Received::Message(MessageKind::Binary),
        OpCode::Ping => Received::Ping,
        OpCode::Pong => Received::Pong,
        OpCode::Close => Received::Close(receive_close(bytes)?),
    };
    Ok(Some(Frame { received, payload }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { max_payload: 65535, binary: Binary::Accepted };
    const KEY: [u8; 4] = [0x12, 0x34, 0x56, 0x78];

    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        match payload.len() {
            len @ ..126 => frame.push(0x80 | len as u8),
            len => {
                frame.push(0x80 | 126);
                frame.extend((len as u16).to_be_bytes());
            }
        }
        frame.extend(KEY);
        let start = frame.len();
        frame.extend(payload);
        unmask(KEY, &mut frame[start..]);
        frame
    }

    fn receive(input: &[u8]) -> Result<Option<Frame>, Violation> {
        receive_frame(&RULES, &mut input.to_vec())
    }

    /// CONTRACT D13, D2: every kind of frame, cut at every byte: nothing before its last one.
    #[test]
    fn every_frame_cut_at_every_byte() {
        let long = "é".repeat(300);
        let cases: [(u8, &[u8], Received); 9] = [
            (0x81, b"", Received::Message(MessageKind::Text)),
            (0x81, b"hello", Received::Message(MessageKind::Text)),
            (0x81, long.as_bytes(), Received::Message(MessageKind::Text)),
            (0x82, b"\xff\x00\xfe", Received::Message(MessageKind::Binary)),
            (0x82, &[7; 65535], Received::Message(MessageKind::Binary)),
            (0x89, b"are you there?", Received::Ping),
            (0x8a, &[9; 125], Received::Pong),
            (0x88, b"", Received::Close(None)),
            (0x88, b"\x0b\xb8reason", Received::Close(CloseCode::new(3000))),
        ];
        for (first, payload, received) in cases {
            let whole = masked(first, payload);
            for cut in 0..whole.len() {
                assert_eq!(receive(&whole[..cut]), Ok(None), "{received:?} cut at {cut}");
            }
            let mut input = [&whole[..], b"next"].concat();
            let frame = receive_frame(&RULES, &mut input).unwrap().unwrap();
            assert_eq!(frame.received, received);
            assert_eq!(&input[frame.payload.clone()], payload);
            assert_eq!(&input[frame.payload.end..], b"next");
        }
    }

    /// CONTRACT D3, S8: told by the header alone, as soon as the bytes that show it are there.
    #[test]
    fn faults_are_told_at_once() {
        use Violation::*;
        let cases: [(&[u8], Violation); 20] = [
            (b"\x81\x05", Unmasked),
            (b"\x81\x00", Unmasked),
            (b"\x89\x00", Unmasked),
            (b"\xc1\x80", ReservedBit),
            (b"\xa1\x80", ReservedBit),
            (b"\x91\x80", ReservedBit),
            (b"\x83\x80", ReservedOpCode),
            (b"\x8b\x80", ReservedOpCode),
            (b"\x8f\x80", ReservedOpCode),
            (b"\x09\x80", BadControl),
            (b"\x89\xfe", BadControl),
            (b"\x88\xff", BadControl),
            (b"\x81\xfe\x00\x7d", BadLength),
            (b"\x81\xff\x00\x00\x00\x00\x00\x00\xff\xff", BadLength),
            // ADVISORIES T2: the top bit set.
            (b"\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00", BadLength),
            (b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff", TooLong),
            (b"\x82\xff\x00\x00\x00\x00\x00\x01\x00\x00", TooLong),
            (b"\x01\x81\x12\x34\x56\x78", Fragment),
            (b"\x80\x81\x12\x34\x56\x78", Fragment),
            // ADVISORIES T3, whose length wraps when the header is added to it.
            (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xeb\x0e\x8f", BadControl),
        ];
        for (input, violation) in cases {
            assert_eq!(receive(input), Err(violation), "{input:02x?}");
            for cut in 0..input.len() {
                let early = receive(&input[..cut]);
                assert!(early == Ok(None) || early == Err(violation), "{input:02x?} cut at {cut}");
            }
        }
    }

    /// ADVISORIES T1, T4 to T8: a length near the end of each integer's range is judged, never added to.
    #[test]
    fn extreme_lengths() {
        for len in [u64::MAX, u64::MAX - 14, 1 << 63, (1 << 63) - 1, 1 << 32, (1 << 31) - 1] {
            let mut input = vec![0x82, 0xff];
            input.extend(len.to_be_bytes());
            input.extend(KEY);
            let expected = if len >> 63 == 1 { Violation::BadLength } else { Violation::TooLong };
            assert_eq!(receive(&input), Err(expected));
        }
    }

    #[test]
    fn limits_and_kinds_follow_the_rules() {
        let rules = Rules { max_payload: 5, binary: Binary::Refused };
        let receive = |input: Vec<u8>| receive_frame(&rules, &mut { input });
        assert!(receive(masked(0x81, b"12345")).unwrap().is_some());
        assert_eq!(receive(masked(0x81, b"123456")), Err(Violation::TooLong));
        assert!(receive(masked(0x89, b"123456")).unwrap().is_some());
        assert_eq!(receive(masked(0x82, b"1")), Err(Violation::Binary));
    }

    #[test]
    fn text_is_utf8() {
        for bad in [&b"\xff"[..], b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"ok\xc0\x80"] {
            assert_eq!(receive(&masked(0x81, bad)), Err(Violation::NotUtf8));
            assert!(receive(&masked(0x82, bad)).unwrap().is_some());
        }
        assert!(receive(&masked(0x81, "κόσμε \u{10ffff}\0".as_bytes())).unwrap().is_some());
    }

    #[test]
    fn close_frames() {
        assert_eq!(receive(&masked(0x88, b"\x03")), Err(Violation::BadClose));
        assert_eq!(receive(&masked(0x88, b"\x03\xed")), Err(Violation::BadClose));
        assert_eq!(receive(&masked(0x88, b"\x03\xe8\xff")), Err(Violation::NotUtf8));
    }

    /// Every possible pair of first bytes, with every short tail of zeros: no panic, and never a
    /// payload outside the input.
    #[test]
    fn any_header() {
        for first in 0..=255 {
            for second in 0..=255 {
                let mut input = vec![0; 160];
                input[..2].copy_from_slice(&[first, second]);
                if let Ok(Some(frame)) = receive_frame(&RULES, &mut input) {
                    assert!(frame.payload.end <= input.len());
                }
            }
        }
    }
}
