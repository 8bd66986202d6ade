//! How a server ends.

use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::{Frame, Launch, Op, Server, until};

/// The journal's lines from the first that begins so, without the numbers of queued frames.
fn journal_from(server: &Server, beginning: &str) -> Vec<String> {
    let journal = server.journal();
    let lines = journal.lines().skip_while(|line| !line.starts_with(beginning));
    lines.map(|line| line.split(" queued").next().unwrap_or(line).to_owned()).collect()
}

/// CONTRACT D19, S10, D5, S5: 1001 to everyone, a close callback for each, then `ws_exit_func`, and
/// status 0.
#[test]
fn sigterm_stops_the_server_in_order() {
    in_order(Launch::probe().start(), Signal::TERM);
}

/// CONTRACT S10: the same for clients that came over TCP.
#[test]
fn sigterm_stops_the_server_on_tcp_in_order() {
    in_order(Launch::probe().tcp().start(), Signal::TERM);
}

/// CONTRACT S10: SIGINT does the same in the foreground.
#[test]
fn sigint_stops_the_server_in_order() {
    in_order(Launch::probe().start(), Signal::INT);
}

fn in_order(mut server: Server, signal: Signal) {
    let mut clients: Vec<_> = (0..5).map(|_| server.connect()).collect();
    clients.iter_mut().for_each(|client| client.echo("hello"));
    server.signal(signal);
    for mut client in clients {
        assert_eq!(client.receive().code(), Some(1001));
        client.send(&Frame::close(1001, ""));
        client.expect_end();
    }
    server.stop_with(signal);
    let mut ending = journal_from(&server, "close ");
    let exit = format!("exit {}", server.process().0);
    assert_eq!(ending.pop(), Some(exit));
    ending.sort();
    assert_eq!(ending, ["close 1", "close 2", "close 3", "close 4", "close 5"]);
    assert!(!server.socket().exists());
}

/// CONTRACT S10: what is queued goes out before the close frame.
#[test]
fn queues_are_flushed_first() {
    let mut server = Launch::probe().start();
    let mut client = server.connect();
    client.text("!write 0 1 65535 20");
    assert_eq!(client.receive().op, Op::BINARY);
    server.signal(Signal::TERM);
    for _ in 1..20 {
        assert_eq!(client.receive().payload.len(), 65535);
    }
    assert_eq!(client.receive().op, Op::TEXT, "the answer");
    client.expect_close(1001);
    server.stop();
    assert_eq!(server.journal().matches("close 1 ").count(), 1);
}

/// CONTRACT S10: a client that never reads holds the end up for two seconds at most (the limit here
/// is generous).
#[test]
fn a_client_that_never_reads_does_not_hold_up_the_end() {
    let mut server = Launch::probe().start();
    let mut stuck = server.connect();
    let mut silent = server.connect();
    stuck.text("!write 0 1 65535 100");
    silent.echo("hello");
    let start = Instant::now();
    server.stop();
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    let ending = journal_from(&server, "close ");
    assert_eq!(ending.len(), 3, "{ending:?}");
    assert!(ending[2].starts_with("exit "), "{ending:?}");
}

/// CONTRACT S10: while it stops it takes nobody, and the path is free.
#[test]
fn nobody_is_accepted_while_it_stops() {
    let mut server = Launch::probe().start();
    let mut stuck = server.connect();
    stuck.text("!write 0 1 65535 100");
    assert_eq!(stuck.receive().op, Op::BINARY);
    server.signal(Signal::TERM);
    assert!(until(|| UnixStream::connect(server.socket()).is_err().then_some(())).is_some());
    assert!(until(|| (!server.socket().exists()).then_some(())).is_some());
    server.stop();
}

/// CONTRACT S10, S5: connections that have not upgraded are closed without a word, and without a
/// callback.
#[test]
fn half_made_connections_at_the_end() {
    let mut server = Launch::probe().start();
    let mut half = server.raw();
    half.send_and_drain(b"GET /chat HTT");
    let start = Instant::now();
    server.stop();
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    assert!(half.next().is_none());
    assert!(!server.journal().contains("close "), "{}", server.journal());
}

/// CONTRACT S10, S14: signals that come again while it stops change nothing.
#[test]
fn sigterm_again_and_again() {
    let mut server = Launch::probe().start();
    let mut stuck = server.connect();
    stuck.text("!write 0 1 65535 100");
    assert_eq!(stuck.receive().op, Op::BINARY);
    for _ in 0..20 {
        server.signal(Signal::TERM);
    }
    server.stop();
    assert_eq!(server.journal().matches("exit ").count(), 1);
    assert_eq!(server.journal().matches("close 1 ").count(), 1);
}

/// CONTRACT S10: nor do they shorten its end: the socket is gone when the server is.
#[test]
fn sigterm_until_the_end() {
    for _ in 0..20 {
        let mut server = Launch::probe().start();
        server.connect().echo("hello");
        while !server.process().is_over() {
            server.signal(Signal::TERM);
        }
        assert!(!server.socket().exists(), "the server has left, the socket is there");
        assert_eq!(server.wait(), Some(0));
    }
}

/// CONTRACT S14: a program that calls `exit` in a callback, and the library in its `atexit`
/// handler, ends as it says.
#[test]
fn a_program_that_ends_itself() {
    let mut server = Launch::probe().env("PROBE_ATEXIT", "yes").start();
    let mut client = server.connect();
    let mut other = server.connect();
    other.text("!write 0 1 65535 50");
    assert_eq!(other.receive().op, Op::BINARY);
    client.text("!exit 42");
    assert_eq!(server.wait(), Some(42), "{}", server.stderr());
    server.await_journal("atexit ");
    assert!(!server.journal().contains("fault"), "{}", server.journal());
    assert_eq!(server.stderr().matches("panicked").count(), 0, "{}", server.stderr());
}

/// CONTRACT S14: the same when everything is over and the handles are nobody's.
#[test]
fn calls_after_the_end() {
    let mut server = Launch::probe().env("PROBE_ATEXIT", "yes").start();
    let client = server.connect();
    drop(client);
    server.await_journal("close 1 ");
    let _held = server.connect();
    server.stop();
    assert_eq!(server.journal().matches("atexit ").count(), 1);
    assert_eq!(server.stderr().matches("panicked").count(), 0, "{}", server.stderr());
}

/// CONTRACT S10: a server that nobody has ever talked to.
#[test]
fn a_server_without_clients() {
    let mut server = Launch::probe().start();
    server.stop();
    assert_eq!(server.journal().lines().count(), 2, "{}", server.journal());
}

/// CONTRACT D19, S10: whoever can connect can stop it: SIGTERM counts from the first moment.
#[test]
fn sigterm_at_the_first_moment() {
    for _ in 0..30 {
        let mut server = Launch::probe().start();
        server.stop();
        assert!(!server.socket().exists());
    }
}

/// CONTRACT S10: a connection that is already closing gets no second close frame.
#[test]
fn connections_that_are_closing_at_the_end() {
    let mut server = Launch::probe().start();
    let mut client = server.connect();
    client.text("!last goodbye");
    client.expect_text("goodbye");
    assert_eq!(client.receive().code(), Some(1000));
    server.signal(Signal::TERM);
    client.expect_end();
    server.stop();
    assert_eq!(server.journal().matches("close 1 ").count(), 1);
}
