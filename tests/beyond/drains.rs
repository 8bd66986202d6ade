//! `ws_drain_callback`: the queue is empty, after it had to wait.

use super::{ask, doing, nothing_set, open};
use crate::harness::{Client, Op};

fn read(client: &mut Client, mut length: usize) {
    while length > 0 {
        let frame = client.receive();
        assert!([Op::BINARY, Op::CONTINUATION].contains(&frame.op), "{:?}", frame.op);
        length -= frame.payload.len();
    }
}

/// USERS 8: once when all is written, with nothing queued any more; and again the next time.
#[test]
fn told_once_each_time() {
    let mut server = nothing_set().start();
    let mut slow = server.connect();
    let mut commander = server.connect();
    for round in 1..=3 {
        assert_eq!(ask(&mut commander, "send 1 1 5000000 2"), "2 1");
        assert_ne!(ask(&mut commander, "qbytes 1"), "0");
        assert_eq!(server.journal().matches("drain ").count(), round - 1, "it has not read yet");
        read(&mut slow, 10_000_000);
        let told = crate::harness::until(|| {
            (server.journal().matches("drain 1 qbytes=0 qlen=0\n").count() == round).then_some(())
        });
        assert!(told.is_some(), "{}", server.journal());
        slow.echo("as ever");
    }
    assert_eq!(server.journal().matches("drain ").count(), 3);
    server.stop();
}

/// Who reads at once is never told of.
#[test]
fn never_without_a_wait() {
    let mut server = nothing_set().start();
    let mut client = server.connect();
    let mut commander = open(&server, &doing("send 1 0 100 10;send 0 0 100 10"));
    for _ in 0..10 {
        client.expect_text(&"abcdefghijklmnopqrstuvwxyz".repeat(4)[..100]);
        commander.expect_text(&"abcdefghijklmnopqrstuvwxyz".repeat(4)[..100]);
    }
    for _ in 0..100 {
        client.echo("hello");
        ask(&mut commander, "send 1 0 5 3");
        (0..3).for_each(|_| client.expect_text("abcde"));
    }
    server.stop();
    assert!(!server.journal().contains("drain "), "{}", server.journal());
}

/// Nor is a connection that is being closed, or cut: its close callback says all.
#[test]
fn never_for_one_that_is_closed() {
    let mut server = nothing_set().start();
    let mut slow = server.connect();
    let cut = server.connect();
    let mut commander = server.connect();
    ask(&mut commander, "send 1 1 5000000 1;send 2 1 5000000 1;close 1 0;close 2 1");
    read(&mut slow, 5_000_000);
    slow.expect_close_after_answer();
    server.await_journal("close 1 ");
    server.await_journal("close 2 ");
    drop(cut);
    server.stop();
    assert!(!server.journal().contains("drain "), "{}", server.journal());
}

impl Client {
    /// Our close frame is answered; then comes the end.
    fn expect_close_after_answer(&mut self) {
        assert_eq!(self.receive().code(), Some(1000));
        self.send(&crate::harness::Frame::close(1000, ""));
        self.expect_end();
    }
}
