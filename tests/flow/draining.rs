//! `ws_want_drain`: `ws_drain_callback` once, when all is written, or soon where nothing is queued.

use super::{ask, fill, launch};
use crate::harness::{Client, Frame, Launch, Op, Request, Variant, until};

/// How often the drain callback of that number was called.
fn drains(commander: &mut Client, number: u32) -> u32 {
    ask(commander, &format!("drains {number}")).parse().expect("a number")
}

/// Once, however often it was wanted; soon, where nothing is queued; else when the client has taken all.
#[test]
fn once() {
    let mut server = launch().start();
    let mut commander = server.connect();
    let mut client = server.connect();
    assert_eq!(ask(&mut commander, "want 2;want 2;want 2"), "0 0 0");
    server.await_journal("drain 2 qbytes=0");
    (0..3).for_each(|_| commander.echo("a round"));
    assert_eq!(drains(&mut commander, 2), 1);
    // Its own answer is queued in the callback in which it is wanted.
    assert_eq!(ask(&mut client, "say 0 hello;want 0"), "hello");
    client.expect_text("1 0");
    assert!(until(|| (drains(&mut commander, 2) == 2).then_some(())).is_some());
    fill(&mut commander, 2);
    assert_eq!(ask(&mut commander, "want 2;send 2 10000 5;want 2;drains 2"), "0 5 0 2");
    let done = until(|| {
        assert_eq!(client.receive().op, Op::BINARY);
        (drains(&mut commander, 2) > 2).then_some(())
    });
    assert!(done.is_some());
    (0..3).for_each(|_| commander.echo("a round"));
    assert_eq!(drains(&mut commander, 2), 3);
    server.stop();
}

/// From another connection's callback, while the one that it is for is being read: behind its answers.
#[test]
fn within_a_turn() {
    let mut server = launch().start();
    let mut client = server.connect();
    let bytes = [Frame::text("!want 0;say 0 one"), Frame::text("!say 0 two")];
    client.send_bytes(&bytes.map(|frame| frame.bytes()).concat());
    for text in ["one", "0 1", "two", "1"] {
        client.expect_text(text);
    }
    server.await_journal("drain 1 qbytes=0");
    assert_eq!(ask(&mut client, "drains 0"), "1");
    server.stop();
}

/// CONTRACT S20: a producer that wants it again and again, with something to send or with nothing, keeps nobody waiting.
#[test]
fn a_producer_that_never_ends() {
    for producer in ["want 0", "send 0 1 1,want 0", "want 0,send 0 60000 1"] {
        let mut server = launch().args(["--ping", "1,5"]).start();
        let mut other = server.connect();
        let mut reader = server.connect();
        assert_eq!(ask(&mut reader, &format!("ondrain {producer}")), "set");
        assert_eq!(ask(&mut other, "want 2"), "0");
        let done = until(|| {
            if producer.contains("send") {
                while reader.receive().op != Op::BINARY {}
            }
            other.echo("served");
            server.connect().echo("accepted");
            (drains(&mut other, 2) > 50).then_some(())
        });
        assert!(done.is_some(), "{producer}");
        // Timers have their time, too.
        assert_eq!(ask(&mut other, "after 1 number"), "set");
        super::returned(&server, "later", 1);
        drop(reader);
        server.await_journal("close 2 ");
        server.stop();
    }
}

/// Nothing is told of one that is being closed, and nothing of one that is refused.
#[test]
fn never_for_one_that_is_closed() {
    let mut server = launch().start();
    let mut commander = server.connect();
    let mut slow = server.connect();
    fill(&mut commander, 2);
    assert_eq!(ask(&mut commander, "want 2;close 2 0;want 2"), "0 closed -1");
    while slow.next().is_some_and(|frame| frame.op != Op::CLOSE) {}
    slow.send(&Frame::close(1000, ""));
    slow.expect_end();
    server.await_journal("close 2 ");
    let _cut = server.connect();
    assert_eq!(ask(&mut commander, "want 3;close 3 1"), "0 closed");
    let mut open = server.raw();
    open.send_bytes(&super::doing("want 0;close 0 1").bytes());
    open.expect_end();
    server.await_journal("close 4 ");
    server.stop();
    assert!(!server.journal().contains("drain "), "{}", server.journal());
}

/// A program without `ws_drain_callback` may want it: nothing comes of it.
#[test]
fn without_a_callback() {
    let mut server = Launch::of("no_drain.c", Variant::Default).start();
    let mut client = server.connect();
    for _ in 0..10 {
        assert_eq!(client.ask("want"), "0");
    }
    drop(client);
    server.raw().upgrade(&Request::new()).echo("as ever");
    server.stop();
}
