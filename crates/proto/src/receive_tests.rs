use super::*;
use crate::mask::unmask;
use crate::rules::Role;

pub(crate) const RULES: Rules = Rules {
    role: Role::Server,
    max_payload: 65535,
    binary: Binary::Accepted,
    fragments: Fragments::Refused,
};
const KEY: [u8; 4] = [0x12, 0x34, 0x56, 0x78];

pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
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

pub(crate) fn message(kind: MessageKind) -> Received {
    Received::Message(Complete { kind, coding: Coding::Plain })
}

fn receive(input: &[u8]) -> Result<Option<Frame>, Violation> {
    receive_frame(&RULES, None, None, &mut input.to_vec())
}

/// CONTRACT D13, D2: every kind of frame, cut at every byte. Nothing is told before its last one, or
/// it goes on as a part.
#[test]
fn every_frame_cut_at_every_byte() {
    let long = "é".repeat(300);
    let cases: [(u8, &[u8], Received); 9] = [
        (0x81, b"", message(MessageKind::Text)),
        (0x81, b"hello", message(MessageKind::Text)),
        (0x81, long.as_bytes(), message(MessageKind::Text)),
        (0x82, b"\xff\x00\xfe", message(MessageKind::Binary)),
        (0x82, &[7; 65535], message(MessageKind::Binary)),
        (0x89, b"are you there?", Received::Ping),
        (0x8a, &[9; 125], Received::Pong),
        (0x88, b"", Received::Close(None)),
        (0x88, b"\x0b\xb8reason", Received::Close(CloseCode::new(3000))),
    ];
    for (first, payload_bytes, received) in cases {
        let whole = masked(first, payload_bytes);
        let near_an_end = |cut: &usize| *cut < 2000 || whole.len() - cut < 20;
        for cut in (0..whole.len()).filter(near_an_end) {
            match receive(&whole[..cut]) {
                Ok(None) => {}
                Ok(Some(Frame { received: Received::Part(start), len, .. })) => {
                    let mut incoming = Incoming::new();
                    incoming.begin(start);
                    let come = &whole[len..cut];
                    assert_eq!(incoming.receive(come), Ok((come.len(), None)));
                    let (_, kind) = incoming.receive(&whole[cut..]).unwrap();
                    assert_eq!(Received::Message(kind.unwrap()), received);
                    assert_eq!(incoming.message(), [payload_bytes, b"\0"].concat());
                }
                other => panic!("{received:?} cut at {cut}: {other:?}"),
            }
        }
        let mut input = [&whole[..], b"next"].concat();
        let frame = receive_frame(&RULES, None, None, &mut input).unwrap().unwrap();
        assert_eq!(frame.received, received);
        assert_eq!(&input[frame.payload.clone()], payload_bytes);
        assert_eq!((input[frame.payload.end], frame.payload.end + 1), (0, frame.len));
        assert_eq!(&input[frame.len..], b"next");
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

/// RFC 6455 5.1: told by the second byte, as the rest of a header's faults are, whoever the peer is.
#[test]
fn who_is_masked() {
    let client = Rules { role: Role::Client, ..RULES };
    let receive = |input: &[u8]| receive_frame(&client, None, None, &mut input.to_vec());
    for opcode in [0x81, 0x82, 0x88, 0x89, 0x8a] {
        assert_eq!(receive(&[opcode, 0x80]), Err(Violation::Masked));
        assert_eq!(receive(&masked(opcode, b"\x03\xe8")), Err(Violation::Masked));
    }
    assert_eq!(receive(b"\xc1\x00"), Err(Violation::ReservedBit));
    assert_eq!(receive(b"\x89\x7e"), Err(Violation::BadControl));
    assert_eq!(receive(b"\x81\x7e\x00\x7d"), Err(Violation::BadLength));
    assert_eq!(receive(b"\x81\x02\xc3\x28"), Err(Violation::NotUtf8));
    for violation in [Violation::Masked, Violation::Unmasked] {
        assert_eq!(violation.close_code(), CloseCode::PROTOCOL_ERROR);
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
    let rules = Rules { max_payload: 5, binary: Binary::Refused, ..RULES };
    let receive = |input: Vec<u8>| receive_frame(&rules, None, None, &mut { input });
    assert!(receive(masked(0x81, b"12345")).unwrap().is_some());
    assert_eq!(receive(masked(0x81, b"123456")), Err(Violation::TooLong));
    assert!(receive(masked(0x89, b"123456")).unwrap().is_some());
    assert_eq!(receive(masked(0x82, b"1")), Err(Violation::Binary));
}

/// CONTRACT E2, RFC 6455 5.4: fragments that are joined keep to the order and to the limit.
#[test]
fn fragments_that_are_joined() {
    let rules = Rules { max_payload: 5, fragments: Fragments::Joined, ..RULES };
    let mut incoming = Incoming::new();
    let mut receive = |first, payload: &[u8]| -> Result<Option<MessageKind>, Violation> {
        let mut input = masked(first, payload);
        let frame = receive_frame(&rules, Some(&incoming), None, &mut input)?.unwrap();
        let Received::Part(start) = frame.received else { return Ok(None) };
        incoming.begin(start);
        match incoming.receive(&input[frame.len..]) {
            Ok((_, complete)) => Ok(complete.map(|complete| complete.kind)),
            Err(error) => panic!("{error:?}"),
        }
    };
    assert_eq!(receive(0x80, b""), Err(Violation::OutOfOrder));
    assert_eq!(receive(0x01, b"ab"), Ok(None));
    assert_eq!(receive(0x89, b"ping between"), Ok(None));
    assert_eq!(receive(0x81, b""), Err(Violation::OutOfOrder));
    assert_eq!(receive(0x02, b""), Err(Violation::OutOfOrder));
    assert_eq!(receive(0x00, b""), Ok(None));
    assert_eq!(receive(0x00, b"cdef"), Err(Violation::TooLong));
    assert_eq!(receive(0x80, b"cde"), Ok(Some(MessageKind::Text)));
    assert_eq!(receive(0x00, b""), Err(Violation::OutOfOrder));
    assert_eq!(receive(0x02, b"123456"), Err(Violation::TooLong));
    assert_eq!(receive(0x02, b"\xff"), Ok(None));
    assert_eq!(receive(0x80, b""), Ok(Some(MessageKind::Binary)));
}

#[test]
fn text_is_utf8() {
    for bad in [&b"\xff"[..], b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"ok\xc0\x80"] {
        assert_eq!(receive(&masked(0x81, bad)), Err(Violation::NotUtf8));
        assert!(receive(&masked(0x82, bad)).unwrap().is_some());
    }
    assert!(receive(&masked(0x81, "κόσμε \u{10ffff}\0".as_bytes())).unwrap().is_some());
}

/// RFC 7692 6.1, ADVISORIES T22: where compression was agreed, a message's first frame may say that
/// it is compressed, and no other.
#[test]
fn compressed_frames() {
    let deflate = Deflate::negotiate([&b"permessage-deflate"[..]].into_iter());
    let rules = Rules { fragments: Fragments::Joined, ..RULES };
    let mut incoming = Incoming::new();
    let receive = |incoming: &Incoming, first, payload: &[u8]| {
        let mut input = masked(first, payload);
        receive_frame(&rules, Some(incoming), deflate, &mut input)
            .map(|frame| frame.unwrap().received)
    };
    let complete = Complete { kind: MessageKind::Text, coding: Coding::Deflated };
    assert_eq!(receive(&incoming, 0xc1, b"\xff"), Ok(Received::Message(complete)));
    for reserved in [0xa1, 0x91, 0xc9, 0xc8] {
        assert_eq!(receive(&incoming, reserved, b""), Err(Violation::ReservedBit));
    }
    let Ok(Received::Part(start)) = receive(&incoming, 0x41, b"\xff") else { panic!() };
    incoming.begin(start);
    assert_eq!(receive(&incoming, 0xc0, b""), Err(Violation::ReservedBit));
    assert_eq!(incoming.receive(&masked(0, b"\xff")[6..]), Ok((1, None)));
    let Ok(Received::Part(start)) = receive(&incoming, 0x80, b"") else { panic!() };
    incoming.begin(start);
    assert_eq!(incoming.receive(b""), Ok((0, Some(complete))));
}

#[test]
fn close_frames() {
    assert_eq!(receive(&masked(0x88, b"\x03")), Err(Violation::BadClose));
    assert_eq!(receive(&masked(0x88, b"\x03\xed")), Err(Violation::BadClose));
    assert_eq!(receive(&masked(0x88, b"\x03\xe8\xff")), Err(Violation::NotUtf8));
}

#[test]
fn payloads_of_close_frames() {
    assert_eq!(receive_close(b""), Ok(None));
    assert_eq!(receive_close(b"\x03"), Err(Violation::BadClose));
    assert_eq!(receive_close(b"\x03\xe8"), Ok(Some(CloseCode::NORMAL)));
    assert_eq!(receive_close(b"\x03\xe8bye \xc3\xa9"), Ok(Some(CloseCode::NORMAL)));
    assert_eq!(receive_close(b"\x03\xee"), Err(Violation::BadClose));
    assert_eq!(receive_close(b"\x03\xe8\xff"), Err(Violation::NotUtf8));
}

/// ADVISORIES T14, T17: where compression was agreed, only what is compressed may be a little longer
/// than the limit, and once for all its fragments.
#[test]
fn the_limit_where_compression_was_agreed() {
    let deflate = Deflate::negotiate([&b"permessage-deflate"[..]].into_iter());
    let rules = Rules { max_payload: 100, fragments: Fragments::Joined, ..RULES };
    for (first, most) in [(0x02, 100), (0x42, 165)] {
        let mut incoming = Incoming::new();
        let mut total = 0;
        let mut next = first;
        loop {
            let mut input = masked(next, b"x");
            match receive_frame(&rules, Some(&incoming), deflate, &mut input) {
                Ok(Some(Frame { received: Received::Part(start), len, .. })) => {
                    incoming.begin(start);
                    incoming.receive(&input[len..]).unwrap();
                }
                other => {
                    assert_eq!(other, Err(Violation::TooLong));
                    break;
                }
            }
            (total, next) = (total + 1, 0x00);
        }
        assert_eq!(total, most);
    }
}

/// Every possible pair of first bytes, with every short tail of zeros: no panic, and never a
/// payload outside the input.
#[test]
fn any_header() {
    for first in 0..=255 {
        for second in 0..=255 {
            for role in [Role::Server, Role::Client] {
                let mut input = vec![0; 160];
                input[..2].copy_from_slice(&[first, second]);
                let rules = Rules { role, ..RULES };
                let Ok(Some(frame)) = receive_frame(&rules, None, None, &mut input) else {
                    continue;
                };
                assert!(frame.payload.end <= frame.len && frame.len <= input.len());
            }
        }
    }
}
