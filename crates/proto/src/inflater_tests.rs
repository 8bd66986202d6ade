use flate2::{Compress, Compression, FlushCompress};

use super::*;
use crate::deflater::Deflater;

fn inflate(bytes: &[u8], max_payload: usize) -> Result<Vec<u8>, IncomingError> {
    let mut out = Vec::new();
    Inflater::new().unwrap().inflate_whole(MessageKind::Binary, bytes, max_payload, &mut out)?;
    assert_eq!(out.pop(), Some(0));
    Ok(out)
}

#[test]
fn there_and_back() {
    let noise: Vec<u8> =
        (0..200_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for bits in 8..=15 {
        for level in [1, 6, 9] {
            let mut deflater = Deflater::new(level, bits).unwrap();
            for message in [&b""[..], b"a", &noise, &[b'x'; 100_000], &noise[..1000]] {
                let mut out = Vec::new();
                deflater.deflate(message, &mut out).unwrap();
                assert_eq!(inflate(&out, message.len()).unwrap(), message, "{bits} {level}");
                if !message.is_empty() {
                    let short = inflate(&out, message.len() - 1);
                    assert_eq!(short, Err(Violation::TooLong.into()));
                }
            }
        }
    }
}

/// The examples of RFC 7692 7.2.3.
#[test]
fn the_messages_of_the_rfc() {
    for bytes in [
        &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..],
        &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
        &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
        &[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
    ] {
        assert_eq!(inflate(bytes, 5).unwrap(), b"Hello");
    }
    assert_eq!(inflate(&[0x00], 5).unwrap(), b"");
}

/// CONTRACT S20: what blocks cost is room for what comes out of them, however many there are.
#[test]
fn empty_blocks_take_no_room() {
    for block in [&[0x03, 0x00][..], &[0x01, 0x00, 0x00, 0xff, 0xff], &[0, 0, 0, 0xff, 0xff]] {
        let mut out = Vec::new();
        let message = [&block.repeat(100_000)[..], &[0x00]].concat();
        let result =
            Inflater::new().unwrap().inflate_whole(MessageKind::Text, &message, 1 << 24, &mut out);
        assert_eq!((result, &out[..]), (Ok(()), &[0][..]));
        assert!(out.capacity() < 64, "{} bytes", out.capacity());
    }
}

/// CONTRACT S20: where each block gives a byte, the message is moved as seldom as where one gives all.
#[test]
fn a_message_grows_in_few_steps() {
    let mut out = Vec::new();
    let mut steps = 0;
    for _ in 0..1_000_000 {
        let before = out.capacity();
        make_room(&mut out, 1, 1_000_000).unwrap();
        out.push(b'x');
        steps += usize::from(out.capacity() != before);
    }
    make_room(&mut out, 0, 1_000_000).unwrap();
    assert!(steps <= 25, "{steps} steps");
    assert!(out.capacity() <= 1_000_001);
}

/// A room that is full when the input ends holds nothing back, in whichever way the message ends.
#[test]
fn messages_of_many_rooms() {
    for len in [ROOM - 1, ROOM, ROOM + 1, 3 * ROOM, 3 * ROOM + 257] {
        let message = vec![b'x'; len];
        let mut out = Vec::new();
        Deflater::new(9, 15).unwrap().deflate(&message, &mut out).unwrap();
        assert_eq!(inflate(&out, len).unwrap(), message);
        let mut last = Compress::new(Compression::new(9), false);
        let mut out = Vec::with_capacity(len + 100);
        last.compress_vec(&message, &mut out, FlushCompress::Finish).unwrap();
        assert_eq!(inflate(&out, len).unwrap(), message);
    }
}

/// In pieces of work the same comes out, and each piece is no more work than was asked for, and a step.
#[test]
fn a_piece_at_a_time() {
    let text = "zażółć gęślą jaźń ".repeat(20_000);
    let mut deflated = Vec::new();
    Deflater::new(9, 15).unwrap().deflate(text.as_bytes(), &mut deflated).unwrap();
    for most_work in [1, 1000, 20_000, 1 << 20] {
        let (mut inflater, mut out) = (Inflater::new().unwrap(), b"before".to_vec());
        inflater.begin(&mut out);
        let mut pieces = 0;
        loop {
            let kind = MessageKind::Text;
            let done = inflater.inflate(kind, &deflated, text.len(), most_work, &mut out);
            let Inflated { is_complete, work } = done.unwrap();
            assert!(work < most_work + 2 * ROOM + STEP, "{work} of {most_work}");
            pieces += 1;
            if is_complete {
                break;
            }
        }
        assert_eq!(out.pop(), Some(0));
        assert_eq!(out, text.as_bytes());
        assert!(pieces >= text.len() / (most_work + 2 * ROOM + STEP), "{pieces}");
    }
}

/// A byte that cannot be is told when it has come out, not when all has.
#[test]
fn text_is_checked_as_it_comes() {
    let mut deflated = Vec::new();
    let bad = [&b"\xff"[..], &[b'a'; 200_000]].concat();
    Deflater::new(1, 15).unwrap().deflate(&bad, &mut deflated).unwrap();
    let (mut inflater, mut out) = (Inflater::new().unwrap(), Vec::new());
    inflater.begin(&mut out);
    let first = inflater.inflate(MessageKind::Text, &deflated, 1 << 20, 1, &mut out);
    assert_eq!(first, Err(Violation::NotUtf8.into()));
    assert!(out.len() < bad.len());
}

/// ADVISORIES T19, T20: neither a bomb nor bytes that are no deflate.
#[test]
fn bombs_and_garbage() {
    let mut out = Vec::new();
    Deflater::new(9, 15).unwrap().deflate(&vec![0; 10_000_000], &mut out).unwrap();
    assert!(out.len() < 20_000);
    let mut inflated = Vec::new();
    let result =
        Inflater::new().unwrap().inflate_whole(MessageKind::Binary, &out, 65535, &mut inflated);
    assert_eq!(result, Err(Violation::TooLong.into()));
    assert!(inflated.capacity() <= 65536);
    for bad in [&[0xff; 20][..], &[0x07], &[0x01, 0x05, 0x00, 0x00, 0x00], &[0x05, 0x80]] {
        assert_eq!(inflate(bad, 100), Err(Violation::NotDeflate.into()), "{bad:02x?}");
    }
    let text = Inflater::new().unwrap().inflate_whole(
        MessageKind::Text,
        &[0x00, 0x01, 0x00, 0xfe, 0xff, 0xff, 0x00],
        100,
        &mut inflated,
    );
    assert_eq!(text, Err(Violation::NotUtf8.into()));
}
