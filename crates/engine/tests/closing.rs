//! How connections end through real sockets, on one thread.

mod support;

use dorrit_proto::{CloseCode, MessageKind, OpCode};
use support::*;

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
