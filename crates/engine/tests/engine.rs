//! What comes in and what goes out through real sockets, on one thread.

mod support;

use dorrit_engine::{Config, ConnId};
use dorrit_proto::{MessageKind, OpCode};
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
