//! What is held for clients: how much that may be, and that all of it is given back (CONTRACT S22); and
//! compressed messages, which must not be more than their turn (CONTRACT S20).

mod support;

use dorrit_engine::{Config, DropCause, OverflowPolicy, QueueLimit};
use dorrit_proto::{CloseCode, Deflater, Fragments, MessageKind, Refusal, Rules};
use support::*;

const LONG: Config = Config {
    rules: Rules { max_payload: 64 << 20, fragments: Fragments::Joined, ..CONFIG.rules },
    compression: 6,
    ..CONFIG
};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Extensions: permessage-deflate\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

fn deflating_client(server: &mut Server) -> Client {
    let mut client = server.client();
    client.write(REQUEST);
    server.pump();
    assert!(client.read().starts_with(b"HTTP/1.1 101 "));
    client
}

fn deflate(message: &[u8]) -> Vec<u8> {
    let mut deflated = Vec::new();
    Deflater::new(9, 15).unwrap().deflate(message, &mut deflated).unwrap();
    deflated
}

/// The frames of a compressed message, whole or in two fragments.
fn deflated_frames(message: &[u8], is_whole: bool) -> Vec<u8> {
    let deflated = deflate(message);
    if is_whole {
        return any_frame(0xc2, &deflated);
    }
    let (first, last) = deflated.split_at(deflated.len() / 2);
    [any_frame(0x42, first), any_frame(0x80, last)].concat()
}

/// A message of 16 MB that is compressed to some KB takes many turns: others have theirs meanwhile, and what
/// its client sent behind it comes behind it.
#[test]
fn a_long_compressed_message_takes_turns() {
    let long: Vec<u8> = (0..16_000_000).map(|i| (i >> 20) as u8).collect();
    for is_whole in [true, false] {
        let mut server = Server::new(LONG);
        let mut flooder = deflating_client(&mut server);
        let (mut other, _) = server.open_client();
        let frames = [deflated_frames(&long, is_whole), text("behind")].concat();
        write_all(&mut server, &mut flooder, &frames);
        let mut echoes = 0;
        while server.messages.len() < 2 {
            other.write(&text("other"));
            server.pump();
            let told = server.messages.iter().position(|(_, _, payload)| payload == b"other");
            server.messages.remove(told.expect("it has its turn"));
            echoes += 1;
        }
        assert!(echoes > 2, "{echoes} times four rounds for 16 MB");
        let payloads = server.payloads();
        assert!(payloads[0] == long && payloads[1] == b"behind");
        drop(flooder);
        server.pump();
        assert!(server.engine.stats().held_bytes < 1 << 20, "{:?}", server.engine.stats());
    }
}

/// Several at once, each with a decompressor of its own; one of them leaves, one is closed meanwhile.
#[test]
fn several_long_compressed_messages_at_once() {
    let long: Vec<u8> = (0..8_000_000).map(|i| (i >> 18) as u8).collect();
    let mut server = Server::new(LONG);
    let mut clients: Vec<_> = (0..4).map(|_| deflating_client(&mut server)).collect();
    let ids = server.opened.clone();
    for client in &mut clients {
        client.write(&deflated_frames(&long, true));
    }
    server.pump_once();
    server.pump_once();
    assert!(server.messages.is_empty());
    drop(clients.pop());
    server.engine.close(ids[0], CloseCode::NORMAL, "");
    while server.messages.len() < 2 || server.closed.is_empty() {
        server.pump();
    }
    assert!(server.payloads().iter().all(|payload| *payload == long));
    let told: Vec<_> = server.messages.iter().map(|(id, _, _)| *id).collect();
    assert!(told.contains(&ids[1]) && told.contains(&ids[2]), "{told:?}");
    assert_eq!(server.closed, [ids[3]]);
    drop(clients);
    server.pump();
    assert!(server.engine.stats().held_bytes < 1 << 20, "{:?}", server.engine.stats());
}

const LIMITED: Config = Config { max_memory: Some(1 << 20), compression: 0, ..LONG };

/// Whose message would be more than may be held is dropped with 1013; the others notice nothing, and what it
/// took is free again.
#[test]
fn a_message_that_is_too_much() {
    let mut server = Server::new(LIMITED);
    let (mut other, _) = server.open_client();
    let (mut client, id) = server.open_client();
    let part = any_frame(0x02, &vec![7; 700_000]);
    write_all(&mut server, &mut client, &part);
    assert!(server.engine.stats().held_bytes >= 700_000);
    other.write(&text("fits"));
    server.pump();
    assert_eq!(server.payloads(), [b"fits"]);
    let mut rest = any_frame(0x00, &vec![7; 700_000]);
    rest.truncate(400_000);
    write_all(&mut server, &mut client, &rest);
    assert_eq!(server.dropped, [DropCause::MessageMemory]);
    assert_eq!(client.read()[2..4], 1013_u16.to_be_bytes());
    drop(client);
    server.pump();
    assert_eq!((&server.closed[..], server.engine.stats().dropped_memory), (&[id][..], 1));
    assert_eq!(server.engine.stats().held_bytes, 0);
    other.write(&text("still here"));
    server.pump();
    assert_eq!(server.payloads().last(), Some(&&b"still here"[..]));
}

/// Nobody new is accepted while as much is held as may be, and somebody is again afterwards.
#[test]
fn nobody_new_is_accepted() {
    let queue_limit = QueueLimit { bytes: 64 << 20, policy: OverflowPolicy::Skip };
    let mut server = Server::new(Config { max_memory: Some(300_000), queue_limit, ..CONFIG });
    let (_full, id) = server.open_client();
    let mut late = server.client();
    for len in [60_000, 1000, 1] {
        while server.engine.send([id].into_iter(), MessageKind::Text, &vec![b'a'; len]) == Ok(1) {
            server.pump();
        }
    }
    assert!(server.engine.stats().held_bytes > 299_000, "{:?}", server.engine.stats());
    late.write(support::REQUEST);
    server.pump();
    assert!(late.read().starts_with(b"HTTP/1.1 503 "));
    assert_eq!(server.refused, [Refusal::NoMemory]);
    server.engine.close_now(id);
    server.pump();
    assert_eq!(server.engine.stats().held_bytes, 0);
    server.open_client();
}

/// A queue that would grow beyond what may be held is treated as one that grows beyond its own limit.
#[test]
fn queues() {
    for policy in [OverflowPolicy::Close, OverflowPolicy::Skip] {
        let limit = QueueLimit { bytes: 64 << 20, policy };
        let mut server =
            Server::new(Config { queue_limit: limit, max_memory: Some(1 << 20), ..CONFIG });
        let (mut stuck, id) = server.open_client();
        let (mut other, other_id) = server.open_client();
        let mut queued = 0;
        for _ in 0..40 {
            let both = [id, other_id].into_iter();
            queued += server.engine.send(both, MessageKind::Binary, &[7; 60_000]).unwrap();
            server.pump();
            assert_eq!(other.read().len(), 60_004);
            assert!(server.engine.stats().held_bytes < (1 << 20) + 70_000);
        }
        assert!((52..62).contains(&queued), "{queued} with {policy:?}");
        let stats = server.engine.stats();
        match policy {
            OverflowPolicy::Close => assert_eq!(server.dropped, [DropCause::QueueMemory]),
            OverflowPolicy::Skip => assert_eq!(stats.skipped as usize, 80 - queued),
        }
        while server.engine.queued_bytes(id) > 0 {
            stuck.read();
            server.pump();
        }
        drop(stuck);
        server.pump();
        assert_eq!(server.engine.stats().held_bytes, 0);
    }
}

/// Many small messages take little more than their bytes, and what they took is told to be released.
#[test]
fn small_messages() {
    for len in [1, 20, 200] {
        let limit = QueueLimit { bytes: 8 << 20, policy: OverflowPolicy::Skip };
        let mut server = Server::new(Config { queue_limit: limit, ..CONFIG });
        let (_stuck, id) = server.open_client();
        let (payload, mut count) = (vec![b'a'; len], 0_u32);
        while server.engine.send([id].into_iter(), MessageKind::Text, &payload).unwrap() == 1 {
            count += 1;
            if count.is_multiple_of(1000) {
                server.pump();
            }
        }
        let (queued, held) =
            (server.engine.queued_bytes(id), server.engine.stats().held_bytes as usize);
        assert!((7 << 20..=(8 << 20) + 16384).contains(&held), "{held}");
        assert!(held < queued * 5 / 4, "{held} bytes are held for {queued}, of {len} each");
        server.engine.close_now(id);
        server.pump();
        assert_eq!((server.engine.stats().held_bytes, server.released), (0, 1));
    }
}
