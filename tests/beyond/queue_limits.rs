//! What may be queued for a client that does not read, and what becomes of it then.

use super::{ask, fill, nothing_set, set};
use crate::harness::{Client, Frame, Op, Server};

fn number(client: &mut Client, calls: &str) -> usize {
    ask(client, calls).parse().expect("a number")
}

/// What the socket buffers take is not queued: fills them, so that every byte counts.
fn stuck(server: &Server) -> (Client, Client) {
    let stuck = server.connect();
    let mut commander = server.connect();
    fill(&mut commander, 1);
    (stuck, commander)
}

/// USERS 6, 7, T16: WS_QUEUE_CLOSE: what is too much closes that connection with 1008, and a line in
/// the log says so. The others get all of it.
#[test]
fn close() {
    let mut server = set("limit 200000 0").start();
    let (mut stuck, mut commander) = stuck(&server);
    let mut bystander = server.connect();
    let mut rounds = 0;
    while !server.stderr().contains("too much is queued") {
        assert!(number(&mut commander, "qbytes 1") <= 200_000);
        commander.text("!sendall 1 10000 1");
        assert_eq!(length_of_next(&mut commander), 10_000);
        let sent = commander.receive();
        assert!(["3 3", "2 2"].contains(&sent.as_text()), "{sent:?}");
        assert_eq!(length_of_next(&mut bystander), 10_000);
        rounds += 1;
        assert!(rounds < 50, "the limit does not hold");
    }
    assert_eq!(ask(&mut commander, "send 1 0 5 1"), "0 0", "it is being closed");
    bystander.echo("undisturbed");
    // What was on its way goes out, then why; what was queued behind is thrown away.
    let mut count = 0;
    let close = loop {
        let frame = stuck.receive();
        if frame.op != Op::BINARY {
            break frame;
        }
        count += 1;
    };
    assert_eq!(close.code(), Some(1008), "{close:?}");
    assert!(count > 0 && close.payload.len() > 2, "a reason: {close:?}");
    stuck.send(&Frame::close(1008, ""));
    stuck.expect_end();
    server.await_journal("close 1 code=1008");
    assert_eq!(server.stderr().matches("too much is queued").count(), 1, "{}", server.stderr());
    server.stop();
}

fn length_of_next(client: &mut Client) -> usize {
    client.receive().payload.len()
}

/// USERS 7: one that does not even take the close frame is cut off after 5 seconds.
#[test]
fn close_and_cut() {
    let mut server = set("limit 200000 0").start();
    let (stuck, mut commander) = stuck(&server);
    let start = std::time::Instant::now();
    ask(&mut commander, "send 1 1 10000 40");
    server.await_journal("close 1 code=1008");
    let elapsed = start.elapsed();
    assert!(elapsed >= std::time::Duration::from_secs(4), "after {elapsed:?}");
    commander.echo("as ever");
    drop(stuck);
    server.stop();
}

/// USERS 7: WS_QUEUE_SKIP: a message that is too much is left out, for that connection alone; the
/// return value counts those that have it. What fits later is queued again.
#[test]
fn skip() {
    let mut server = set("limit 200000 1").start();
    let (mut stuck, mut commander) = stuck(&server);
    let mut bystander = server.connect();
    while ask(&mut commander, "send 1 1 10000 1") == "1 1" {}
    let full = number(&mut commander, "qbytes 1");
    assert!((180_000..=200_000).contains(&full), "{full}");
    for _ in 0..20 {
        assert_eq!(ask(&mut commander, "send 1 1 10000 3"), "0 0");
        commander.text("!sendall 1 10000 1");
        assert_eq!(length_of_next(&mut commander), 10_000);
        assert_eq!(commander.receive().as_text(), "2 2");
        assert_eq!(length_of_next(&mut bystander), 10_000);
    }
    assert_eq!(number(&mut commander, "qbytes 1"), full);
    // A small one may fit where a large one does not.
    assert_eq!(ask(&mut commander, "send 1 0 1 1"), "1 1");
    let mut text = false;
    while !text {
        text = stuck.receive().op == Op::TEXT;
    }
    assert_eq!(ask(&mut commander, "send 1 1 10000 1"), "1 1", "there is room again");
    assert_eq!(length_of_next(&mut stuck), 10_000);
    stuck.echo("as ever");
    server.stop();
}

/// T16: what is left out costs nothing, however often.
#[test]
fn a_million_messages_that_are_left_out() {
    let mut server = set("limit 200000 1").start();
    let (stuck, mut commander) = stuck(&server);
    while ask(&mut commander, "send 1 1 10000 1") == "1 1" {}
    let size = |server: &Server| server.process().status().vmsize.expect("it has memory");
    let before = size(&server);
    for _ in 0..10 {
        assert_eq!(ask(&mut commander, "send 1 1 10000 100000"), "0 0");
    }
    let grown = size(&server) - before;
    assert!(grown < 2048, "{grown} kB of address space for a million messages that are nowhere");
    drop(stuck);
    server.stop();
}

/// A client for whom more was queued than may be, which an empty queue takes, and then nothing more; it has
/// received that. And one who commands.
pub(super) fn over_the_limit(server: &Server) -> (Client, Client) {
    let mut stuck = server.connect();
    let mut commander = server.connect();
    assert_eq!(ask(&mut commander, "send 1 1 16000000 1"), "1 1");
    assert_eq!(ask(&mut commander, "send 1 1 1 1"), "0 0");
    let mut received = 0;
    while received < 16_000_000 {
        received += stuck.receive().payload.len();
    }
    (stuck, commander)
}

/// An empty queue takes any message, and a limit of one byte takes one at a time.
#[test]
fn an_empty_queue_takes_any() {
    for policy in [0, 1] {
        let mut server = set(&format!("limit 1 {policy}")).start();
        let (mut stuck, mut commander) = over_the_limit(&server);
        if policy == 0 {
            assert_eq!(stuck.receive().code(), Some(1008));
            stuck.expect_end();
        } else {
            assert_eq!(ask(&mut commander, "send 1 1 1 1"), "1 1");
            assert_eq!(stuck.receive().payload, b"a");
        }
        server.stop();
    }
}

/// The limit holds for what a connection is sent in its own callback, too.
#[test]
fn in_ones_own_callback() {
    let mut server = set("limit 1000 1").start();
    let mut client = server.connect();
    let mut other = server.connect();
    client.text("!send 0 1 100 50");
    other.text("!send 1 1 100 50");
    let to_another = other.receive().as_text().to_owned();
    let mut count = 0;
    let own = loop {
        let frame = client.receive();
        if frame.op == Op::TEXT {
            break frame.as_text().to_owned();
        }
        count += 1;
    };
    assert!(own == to_another, "{own} for oneself ({count} came), {to_another} for another");
    server.stop();
}

/// USERS 6: without a setting there is a limit all the same: 64 MiB, then 1008.
#[test]
fn the_default() {
    let mut server = nothing_set().start();
    let stuck = server.connect();
    let mut commander = server.connect();
    assert_eq!(ask(&mut commander, "send 1 1 16000000 4"), "4 1");
    let queued = number(&mut commander, "qbytes 1");
    assert!((63_000_000..64_100_000).contains(&queued), "{queued}");
    assert_eq!(ask(&mut commander, "send 1 1 16000000 1"), "0 0");
    server.await_stderr("too much is queued");
    server.await_journal("close 1 code=1008");
    let resident = server.process().resident();
    assert!(resident < 64 << 20, "{resident} bytes: the queue is freed");
    drop(stuck);
    server.stop();
}
