//! `ws_pause`: nothing more is told of a client and nothing more is read from it.

use std::time::Duration;

use super::{ask, fill, launch, message, open, returned, stuff, told};
use crate::harness::{Client, Frame, Op, Server, until};

/// Waits until so many messages of that number were told, and then that no more are, though others are served.
fn tells(server: &Server, commander: &mut Client, number: u32, count: usize) {
    let all = until(|| Some(told(server, number)).filter(|all| all.len() >= count));
    assert!(all.is_some(), "{}", server.journal());
    (0..3).for_each(|_| commander.echo("a round"));
    assert_eq!(told(server, number).len(), count, "{}", server.journal());
}

/// Over UNIX sockets and TCP: what was read already waits, in the middle of 64 messages, and comes in order.
#[test]
fn in_the_middle_of_many() {
    for launch in [launch(), launch().tcp()] {
        let mut server = launch.start();
        let mut commander = server.connect();
        let mut client = server.connect();
        let mut bytes = Vec::new();
        for number in 0..64 {
            bytes.extend(Frame::text(&format!("message {number}")).bytes());
            if number % 16 == 7 {
                bytes.extend(Frame::text("!pause 0").bytes());
            }
        }
        client.send_bytes(&bytes);
        for stop in 0..4 {
            let before = if stop == 0 { 0 } else { 16 * stop - 8 };
            for number in before..16 * stop + 8 {
                client.expect_text(&format!("message {number}"));
            }
            client.expect_text("0");
            tells(&server, &mut commander, 2, 16 * stop + 8);
            assert_eq!(ask(&mut commander, "resume 2"), "0");
        }
        (56..64).for_each(|number| client.expect_text(&format!("message {number}")));
        assert_eq!(told(&server, 2).len(), 64);
        client.echo("as ever");
        server.stop();
    }
}

/// Right after the acceptance: also what comes with the request waits.
#[test]
fn in_the_open_callback() {
    for launch in [launch(), launch().tcp()] {
        let mut server = launch.start();
        let mut commander = server.connect();
        let mut client = server.raw();
        let request = super::doing("say 0 hello;pause 0");
        let first = Frame::text("with the request").bytes();
        client.send_bytes(&[request.bytes(), first.repeat(3)].concat());
        assert_eq!(client.response().status, "HTTP/1.1 101 Switching Protocols");
        client.expect_text("hello");
        client.text("later");
        tells(&server, &mut commander, 2, 0);
        assert_eq!(ask(&mut commander, "open 2;count;resume 2"), "1 2 0");
        (0..3).for_each(|_| client.expect_text("with the request"));
        client.expect_text("later");
        // Undone there again, it is as it was.
        let mut other = open(&server, "pause 0;resume 0");
        other.echo("at once");
        server.stop();
    }
}

/// A message in the middle of which it is held back: its rest waits in the socket, compressed or not.
#[test]
fn in_the_middle_of_a_message() {
    let mut server = launch().args(["--max-message", "1000000"]).start();
    let mut commander = server.connect();
    let mut client = server.connect();
    let text = "abcdefghij".repeat(50_000);
    let bytes = Frame::text(&text).bytes();
    client.send_and_drain(&bytes[..200_000]);
    assert_eq!(ask(&mut commander, "pause 2"), "0");
    client.send_bytes(&bytes[200_000..300_000]);
    tells(&server, &mut commander, 2, 0);
    assert_eq!(ask(&mut commander, "resume 2"), "0");
    client.send_bytes(&bytes[300_000..]);
    assert_eq!(message(&mut client), text.as_bytes());
    server.stop();
}

/// Compressed messages wait as others do.
#[test]
fn over_compression() {
    let mut server = launch().args(["--compress", "6"]).start();
    let mut commander = server.connect();
    let request = super::doing("count").with("Sec-WebSocket-Extensions", "permessage-deflate");
    let mut client = server.raw().upgrade(&request);
    // "Hello" (RFC 7692 7.2.3.1).
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let hello = Frame::new(Op::TEXT, hello).reserved(4).bytes();
    let pause = Frame::text("!pause 0").bytes();
    client.send_bytes(&[&hello[..], &pause, &hello].concat());
    tells(&server, &mut commander, 2, 1);
    assert_eq!(ask(&mut commander, "resume 2"), "0");
    tells(&server, &mut commander, 2, 2);
    assert_eq!(told(&server, 2), ["5 Hello"; 2]);
    server.stop();
}

/// A client is held back within its socket's buffers, and memory is not taken for it.
#[test]
fn within_a_socket_buffer() {
    for launch in [launch(), launch().tcp()] {
        let mut server = launch.start();
        let mut commander = server.connect();
        let mut client = server.connect();
        assert_eq!(ask(&mut commander, "pause 2"), "0");
        let bytes = Frame::new(Op::BINARY, vec![7; 10_000]).bytes();
        let sent = stuff(&mut client, &mut commander, &bytes);
        let held: usize = ask(&mut commander, "held").parse().expect("a number");
        assert!(held < 1 << 20 && told(&server, 2).is_empty(), "{held} bytes are held");
        assert_eq!(ask(&mut commander, "resume 2"), "0");
        for _ in 0..sent / bytes.len() {
            assert_eq!(client.receive().payload.len(), 10_000);
        }
        server.stop();
    }
}

/// With `--ping 1,1` nobody who is held back is sent a ping, or dropped; and who is not held back is.
#[test]
fn no_ping_and_no_deadline() {
    let mut server = launch().args(["--ping", "1,1"]).start();
    let mut client = open(&server, "pause 0;after 3500 resume 0");
    let mut watched = server.connect();
    assert_eq!(watched.receive().op, Op::PING);
    watched.expect_end();
    assert_eq!(returned(&server, "later", 1), "0");
    assert!(!server.journal().contains("close 1 "));
    let since = std::time::Instant::now();
    assert_eq!(client.receive().op, Op::PING);
    assert!(since.elapsed() > Duration::from_millis(500), "it has its time again");
    client.expect_end();
    server.stop();
}

/// Messages are sent to it as ever, and a drain is told.
#[test]
fn it_is_sent_messages() {
    let mut server = launch().start();
    let mut commander = server.connect();
    let mut client = open(&server, "pause 0");
    assert_eq!(ask(&mut commander, "say 2 one;want 2;say 2 two"), "1 0 1");
    client.expect_text("one");
    client.expect_text("two");
    server.await_journal("drain 2 qbytes=0");
    fill(&mut commander, 2);
    assert_eq!(ask(&mut commander, "drains 2;want 2"), "1 0");
    let patient = until(|| {
        client.receive();
        server.journal().contains("drain 2 qbytes=0\ndrain 2 ").then_some(())
    });
    assert!(patient.is_some(), "{}", server.journal());
    server.stop();
}

/// `ws_close_conn` undoes it: what is queued is sent first, however much; the client's answer is read, and nothing else
/// is told.
#[test]
fn closing_undoes_it() {
    for calls in ["pause 0;close 0 0", "close 0 0;pause 0"] {
        let mut server = launch().start();
        let mut client = server.connect();
        let calls = format!("!send 0 60000 100;{calls}");
        let bytes = [Frame::text(&calls), Frame::text("not told"), Frame::close(1000, "")];
        client.send_bytes(&bytes.map(|frame| frame.bytes()).concat());
        for _ in 0..100 {
            assert_eq!(client.receive().payload.len(), 60_000);
        }
        client.expect_close(1000);
        server.await_journal("close 1 code=1000");
        assert!(told(&server, 1).is_empty());
        server.stop();
    }
    let mut server = launch().start();
    let mut client = server.connect();
    client.text("!send 0 60000 100;pause 0;close 0 1");
    while client.next().is_some_and(|frame| frame.op == Op::BINARY) {}
    server.await_journal("close 1 code=1006");
    server.stop();
}

/// What `--max-memory` allows is not taken by one who is held back in the middle of a long message, who goes on.
#[test]
fn in_a_long_message_with_little_memory() {
    let options = ["--max-message", "50000000", "--max-memory", "8000000"];
    let mut server = launch().args(options).start();
    let mut commander = server.connect();
    let mut client = server.connect();
    let part = |op| Frame::new(op, vec![b'y'; 30_000]).unfinished().bytes();
    client.send_and_drain(&part(Op::TEXT));
    for _ in 0..30 {
        client.send_and_drain(&part(Op::CONTINUATION));
    }
    assert_eq!(ask(&mut commander, "pause 2"), "0");
    let more = part(Op::CONTINUATION);
    let sent = stuff(&mut client, &mut commander, &more);
    let held: usize = ask(&mut commander, "held;open 2")
        .strip_suffix(" 1")
        .map_or(0, |it| it.parse().expect("a number"));
    assert!((900_000..4_000_000).contains(&held), "{held}");
    let mut others: Vec<_> = (0..20).map(|_| server.connect()).collect();
    others.iter_mut().for_each(|other| other.echo("there is memory"));
    assert_eq!(ask(&mut commander, "resume 2"), "0");
    let rest = (more.len() - sent % more.len()) % more.len();
    client.send_bytes(&more[more.len() - rest..]);
    client.send(&Frame::new(Op::CONTINUATION, ""));
    let count = 31 + sent.div_ceil(more.len());
    assert_eq!(message(&mut client), vec![b'y'; count * 30_000]);
    server.stop();
}
