//! Peers that do not do their part, and the deadlines that end it. The times are what is measured
//! here.

use std::time::{Duration, Instant};

use crate::harness::{Client, Frame, Launch, Op, Server};

/// Waits for the close callback while the client holds on; it must not come before `least` nor much
/// later.
fn cut_after(server: &Server, _held: &Client, number: u32, least: Duration) {
    let start = Instant::now();
    server.await_journal(&format!("close {number} "));
    let elapsed = start.elapsed() + Duration::from_secs(1);
    assert!(elapsed >= least, "after {elapsed:?}");
}

/// CONTRACT S8: a client that never answers a close frame is cut off after five seconds.
#[test]
fn a_close_frame_that_is_never_answered() {
    never_answered(Launch::probe().start());
}

/// CONTRACT S8: over TCP as well.
#[test]
fn a_close_frame_that_is_never_answered_over_tcp() {
    never_answered(Launch::probe().tcp().start());
}

fn never_answered(mut server: Server) {
    let mut client = server.connect();
    client.text("!last word");
    client.expect_text("word");
    assert_eq!(client.receive().code(), Some(1000));
    // It goes on talking: that is no answer.
    client.text("still here");
    cut_after(&server, &client, 1, Duration::from_secs(5));
    client.expect_end();
    server.stop();
}

/// CONTRACT S8: a dropped client that holds on to its side is cut off as well.
#[test]
fn a_dropped_client_that_holds_on() {
    let mut server = Launch::probe().start();
    let mut client = server.connect();
    client.send(&Frame::text("x").unmasked());
    client.expect_close(1002);
    cut_after(&server, &client, 1, Duration::from_secs(5));
    server.stop();
}

/// CONTRACT S8, D18, T38: one who takes nothing of the queue is cut off after half a minute, and
/// the rest is not held up.
#[test]
fn a_closing_client_that_takes_nothing() {
    takes_nothing(Launch::probe().start());
}

/// CONTRACT S8: over TCP as well.
#[test]
fn a_closing_client_over_tcp_that_takes_nothing() {
    takes_nothing(Launch::probe().tcp().start());
}

fn takes_nothing(mut server: Server) {
    let mut stuck = server.connect();
    let mut other = server.connect();
    stuck.text("!write 0 1 65535 100");
    await_full_socket(&mut other);
    assert_eq!(other.ask("!close 1 0"), "closed");
    // The waits of `await_journal` are as long as the deadline: first see that it has not come too
    // early.
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(20) {
        assert!(!other.hears_within(Duration::from_millis(500)), "nobody talks to it");
        assert!(!server.journal().contains("close 1 "), "after {:?}", start.elapsed());
    }
    other.echo("as ever");
    server.await_journal("close 1 ");
    server.stop();
}

/// Asks until the socket takes no more of connection 1's queue: then its length stays what it is.
fn await_full_socket(other: &mut Client) {
    let mut last = String::new();
    let mut same = 0;
    while same < 50 {
        let now = other.ask("!qlen 1");
        same = if now == last && now != "0" { same + 1 } else { 0 };
        last = now;
    }
}

/// CONTRACT S8: one who reads slowly, but reads, gets everything.
#[test]
fn a_closing_client_that_reads_slowly() {
    let mut server = Launch::probe().start();
    let mut slow = server.connect();
    let mut other = server.connect();
    slow.text("!write 0 1 65535 20");
    assert_eq!(other.ask("!close 1 0"), "closed");
    // Eight seconds in all: more than the five that the end of a close may take.
    for _ in 0..20 {
        assert_eq!(slow.receive().op, Op::BINARY);
        assert!(!other.hears_within(Duration::from_millis(400)));
    }
    slow.expect_queued(20);
    assert_eq!(slow.receive().code(), Some(1000));
    slow.send(&Frame::close(1000, ""));
    slow.expect_end();
    server.stop();
}
