//! What an engine counts, and the alarm.

mod support;

use std::time::{Duration, Instant};

use dorrit_engine::{Event, Stats};
use dorrit_proto::{OpCode, Refusal};
use support::*;

/// Whatever way a message goes, it is counted once, and its bytes are those of the wire.
#[test]
fn messages_and_bytes() {
    for len in [0, 5, 125, 126, 65535] {
        let mut server = Server::new(CONFIG);
        server.on_message = echo;
        let (mut client, _) = server.open_client();
        let before = server.engine.stats();
        assert_eq!((before.connections, before.accepted), (1, 1));
        assert_eq!(before.bytes_in, REQUEST.len() as u64);
        let sent = frame(OpCode::Binary, &vec![b'x'; len]);
        let mut received = Vec::new();
        for _ in 0..3 {
            client.write(&sent);
            server.pump();
            received.extend(client.read());
        }
        let after = Stats {
            messages_in: 3,
            messages_out: 3,
            bytes_in: before.bytes_in + 3 * sent.len() as u64,
            bytes_out: before.bytes_out + received.len() as u64,
            ..before
        };
        assert_eq!(server.engine.stats(), after, "{len}");
    }
}

/// What a socket does not take waits, and is counted when it has gone.
#[test]
fn queued_bytes() {
    let mut server = Server::new(CONFIG);
    let (mut client, id) = server.open_client();
    let before = server.engine.stats();
    let payload = vec![b'x'; 60_000];
    for _ in 0..100 {
        let kind = dorrit_proto::MessageKind::Binary;
        server.engine.send([id].into_iter(), kind, &payload).unwrap();
    }
    server.pump();
    let waiting = server.engine.stats();
    let all = 100 * (60_000 + 4);
    assert_eq!(waiting.messages_out, 100);
    assert!(waiting.queued_bytes > 0);
    assert_eq!(waiting.bytes_out - before.bytes_out + waiting.queued_bytes, all);
    let mut received = 0;
    while received < all {
        received += client.read().len() as u64;
        server.pump();
    }
    let after = server.engine.stats();
    assert_eq!((after.queued_bytes, after.bytes_out - before.bytes_out), (0, all));
}

/// A message behind our close frame is passed over, and not counted.
#[test]
fn messages_that_nobody_is_told() {
    let mut server = Server::new(CONFIG);
    let (mut client, id) = server.open_client();
    server.engine.close(id, dorrit_proto::CloseCode::NORMAL, "");
    server.pump();
    client.write(&text("late"));
    server.pump();
    assert_eq!((server.engine.stats().messages_in, server.payloads().len()), (0, 0));
}

/// Each refusal is told, but for the caller's own, and counted by its cause.
#[test]
fn refusals() {
    let mut server = Server::new(dorrit_engine::Config { max_connections: 1, ..CONFIG });
    let ask = |server: &mut Server, request: &[u8]| {
        let mut client = server.client();
        client.write(request);
        server.pump();
        client.read();
        assert!(client.is_at_end());
    };
    server.on_open = |_, _| false;
    ask(&mut server, REQUEST);
    server.on_open = |_, _| true;
    ask(&mut server, b"POST / HTTP/1.1\r\n\r\n");
    let _client = server.open_client();
    ask(&mut server, REQUEST);
    assert_eq!(server.refused, [Refusal::MethodNotAllowed, Refusal::Full]);
    let Stats { refused_full, refused_bad, refused_slow, refused_caller, .. } =
        server.engine.stats();
    assert_eq!((refused_full, refused_bad, refused_slow, refused_caller), (1, 1, 0, 1));
}

/// It comes once, at its time, and wakes an engine that has nothing else to do.
#[test]
fn the_alarm() {
    let mut server = Server::new(CONFIG);
    let start = Instant::now();
    server.engine.set_alarm(Some(start + Duration::from_millis(10)));
    assert!(matches!(server.engine.next(), Event::Alarm));
    assert!(start.elapsed() >= Duration::from_millis(10));
    server.pump();
    assert_eq!(server.alarms, 0);
    server.engine.set_alarm(Some(start));
    server.engine.set_alarm(None);
    server.pump();
    assert_eq!(server.alarms, 0);
    // Beside a tick that is due at the same time.
    server.engine.set_tick(Some(Duration::ZERO));
    server.engine.set_alarm(Some(start));
    let events: Vec<_> = (0..2).map(|_| format!("{:?}", server.engine.next())).collect();
    server.engine.set_tick(None);
    assert!(events.contains(&"Alarm".to_owned()), "{events:?}");
}
