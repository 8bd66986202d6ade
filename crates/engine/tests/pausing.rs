//! Clients that are held back: nothing of them is lost, and nothing of them is told.

mod support;

use std::io::{ErrorKind, Write as _};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use dorrit_engine::{Config, ConnId, Engine, Keepalive};
use dorrit_proto::{CloseCode, MessageKind, OpCode, Rules};
use support::*;

/// Pauses the connection whose message was told.
fn pause(engine: &mut Engine, id: ConnId, _: MessageKind, _: &[u8]) {
    assert!(engine.pause(id));
}

/// What was read already waits as well, at whichever byte it is cut; and it comes in order, each once.
#[test]
fn what_was_read_already_waits() {
    let messages: Vec<String> = (0..10).map(|number| format!("message {number}")).collect();
    let bytes: Vec<u8> = messages.iter().flat_map(|message| text(message)).collect();
    for cut in 1..bytes.len() {
        let mut server = Server::new(CONFIG);
        server.on_message = pause;
        let (mut client, id) = server.open_client();
        client.write(&bytes[..cut]);
        server.pump();
        client.write(&bytes[cut..]);
        for told in 1..=messages.len() {
            let expected: Vec<_> = messages[..told].iter().map(|it| it.as_bytes()).collect();
            if server.payloads().len() < told {
                server.pump();
            }
            assert_eq!(server.payloads(), expected, "cut at {cut}");
            assert!(server.engine.resume(id));
            server.pump();
        }
        assert_eq!(server.payloads().len(), messages.len());
    }
}

/// A client is held back within the buffers of its socket, and what it has sent comes when it goes on.
#[test]
fn held_back_within_a_socket_buffer() {
    const LEN: usize = 10_000;
    let mut server = Server::new(CONFIG);
    let (mut client, id) = server.open_client();
    assert!(server.engine.pause(id));
    let message = frame(OpCode::Binary, &[7; LEN]);
    let (mut sent, mut rounds) = (0, 0);
    while rounds < 3 {
        match client.stream.write(&message[sent % message.len()..]) {
            Ok(len) => (sent, rounds) = (sent + len, 0),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                server.pump();
                rounds += 1;
            }
        }
        assert!(sent < 4 << 20, "{sent} bytes were taken");
    }
    let before = server.engine.stats();
    assert!(before.held_bytes < 1 << 20 && server.messages.is_empty());
    assert!(server.engine.resume(id));
    let rest = (message.len() - sent % message.len()) % message.len();
    let rest = message[message.len() - rest..].to_vec();
    write_all(&mut server, &mut client, &rest);
    server.pump();
    assert_eq!(server.messages.len(), sent.div_ceil(message.len()));
    assert!(server.payloads().iter().all(|payload| *payload == [7; LEN]));
}

/// A message that was begun, in parts or compressed, waits with what has come of it.
#[test]
fn in_mid_message() {
    let rules =
        Rules { max_payload: 1 << 20, fragments: dorrit_proto::Fragments::Joined, ..CONFIG.rules };
    let mut server = Server::new(Config { rules, ..CONFIG });
    let (mut client, id) = server.open_client();
    let long = any_frame(0x82, &vec![5; 200_000]);
    client.write(&long[..70_000]);
    server.pump();
    assert!(server.engine.pause(id));
    client.write(&long[70_000..150_000]);
    server.pump();
    assert!(server.messages.is_empty() && server.engine.resume(id));
    server.pump();
    client.write(&long[150_000..]);
    server.pump();
    assert_eq!(server.payloads(), [vec![5; 200_000]]);
}

/// Messages go to a client that is held back, and what waits for it is told when it is sent.
#[test]
fn it_is_sent_messages() {
    let mut server = Server::new(CONFIG);
    let (mut client, id) = server.open_client();
    assert!(server.engine.pause(id));
    assert_eq!(server.engine.send_to(id, MessageKind::Text, b"hello"), Ok(1));
    assert!(server.engine.want_drain(id));
    server.pump();
    assert_eq!(client.read(), b"\x81\x05hello");
    assert_eq!(server.drained, [id]);
    assert!(server.engine.is_open(id) && server.engine.count_open() == 1);
}

/// Neither its silence nor a ping that it cannot answer ends it; when it goes on, it has its time again.
#[test]
fn no_ping_and_no_silence() {
    let time = Duration::from_millis(200);
    let keepalive = Some(Keepalive { idle: time, timeout: time });
    let mut server = Server::new(Config { keepalive, ..CONFIG });
    let (mut client, id) = server.open_client();
    assert!(server.engine.pause(id));
    let end = Instant::now() + 5 * time;
    while Instant::now() < end {
        server.engine.wait(Some(time / 4)).unwrap();
        server.pump();
    }
    assert_eq!(client.read(), b"", "it is asked for no sign of life");
    assert!(server.engine.is_open(id) && server.engine.resume(id));
    let mut asked = Vec::new();
    while asked.is_empty() {
        server.engine.wait(Some(time / 4)).unwrap();
        server.pump();
        asked = client.read();
    }
    assert_eq!(asked, b"\x89\0");
}

/// A client that is not there any more ends at once; the end of its side alone waits.
#[test]
fn ends() {
    let mut server = Server::new(CONFIG);
    let (client, gone) = server.open_client();
    assert!(server.engine.pause(gone));
    drop(client);
    server.pump();
    assert_eq!(server.closed, [gone]);
    assert!(!server.engine.resume(gone) && !server.engine.pause(gone));

    let (mut client, half) = server.open_client();
    assert!(server.engine.pause(half));
    client.write(&text("last"));
    client.stream.shutdown(Shutdown::Write).unwrap();
    server.pump();
    assert!(server.closed == [gone] && server.messages.is_empty());
    assert!(server.engine.resume(half));
    server.pump();
    assert_eq!(server.payloads(), [b"last"]);
    assert_eq!(server.closed, [gone, half]);
}

/// One that takes nothing more of us may have sent something before: that waits as well.
#[test]
fn one_that_takes_nothing_more() {
    let mut server = Server::new(CONFIG);
    let (mut client, id) = server.open_client();
    assert!(server.engine.pause(id));
    client.write(&text("last"));
    client.stream.shutdown(Shutdown::Read).unwrap();
    let _ = server.engine.send_to(id, MessageKind::Text, b"for nobody");
    server.pump();
    assert!(server.closed.is_empty() && server.messages.is_empty());
    assert!(server.engine.resume(id));
    server.pump();
    assert_eq!(server.payloads(), [b"last"]);
    drop(client);
    server.pump();
    assert_eq!(server.closed, [id]);
}

/// Its close frame is answered when it goes on; ours goes out at once, and its answer is read.
#[test]
fn close_frames() {
    let mut server = Server::new(CONFIG);
    let (mut client, id) = server.open_client();
    assert!(server.engine.pause(id));
    client.write(&frame(OpCode::Close, b"\x03\xe8"));
    server.pump();
    assert_eq!((client.read(), server.closed.len()), (Vec::new(), 0));
    assert!(server.engine.resume(id));
    server.pump();
    assert_eq!(client.read(), b"\x88\x02\x03\xe8");

    let (mut client, id) = server.open_client();
    assert!(server.engine.pause(id));
    client.write(&text("passed over"));
    server.engine.close(id, CloseCode::POLICY, "");
    assert!(!server.engine.pause(id) && !server.engine.is_open(id));
    client.write(&frame(OpCode::Close, b"\x03\xf0"));
    server.pump();
    assert_eq!(client.read(), b"\x88\x02\x03\xf0");
    assert_eq!(server.closed.last(), Some(&id));
    assert!(server.messages.is_empty());
}

/// Where the server stops it counts for nothing.
#[test]
fn a_stop() {
    let mut server = Server::new(CONFIG);
    let (mut client, id) = server.open_client();
    assert!(server.engine.pause(id));
    server.engine.stop(CloseCode::GOING_AWAY);
    client.write(&frame(OpCode::Close, b"\x03\xe9"));
    server.pump();
    assert_eq!(client.read(), b"\x88\x02\x03\xe9");
    assert!(server.is_stopped && server.closed == [id]);
}

/// A client whose input waits for its long queue, and that is held back besides, goes on when both are over.
#[test]
fn with_a_long_queue() {
    let mut server = Server::new(CONFIG);
    server.on_message = echo;
    let (mut client, id) = server.open_client();
    for _ in 0..700 {
        server.engine.send_to(id, MessageKind::Binary, &[1; 60_000]).unwrap();
    }
    assert!(server.engine.pause(id));
    client.write(&text("behind"));
    server.pump();
    let mut read = 0;
    while read < 700 * 60_004 {
        let more = client.read().len();
        read += more;
        server.pump();
    }
    assert!(server.messages.is_empty() && server.engine.resume(id));
    server.pump();
    assert_eq!(server.payloads(), [b"behind"]);
    assert_eq!(client.read(), b"\x81\x06behind");
}
