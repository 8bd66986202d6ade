//! Whatever is queued is sent, whichever way a call ends; and who was told that something is queued, or left out,
//! is told when the queue is empty (CONTRACT S25).

mod support;

use dorrit_engine::{Config, ConnId, Engine, OverflowPolicy, QueueLimit};
use dorrit_proto::{CloseCode, MessageKind};
use support::*;

const TEXT: MessageKind = MessageKind::Text;

fn skipping(bytes: usize) -> Config {
    Config { queue_limit: QueueLimit { bytes, policy: OverflowPolicy::Skip }, ..CONFIG }
}

fn send(engine: &mut Engine, ids: &[ConnId], payload: &[u8]) -> usize {
    engine.send(ids.iter().copied(), TEXT, payload).unwrap()
}

/// Answers as a C program's call does. Returns whether the answer was queued or sent.
fn answer(engine: &mut Engine, id: ConnId, len: usize) -> bool {
    let payload = vec![b'a'; len];
    engine.send_to(id, TEXT, &payload).unwrap() == 1
}

/// An answer is sent although what follows it is left out: alone, twice in one array, or with others.
#[test]
fn an_answer_before_what_is_left_out() {
    for way in 0..4 {
        let mut server = Server::new(skipping(1000));
        let (_other, other_id) = server.open_client();
        let (mut client, _) = server.open_client();
        server.engine.set_tag(other_id, 1);
        server.on_message = |engine, id, _, way| {
            let other = ConnId::from_bits(id.to_bits() - 1).unwrap();
            assert!(answer(engine, id, 5));
            let array = [vec![id], vec![id, id], vec![other, id], vec![id, other]];
            let array = &array[usize::from(way[0] - b'0')];
            let others = array.iter().filter(|it| **it != id).count();
            assert_eq!(send(engine, array, &[b'x'; 2000]), others);
        };
        client.write(&text(&way.to_string()));
        server.pump();
        assert_eq!(client.read(), b"\x81\x05aaaaa", "way {way}");
        assert_eq!(server.engine.stats().skipped, 1);
        assert_eq!(server.drained, [server.messages[0].0], "it was left out for that one");
    }
}

/// The program that everybody writes: it queues while less than a mark waits, and goes on when it is told
/// that nothing does. By bytes and by frames, with a mark below what one turn sends, at it, and above.
#[test]
fn a_producer_goes_on() {
    for by_frames in [false, true] {
        for mark in [1, 100, 5000, 60_000, 65_540, 200_000, 3_000_000] {
            let mut server = Server::new(CONFIG);
            let (mut client, id) = server.open_client();
            // What the function needs to know it keeps with the connection.
            server.engine.set_tag(id, mark << 1 | usize::from(by_frames));
            server.on_message = |engine, id, _, _| produce(engine, id);
            server.on_drain = produce;
            client.write(&text("go"));
            let mut read = 0;
            let start = std::time::Instant::now();
            while read < 2 * mark + 1_000_000 {
                server.pump();
                read += client.read().len();
                assert!(start.elapsed().as_secs() < 20, "mark {mark}: it stalls at {read}");
            }
        }
    }
}

fn produce(engine: &mut Engine, id: ConnId) {
    let (mark, by_frames) = (engine.tag(id) >> 1, engine.tag(id) & 1 == 1);
    let is_below = |engine: &mut Engine| match by_frames {
        true => (engine.queued_frames(id) as usize) < mark.div_ceil(1000),
        false => engine.queued_bytes(id) < mark,
    };
    while is_below(engine) {
        assert!(answer(engine, id, 1000));
    }
}

/// One who asks how much is queued, by either function, in its own turn or in another's, is told once.
#[test]
fn who_was_told_a_length() {
    let ask: [fn(&mut Engine, ConnId) -> usize; 2] =
        [|engine, id| engine.queued_bytes(id), |engine, id| engine.queued_frames(id) as usize];
    for ask in ask {
        let mut server = Server::new(CONFIG);
        let (mut client, id) = server.open_client();
        assert_eq!(ask(&mut server.engine, id), 0);
        send(&mut server.engine, &[id], b"outside");
        assert_ne!(ask(&mut server.engine, id), 0);
        assert_ne!(ask(&mut server.engine, id), 0);
        server.pump();
        assert_eq!((client.read(), server.drained.len()), (b"\x81\x07outside".to_vec(), 1));
        server.pump();
        assert_eq!(server.drained.len(), 1, "once");
    }
    type OnMessage = fn(&mut Engine, ConnId, MessageKind, &[u8]);
    let asking: [OnMessage; 2] = [
        |engine, id, _, _| {
            answer(engine, id, 5);
            assert_eq!(engine.queued_bytes(id), 7);
        },
        |engine, id, _, _| {
            answer(engine, id, 5);
            assert_eq!(engine.queued_frames(id), 1);
        },
    ];
    for ask in asking {
        let mut server = Server::new(CONFIG);
        server.on_message = ask;
        let (mut client, id) = server.open_client();
        for round in 1..=3 {
            client.write(&text("go"));
            server.pump();
            assert_eq!(client.read(), b"\x81\x05aaaaa");
            assert_eq!(server.drained, vec![id; round]);
        }
    }
}

/// Nobody is told who was told nothing, or 0, and for whom nothing had to wait.
#[test]
fn who_was_told_nothing() {
    let mut server = Server::new(CONFIG);
    server.on_message = |engine, id, _, _| {
        assert_eq!((engine.queued_bytes(id), engine.queued_frames(id)), (0, 0));
        (0..10).for_each(|_| assert!(answer(engine, id, 100)));
    };
    let (mut client, id) = server.open_client();
    for _ in 0..10 {
        client.write(&text("go"));
        server.pump();
        assert_eq!(client.read().len(), 1020);
        assert_eq!(server.engine.queued_bytes(id), 0);
        send(&mut server.engine, &[id, id], b"twice");
        server.pump();
        assert_eq!(client.read(), b"\x81\x05twice\x81\x05twice");
    }
    assert_eq!(server.drained, []);
}

/// Nor is anybody who is being closed, however it was told something before.
#[test]
fn who_is_being_closed() {
    let mut server = Server::new(CONFIG);
    server.on_message = |engine, id, _, way| {
        answer(engine, id, 5);
        assert_ne!(engine.queued_bytes(id), 0);
        match way {
            b"close" => engine.close(id, CloseCode::NORMAL, ""),
            _ => engine.close_now(id),
        }
    };
    for way in ["close", "now"] {
        let (mut client, _) = server.open_client();
        client.write(&text(way));
        server.pump();
        client.read();
        drop(client);
        server.pump();
    }
    for force in [false, true] {
        let (mut client, id) = server.open_client();
        send(&mut server.engine, &[id], &[b'x'; 3_000_000]);
        assert_ne!(server.engine.queued_frames(id), 0);
        server.pump();
        match force {
            true => server.engine.close_now(id),
            false => server.engine.close(id, CloseCode::NORMAL, ""),
        }
        while server.engine.queued_bytes(id) > 0 {
            client.read();
            server.pump();
        }
        drop(client);
        server.pump();
    }
    assert_eq!((server.closed.len(), server.drained.len()), (4, 0));
}

/// The same where another client's message closes it when its queue is empty already, and it is not told yet.
#[test]
fn who_is_closed_by_another() {
    for force in ["close", "now"] {
        let mut server = Server::new(CONFIG);
        let (mut client, _) = server.open_client();
        let (mut other, _) = server.open_client();
        server.on_message = |engine, id, _, way| {
            let first = ConnId::from_bits(id.to_bits() - 1);
            match way {
                b"close" => engine.close(first.unwrap(), CloseCode::NORMAL, ""),
                b"now" => engine.close_now(first.unwrap()),
                _ => assert!(answer(engine, id, 5) && engine.queued_bytes(id) == 7),
            }
        };
        client.write(&text("go"));
        other.write(&text(force));
        server.pump();
        assert_eq!(server.payloads(), [b"go", force.as_bytes()]);
        assert!(client.read().starts_with(b"\x81\x05aaaaa"));
        assert_eq!(server.drained, []);
    }
}

/// A message that was left out is told, also where the limit is less than one turn sends, so that nothing
/// ever had to wait.
#[test]
fn who_was_left_something_out() {
    for limit in [1, 10, 1000, 30_000, 65_000] {
        let mut server = Server::new(skipping(limit));
        let (mut client, id) = server.open_client();
        server.on_message = |engine, id, _, _| while answer(engine, id, 500) {};
        for round in 1..=3 {
            client.write(&text("go"));
            server.pump();
            assert!(client.read().len() > 500);
            assert_eq!(server.drained, vec![id; round], "a limit of {limit}");
        }
        // And from outside.
        while send(&mut server.engine, &[id], &[b'y'; 500]) > 0 {}
        server.pump();
        client.read();
        server.pump();
        assert_eq!(server.drained, vec![id; 4]);
    }
}
