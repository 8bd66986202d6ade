//! What the poll tells of a connection is dealt with in the connection's turn: once, in its place, and never lost, whatever
//! happens between the two.

mod support;

use std::time::{Duration, Instant};

use dorrit_engine::{Config, Keepalive};
use dorrit_proto::OpCode;
use rustix::process::{Resource, getrlimit, setrlimit};
use support::*;

const NOW: Duration = Duration::ZERO;

/// CONTRACT S20: a client that sends more before its turn, and is told of again when the poll is looked at meanwhile,
/// has one turn before those who came later, not two.
#[test]
fn told_of_twice_before_its_turn() {
    let mut server = Server::new(CONFIG);
    server.on_message = |_, _, _, payload| {
        let start = Instant::now();
        while payload == b"slow" && start.elapsed() < Duration::from_millis(2) {
            std::hint::spin_loop();
        }
    };
    let mut slow: Vec<_> = (0..40).map(|_| server.open_client().0).collect();
    let (mut flooder, flooder_id) = server.open_client();
    let (mut later, later_id) = server.open_client();
    slow.iter_mut().for_each(|client| client.write(&text("slow")));
    flooder.write(&text("m").repeat(100));
    while server.messages.is_empty() {
        server.step_once();
    }
    flooder.write(&text("m").repeat(100));
    later.write(&text("later"));
    while server.messages.len() < 40 + 200 + 1 {
        server.step_once();
    }
    let place = |of| server.messages.iter().position(|(id, _, _)| *id == of).unwrap();
    assert_eq!(place(flooder_id), 40, "behind those who were told of before");
    // Its turn ends before 64 messages where 10 ms have gone.
    assert!(place(later_id) <= 40 + 64, "{} messages before", place(later_id));
    let told = server.messages.iter().filter(|(id, _, _)| *id == flooder_id);
    assert_eq!(told.count(), 200);
}

/// CONTRACT S6: a connection is ended after the poll has told of it, and another one has its place before its turn
/// comes.
#[test]
fn ended_before_its_turn() {
    let mut server = Server::new(CONFIG);
    server.on_message = echo;
    for _ in 0..3 {
        let (mut ending, id) = server.open_client();
        let (mut other, other_id) = server.open_client();
        ending.write(&text("lost"));
        other.write(&text("other"));
        let mut successor = server.client();
        server.engine.wait(Some(NOW)).unwrap();
        server.engine.close_now(id);
        server.pump();
        assert_eq!(server.closed.pop(), Some(id));
        assert_eq!((server.messages.len(), server.messages.pop().unwrap().0), (1, other_id));
        assert_eq!(other.read(), b"\x81\x05other");
        successor.write(REQUEST);
        server.pump();
        assert!(successor.read().starts_with(b"HTTP/1.1 101 "));
        let successor_id = *server.opened.last().unwrap();
        assert_eq!(successor_id.to_bits() as u32, id.to_bits() as u32, "it has the place");
        assert_ne!(successor_id, id);
        successor.write(&text("hello"));
        server.pump();
        assert_eq!(successor.read(), b"\x81\x05hello");
        server.messages.clear();
    }
}

/// CONTRACT S21: what the poll tells in the same look in which a client's time is over counts as heard.
#[test]
fn told_of_when_its_time_is_over() {
    let (idle, timeout) = (Duration::from_millis(50), Duration::from_millis(300));
    let mut server = Server::new(Config { keepalive: Some(Keepalive { idle, timeout }), ..CONFIG });
    let (mut client, _) = server.open_client();
    for _ in 0..2 {
        while client.read().is_empty() {
            assert_eq!(round(&mut server, Duration::MAX, |_, _| {}), []);
        }
        // Somebody else sleeps in the loop's place, until the ping is to be answered and beyond.
        while let Some(left) = server.engine.timeout().filter(|left| !left.is_zero()) {
            std::thread::sleep(left);
        }
        client.write(&frame(OpCode::Pong, b""));
        assert_eq!(round(&mut server, NOW, |_, _| {}), [], "it is heard");
    }
    client.write(&text("hello"));
    server.pump();
    assert_eq!((server.payloads(), server.dropped.len()), (vec![&b"hello"[..]], 0));
}

/// More connections than the poll tells of at a time: it is looked at again before any has its turn, and each is dealt
/// with once.
#[test]
fn more_than_are_told_at_a_time() {
    const COUNT: usize = 1100;
    let mut limit = getrlimit(Resource::Nofile);
    if limit.maximum.is_some_and(|most| most < 2 * COUNT as u64 + 100) {
        eprintln!("skipped: there are too few descriptors");
        return;
    }
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    let mut server = Server::new(Config { max_connections: COUNT, ..CONFIG });
    server.on_message = echo;
    let mut clients: Vec<_> = (0..COUNT).map(|_| server.open_client()).collect();
    for round in 1..=2 {
        clients.iter_mut().for_each(|(client, _)| client.write(&text("hello")));
        for _ in 0..100 {
            server.pump_once();
        }
        let mut told: Vec<_> = server.messages.drain(..).map(|(id, _, _)| id).collect();
        told.sort();
        let mut all: Vec<_> = clients.iter().map(|(_, id)| *id).collect();
        all.sort();
        assert_eq!(told, all, "in round {round}");
        assert!(clients.iter_mut().all(|(client, _)| client.read() == b"\x81\x05hello"));
    }
}
