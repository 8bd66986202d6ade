//! E2: messages in fragments.

use crate::harness::{Client, Frame, Launch, Op, Server};

const TEXT: &str = "zażółć \u{1f600}\0 end";

/// The frames of a message that is cut at these places.
fn cut(text: &str, places: &[usize]) -> Vec<Frame> {
    let ends = places.iter().copied().chain([text.len()]);
    let mut start = 0;
    let mut frames: Vec<_> = ends
        .map(|end| {
            let part = &text.as_bytes()[start..end];
            let op = if start == 0 { Op::TEXT } else { Op::CONTINUATION };
            start = end;
            Frame::new(op, part)
        })
        .collect();
    // A first part may be empty: what follows is a continuation all the same.
    frames.iter_mut().skip(1).for_each(|frame| frame.op = Op::CONTINUATION);
    let last = frames.len() - 1;
    frames
        .into_iter()
        .enumerate()
        .map(|(i, it)| if i < last { it.unfinished() } else { it })
        .collect()
}

fn bytes(frames: &[Frame]) -> Vec<u8> {
    frames.iter().flat_map(Frame::bytes).collect()
}

fn ping(client: &mut Client, payload: &str) {
    client.send(&Frame::new(Op::PING, payload));
    expect_pong(client, payload);
}

fn expect_pong(client: &mut Client, payload: &str) {
    let pong = client.receive();
    assert_eq!((pong.op, pong.payload), (Op::PONG, payload.as_bytes().to_vec()));
}

/// CONTRACT E2: two fragments, cut at every byte, also in the middle of a character; a ping between
/// them is answered first.
#[test]
fn two_fragments_in_every_split() {
    let mut server = Launch::classic().start();
    let mut client = server.connect();
    for place in 0..=TEXT.len() {
        let frames = cut(TEXT, &[place]);
        client.send_bytes(&bytes(&frames));
        client.expect_text(TEXT);
        client.send(&frames[0]);
        ping(&mut client, "between");
        client.send(&frames[1]);
        client.expect_text(TEXT);
    }
    server.stop();
    assert!(server.journal().lines().any(|line| line.starts_with("close 1 ")));
}

/// CONTRACT E2: three fragments in every split, pings between them in the same packet.
#[test]
fn three_fragments_in_every_split() {
    let mut server = Launch::classic().start();
    let mut client = server.connect();
    for first in 0..=TEXT.len() {
        for second in first..=TEXT.len() {
            let [one, two, three] = &cut(TEXT, &[first, second])[..] else { panic!("three") };
            let ping = |text| Frame::new(Op::PING, text);
            let all = [one, &ping("a"), two, &ping("b"), &Frame::new(Op::PONG, "c"), three];
            client.send_bytes(&all.map(Frame::bytes).concat());
            expect_pong(&mut client, "a");
            expect_pong(&mut client, "b");
            client.expect_text(TEXT);
        }
    }
    server.stop();
}

/// CONTRACT E2: a byte in each fragment, and every packet boundary.
#[test]
fn every_byte_a_fragment() {
    let mut server = Launch::classic().start();
    let mut client = server.connect();
    let places: Vec<_> = (1..TEXT.len()).collect();
    let all = bytes(&cut(TEXT, &places));
    client.send_bytes(&all);
    client.expect_text(TEXT);
    for boundary in 1..all.len() {
        client.send_and_drain(&all[..boundary]);
        client.send_bytes(&all[boundary..]);
        client.expect_text(TEXT);
    }
    all.iter().for_each(|byte| client.send_and_drain(&[*byte]));
    client.expect_text(TEXT);
    client.echo("in one piece");
    server.stop();
}

/// CONTRACT E2: two messages of two clients that come at the same time do not mix.
#[test]
fn messages_of_two_clients() {
    let mut server = Launch::classic().start();
    let (mut one, mut two) = (server.connect(), server.connect());
    let (ones, twos) = (cut(TEXT, &[4, 5, 9]), cut("what the other says", &[3, 7, 7]));
    for (a, b) in ones.iter().zip(&twos) {
        one.send_and_drain(&a.bytes());
        two.send_and_drain(&b.bytes());
    }
    one.expect_text(TEXT);
    two.expect_text("what the other says");
    server.stop();
}

/// A server whose limit is 25 bytes.
fn small() -> Server {
    Launch::classic().args(["-b", "30"]).start()
}

/// CONTRACT E2: the whole message, and each fragment, may be as long as the limit.
#[test]
fn within_the_limit() {
    let mut server = small();
    let mut client = server.connect();
    let text = "0123456789abcdefghijklmno";
    assert_eq!(text.len(), 25);
    for place in 0..=25 {
        client.send_bytes(&bytes(&cut(text, &[place])));
        client.expect_text(text);
    }
    for place in 0..=25 {
        client.send_bytes(&bytes(&cut(text, &[place, place, 25])));
        client.expect_text(text);
    }
    // Control frames count for themselves.
    let [one, two] = &cut(text, &[25])[..] else { panic!("two") };
    client.send(one);
    ping(&mut client, &"p".repeat(125));
    client.send(two);
    client.expect_text(text);
    server.stop();
}

/// CONTRACT E2, S8: one byte more, in one fragment or in all, and the client is dropped with 1009;
/// by the header that says so, before the payload is there.
#[test]
fn just_past_the_limit() {
    let mut server = small();
    let mut other = server.connect();
    let text = "0123456789abcdefghijklmnop";
    for place in 0..=26 {
        let mut client = server.connect();
        client.echo("hello");
        client.send_bytes(&bytes(&cut(text, &[place])));
        client.expect_close(1009);
    }
    let cases: [(&[&str], usize); 4] =
        [(&[], 26), (&["", ""], 26), (&["x"], 25), (&["abcdefghijklmnopqrstuvwxy"], 1)];
    for (parts, next) in cases {
        let mut client = server.connect();
        for (number, part) in parts.iter().enumerate() {
            let op = if number == 0 { Op::TEXT } else { Op::CONTINUATION };
            client.send(&Frame::new(op, part).unfinished());
        }
        let op = if parts.is_empty() { Op::TEXT } else { Op::CONTINUATION };
        let whole = Frame::new(op, "x".repeat(next)).bytes();
        client.send_bytes(&whole[..6]); // the header and its mask
        client.expect_close(1009);
        other.echo("undisturbed");
    }
    drop(other);
    server.stop();
}

/// CONTRACT E2, D20: the same at the default limit of 65535 bytes.
#[test]
fn the_default_limit() {
    let mut server = Launch::classic().start();
    let mut client = server.connect();
    let text = "x".repeat(65535);
    for places in [&[1][..], &[65534], &[65535], &[0], &[30000, 60000], &[16384, 32768, 49152]] {
        client.send_bytes(&bytes(&cut(&text, places)));
        client.expect_text(&text);
    }
    let text = "x".repeat(65536);
    for places in [&[1][..], &[65535], &[30000, 60000]] {
        let mut client = server.connect();
        client.send_bytes(&bytes(&cut(&text, places)));
        client.expect_close(1009);
    }
    // Any number of fragments of nothing takes no memory and ends no connection.
    client.send(&Frame::text("").unfinished());
    let nothing = Frame::new(Op::CONTINUATION, "").unfinished().bytes();
    client.send_bytes(&nothing.repeat(10_000));
    client.send(&Frame::new(Op::CONTINUATION, "at last"));
    client.expect_text("at last");
    server.stop();
}

/// CONTRACT S8, RFC 6455 5.4: fragments out of order are a protocol error.
#[test]
fn fragments_out_of_order() {
    let mut server = Launch::classic().start();
    let start = Frame::text("start").unfinished();
    let end = Frame::new(Op::CONTINUATION, "end");
    let cases: [&[&Frame]; 6] = [
        &[&end],
        &[&end.clone().unfinished()],
        &[&start, &Frame::text("another")],
        &[&start, &start],
        &[&start, &end, &end],
        &[&start, &Frame::new(Op::PING, "").unfinished()],
    ];
    for frames in cases {
        let mut client = server.connect();
        client.echo("hello");
        frames.iter().for_each(|frame| client.send(frame));
        if frames.len() == 3 {
            client.expect_text("startend");
        }
        client.expect_close(1002);
    }
    // CONTRACT E1: a binary message in the middle of a text is wrong in both ways; it ends the
    // connection.
    let mut client = server.connect();
    client.send(&start);
    client.send(&Frame::new(Op::BINARY, "x"));
    assert!(matches!(client.receive().code(), Some(1002 | 1003)));
    client.expect_end();
    server.stop();
}

/// CONTRACT S8: what is no UTF-8 is found in whichever fragment it stands, and where it is cut off
/// at the end.
#[test]
fn fragments_that_are_no_text() {
    let mut server = Launch::classic().start();
    let cases: [&[&[u8]]; 5] = [
        &[b"\xff", b""],
        &[b"good", b"\xff"],
        &[b"\xc3", b"\x28"],
        &[b"\xf0\x9f\x98", b""],
        &[b"", b"\xc3"],
    ];
    for parts in cases {
        let mut client = server.connect();
        client.send(&Frame::new(Op::TEXT, parts[0]).unfinished());
        client.send(&Frame::new(Op::CONTINUATION, parts[1]));
        client.expect_close(1007);
    }
    server.stop();
    assert_eq!(server.journal().matches("fault").count(), 0);
}

/// CONTRACT S5, S8: a close frame, or the end, in the middle of a message is the end of the
/// connection, without the message.
#[test]
fn the_end_between_fragments() {
    let mut server = Launch::classic().start();
    let start = Frame::text("start").unfinished();
    let mut client = server.connect();
    client.send(&start);
    client.send(&Frame::close(1000, ""));
    client.expect_close(1000);
    server.await_journal("close 1 ");
    let mut client = server.connect();
    client.send_and_drain(&start.bytes());
    drop(client);
    server.await_journal("close 2 ");
    server.connect().echo("hello");
    server.stop();
}
