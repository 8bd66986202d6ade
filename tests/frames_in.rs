//! What clients send, where it is right: messages, pings, pongs, in any number of pieces.

use crate::harness::{Frame, Launch, Op, Server};

/// CONTRACT D13: both kinds of message, of every form of length, reach the callback whole.
#[test]
fn messages_of_every_length_come_back() {
    let mut server = Launch::probe().start();
    let mut client = server.connect();
    for length in [1, 2, 124, 125, 126, 127, 128, 255, 256, 4095, 4096, 65534, 65535] {
        let text = "t".repeat(length);
        client.echo(&text);
        let bytes: Vec<u8> = (0..length).map(|i| (i * 7 + i / 251) as u8).collect();
        client.send(&Frame::new(Op::BINARY, &bytes));
        assert_eq!(client.receive(), Frame::new(Op::BINARY, &bytes).unmasked());
    }
    drop(client);
    server.stop();
}

/// CONTRACT D13: an empty message is a message; `binary` says which kind.
#[test]
fn empty_messages() {
    let mut server = Launch::probe().start();
    let mut client = server.connect();
    client.send(&Frame::text(""));
    client.expect_text("empty 0");
    client.send(&Frame::new(Op::BINARY, ""));
    client.expect_text("empty 1");
    drop(client);
    server.stop();
}

/// CONTRACT D13: any mask, also one of zeros, at any place in the buffer (T11).
#[test]
fn any_mask_will_do() {
    let mut server = Launch::probe().start();
    let mut client = server.connect();
    let masks = [[0; 4], [0xff; 4], [0, 0, 0, 1], [0x80, 0, 0x7f, 3]];
    let mut all = Vec::new();
    let mut expected = Vec::new();
    for length in 1..=33 {
        for mask in masks {
            let payload: Vec<u8> = (0..length).map(|i| i * 5 + 1).collect();
            all.extend(Frame::new(Op::BINARY, &payload).masked(mask).bytes());
            expected.push(payload);
        }
    }
    client.send_bytes(&all);
    for payload in expected {
        assert_eq!(client.receive(), Frame::new(Op::BINARY, payload).unmasked());
    }
    drop(client);
    server.stop();
}

/// CONTRACT D2: a ping is answered with a pong that carries its payload; a pong is answered with
/// nothing.
#[test]
fn pings_and_pongs() {
    let mut server = Launch::probe().start();
    let mut client = server.connect();
    for payload in [&b""[..], b"p", &[0xff; 125]] {
        client.send(&Frame::new(Op::PING, payload));
        assert_eq!(client.receive(), Frame::new(Op::PONG, payload).unmasked());
    }
    client.send(&Frame::new(Op::PONG, "unasked"));
    client.echo("hello");
    assert_eq!(client.ask("!reads 0"), "2", "pings and pongs are no messages");
    drop(client);
    server.stop();
}

/// CONTRACT D2, D13: what comes in one packet is taken in order; the callback's writing into its
/// buffer does not harm what stands behind it there (probe.c overwrites every message).
#[test]
fn many_frames_in_one_packet() {
    let mut server = Launch::probe().start();
    let mut client = server.connect();
    let mut bytes = Vec::new();
    for number in 0..500 {
        bytes.extend(Frame::text(&format!("message {number}")).bytes());
        bytes.extend(Frame::new(Op::PING, number.to_string()).bytes());
    }
    client.send_bytes(&bytes);
    for number in 0..500 {
        client.expect_text(&format!("message {number}"));
        let pong = client.receive();
        assert_eq!((pong.op, pong.as_text()), (Op::PONG, &*number.to_string()));
    }
    drop(client);
    server.stop();
}

/// CONTRACT D13: every kind of frame, cut anywhere, with the rest in a later packet.
#[test]
fn every_frame_cut_at_every_byte() {
    let mut server = Launch::probe().start();
    let mut client = server.connect();
    let frames = [
        (Frame::text("hello"), Frame::text("hello")),
        (Frame::text("h\u{e9}llo \u{1f600}"), Frame::text("h\u{e9}llo \u{1f600}")),
        (Frame::text(""), Frame::text("empty 0")),
        (Frame::new(Op::BINARY, [0, 255, 128]), Frame::new(Op::BINARY, [0, 255, 128])),
        (Frame::new(Op::BINARY, [7; 200]), Frame::new(Op::BINARY, [7; 200])),
        (Frame::new(Op::PING, "ping"), Frame::new(Op::PONG, "ping")),
        (Frame::new(Op::PING, ""), Frame::new(Op::PONG, "")),
    ];
    for (sent, expected) in frames {
        let bytes = sent.bytes();
        for cut in 1..bytes.len() {
            client.send_and_drain(&bytes[..cut]);
            client.send_bytes(&bytes[cut..]);
            assert_eq!(client.receive(), expected.clone().unmasked(), "{sent:?} cut at {cut}");
        }
    }
    let pong = Frame::new(Op::PONG, "pong").bytes();
    for cut in 1..pong.len() {
        client.send_and_drain(&pong[..cut]);
        client.send_bytes(&pong[cut..]);
        client.echo("hello");
    }
    drop(client);
    server.stop();
}

/// CONTRACT S8: a close frame as well.
#[test]
fn a_close_frame_cut_at_every_byte() {
    let mut server = Launch::probe().start();
    let bytes = Frame::close(4321, "bye").bytes();
    for cut in 1..bytes.len() {
        let mut client = server.connect();
        client.send_and_drain(&bytes[..cut]);
        client.send_bytes(&bytes[cut..]);
        client.expect_close(4321);
        server.await_journal(&format!("close {cut} "));
    }
    server.stop();
}

/// CONTRACT D13: two messages, the packet's end between any two bytes of them.
#[test]
fn two_messages_cut_at_every_byte() {
    let mut server = Launch::probe().start();
    let mut client = server.connect();
    let bytes = [Frame::text("first").bytes(), Frame::new(Op::BINARY, "second").bytes()].concat();
    for cut in 1..bytes.len() {
        client.send_and_drain(&bytes[..cut]);
        client.send_bytes(&bytes[cut..]);
        client.expect_text("first");
        assert_eq!(client.receive(), Frame::new(Op::BINARY, "second").unmasked());
    }
    drop(client);
    server.stop();
}

/// CONTRACT D13: messages that come byte by byte, also from many clients in turn.
#[test]
fn byte_by_byte_from_many_clients_in_turn() {
    let mut server = Launch::probe().start();
    let mut clients: Vec<_> = (0..8).map(|_| server.connect()).collect();
    let frames: Vec<_> =
        (0..8).map(|n| Frame::text(&format!("this is client {n}")).bytes()).collect();
    for index in 0..frames[0].len() {
        for (client, bytes) in clients.iter_mut().zip(&frames) {
            client.send_and_drain(&bytes[index..=index]);
        }
    }
    for (n, client) in clients.iter_mut().enumerate() {
        client.expect_text(&format!("this is client {n}"));
    }
    drop(clients);
    server.stop();
}

/// CONTRACT D13: text is any UTF-8, with zeros in it as well.
#[test]
fn text_is_any_utf8() {
    let mut server = Launch::probe().start();
    let mut client = server.connect();
    for text in
        ["a\0b\0", "\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}", "\u{d7ff}\u{e000}"]
    {
        client.echo(text);
    }
    drop(client);
    server.stop();
}

/// CONTRACT D12, S5: clients that vanish, wherever they are in a message.
#[test]
fn clients_that_vanish_in_mid_message() {
    let mut server = Launch::probe().start();
    let bytes = Frame::new(Op::BINARY, [1; 130]).bytes();
    for cut in 0..bytes.len() {
        let mut client = server.connect();
        client.send_bytes(&bytes[..cut]);
        drop(client);
        await_close(&server, cut + 1);
    }
    server.connect().echo("as ever");
    server.stop();
}

fn await_close(server: &Server, number: usize) {
    server.await_journal(&format!("close {number} "));
}

/// CONTRACT D13: a client that only closes its sending side has what it sent answered before the
/// end.
#[test]
fn what_came_before_the_end_is_answered() {
    let mut server = Launch::probe().start();
    let mut client = server.connect();
    for number in 0..100 {
        client.text(&format!("message {number}"));
    }
    client.stream().shutdown(std::net::Shutdown::Write).expect("connected");
    for number in 0..100 {
        client.expect_text(&format!("message {number}"));
    }
    while client.next().is_some() {}
    await_close(&server, 1);
    drop(client);
    server.stop();
}
