//! Which connections are open, and when their queues are empty.

mod support;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use dorrit_engine::ConnId;
use dorrit_proto::{CloseCode, MessageKind, OpCode};
use support::*;

fn all(server: &Server) -> Vec<ConnId> {
    let mut next = server.engine.next_open(None);
    std::iter::from_fn(|| {
        let id = next?;
        next = server.engine.next_open(Some(id));
        Some(id)
    })
    .collect()
}

/// They are counted, and found, from their acceptance until they are being closed, by whomever and however.
#[test]
fn counted_until_they_are_being_closed() {
    let mut server = Server::new(CONFIG);
    let mut asking = server.client();
    asking.write(&REQUEST[..50]);
    server.pump();
    assert_eq!((server.engine.count_open(), all(&server)), (0, Vec::new()));
    let mut clients: Vec<_> = (0..6).map(|_| server.open_client()).collect();
    let ids: Vec<_> = clients.iter().map(|(_, id)| *id).collect();
    assert_eq!((server.engine.count_open(), all(&server)), (6, ids.clone()));
    server.engine.close(ids[0], CloseCode::NORMAL, "");
    server.engine.close_now(ids[1]);
    clients[2].0.write(&frame(OpCode::Close, b""));
    clients[3].0.write(&any_frame(0xff, b""));
    assert_eq!(all(&server), ids[2..], "what is not read is not known");
    server.pump();
    assert_eq!((server.engine.count_open(), all(&server)), (2, ids[4..].to_vec()));
    assert!(ids.iter().enumerate().all(|(i, id)| server.engine.is_open(*id) == (i > 3)));
    server.on_open = |engine, id| {
        assert!(!engine.is_open(id), "it is not accepted yet");
        engine.close(id, CloseCode::NORMAL, "");
        true
    };
    server.client().write(REQUEST);
    server.pump();
    assert_eq!(server.engine.count_open(), 2);
    drop(clients);
    server.pump();
    assert_eq!((server.engine.count_open(), all(&server)), (0, Vec::new()));
}

/// A producer that asks for it is told once each time: when all is sent, or soon where nothing is queued.
#[test]
fn drains_that_were_asked_for() {
    let mut server = Server::new(CONFIG);
    let (mut client, id) = server.open_client();
    assert!(server.engine.want_drain(id) && server.engine.want_drain(id));
    server.pump();
    assert_eq!(server.drained, [id]);
    server.pump();
    assert_eq!(server.drained, [id], "once");
    server.on_message = |engine, id, _, _| {
        engine.send_to(id, MessageKind::Text, b"answer").unwrap();
        assert!(engine.want_drain(id));
    };
    client.write(&text("ask"));
    server.pump();
    assert_eq!((client.read(), server.drained.len()), (b"\x81\x06answer".to_vec(), 2));
    for _ in 0..100 {
        server.engine.send_to(id, MessageKind::Binary, &[0; 60_000]).unwrap();
    }
    assert!(server.engine.want_drain(id));
    server.pump();
    assert_eq!(server.drained.len(), 2, "it waits for the client");
    let mut read = 0;
    while read < 100 * 60_004 {
        read += client.read().len();
        server.pump();
    }
    assert_eq!(server.drained.len(), 3);
    server.engine.close(id, CloseCode::NORMAL, "");
    assert!(!server.engine.want_drain(id));
}

/// It can be asked for before the connection is accepted.
#[test]
fn a_drain_from_the_first_moment() {
    let mut server = Server::new(CONFIG);
    server.on_open = |engine, id| engine.want_drain(id);
    let (_client, id) = server.open_client();
    server.pump();
    assert_eq!(server.drained, [id]);
}

/// Who asks again each time is told once a round: others have their turns meanwhile (CONTRACT S20).
#[test]
fn asking_each_time_keeps_nobody_waiting() {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let mut server = Server::new(CONFIG);
    let (mut client, other) = server.open_client();
    let (_quiet, one) = server.open_client();
    let (_silent, two) = server.open_client();
    server.on_drain = |engine, id| {
        assert!(CALLS.fetch_add(1, Ordering::Relaxed) < 1000, "nobody else has a turn");
        assert!(engine.want_drain(id));
    };
    server.on_message = echo;
    assert!(server.engine.want_drain(one) && server.engine.want_drain(two));
    client.write(&text("hello"));
    server.pump();
    assert_eq!(client.read(), b"\x81\x05hello");
    let count = |id| server.drained.iter().filter(|it| **it == id).count();
    assert!(count(one) >= 3 && count(one).abs_diff(count(two)) <= 1, "{:?}", server.drained);
    assert_eq!(count(other), 0);
    assert_eq!(server.engine.timeout(), Some(Duration::ZERO));
}
