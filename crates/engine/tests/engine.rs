//! The engine through real sockets, on one thread.

mod support;

use dorrit_engine::{Config, ConnId};
use dorrit_proto::{CloseCode, MessageKind, OpCode};
use rustix::net::sockopt::set_socket_send_buffer_size;
use support::*;

/// CONTRACT S2, USERS 40: a request in two pieces, cut at every byte, and byte by byte.
#[test]
fn requests_in_pieces() {
    let mut server = Server::new(CONFIG);
    for cut in 1..REQUEST.len() {
        let mut client = server.client();
        client.write(&REQUEST[..cut]);
        server.pump();
        assert_eq!(client.read(), b"", "answered after {cut} bytes");
        client.write(&REQUEST[cut..]);
        server.pump();
        assert!(client.read().starts_with(b"HTTP/1.1 101 "), "cut at {cut}");
    }
    let mut client = server.client();
    for byte in REQUEST {
        client.write(&[*byte]);
        server.pump();
    }
    assert!(client.read().starts_with(b"HTTP/1.1 101 "));
}

/// CONTRACT D13: the same messages come out, wherever the stream is cut.
#[test]
fn frames_in_pieces() {
    let mut server = Server::new(CONFIG);
    server.on_message = echo;
    let long = "é".repeat(100);
    let stream = [
        text("one"),
        text(""),
        frame(OpCode::Ping, b"ping"),
        text(&long),
        frame(OpCode::Binary, b"\0\xff"),
        frame(OpCode::Pong, b"unasked"),
        text("last"),
    ]
    .concat();
    let expected = [b"one", &b""[..], long.as_bytes(), b"\0\xff", b"last"];
    let answer = b"\x81\x03one\x8a\x04ping";
    for cut in 0..=stream.len() {
        let (mut client, _) = server.open_client();
        server.messages.clear();
        client.write(&stream[..cut]);
        server.pump();
        client.write(&stream[cut..]);
        server.pump();
        assert_eq!(server.payloads(), expected, "cut at {cut}");
        assert_eq!(server.messages[3].1, MessageKind::Binary);
        let read = client.read();
        assert!(!read.starts_with(answer), "an empty message is sent as one");
        assert!(read.ends_with(b"\x82\x02\0\xff\x81\x04last"), "cut at {cut}");
    }
    let (mut client, _) = server.open_client();
    server.messages.clear();
    for byte in stream {
        client.write(&[byte]);
        server.pump();
    }
    assert_eq!(server.payloads(), expected);
}

/// Frames that come in one packet with the request are served behind the answer to it.
#[test]
fn frames_behind_the_request() {
    let mut server = Server::new(CONFIG);
    server.on_message = echo;
    server.on_open = |engine, id| {
        engine.send([id].into_iter(), MessageKind::Text, b"welcome").unwrap();
        assert_eq!(engine.queued_frames(id), 1);
        true
    };
    let mut client = server.client();
    client.write(&[REQUEST, &text("hello")].concat());
    server.pump();
    let read = client.read();
    assert!(read.starts_with(b"HTTP/1.1 101 "));
    assert!(read.ends_with(b"\r\n\r\n\x81\x07welcome\x81\x05hello"));
}

/// A message whose last byte fills the loop's buffer has its zero byte too.
#[test]
fn a_full_buffer() {
    const BUFFER: usize = 256 * 1024;
    for last in [1, 5, 125, 126, 4000] {
        let mut server = Server::new(CONFIG);
        let (mut client, _) = server.open_client();
        set_socket_send_buffer_size(&client.stream, BUFFER).unwrap();
        let end = frame(OpCode::Binary, &vec![7; last]);
        let mut stream = frame(OpCode::Binary, &vec![1; 65535]).repeat(3);
        let rest = BUFFER - stream.len() - end.len() - 8;
        stream.extend(frame(OpCode::Binary, &vec![2; rest]));
        stream.extend(&end);
        assert_eq!(stream.len(), BUFFER);
        client.write(&stream);
        client.write(&text("behind"));
        server.pump();
        let lens: Vec<_> = server.payloads().iter().map(|payload| payload.len()).collect();
        assert_eq!(lens, [65535, 65535, 65535, rest, last, 6]);
        assert!(server.payloads()[4].iter().all(|byte| *byte == 7));
        assert_eq!(server.payloads()[5], b"behind");
    }
}

/// CONTRACT D11, D14, D16: a client that does not read holds nobody up, and misses nothing.
#[test]
fn a_slow_reader() {
    let mut server = Server::new(CONFIG);
    let (mut slow, slow_id) = server.open_client();
    let (mut quick, quick_id) = server.open_client();
    let mut expected = Vec::new();
    let mut quick_read = Vec::new();
    let mut queued = 0;
    for i in 0..500_u32 {
        let payload = format!("{i:07}").repeat(1000);
        let both = [slow_id, quick_id];
        server.engine.send(both.into_iter(), MessageKind::Text, payload.as_bytes()).unwrap();
        server.pump();
        expected.extend([0x81, 126]);
        expected.extend(7000_u16.to_be_bytes());
        expected.extend(payload.as_bytes());
        quick_read.extend(quick.read());
        assert_eq!(server.engine.queued_frames(quick_id), 0);
        assert_eq!(quick_read.len(), expected.len());
        let now = server.engine.queued_frames(slow_id);
        assert!(now >= queued);
        queued = now;
    }
    assert!(queued > 400, "{queued} frames are queued");
    assert!(quick_read == expected);
    let mut slow_read = Vec::new();
    while slow_read.len() < expected.len() {
        slow_read.extend(slow.read());
        server.pump();
        let left = server.engine.queued_frames(slow_id);
        assert!(left <= queued);
        queued = left;
    }
    assert!(slow_read == expected);
    assert_eq!(queued, 0);
}

/// CONTRACT D15: a long message goes out in fragments.
#[test]
fn fragments() {
    let mut server = Server::new(Config { max_fragment: 5, ..CONFIG });
    let (mut client, id) = server.open_client();
    server.engine.send([id].into_iter(), MessageKind::Text, b"hello world!").unwrap();
    assert_eq!(server.engine.queued_frames(id), 3);
    server.pump();
    assert_eq!(client.read(), b"\x01\x05hello\x00\x05 worl\x80\x02d!");
}

/// What is sent in several ways arrives in the order of the calls.
#[test]
fn order_is_kept() {
    let mut server = Server::new(CONFIG);
    let (_other, _) = server.open_client();
    server.on_message = |engine, id, kind, payload| {
        let other = ConnId::from_bits(id.to_bits() - 1).unwrap();
        echo(engine, id, kind, payload);
        engine.send([other, id, id].into_iter(), kind, b"both").unwrap();
        echo(engine, id, kind, b"again");
        engine.send([id].into_iter(), kind, &[b'x'; 70000]).unwrap();
        echo(engine, id, kind, b"end");
        // The second time behind what a turn has left of the first, and a pong.
        assert!((7..=15).contains(&engine.queued_frames(id)));
    };
    let (mut client, _) = server.open_client();
    client.write(&[text("first"), frame(OpCode::Ping, b"p"), text("second")].concat());
    server.pump();
    let long = [b'x'; 70000];
    let one = |first: &[u8]| {
        [
            &[0x81, first.len() as u8][..],
            first,
            b"\x81\x04both\x81\x04both\x81\x05again",
            b"\x01\x7e\xff\xff",
            &long[..65535],
            b"\x80\x7e\x11\x71",
            &long[65535..],
            b"\x81\x03end",
        ]
        .concat()
    };
    let mut read = Vec::new();
    for _ in 0..10 {
        read.extend(client.read());
        server.pump();
    }
    assert!(read == [one(b"first"), b"\x8a\x01p".to_vec(), one(b"second")].concat());
}

/// CONTRACT D18: after a close that does not force, what is queued is sent, then a close frame; nothing
/// is read, and the client's close frame ends it.
#[test]
fn close_flushes() {
    let mut server = Server::new(CONFIG);
    let (mut client, id) = server.open_client();
    server.engine.send([id].into_iter(), MessageKind::Text, &[b'a'; 60000]).unwrap();
    for _ in 0..20 {
        server.engine.send([id].into_iter(), MessageKind::Text, &[b'a'; 60000]).unwrap();
    }
    server.engine.close(id, CloseCode::NORMAL, "");
    server.engine.close(id, CloseCode::NORMAL, "");
    echo(&mut server.engine, id, MessageKind::Text, b"too late");
    server.pump();
    client.write(&text("not heard"));
    server.pump();
    let mut read = Vec::new();
    while !read.ends_with(b"\x88\x02\x03\xe8") {
        read.extend(client.read());
        server.pump();
    }
    assert_eq!(read.len(), 21 * 60004 + 4);
    assert!(server.messages.is_empty() && server.closed.is_empty());
    assert!(!client.is_at_end());
    client.write(&text("still not heard")[..7]);
    server.pump();
    client.write(&[&text("still not heard")[7..], &frame(OpCode::Close, b"\x03\xe8")].concat());
    server.pump();
    assert_eq!(server.closed, [id]);
    assert!(server.messages.is_empty());
    assert!(client.is_at_end());
}

/// The client's close frame may be there already when ours goes out.
#[test]
fn close_frames_that_cross() {
    let mut server = Server::new(CONFIG);
    server.on_message = |engine, id, _, _| engine.close(id, CloseCode::NORMAL, "");
    let (mut client, id) = server.open_client();
    let both = [text("close me"), frame(OpCode::Close, b"\x03\xe9")].concat();
    client.write(&both);
    server.pump();
    assert_eq!(client.read(), b"\x88\x02\x03\xe8");
    assert_eq!(server.closed, [id]);
}

/// CONTRACT D18, S5, S6: a forced close is at once for the client, and once for the caller; then the id
/// is stale.
#[test]
fn forced_close() {
    let mut server = Server::new(CONFIG);
    server.on_message = |engine, id, kind, payload| {
        engine.set_tag(id, 7);
        echo(engine, id, kind, payload);
        engine.close_now(id);
        engine.close_now(id);
        engine.close(id, CloseCode::NORMAL, "");
        assert_eq!(engine.queued_frames(id), 0);
        assert_eq!(engine.tag(id), 7);
    };
    let (mut client, id) = server.open_client();
    client.write(&[text("first"), text("second")].concat());
    server.pump();
    assert_eq!(server.payloads(), [b"first"]);
    assert!(client.is_at_end());
    assert_eq!(server.closed, [id]);
    assert_eq!(server.engine.tag(id), 0);
    server.engine.set_tag(id, 9);
    let (_other, other_id) = server.open_client();
    assert_ne!(id, other_id);
    assert_eq!((server.engine.tag(id), server.engine.tag(other_id)), (0, 0));
    echo(&mut server.engine, id, MessageKind::Text, b"nobody");
    server.engine.close_now(id);
    server.pump();
    assert_eq!(server.closed, [id]);
}

/// CONTRACT S4, S5: what the caller does to a connection that it has not accepted yet.
#[test]
fn in_the_open_event() {
    let mut server = Server::new(CONFIG);
    server.on_open = |engine, id| {
        echo(engine, id, MessageKind::Text, b"never seen");
        false
    };
    let mut client = server.client();
    client.write(REQUEST);
    server.pump();
    let read = client.read();
    assert!(read.starts_with(b"HTTP/1.1 403 ") && client.is_at_end());
    assert!(!read.windows(4).any(|part| part == b"seen"));
    server.on_open = |engine, id| {
        engine.close_now(id);
        false
    };
    let mut client = server.client();
    client.write(REQUEST);
    server.pump();
    assert!(client.is_at_end() && server.closed.is_empty());
    server.on_open = |engine, id| {
        engine.close_now(id);
        true
    };
    let mut client = server.client();
    client.write(REQUEST);
    server.pump();
    assert!(client.is_at_end());
    assert_eq!(server.closed, server.opened);
    server.on_open = |engine, id| {
        echo(engine, id, MessageKind::Text, b"bye");
        engine.close(id, CloseCode::NORMAL, "");
        true
    };
    let mut client = server.client();
    client.write(&[REQUEST, &text("not heard")].concat());
    server.pump();
    assert!(client.read().ends_with(b"\r\n\r\n\x81\x03bye\x88\x02\x03\xe8"));
    client.write(&frame(OpCode::Close, b""));
    server.pump();
    assert_eq!(server.closed, server.opened);
    assert!(server.messages.is_empty());
}

/// CONTRACT S8, D3: a client that breaks the protocol gets what was queued, a close frame and the end
/// of the stream; what it sends behind that is not looked at.
#[test]
fn violations() {
    let mut server = Server::new(CONFIG);
    server.on_message = echo;
    for (bad, code) in [
        (&b"\x81\x01a"[..], 1002),
        (b"\x01\x81aaaaa", 1003),
        (b"\x80\x81aaaaa", 1003),
        (b"\x82\xff\0\0\0\0\0\x01\0\0", 1009),
        (b"\x81\x81\0\0\0\0\xff", 1007),
    ] {
        let (mut client, id) = server.open_client();
        server.closed.clear();
        client.write(&[&text("good"), bad, &text("behind")].concat());
        server.pump();
        let read = client.read();
        assert_eq!(read[..6], *b"\x81\x04good");
        assert_eq!((read[6], u16::from_be_bytes([read[8], read[9]])), (0x88, code), "{bad:02x?}");
        assert!(client.is_at_end() && server.closed.is_empty());
        client.write(&text("thrown away"));
        server.pump();
        drop(client);
        server.pump();
        assert_eq!(server.closed, [id]);
        assert_eq!(server.payloads(), [b"good"]);
        server.messages.clear();
    }
}

/// A client whose side takes nothing more is still read to its end.
#[test]
fn a_client_that_is_gone_is_read_to_its_end() {
    let mut server = Server::new(CONFIG);
    server.on_message = echo;
    let (mut client, id) = server.open_client();
    let mut sent = 0;
    for _ in 0..20 {
        client.write(&text(&"x".repeat(5000)));
        sent += 1;
    }
    drop(client);
    server.pump();
    for _ in 0..10 {
        server.pump();
    }
    assert_eq!(server.messages.len(), sent);
    assert_eq!(server.closed, [id]);
}

/// ADVISORIES T16: pings of a client that does not read cost one pong.
#[test]
fn a_flood_of_pings() {
    let mut server = Server::new(CONFIG);
    let (mut client, id) = server.open_client();
    for _ in 0..40 {
        server.engine.send([id].into_iter(), MessageKind::Binary, &[0; 60000]).unwrap();
    }
    server.pump();
    let queued = server.engine.queued_frames(id);
    for i in 0..10_000_u32 {
        client.write(&frame(OpCode::Ping, &i.to_be_bytes()));
        server.pump();
    }
    assert_eq!(server.engine.queued_frames(id), queued + 1);
    let mut read = Vec::new();
    while server.engine.queued_frames(id) > 0 {
        read.extend(client.read());
        server.pump();
    }
    read.extend(client.read());
    assert!(read.ends_with(&[&b"\x8a\x04"[..], &9_999_u32.to_be_bytes()].concat()));
}

/// CONTRACT S2: as many connections as there may be, and then one more.
#[test]
fn a_full_server() {
    let mut server = Server::new(Config { max_connections: 2, ..CONFIG });
    let (first, _) = server.open_client();
    let (_second, _) = server.open_client();
    let mut third = server.client();
    third.write(REQUEST);
    server.pump();
    assert!(third.read().starts_with(b"HTTP/1.1 503 "));
    drop(first);
    server.pump();
    server.open_client();
}

/// CONTRACT S10: every client is told, and the end comes when all have answered.
#[test]
fn stop() {
    let mut server = Server::new(CONFIG);
    let (mut first, first_id) = server.open_client();
    let (mut second, second_id) = server.open_client();
    let mut asking = server.client();
    asking.write(&REQUEST[..20]);
    server.pump();
    server.engine.stop(CloseCode::GOING_AWAY);
    server.pump();
    assert_eq!(
        (first.read(), second.read()),
        (b"\x88\x02\x03\xe9".to_vec(), b"\x88\x02\x03\xe9".to_vec())
    );
    assert!(asking.is_at_end() && !server.is_stopped);
    first.write(&frame(OpCode::Close, b"\x03\xe9"));
    server.pump();
    assert_eq!(server.closed, [first_id]);
    drop(second);
    server.pump();
    assert_eq!(server.closed, [first_id, second_id]);
    assert!(server.is_stopped);
}
