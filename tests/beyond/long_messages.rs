//! Messages that are longer than the manual's: whole, exact, and no longer than was asked for.

use super::set;
use crate::harness::{Client, Frame, Launch, Op, Server};

const MIB: usize = 1 << 20;

fn server(limit: usize) -> Server {
    set(&format!("max_message {limit}")).start()
}

/// Text in which every place has its own letters around it.
fn text(length: usize) -> Vec<u8> {
    let mut text: Vec<u8> =
        (0..length as u32).flat_map(|i| format!("{i:x}.").into_bytes()).take(length).collect();
    text.truncate(length);
    text
}

/// A message, in the frames in which it comes.
fn receive(client: &mut Client) -> (Op, Vec<u8>) {
    let first = client.receive();
    let (op, mut fin, mut payload) = (first.op, first.fin, first.payload);
    while !fin {
        let next = client.receive();
        assert_eq!(next.op, Op::CONTINUATION);
        fin = next.fin;
        payload.extend(next.payload);
    }
    (op, payload)
}

fn echoes(client: &mut Client, op: Op, payload: &[u8]) {
    let (found, echo) = receive(client);
    assert_eq!(found, op);
    assert!(echo == payload, "{} bytes of {}", echo.len(), payload.len());
}

/// Up to a mebibyte, both kinds, with every form of length.
#[test]
fn whole_frames() {
    let mut server = server(MIB);
    let mut client = server.connect();
    for length in [0, 1, 125, 126, 65534, 65535, 65536, 65541, 100_000, MIB - 1, MIB] {
        for op in [Op::TEXT, Op::BINARY] {
            let payload = text(length);
            client.send(&Frame::new(op, &payload));
            echoes(&mut client, op, &payload);
        }
    }
    server.stop();
}

/// The same, cut at odd places: each part is read before the next one comes.
#[test]
fn odd_splits() {
    let mut server = server(MIB);
    for (length, part) in [(70_000, 997), (MIB, 4093), (MIB, 65_521), (MIB, 65_541), (MIB, 262_139)]
    {
        let mut client = server.connect();
        let payload = text(length);
        let frame = Frame::text(std::str::from_utf8(&payload).expect("text"));
        let bytes = [frame.bytes(), Frame::text("behind").bytes()].concat();
        bytes.chunks(part).for_each(|chunk| client.send_and_drain(chunk));
        echoes(&mut client, Op::TEXT, &payload);
        client.expect_text("behind");
    }
    server.stop();
}

/// Two long messages and short ones at one go, from several clients at a time.
#[test]
fn several_at_a_time() {
    let mut server = server(MIB);
    let mut clients: Vec<_> = (0..4).map(|_| server.connect()).collect();
    let payload = text(300_001);
    let long = Frame::new(Op::BINARY, &payload).bytes();
    let all = [&long[..], &Frame::text("short").bytes(), &long].concat();
    for part in all.chunks(100_003) {
        clients.iter_mut().for_each(|client| client.send_and_drain(part));
    }
    for client in &mut clients {
        echoes(client, Op::BINARY, &payload);
        client.expect_text("short");
        echoes(client, Op::BINARY, &payload);
    }
    server.stop();
}

/// USERS 42: one byte more is told by the header, before a byte of the payload has come.
#[test]
fn one_byte_more() {
    for (limit, longer) in [(1, 2), (100, 101), (126, 127), (65535, 65536), (MIB, MIB + 1)] {
        let launch = set(&format!("max_message {limit}"));
        let mut server = launch.args(["--log-level", "debug"]).start();
        let mut client = server.connect();
        let payload = text(limit);
        client.send(&Frame::new(Op::BINARY, &payload));
        echoes(&mut client, Op::BINARY, &payload);
        let header = match longer {
            ..=125 => Frame::new(Op::BINARY, text(longer)),
            126..=65535 => Frame::new(Op::BINARY, "").declare16(longer as u16),
            _ => Frame::new(Op::BINARY, "").declare64(longer as u64),
        };
        client.send_bytes(&header.bytes());
        client.expect_close(1009);
        server.await_stderr("too long");
        server.await_journal("close 1 code=1009");
        server.stop();
    }
}

/// The limit may be below the buffer's size, and above all that there is.
#[test]
fn a_gibibyte_may_be_announced() {
    let mut server = server(1 << 30);
    let mut client = server.connect();
    let before = server.process().resident();
    client.send_and_drain(&Frame::new(Op::BINARY, "start").declare64(1 << 30).bytes());
    let grown = server.process().resident().saturating_sub(before);
    assert!(grown < 1 << 20, "{grown} bytes for what was announced");
    let mut other = server.connect();
    other.send_bytes(&Frame::new(Op::BINARY, "start").declare64((1 << 30) + 1).bytes());
    other.expect_close(1009);
    drop(client);
    server.await_journal("close 1 code=1006");
    server.stop();
}

/// A long message, closed on or cut off in its middle, is no message.
#[test]
fn a_message_that_does_not_end() {
    let mut server = set("max_message 1048576").start();
    let bytes = Frame::new(Op::BINARY, text(500_000)).bytes();
    for (number, cut) in [1, 9, 14, 15, 70_000, 499_999].into_iter().enumerate() {
        let mut client = server.connect();
        client.send_and_drain(&bytes[..cut]);
        drop(client);
        server.await_journal(&format!("close {} code=1006", number + 1));
    }
    server.connect().echo("as ever");
    server.stop();
}

/// USERS 41, T17: the default server joins nothing; `ws_set_max_message` alone makes it join, also
/// where the limit is the default one.
#[test]
fn asking_for_a_limit_is_asking_for_fragments() {
    let mut server = Launch::of("beyond.c", crate::harness::Variant::Default)
        .args(["--max-message=65535"])
        .start();
    let mut client = server.connect();
    client.send(&Frame::text("one ").unfinished());
    client.send(&Frame::new(Op::CONTINUATION, "message"));
    client.expect_text("one message");
    server.stop();
}
