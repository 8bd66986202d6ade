//! How connections end, whoever ends them.

use crate::harness::{Client, Frame, Launch, Op, Server};

/// CONTRACT S8, D12: a close frame is answered with its own code, an empty one with an empty one;
/// then comes the end.
#[test]
fn a_close_frame_is_answered_with_its_own_code() {
    let mut server = Launch::probe().start();
    let codes = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
    for (number, code) in codes.into_iter().enumerate() {
        let mut client = server.connect();
        client.send(&Frame::close(code, "reason"));
        client.expect_close(code);
        server.await_journal(&format!("close {} queued=0", number + 1));
    }
    let mut client = server.connect();
    client.send(&Frame::new(Op::CLOSE, ""));
    let answer = client.receive();
    assert_eq!((answer.op, &*answer.payload), (Op::CLOSE, &b""[..]));
    client.expect_end();
    server.await_journal("close 14 ");
    drop(client);
    server.stop();
}

/// CONTRACT S8: the answer comes behind what is queued.
#[test]
fn the_answer_to_a_close_frame_comes_last() {
    let mut server = Launch::probe().start();
    let mut client = server.connect();
    let close = Frame::close(1000, "").bytes();
    client.send_bytes(&[Frame::text("!write 0 1 65535 50").bytes(), close].concat());
    for _ in 0..50 {
        assert_eq!(client.receive().op, Op::BINARY);
    }
    client.expect_queued(50);
    client.expect_close(1000);
    server.await_journal("close 1 ");
    drop(client);
    server.stop();
}

/// CONTRACT S8: nothing behind a close frame is read.
#[test]
fn messages_behind_a_close_frame_are_not_read() {
    let mut server = Launch::probe().start();
    let mut client = server.connect();
    let frames = [Frame::close(1000, ""), Frame::text("too late"), Frame::close(1001, "")];
    client.send_bytes(&frames.iter().flat_map(Frame::bytes).collect::<Vec<_>>());
    client.expect_close(1000);
    server.await_journal("close 1 ");
    assert_eq!(server.connect().ask("!reads 1"), "0");
    drop(client);
    server.stop();
}

/// CONTRACT D12: a client that leaves without a word.
#[test]
fn a_client_that_leaves_without_a_word() {
    let mut server = Launch::probe().start();
    let mut client = server.connect();
    client.echo("hello");
    drop(client);
    server.await_journal("close 1 queued=0");
    server.stop();
    assert_eq!(server.journal().matches("close 1 ").count(), 1);
}

/// CONTRACT D18: `ws_close_conn(c, 0)` writes the queue, then a close frame, and what comes later
/// is not sent.
#[test]
fn a_polite_close() {
    let mut server = Launch::probe().start();
    let mut client = server.connect();
    client.text("!last goodbye");
    client.expect_text("goodbye");
    assert_eq!(client.receive().code(), Some(1000));
    client.send(&Frame::close(1000, ""));
    client.expect_end();
    server.await_journal("close 1 queued=0");
    drop(client);
    server.stop();
}

/// CONTRACT D18: all of a long queue, also where the client reads it late; what it sends meanwhile
/// is not read.
#[test]
fn a_polite_close_with_a_long_queue() {
    let mut server = Launch::probe().start();
    let mut other = server.connect();
    let mut client = server.connect();
    client.text("!write 0 1 65535 100");
    assert_eq!(client.receive().payload.len(), 65535);
    client.text("!close 0 0");
    client.text("!id");
    assert_eq!(other.ask("!close 2 0"), "closed");
    for _ in 1..100 {
        assert_eq!(client.receive().payload.len(), 65535);
    }
    client.expect_queued(100);
    assert_eq!(client.receive().code(), Some(1000));
    client.text("!id");
    client.send(&Frame::close(1000, ""));
    client.expect_end();
    server.await_journal("close 2 queued=0");
    let reads: u32 = other.ask("!reads 2").parse().expect("a number");
    assert!(reads <= 2, "{reads} messages were read");
    drop((other, client));
    server.stop();
    assert_eq!(server.journal().matches("close 2 ").count(), 1);
}

/// CONTRACT D18, S5: a client that just hangs up instead of answering is as good.
#[test]
fn a_polite_close_and_a_client_that_hangs_up() {
    let mut server = Launch::probe().start();
    let mut client = server.connect();
    client.text("!last goodbye");
    client.expect_text("goodbye");
    drop(client);
    server.await_journal("close 1 ");
    server.stop();
}

/// CONTRACT D18, S5: `ws_close_conn(c, 1)` closes at once: no close frame, no queue.
#[test]
fn a_forced_close() {
    let mut server = Launch::probe().start();
    let mut other = server.connect();
    let mut client = server.connect();
    client.text("!write 0 1 65535 100");
    assert_eq!(client.receive().op, Op::BINARY);
    assert_eq!(other.ask("!close 2 1"), "closed");
    server.await_journal("close 2 queued=0");
    let rest = remaining(&mut client);
    assert!(rest < 100 * 65535, "{rest} bytes: the queue was not discarded");
    drop((other, client));
    server.stop();
}

/// Counts what still comes, whole frames or not: the end may be anywhere.
fn remaining(client: &mut Client) -> usize {
    use std::io::Read;
    let mut bytes = Vec::new();
    // A reset is an end as well.
    let _ = client.stream().read_to_end(&mut bytes);
    bytes.len()
}

/// CONTRACT S5: a forced close of oneself: the client sees the end, the program its callback once
/// it has returned.
#[test]
fn a_forced_close_of_oneself() {
    let mut server = Launch::probe().start();
    let mut client = server.connect();
    client.text("!close 0 1");
    client.expect_end();
    server.await_journal("close 1 queued=0");
    drop(client);
    server.stop();
    assert_eq!(server.journal().matches("close 1 ").count(), 1);
}

/// CONTRACT S5: closes upon closes are one close.
#[test]
fn closing_again_and_again() {
    let mut server = Launch::probe().start();
    let mut other = server.connect();
    for (number, orders) in ["0 0", "0 1", "1 0", "1 1"].into_iter().enumerate() {
        let number = number + 2;
        let client = server.connect();
        for force in orders.split(' ') {
            assert_eq!(other.ask(&format!("!close {number} {force}")), "closed");
        }
        drop(client);
        server.await_journal(&format!("close {number} "));
        assert_eq!(other.ask(&format!("!close {number} 1")), "closed");
        assert_eq!(other.ask(&format!("!close {number} 0")), "closed");
    }
    other.echo("as ever");
    drop(other);
    server.stop();
    for number in 2..=5 {
        assert_eq!(server.journal().matches(&format!("close {number} ")).count(), 1);
    }
}

/// CONTRACT S5: both sides close at the same moment.
#[test]
fn both_sides_close_at_once() {
    let mut server = Launch::probe().start();
    for number in 1..=20 {
        let mut client = server.connect();
        let close = Frame::close(1000, "").bytes();
        client.send_bytes(&[Frame::text("!close 0 0").bytes(), close].concat());
        client.expect_close(1000);
        server.await_journal(&format!("close {number} "));
    }
    server.stop();
    assert_eq!(closes(&server), 20);
}

/// CONTRACT S5: everyone who was accepted gets one callback, whatever the mixture.
#[test]
fn each_accepted_connection_is_closed_once() {
    let mut server = Launch::probe().start();
    for round in 0..30 {
        let mut clients: Vec<_> = (0..10).map(|_| server.connect()).collect();
        clients[0].text("!close 0 1");
        clients[1].text("!last word");
        clients[2].send(&Frame::close(1000, ""));
        clients[3].send(&Frame::text("x").unmasked());
        clients[4].send(&Frame::text("x").unfinished());
        clients[5].send_bytes(&[0x81]);
        clients[6].text("!broadcast 1 1000 5");
        drop(clients);
        for number in round * 10 + 1..=round * 10 + 10 {
            server.await_journal(&format!("close {number} "));
        }
    }
    let _still_there: Vec<_> = (0..10).map(|_| server.connect()).collect();
    drop(_still_there);
    server.stop();
    assert_eq!(server.journal().matches("open ").count(), 310);
    assert_eq!(closes(&server), 310);
}

fn closes(server: &Server) -> usize {
    server.journal().lines().filter(|line| line.starts_with("close ")).count()
}
