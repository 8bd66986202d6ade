//! `ws_each`, `ws_count` and `ws_is_open`: all connections that are open, and no others.

use super::{ask, launch, open};
use crate::harness::{Client, Frame, Launch, Need, Server, skipped};
use crate::linking::valgrind;

/// What the calls that were made for each have returned, in order.
fn each(client: &mut Client, calls: &str) -> Vec<u32> {
    let mut numbers: Vec<u32> = ask(client, &format!("each {calls}"))
        .split_whitespace()
        .map(|it| it.parse().expect("a number"))
        .collect();
    numbers.sort_unstable();
    numbers
}

/// Each once, also those that are held back, and neither who is deferred nor who is being closed, nor plain requests.
#[test]
fn those_that_are_open() {
    let mut server = launch().start();
    let mut commander = server.connect();
    assert_eq!(each(&mut commander, "number"), [1]);
    let _paused = open(&server, "pause 0");
    let mut deferred = server.raw();
    deferred.send_bytes(&super::doing("defer").bytes());
    server.await_journal("open 3: 0");
    let _closing = server.connect();
    assert_eq!(each(&mut commander, "number"), [1, 2, 4]);
    assert_eq!(ask(&mut commander, "close 4 0;count"), "closed 2");
    assert_eq!(each(&mut commander, "number"), [1, 2]);
    assert_eq!(ask(&mut commander, "accept 3;count"), "0 3");
    assert_eq!(each(&mut commander, "number"), [1, 2, 3]);
    server.stop();
}

/// The places of those that have gone are taken by others, and nobody is missed, or found twice.
#[test]
fn when_many_have_come_and_gone() {
    let mut server = launch().start();
    let mut commander = server.connect();
    let mut clients = Vec::new();
    let mut expected = vec![1];
    for round in 0..3_u32 {
        for _ in 0..40 {
            clients.push(server.connect());
        }
        expected.extend(round * 40 + 2..round * 40 + 42);
        // Every third one goes.
        for index in (0..clients.len()).step_by(3).rev() {
            drop(clients.remove(index));
            let number = expected.remove(index + 1);
            server.await_journal(&format!("close {number} "));
        }
        assert_eq!(each(&mut commander, "number"), expected);
        assert_eq!(ask(&mut commander, "count"), expected.len().to_string());
    }
    server.stop();
}

/// They may be closed from within, politely and by force: the others, the one that it is called for, and all.
fn closing(launch: Launch) {
    let mut server = launch.start();
    let mut commander = server.connect();
    let mut clients: Vec<_> = (0..10).map(|_| server.connect()).collect();
    // Whoever is first closes two others, who are not found any more.
    assert_eq!(each(&mut commander, "number").len(), 11);
    let said = ask(&mut commander, "each close 5 1");
    assert_eq!(said.matches("closed").count(), 10, "5 is found only where it comes first: {said}");
    server.await_journal("close 5 ");
    assert_eq!(ask(&mut commander, "count"), "10");
    clients.remove(3).expect_end();
    // All at once, the one that asks too.
    commander.text("!each close 0 0;count");
    for client in &mut clients {
        assert_eq!(client.receive().code(), Some(1000));
        client.send(&Frame::close(1000, ""));
        client.expect_end();
    }
    assert_eq!(commander.receive().code(), Some(1000), "it was closed before it was answered");
    commander.send(&Frame::close(1000, ""));
    commander.expect_end();
    let closed = crate::harness::until(|| ends(&server).eq(&11).then_some(()));
    assert!(closed.is_some(), "{}", server.journal());
    let mut commander = server.connect();
    let others: Vec<_> = (0..10).map(|_| server.connect()).collect();
    commander.text("!each close 0 1");
    commander.expect_end();
    for mut other in others {
        other.expect_end();
    }
    assert_eq!(ask(&mut server.connect(), "count"), "1");
    server.stop();
    assert_eq!(ends(&server), 23);
}

fn ends(server: &Server) -> usize {
    server.journal().lines().filter(|line| line.starts_with("close ")).count()
}

#[test]
fn closed_from_within() {
    closing(launch());
}

#[test]
fn closed_from_within_under_valgrind() {
    if !skipped(&[Need::Tool("valgrind")]) {
        closing(valgrind(launch()));
    }
}

/// One within another: each finds all.
#[test]
fn within_each_other() {
    let mut server = launch().start();
    let mut commander = server.connect();
    let _others: Vec<_> = (0..4).map(|_| server.connect()).collect();
    let mut expected: Vec<_> = (1..=5).flat_map(|number| [number; 5]).collect();
    assert_eq!(each(&mut commander, "each number"), expected);
    expected = vec![5; 25];
    assert_eq!(each(&mut commander, "each count"), expected);
    // All hear what one says to each for each.
    commander.text("!each each say 0 hello");
    (0..5).for_each(|_| commander.expect_text("hello"));
    commander.expect_text(["1"; 25].join(" ").as_str());
    server.stop();
}
