//! `ws_send`, and what is queued.

use super::{ask, nothing_set, set};
use crate::harness::{Frame, Op};

/// D17's successor: empty messages of either kind, and long ones in fragments.
#[test]
fn what_can_be_sent() {
    let mut server = nothing_set().start();
    let mut client = server.connect();
    for op in [Op::TEXT, Op::BINARY] {
        client.send(&Frame::new(op, ""));
        assert_eq!(client.receive(), Frame::new(op, "").unmasked());
        client.send(&Frame::new(op, "a\0b"));
        assert_eq!(client.receive(), Frame::new(op, "a\0b").unmasked());
    }
    for (length, frames) in [(65535, 1), (65536, 2), (1_000_000, 16)] {
        client.text(&format!("!send 0 1 {length} 1"));
        let all: Vec<_> = (0..frames).map(|_| client.receive()).collect();
        assert_eq!(all.iter().map(|it| it.payload.len()).sum::<usize>(), length);
        assert!(all.iter().enumerate().all(|(i, it)| it.fin == (i + 1 == frames)));
        client.expect_text("1 1");
    }
    server.stop();
}

/// It returns for how many it was queued: not for NULL, nonsense, or who is gone or going; nothing
/// for arguments that cannot be.
#[test]
fn what_it_returns() {
    let mut server = nothing_set().start();
    let mut client = server.connect();
    client.text("!misuse");
    client.expect_text("abcde");
    client.expect_text("abcde");
    assert_eq!(client.receive(), Frame::new(Op::BINARY, "").unmasked());
    client.expect_text("0 0 0 0 2 1");
    drop(server.connect());
    server.await_journal("close 2 ");
    assert_eq!(ask(&mut client, "send 2 0 5 1"), "0 0");
    assert_eq!(ask(&mut client, "send 999 0 5 1"), "0 0");
    let mut others: Vec<_> = (0..10).map(|_| server.connect()).collect();
    client.text("!sendall 0 5 1");
    client.expect_text("abcde");
    client.expect_text("11 11");
    others.iter_mut().for_each(|other| other.expect_text("abcde"));
    ask(&mut client, "close 3 0");
    assert_eq!(ask(&mut client, "send 3 0 5 1"), "0 0", "it is being closed");
    assert!(server.await_journal("close 2 ").ends_with(" send=0"), "nor in its close callback");
    server.stop();
}

/// -1 where there is no memory, then for nobody, and the server goes on.
#[test]
fn without_memory() {
    let mut server = nothing_set().start();
    let mut first = server.connect();
    let mut second = server.connect();
    for _ in 0..3 {
        assert_eq!(ask(&mut second, "oom"), "-1 0 0");
    }
    first.echo("as ever");
    second.echo("as ever");
    server.stop();
}

/// `ws_get_qbytes`: what is not yet written, headers included; 0 when it is, and for no connection.
#[test]
fn queued_bytes() {
    let mut server = nothing_set().start();
    let mut client = server.connect();
    assert_eq!(ask(&mut client, "qbytes 0"), "0");
    for (length, bytes) in [(0, 2), (125, 127), (126, 130), (1000, 1004)] {
        client.text(&format!("!send 0 1 {length} 1;qbytes 0"));
        assert_eq!(client.receive().payload.len(), length);
        client.expect_text(&bytes.to_string());
    }
    // Of fragments each has a header; what the socket takes at once is written.
    let stuck = server.connect();
    super::fill(&mut client, 2);
    let before: usize = ask(&mut client, "qbytes 2").parse().expect("a number");
    assert_eq!(ask(&mut client, "send 2 1 65536 2"), "2 1");
    assert_eq!(ask(&mut client, "qbytes 2"), (before + 2 * (65539 + 3)).to_string());
    drop(stuck);
    server.await_journal("close 2 ");
    assert_eq!(ask(&mut client, "qbytes 999"), "0");
    assert_eq!(ask(&mut client, "qbytes 2"), "0");
    server.stop();
}

/// USERS 5, 14: what was queued in one callback goes out in the order of the calls, by either
/// function, and to all at once.
#[test]
fn the_order_of_the_calls() {
    let mut server = set("limit 1000000 0").start();
    let mut other = server.connect();
    let mut client = server.connect();
    client.text("!sendall 0 1 1;send 1 0 2 1;sendall 0 3 1;send 0 0 4 1");
    for text in ["a", "ab", "abc"] {
        other.expect_text(text);
    }
    for text in ["a", "abc", "abcd", "1 1"] {
        client.expect_text(text);
    }
    server.stop();
}
