//! Requests on which the decision is put off, and what comes between: the client's end, the caller's second thoughts,
//! and limits.

mod support;

use std::net::Shutdown;

use dorrit_engine::{Config, Engine, OverflowPolicy, QueueLimit, SendError};
use dorrit_proto::{CloseCode, MessageKind, Refusal};
use support::site::*;
use support::*;

const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &[u8] = b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";

/// The client leaves: by closing, by ending its side, by a reset, with requests behind the one that is put off.
#[test]
fn the_client_leaves() {
    for request in [REQUEST, POST] {
        for behind in [&b""[..], GET, b"GE"] {
            for kind in 0..4 {
                let (mut site, mut client, id) = put_off(SITE, &[request, behind].concat());
                let keeps = match kind {
                    0 => {
                        client.stream.shutdown(Shutdown::Write).unwrap();
                        Some(client)
                    }
                    1 => {
                        client.write(GET);
                        client.stream.shutdown(Shutdown::Both).unwrap();
                        Some(client)
                    }
                    2 => {
                        client.write(GET);
                        drop(client);
                        None
                    }
                    _ => {
                        drop(client);
                        // The decision comes first.
                        match request == REQUEST {
                            true => assert!(site.engine().accept(id, None, b"")),
                            false => answer_late(&mut site, id),
                        }
                        None
                    }
                };
                site.pump();
                assert_eq!(site.server.closed, [id], "{kind}");
                assert_stale(site.engine(), id);
                drop(keeps);
                site.assert_empty();
                assert_eq!((site.server.closed.len(), site.asked.len()), (1, 1));
            }
        }
    }
}

/// Its end may have come with the request: the caller is told all the same, once.
#[test]
fn the_client_has_left_already() {
    for request in [REQUEST, POST] {
        let mut site = Site::deferring(SITE);
        let mut client = site.client();
        client.write(request);
        drop(client);
        site.pump();
        assert_eq!(site.server.closed, [site.last()]);
        site.assert_empty();
    }
}

/// Taken back before the event is over it never was: the caller decides at once, and no end is told.
#[test]
fn taken_back() {
    for request in [REQUEST, POST] {
        for is_answered in [true, false] {
            let mut site = Site::new(SITE);
            site.decide = Box::new(move |engine, asked| {
                engine.defer(asked.id).unwrap();
                engine.defer(asked.id).unwrap();
                engine.undefer(asked.id);
                engine.undefer(asked.id);
                match (is_answered, asked.plain) {
                    (true, Some(_)) => answer(engine, asked),
                    (true, None) => assert!(engine.accept(asked.id, None, b"")),
                    _ => {}
                }
            });
            let mut client = site.client();
            client.write(request);
            site.pump();
            let read = client.read();
            let expected = match (is_answered, request == POST) {
                (true, true) => "200",
                (true, false) => "101",
                _ => "403",
            };
            assert!(read.starts_with(format!("HTTP/1.1 {expected} ").as_bytes()));
            assert_eq!((site.server.closed.len(), site.engine().stats().held_bytes), (0, 0));
            drop(client);
            site.assert_empty();
        }
    }
}

/// Put off and decided on in the same event.
#[test]
fn decided_in_the_same_event() {
    for request in [REQUEST, POST] {
        let decisions: [(fn(&mut Engine, &Asked), &str); 4] = [
            (|engine, asked| engine.refuse(asked.id, Refusal::Status(401)), "401"),
            (|engine, asked| engine.close(asked.id, CloseCode::NORMAL, ""), "403"),
            (|engine, asked| engine.close_now(asked.id), ""),
            (
                |engine, asked| match asked.plain {
                    Some(_) => answer(engine, asked),
                    None => assert!(engine.accept(asked.id, None, b"")),
                },
                if request == POST { "200" } else { "101" },
            ),
        ];
        for (decide, expected) in decisions {
            let mut site = Site::new(SITE);
            site.decide = Box::new(move |engine, asked| {
                engine.defer(asked.id).unwrap();
                decide(engine, asked);
            });
            let mut client = site.client();
            client.write(request);
            site.pump();
            let read = client.read();
            assert!(read.is_empty() == expected.is_empty());
            assert!(
                read.is_empty() || read.starts_with(format!("HTTP/1.1 {expected} ").as_bytes())
            );
            drop(client);
            site.assert_empty();
            assert_eq!(site.server.closed, [site.last()], "{expected}");
        }
    }
}

/// A connection that the caller closes in its event is none on which the decision can be put off.
#[test]
fn closed_and_put_off() {
    for is_now in [false, true] {
        let mut site = Site::new(SITE);
        site.decide = Box::new(move |engine, asked| {
            engine.send_to(asked.id, MessageKind::Text, b"first").unwrap();
            match is_now {
                true => engine.close_now(asked.id),
                false => engine.close(asked.id, CloseCode::NORMAL, ""),
            }
            assert_eq!(engine.defer(asked.id), Err(SendError::OutOfMemory));
            engine.accept(asked.id, None, b"");
        });
        let mut client = site.client();
        client.write(REQUEST);
        site.pump();
        let read = client.read();
        assert!(
            is_now
                || (read.starts_with(b"HTTP/1.1 101 ")
                    && read.ends_with(b"\x81\x05first\x88\x02\x03\xe8"))
        );
        drop(client);
        site.assert_empty();
        assert_eq!(site.server.closed, [site.last()]);
    }
}

/// More is sent meanwhile than may wait: nothing of it goes out without the 101.
#[test]
fn too_much_is_sent_meanwhile() {
    for policy in [OverflowPolicy::Close, OverflowPolicy::Skip] {
        let queue_limit = QueueLimit { bytes: 10_000, policy };
        let (mut site, mut client, id) = put_off(Config { queue_limit, ..SITE }, REQUEST);
        for _ in 0..4 {
            let _ = site.engine().send_to(id, MessageKind::Text, &[b'm'; 4000]).unwrap();
            site.pump();
        }
        let read = client.read();
        if policy == OverflowPolicy::Close {
            assert!(read.starts_with(b"HTTP/1.1 503 "), "{}", String::from_utf8_lossy(&read));
            assert!(!read.contains(&0x81) && client.is_at_end());
            assert!(!site.engine().accept(id, None, b""));
            assert_eq!((&site.server.closed[..], site.server.dropped.len()), (&[id][..], 1));
        } else {
            assert!(read.is_empty() && site.engine().accept(id, None, b""));
            site.pump();
            assert!(client.read().len() > 8000 && site.server.closed.is_empty());
        }
        drop(client);
        site.assert_empty();
        assert_eq!(site.server.closed, [id]);
    }
}

/// There are as many connections as may be when it is accepted: 503, and the end is told.
#[test]
fn no_room_when_it_is_accepted() {
    let config = Config { max_connections: 1, ..SITE };
    let (mut site, mut client, id) = put_off(config, REQUEST);
    let mut other = site.client();
    other.write(REQUEST);
    site.pump();
    let other_id = site.last();
    assert!(site.engine().accept(other_id, None, b""));
    assert!(!site.engine().accept(id, None, b""));
    site.pump();
    assert!(client.read().starts_with(b"HTTP/1.1 503 ") && client.is_at_end());
    assert_eq!(
        (&site.server.closed[..], &site.server.refused[..]),
        (&[id][..], &[Refusal::Full][..])
    );
    drop((client, other));
    site.assert_empty();
    assert_eq!(site.server.closed, [id, other_id]);
}

/// CONTRACT S22: so where as much memory is held as may be.
#[test]
fn no_memory_when_it_is_accepted() {
    let config = Config { max_memory: Some(50_000), ..SITE };
    let (mut site, mut client, id) = put_off(config, REQUEST);
    site.engine().send_to(id, MessageKind::Binary, &[7; 60_000]).unwrap();
    assert!(!site.engine().accept(id, None, b""));
    site.pump();
    assert!(client.read().starts_with(b"HTTP/1.1 503 ") && client.is_at_end());
    assert_eq!(
        (&site.server.closed[..], &site.server.refused[..]),
        (&[id][..], &[Refusal::NoMemory][..])
    );
    drop(client);
    site.assert_empty();
}

/// CONTRACT S4: closed in its event, or sent too much, and refused then: nothing of it goes out.
#[test]
fn closed_and_refused() {
    for (len, closes) in [(5, true), (5, false), (9000, false)] {
        let queue_limit = QueueLimit { bytes: 10_000, policy: OverflowPolicy::Close };
        let mut site = Site::new(Config { queue_limit, ..SITE });
        site.decide = Box::new(move |engine, asked| {
            for _ in 0..3 {
                engine.send_to(asked.id, MessageKind::Text, &vec![b'm'; len]).unwrap();
            }
            if closes {
                engine.close(asked.id, CloseCode::NORMAL, "");
            }
            engine.refuse(asked.id, Refusal::Forbidden);
        });
        let mut client = site.client();
        client.write(REQUEST);
        site.pump();
        let read = client.read();
        assert!(read.starts_with(b"HTTP/1.1 403 ") && !read.contains(&0x81), "{read:?}");
        assert!(client.is_at_end());
        drop(client);
        site.assert_empty();
        assert!(site.server.closed.is_empty());
    }
}
