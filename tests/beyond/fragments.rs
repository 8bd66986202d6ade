//! Messages in fragments, where they are asked for (RFC 6455 5.4).

use super::{ask, set};
use crate::harness::{Client, Frame, Op, Server};

fn server() -> Server {
    set("max_message 1000").start()
}

fn part(op: Op, payload: &[u8]) -> Vec<u8> {
    Frame::new(op, payload).unfinished().bytes()
}

fn last(payload: &[u8]) -> Vec<u8> {
    Frame::new(Op::CONTINUATION, payload).bytes()
}

/// A message is whole when its last fragment has come, however it was cut and in whatever pieces it
/// comes.
#[test]
fn joined() {
    let mut server = server();
    let mut client = server.connect();
    let cases: [(Vec<Vec<u8>>, &str); 5] = [
        (vec![part(Op::TEXT, b"he"), last(b"llo")], "hello"),
        (vec![part(Op::TEXT, b""), part(Op::CONTINUATION, b""), last(b"")], ""),
        (vec![part(Op::TEXT, b"a"), part(Op::CONTINUATION, b""), last(b"b")], "ab"),
        // A character may be cut.
        (vec![part(Op::TEXT, b"\xe2"), part(Op::CONTINUATION, b"\x82"), last(b"\xac")], "\u{20ac}"),
        (vec![part(Op::TEXT, b"only the first"), last(b"")], "only the first"),
    ];
    for (frames, text) in &cases {
        client.send_bytes(&frames.concat());
        client.expect_text(text);
        for byte in frames.concat() {
            client.send_and_drain(&[byte]);
        }
        client.expect_text(text);
    }
    client.send_bytes(&[part(Op::BINARY, b"\xff"), last(b"\xfe")].concat());
    assert_eq!(client.receive(), Frame::new(Op::BINARY, b"\xff\xfe").unmasked());
    server.stop();
}

/// USERS 49: a ping between fragments has its pong before the message is whole; unasked pongs are
/// ignored there too, and a close frame counts.
#[test]
fn control_frames_between() {
    let mut server = server();
    let mut client = server.connect();
    client.send_bytes(&part(Op::TEXT, b"one "));
    for payload in ["", "p", &"x".repeat(125)] {
        client.send(&Frame::new(Op::PING, payload));
        assert_eq!(client.receive(), Frame::new(Op::PONG, payload).unmasked());
        client.send_bytes(&part(Op::CONTINUATION, b"and "));
        client.send(&Frame::new(Op::PONG, "unasked"));
    }
    client.send_bytes(&last(b"all"));
    client.expect_text("one and and and all");
    client.send_bytes(&part(Op::TEXT, b"never whole"));
    client.send(&Frame::close(3001, ""));
    client.expect_close(3001);
    server.await_journal("close 1 code=3001");
    server.stop();
}

/// What stands in the wrong place ends the connection with 1002.
#[test]
fn the_order() {
    let mut server = server();
    let wrong: [Vec<Vec<u8>>; 6] = [
        vec![last(b"of nothing")],
        vec![part(Op::CONTINUATION, b"of nothing")],
        vec![part(Op::TEXT, b"a"), Frame::text("b").bytes()],
        vec![part(Op::TEXT, b"a"), part(Op::BINARY, b"b")],
        vec![part(Op::TEXT, b"a"), last(b"b"), last(b"c")],
        vec![part(Op::TEXT, b"a"), Frame::new(Op::PING, "p").unfinished().bytes()],
    ];
    for frames in &wrong {
        let mut client = server.connect();
        client.send_bytes(&frames.concat());
        let mut frame = client.receive();
        if frame.op == Op::TEXT {
            assert_eq!(frame.as_text(), "ab");
            frame = client.receive();
        }
        assert_eq!(frame.code(), Some(1002), "{frames:?}");
        client.expect_end();
    }
    server.connect().echo("as ever");
    server.stop();
}

/// RFC 6455 8.1: a byte that cannot be ends the connection at once, with the rest still to come.
#[test]
fn text_that_goes_wrong_in_the_middle() {
    let mut server = set("max_message 1048576").start();
    let frames: [Vec<u8>; 5] = [
        part(Op::TEXT, b"abc\xff"),
        [part(Op::TEXT, b"\xe2\x82"), part(Op::CONTINUATION, b"\x28")].concat(),
        [part(Op::TEXT, b"fine"), part(Op::CONTINUATION, b"\xc0")].concat(),
        Frame::new(Op::TEXT, b"start\xf5").declare64(1 << 20).bytes(),
        [part(Op::TEXT, b"fine"), Frame::new(Op::CONTINUATION, b"\xed\xa0").declare16(500).bytes()]
            .concat(),
    ];
    for bytes in &frames {
        let mut client = server.connect();
        client.send_bytes(bytes);
        client.expect_close(1007);
    }
    let mut unfinished = server.connect();
    unfinished.send_bytes(&[part(Op::TEXT, b"cut: \xe2\x82"), last(b"")].concat());
    unfinished.expect_close(1007);
    server.await_journal("close 1 code=1007");
    server.stop();
}

/// T1, T14: the limit is that of the message, not of a fragment; the fragment that is too much is
/// told by its header.
#[test]
fn the_limit_is_that_of_the_message() {
    let mut server = server();
    let mut client = server.connect();
    let all = [part(Op::TEXT, &[b'a'; 999]), last(b"b")].concat();
    client.send_bytes(&all);
    assert_eq!(client.receive().payload.len(), 1000);
    let too_much: [Vec<u8>; 4] = [
        [part(Op::TEXT, &[b'a'; 999]), Frame::new(Op::CONTINUATION, "bc").bytes()].concat(),
        [part(Op::TEXT, &[b'a'; 1000]), part(Op::CONTINUATION, b"b")].concat(),
        [part(Op::TEXT, b"a"), Frame::new(Op::CONTINUATION, "").declare16(1000).bytes()].concat(),
        [part(Op::TEXT, b"a"), Frame::new(Op::CONTINUATION, "").declare64((1 << 63) - 1).bytes()]
            .concat(),
    ];
    for bytes in &too_much {
        let mut client = server.connect();
        client.send_bytes(bytes);
        client.expect_close(1009);
    }
    server.stop();
}

/// T12, T13, T14: fragments without end, empty or of one byte, cost no more than their bytes.
#[test]
fn fragments_without_end() {
    let mut server = set("max_message 1048576").start();
    let mut bystander = server.connect();
    let mut client = server.connect();
    let before = (server.process().resident(), server.process().ticks());
    client.send_bytes(&part(Op::TEXT, b"start"));
    let empty = part(Op::CONTINUATION, b"").repeat(10_000);
    for _ in 0..100 {
        client.send_bytes(&empty);
        bystander.echo("still served");
    }
    let tiny = part(Op::CONTINUATION, b"x").repeat(10_000);
    (0..50).for_each(|_| client.send_bytes(&tiny));
    client.send(&Frame::new(Op::PING, "read so far"));
    assert_eq!(client.receive().op, Op::PONG);
    let grown = server.process().resident().saturating_sub(before.0);
    let used = server.process().ticks() - before.1;
    assert!(grown < 4 << 20, "{grown} bytes for half a mebibyte");
    assert!(used < 600, "{used} ticks for a million and a half of frames");
    client.send_bytes(&last(b""));
    assert_eq!(message_length(&mut client), 500_005);
    server.stop();
}

fn message_length(client: &mut Client) -> usize {
    let mut length = 0;
    loop {
        let frame = client.receive();
        length += frame.payload.len();
        if frame.fin {
            return length;
        }
    }
}

/// Another client's fragments are another's: twenty messages grow side by side.
#[test]
fn side_by_side() {
    let mut server = server();
    let mut clients: Vec<_> = (0..20).map(|_| server.connect()).collect();
    for round in 0..10 {
        for (index, client) in clients.iter_mut().enumerate() {
            let op = if round == 0 { Op::TEXT } else { Op::CONTINUATION };
            client.send_and_drain(&part(op, format!("{index}.{round} ").as_bytes()));
        }
    }
    for (index, client) in clients.iter_mut().enumerate() {
        client.send_bytes(&last(b"end"));
        let all: String = (0..10).map(|round| format!("{index}.{round} ")).collect();
        client.expect_text(&format!("{all}end"));
        assert_eq!(ask(client, "code 0"), "1006", "there was no close frame yet");
    }
    server.stop();
}
