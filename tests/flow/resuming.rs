//! `ws_resume`: from wherever it is called, it goes on with what came meanwhile, in order, each once.

use std::net::Shutdown;

use super::{ask, fill, launch, open, returned, told};
use crate::harness::{Frame, until};

/// From a timer, and from another connection's callback; once is enough, however often it was held back.
#[test]
fn from_elsewhere() {
    let mut server = launch().start();
    let mut commander = server.connect();
    let mut client = server.connect();
    assert_eq!(ask(&mut client, "after 50 resume 0;pause 0;pause 0"), "set 0 0");
    client.echo("after the timer");
    assert_eq!(returned(&server, "later", 2), "0");
    assert_eq!(ask(&mut client, "pause 0"), "0");
    client.text("after the other");
    assert_eq!(ask(&mut commander, "resume 2;resume 2;resume 1"), "0 0 0");
    client.expect_text("after the other");
    assert_eq!(told(&server, 2).len(), 2);
    server.stop();
}

/// Both in one callback: as if neither had been.
#[test]
fn in_the_same_callback() {
    let mut server = launch().start();
    let mut client = server.connect();
    let mut bytes = Vec::new();
    for number in 0..1000 {
        bytes.extend(Frame::text("!pause 0;resume 0;pause 0;resume 0").bytes());
        bytes.extend(Frame::text(&number.to_string()).bytes());
    }
    client.send_bytes(&bytes);
    for number in 0..1000 {
        client.expect_text("0 0 0 0");
        client.expect_text(&number.to_string());
    }
    server.stop();
}

/// A client is read no faster than it reads: held back by each of its messages, until all is sent.
#[test]
fn in_the_drain_callback() {
    for launch in [launch(), launch().tcp()] {
        let mut server = launch.start();
        let mut client = server.connect();
        assert_eq!(ask(&mut client, "ondrain resume 0"), "set");
        let command = Frame::text("!send 0 100000 10;pause 0;want 0").bytes();
        client.send_bytes(&command.repeat(30));
        for _ in 0..30 {
            for _ in 0..10 {
                assert_eq!(super::message(&mut client).len(), 100_000);
            }
            client.expect_text("10 0 0");
        }
        let all = until(|| server.journal().contains("drain 1 ").then_some(()));
        assert!(all.is_some());
        client.echo("as ever");
        let drains: u32 = ask(&mut client, "drains 0").parse().expect("a number");
        assert!(drains >= 30, "{drains}");
        server.stop();
    }
}

/// A close frame is answered, and the end of its side seen, when it goes on: behind all that came before.
#[test]
fn ends_that_have_waited() {
    for launch in [launch(), launch().tcp()] {
        let mut server = launch.start();
        let mut commander = server.connect();
        let mut polite = open(&server, "pause 0");
        polite.send_bytes(
            &[Frame::text("last"), Frame::close(4000, "")].map(|it| it.bytes()).concat(),
        );
        let mut half = open(&server, "pause 0");
        half.text("last");
        half.stream().shutdown(Shutdown::Write).expect("it is open");
        assert_eq!(ask(&mut commander, "count"), "3");
        (0..3).for_each(|_| commander.echo("a round"));
        assert!(!server.journal().contains("close "));
        assert_eq!(ask(&mut commander, "resume 2;resume 3"), "0 0");
        polite.expect_text("last");
        polite.expect_close(4000);
        half.expect_text("last");
        half.expect_end();
        server.await_journal("close 2 code=4000");
        server.await_journal("close 3 code=1006");
        assert_eq!(ask(&mut commander, "resume 2;pause 3"), "-1 -1");
        server.stop();
    }
}

/// One whose long queue holds its messages back, too, goes on when both are over.
#[test]
fn behind_a_long_queue() {
    let mut server = launch().args(["--max-queue", "400000"]).start();
    let mut commander = server.connect();
    let mut client = server.connect();
    fill(&mut commander, 2);
    assert_eq!(ask(&mut commander, "send 2 60000 5;pause 2"), "5 0");
    client.text("it waits");
    commander.echo("a round");
    assert_eq!(ask(&mut commander, "resume 2"), "0");
    commander.echo("a round");
    assert!(told(&server, 2).is_empty(), "its queue is long");
    while client.receive().payload != b"it waits" {}
    server.stop();
}
