//! E1: text, and nothing else.

use crate::harness::{Frame, Launch, Op};

/// CONTRACT E1, S8: a client that sends a binary message is dropped with 1003; the others notice
/// nothing.
#[test]
fn a_binary_message_drops_its_client() {
    let mut server = Launch::classic().start();
    let mut other = server.connect();
    let binary = |payload: &[u8]| Frame::new(Op::BINARY, payload);
    let long = vec![b'x'; 65535];
    for frame in [
        binary(b""),
        binary(b"text all the same"),
        binary(&[0xff, 0]),
        binary(&long),
        binary(b"part").unfinished(),
        // Nobody waits for the payload: the header says enough.
        Frame::new(Op::BINARY, "").declare16(65535),
    ] {
        let mut client = server.connect();
        client.echo("hello");
        client.send(&frame);
        client.expect_close(1003);
        other.echo("undisturbed");
    }
    drop(other);
    server.stop();
    let journal = server.journal();
    assert_eq!(journal.lines().filter(|line| line.starts_with("close ")).count(), 7, "{journal}");
}

/// CONTRACT E1, D13: text of every length comes back as text.
#[test]
fn text_of_every_length() {
    let mut server = Launch::classic().start();
    let mut client = server.connect();
    for length in [1, 2, 124, 125, 126, 127, 1000, 65534, 65535] {
        client.echo(&"x".repeat(length));
        client.echo(&format!("é{}", &"x".repeat(length)[2.min(length)..]));
    }
    client.text("");
    client.expect_text("empty");
    client.echo("a\0b\0");
    server.stop();
}

/// CONTRACT D2, S8: pings are answered, and what breaks the protocol has its code, as in the newer
/// library.
#[test]
fn the_protocol_is_the_same() {
    let mut server = Launch::classic().start();
    let mut client = server.connect();
    client.send(&Frame::new(Op::PING, "are you there?"));
    let pong = client.receive();
    assert_eq!((pong.op, &pong.payload[..]), (Op::PONG, &b"are you there?"[..]));
    client.send(&Frame::close(3000, "enough"));
    client.expect_close(3000);
    for (frame, code) in [
        (Frame::text("x").unmasked(), 1002),
        (Frame::text("x").reserved(4), 1002),
        (Frame::text("x").declare64(1 << 20), 1009),
        (Frame::text("").declare64(65536), 1009),
        (Frame::new(Op::TEXT, [0xc0, 0x80]), 1007),
    ] {
        let mut client = server.connect();
        client.send(&frame);
        client.expect_close(code);
    }
    server.stop();
}

/// CONTRACT D15: a message longer than the limit goes out in text fragments of at most that.
#[test]
fn long_messages_go_out_in_fragments() {
    let mut server = Launch::classic().args(["-b", "105"]).start();
    let mut client = server.connect();
    client.text("!write 0 250 1");
    let lengths: Vec<_> = (0..3)
        .map(|_| client.receive())
        .map(|frame| (frame.op, frame.fin, frame.payload.len()))
        .collect();
    let part = Op::CONTINUATION;
    assert_eq!(lengths, [(Op::TEXT, false, 100), (part, false, 100), (part, true, 50)]);
    client.expect_text("0 3");
    server.stop();
}
