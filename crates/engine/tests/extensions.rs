//! What goes beyond the manuals: long messages, compression, limits on queues, keepalive, close codes.

mod support;

use std::io::Read as _;
use std::time::Duration;

use dorrit_engine::{Config, DropCause, Keepalive, OverflowPolicy, QueueLimit};
use dorrit_proto::{
    CloseCode, Coding, Fragments, Inflater, MessageKind, OpCode, Rules, Violation, fragments,
};
use support::*;

const LONG: Config = Config {
    rules: Rules { max_payload: 10_000_000, fragments: Fragments::Joined, ..CONFIG.rules },
    ..CONFIG
};

#[test]
fn long_messages_and_fragments() {
    let mut server = Server::new(LONG);
    let (mut client, _) = server.open_client();
    let long: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
    write_all(&mut server, &mut client, &any_frame(0x82, &long));
    let (first, rest) = long.split_at(1_000_001);
    let (second, third) = rest.split_at(70_000);
    let stream = [
        any_frame(0x02, first),
        any_frame(0x89, b"between"),
        any_frame(0x00, b""),
        any_frame(0x00, second),
        any_frame(0x80, third),
        any_frame(0x81, b"short"),
    ]
    .concat();
    write_all(&mut server, &mut client, &stream);
    assert!(server.payloads() == [&long[..], &long, b"short"]);
    assert_eq!(client.read(), b"\x8a\x07between");
}

/// What is read goes to where the kernel copies fast: the input begins 64 bytes past a page, whatever was in it
/// before, and a long message goes on at a multiple of 16 where a part of it ends at one. A whole message stands
/// by one byte nearer to the front than in its frame.
#[test]
fn what_is_read_is_placed() {
    let mut server = Server::new(LONG);
    let (mut client, _) = server.open_client();
    let whole = any_frame(0x82, &[7; 16_384]);
    for _ in 0..2 {
        client.write(&whole);
        server.pump();
        assert_eq!((server.place - 7) % 4096, 64);
    }
    client.write(&whole[..1]);
    server.pump();
    client.write(&whole[1..]);
    server.pump();
    client.write(&whole);
    server.pump();
    assert_eq!((server.place - 7) % 4096, 64);
    write_all(&mut server, &mut client, &any_frame(0x82, &[7; 3_000_000]));
    assert_eq!((server.place - 14) % 16, 0);
    assert_eq!(server.messages.len(), 5);
}

/// CONTRACT D15: the answer to a message is sent at once as far as the socket takes it, and the rest of it
/// later: in order, whole, and between what comes before and behind.
#[test]
fn long_answers_whatever_the_socket_takes() {
    for max_fragment in [65535, 40_000] {
        let mut server = Server::new(Config { max_fragment, ..LONG });
        server.on_message = |engine, id, kind, payload| {
            let text = MessageKind::Text;
            for (kind, payload) in [(text, &b"before"[..]), (kind, payload), (text, b"behind")] {
                engine.send_to(id, kind, payload).unwrap();
            }
        };
        for (len, step) in [(8192, 1000), (65_535, 9), (300_000, 10_007), (1_048_576, 200_003)] {
            let (mut client, _) = server.open_client();
            let long: Vec<u8> = (0..len).map(|i: u32| (i % 251) as u8).collect();
            write_all(&mut server, &mut client, &any_frame(0x82, &long));
            let mut expected = b"\x81\x06before".to_vec();
            for (head, part) in
                fragments(MessageKind::Binary, Coding::Plain, long.len(), max_fragment)
            {
                expected.extend(head.as_bytes());
                expected.extend(&long[part]);
            }
            expected.extend(b"\x81\x06behind");
            let mut read: Vec<u8> = Vec::new();
            while read.len() < expected.len() {
                let mut bytes = vec![0; step];
                match client.stream.read(&mut bytes) {
                    Ok(len) => read.extend(&bytes[..len]),
                    Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
                }
                server.pump();
            }
            assert!(read == expected, "{len} bytes in fragments of {max_fragment}");
            assert_eq!(client.read(), b"");
        }
    }
}

/// RFC 6455 8.1: a byte that cannot be ends the connection before the rest of its frame is there.
#[test]
fn text_is_checked_as_it_comes() {
    let mut server = Server::new(LONG);
    let (mut client, _) = server.open_client();
    let whole = any_frame(0x81, &[&b"good \xc3\xa9 "[..], b"\xff", &[b'x'; 100_000]].concat());
    client.write(&whole[..30]);
    server.pump();
    assert_eq!(client.read()[..4], [0x88, 2 + 17, 0x03, 0xef]);
    assert_eq!(server.dropped, [DropCause::Violation(Violation::NotUtf8)]);
}

/// ADVISORIES T12, T13, T14: fragments without end, empty ones among them, keep to the limit.
#[test]
fn endless_fragments() {
    let mut server =
        Server::new(Config { rules: Rules { max_payload: 1000, ..LONG.rules }, ..LONG });
    let (mut client, _) = server.open_client();
    client.write(&any_frame(0x02, b""));
    for _ in 0..1000 {
        client.write(&[any_frame(0x00, b""), any_frame(0x00, b"x"), any_frame(0x00, b"")].concat());
        server.pump();
    }
    assert_eq!(client.read(), b"");
    client.write(&any_frame(0x00, b"y"));
    server.pump();
    assert_eq!(server.dropped, [DropCause::Violation(Violation::TooLong)]);
}

const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";

fn open_with(server: &mut Server, line: &str) -> (Client, dorrit_engine::ConnId, String) {
    let request = String::from_utf8(REQUEST.to_vec()).unwrap();
    let mut client = server.client();
    client.write(request.replacen("\r\n", &format!("\r\n{line}"), 1).as_bytes());
    server.pump();
    let answer = String::from_utf8(client.read()).unwrap();
    (client, *server.opened.last().unwrap(), answer)
}

fn inflate(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Inflater::new().unwrap().inflate_whole(MessageKind::Text, bytes, 1 << 20, &mut out).unwrap();
    out.pop();
    out
}

/// RFC 7692: negotiated where the server wants it, in both directions, once for all who take it alike.
#[test]
fn compression() {
    let mut server = Server::new(Config { compression: 6, ..LONG });
    server.on_message = echo;
    let (mut client, id, answer) = open_with(&mut server, OFFER);
    assert!(answer.contains(
        "\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; \
         client_no_context_takeover\r\n"
    ));
    // "Hello" as in RFC 7692 7.2.3.1, whole, in fragments, and cut.
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let fragments = [any_frame(0x41, &hello[..3]), any_frame(0x80, &hello[3..])].concat();
    client.write(&[any_frame(0xc1, &hello), fragments].concat());
    server.pump();
    let cut = any_frame(0xc1, &hello);
    client.write(&cut[..9]);
    server.pump();
    client.write(&cut[9..]);
    server.pump();
    assert_eq!(server.payloads(), [b"Hello"; 3]);
    assert_eq!(client.read(), b"\x81\x05Hello".repeat(3));

    let (mut plain, plain_id) = server.open_client();
    let line = "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9\r\n";
    let (mut small, small_id, answer) = open_with(&mut server, line);
    assert!(answer.contains("client_no_context_takeover; server_max_window_bits=9\r\n"));
    let long = "compress me, ".repeat(100);
    let all = [id, plain_id, small_id];
    assert_eq!(server.engine.send(all.into_iter(), MessageKind::Text, long.as_bytes()), Ok(3));
    server.pump();
    assert_eq!(plain.read()[4..], *long.as_bytes());
    for client in [&mut client, &mut small] {
        let read = client.read();
        assert_eq!((read[0], usize::from(read[1])), (0xc1, read.len() - 2));
        assert!(read.len() < 100);
        assert_eq!(inflate(&read[2..]), long.as_bytes());
    }
}

/// ADVISORIES T19, T22: a bomb and what is no DEFLATE end their connection, and nobody is offered
/// anything where compression is off.
#[test]
fn compression_that_is_refused() {
    let mut server = Server::new(Config { compression: 6, ..CONFIG });
    let mut bomb = Vec::new();
    dorrit_proto::Deflater::new(9, 15).unwrap().deflate(&vec![0; 1 << 20], &mut bomb).unwrap();
    for (frame, violation) in [
        (any_frame(0xc2, &bomb), Violation::TooLong),
        (any_frame(0xc2, b"\xff\xff"), Violation::NotDeflate),
        (any_frame(0xc9, b""), Violation::ReservedBit),
    ] {
        let (mut client, _, _) = open_with(&mut server, OFFER);
        client.write(&frame);
        server.pump();
        let expected = [DropCause::Violation(violation)];
        assert_eq!(std::mem::take(&mut server.dropped), expected);
    }
    let mut server = Server::new(CONFIG);
    let (mut client, _, answer) = open_with(&mut server, OFFER);
    assert!(!answer.contains("Extensions"));
    client.write(&any_frame(0xc1, b""));
    server.pump();
    assert_eq!(server.dropped, [DropCause::Violation(Violation::ReservedBit)]);
}

/// USERS 6, 7: what a client that does not read may cost is limited, and the others do not notice.
#[test]
fn full_queues() {
    for policy in [OverflowPolicy::Close, OverflowPolicy::Skip] {
        let queue_limit = QueueLimit { bytes: 1_000_000, policy };
        let mut server = Server::new(Config { queue_limit, ..CONFIG });
        let (mut slow, slow_id) = server.open_client();
        let (mut quick, quick_id) = server.open_client();
        let mut counts = [0; 3];
        for _ in 0..100 {
            let both = [slow_id, quick_id].into_iter();
            let sent = server.engine.send(both, MessageKind::Binary, &[7; 60_000]).unwrap();
            counts[sent] += 1;
            server.pump();
            assert!(server.engine.queued_bytes(slow_id) <= 1_000_000);
            assert_eq!(quick.read().len(), 60_004);
        }
        assert!(counts[0] == 0 && counts[1] > 50 && counts[2] > 10, "{counts:?}");
        let mut read = Vec::new();
        while server.engine.queued_bytes(slow_id) > 0 {
            read.extend(slow.read());
            server.pump();
        }
        read.extend(slow.read());
        match policy {
            OverflowPolicy::Close => {
                assert_eq!(server.dropped, [DropCause::QueueFull]);
                assert!(read.ends_with(b"\x88\x14\x03\xf0too much is queued"));
                assert_eq!(server.engine.close_code(slow_id), CloseCode::POLICY);
            }
            OverflowPolicy::Skip => {
                assert_eq!(server.dropped, []);
                assert_eq!(read.len(), counts[2] * 60_004);
                assert_eq!(server.drained, [slow_id]);
            }
        }
    }
}

/// USERS 8: told once when a queue that had to wait is empty, and never without that.
#[test]
fn drained() {
    let mut server = Server::new(CONFIG);
    server.on_message = echo;
    let (mut client, id) = server.open_client();
    client.write(&text("hello"));
    server.pump();
    assert_eq!(server.drained, []);
    for _ in 0..20 {
        server.engine.send([id].into_iter(), MessageKind::Binary, &[0; 60_000]).unwrap();
    }
    server.pump();
    assert_eq!(server.drained, []);
    while server.drained.is_empty() {
        client.read();
        server.pump();
    }
    assert_eq!(server.drained, [id]);
    assert_eq!(server.engine.queued_bytes(id), 0);
    // More than goes out in a turn waits as well, though the socket takes it all.
    server.engine.send([id].into_iter(), MessageKind::Binary, &[0; 150_000]).unwrap();
    server.pump();
    client.read();
    server.pump();
    assert_eq!(server.drained, [id, id]);
}

/// USERS 43 to 45: a silent client is asked, one that answers stays, and one that does not is cut off.
#[test]
fn keepalive() {
    let [idle, timeout] = [Duration::from_millis(30), Duration::from_millis(30)];
    let mut server = Server::new(Config { keepalive: Some(Keepalive { idle, timeout }), ..CONFIG });
    let (mut living, living_id) = server.open_client();
    let (mut dead, dead_id) = server.open_client();
    let mut pings = 0;
    while server.closed.is_empty() || pings < 5 {
        server.pump();
        let read = living.read();
        pings += read.len() / 2;
        assert_eq!(read, b"\x89\x00".repeat(read.len() / 2));
        for _ in 0..read.len() / 2 {
            living.write(&frame(OpCode::Pong, b""));
        }
    }
    if server.closed == [dead_id] {
        assert_eq!(server.dropped, [DropCause::Silent]);
        assert_eq!(dead.read(), b"\x89\x00");
        assert!(dead.is_at_end());
    } else {
        // On a machine that stood still for so long the living one was too late as well.
        assert!(server.closed.contains(&dead_id) && server.closed.contains(&living_id));
    }
}

/// The close frame that came first says why.
#[test]
fn close_codes() {
    let mut server = Server::new(CONFIG);
    for (sent, code) in [
        (Some(&b""[..]), CloseCode::NO_STATUS),
        (Some(b"\x0f\xa0own reason"), CloseCode::new(4000).unwrap()),
        (None, CloseCode::ABNORMAL),
    ] {
        let (mut client, _) = server.open_client();
        match sent {
            Some(payload) => client.write(&frame(OpCode::Close, payload)),
            None => drop(client),
        }
        server.pump();
        assert_eq!(server.codes.pop(), Some(code));
    }
    let (mut client, id) = server.open_client();
    let code = CloseCode::new(3001).unwrap();
    server.engine.close(id, code, &"é".repeat(100));
    server.pump();
    assert_eq!(server.engine.close_code(id), code);
    let read = client.read();
    assert_eq!(read[..4], [0x88, 124, 0x0b, 0xb9]);
    assert_eq!(read[4..], *"é".repeat(61).as_bytes());
}
