//! Why connections end: what the program says, and what it learns.

use std::time::{Duration, Instant};

use super::{ask, doing, nothing_set, open, set};
use crate::harness::{Client, Frame, Op, Server};

/// The code that the close callback of that connection was told.
fn told(server: &Server, number: u32) -> String {
    let line = server.await_journal(&format!("close {number} "));
    let code = line.split_once(" code=").expect("a code").1;
    code.split(' ').next().expect("a word").to_owned()
}

/// Our close frame: what it says, and nothing behind it.
fn closes(client: &mut Client, code: u16, reason: &str) {
    let frame = client.receive();
    assert_eq!(frame.code(), Some(code), "{frame:?}");
    assert_eq!(&frame.payload[2..], reason.as_bytes(), "{frame:?}");
    client.send(&Frame::close(code, ""));
    client.expect_end();
}

/// USERS 48: the client's code, whatever it is; 1005 where its close frame has none; 1006 where there
/// was none.
#[test]
fn the_clients() {
    let mut server = nothing_set().start();
    let codes = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
    let mut number = 0;
    for code in codes.into_iter().chain([3000, 3999, 4000, 4999]) {
        number += 1;
        let mut client = server.connect();
        client.send(&Frame::close(code, "a reason"));
        client.expect_close(code);
        assert_eq!(told(&server, number), code.to_string());
    }
    let mut client = server.connect();
    client.send(&Frame::new(Op::CLOSE, ""));
    assert_eq!(client.receive().payload, b"");
    client.expect_end();
    assert_eq!(told(&server, number + 1), "1005");
    drop(server.connect());
    assert_eq!(told(&server, number + 2), "1006");
    server.stop();
}

/// `ws_close_conn_code`: what is queued, then this close frame, then nothing.
#[test]
fn ours() {
    let mut server = nothing_set().start();
    let mut number = 0;
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999]
    {
        number += 1;
        let mut client = server.connect();
        let lines = server.stderr().lines().count();
        client.text(&format!("!send 0 0 5 3;closecode 0 {code} the reason;send 0 0 5 1"));
        (0..3).for_each(|_| client.expect_text("abcde"));
        closes(&mut client, code, "the reason");
        assert_eq!(told(&server, number), code.to_string());
        assert_eq!(server.stderr().lines().count(), lines, "{}", server.stderr());
    }
    server.stop();
}

/// A code that may not be sent becomes 1000, and a line in the log says so.
#[test]
fn codes_that_may_not_be_sent() {
    let codes = [1005, 1006, 1015, 1004, 1016, 2999, 999, 0, -1, 5000, 65536 + 1001, i32::MAX];
    // A log has no more than ten such lines a minute.
    let (some, others) = codes.split_at(6);
    may_not_be_sent(some);
    may_not_be_sent(others);
}

fn may_not_be_sent(codes: &[i32]) {
    let mut server = nothing_set().start();
    for (index, code) in codes.iter().enumerate() {
        let mut client = server.connect();
        client.text(&format!("!closecode 0 {code} why"));
        closes(&mut client, 1000, "why");
        assert_eq!(told(&server, index as u32 + 1), "1000");
        server.await_stderr(&format!(" {code} "));
        assert_eq!(server.stderr().matches("ws_close_conn_code").count(), index + 1);
    }
    server.stop();
}

/// T39: the reason, to the byte: none, up to 123 bytes, and cut where a character ends.
#[test]
fn reasons() {
    let mut server = nothing_set().start();
    let cases = [
        ("NULL".to_owned(), String::new()),
        (String::new(), String::new()),
        ("x".repeat(123), "x".repeat(123)),
        ("x".repeat(124), "x".repeat(123)),
        ("x".repeat(5000), "x".repeat(123)),
        ("\u{e9}".repeat(70), "\u{e9}".repeat(61)),
        (format!("x{}", "\u{20ac}".repeat(60)), format!("x{}", "\u{20ac}".repeat(40))),
        ("\u{1f42d}".repeat(40), "\u{1f42d}".repeat(30)),
    ];
    for (given, sent) in &cases {
        let mut client = server.connect();
        client.text(&format!("!closecode 0 4000 {given}"));
        closes(&mut client, 4000, sent);
    }
    server.stop();
}

/// What is no UTF-8 never goes out: the reason ends before it.
#[test]
fn a_reason_that_is_no_text() {
    let mut server = nothing_set().start();
    let mut client = server.raw();
    client.send_bytes(&doing("").change("X-Do", b"closecode 0 4000 caf\xe9!").bytes());
    client.response();
    closes(&mut client, 4000, "caf");
    server.stop();
}

/// In the open callback it comes behind the answer; from elsewhere it closes another; the first one
/// counts, and after it nothing is queued.
#[test]
fn from_anywhere() {
    let mut server = nothing_set().start();
    let mut early = open(&server, &doing("send 0 0 5 1;closecode 0 4001 early;send 0 0 5 1"));
    early.expect_text("abcde");
    closes(&mut early, 4001, "early");
    let mut other = server.connect();
    let mut commander = server.connect();
    ask(&mut commander, "closecode 2 4002 first;closecode 2 4003 second;close 2 0");
    assert_eq!(ask(&mut commander, "send 2 0 5 1"), "0 0");
    closes(&mut other, 4002, "first");
    assert_eq!((told(&server, 1), told(&server, 2)), ("4001".into(), "4002".into()));
    // A stale handle, NULL, and one that never was.
    for number in [1, 2, 999] {
        assert_eq!(ask(&mut commander, &format!("closecode {number} 4000 x")), "closed");
        assert_eq!(ask(&mut commander, &format!("code {number}")), "1006");
    }
    commander.echo("as ever");
    server.stop();
}

/// What the library ends tells why as well: a politely closed one, a cut one, one that broke the
/// rules, and those that are there at the end.
#[test]
fn the_librarys() {
    let mut server = set("max_message 10").start();
    let mut polite = server.connect();
    polite.text("!close 0 0");
    closes(&mut polite, 1000, "");
    let mut cut = server.connect();
    cut.text("!close 0 1");
    cut.expect_end();
    let faults = [
        (Frame::text("x").unmasked(), 1002),
        (Frame::new(Op::TEXT, b"\xff"), 1007),
        (Frame::text("more than ten"), 1009),
    ];
    for (frame, code) in faults {
        let mut client = server.connect();
        client.send(&frame);
        let close = client.receive();
        assert_eq!(close.code(), Some(code));
        client.expect_end();
    }
    let mut last = server.connect();
    last.echo("hello");
    let expected = ["1000", "1006", "1002", "1007", "1009"];
    for (number, code) in (1..).zip(expected) {
        assert_eq!(told(&server, number), code, "{number}");
    }
    server.signal(rustix::process::Signal::TERM);
    closes(&mut last, 1001, "");
    server.stop();
    assert_eq!(told(&server, 6), "1001");
}

/// Close frames that cross: the one that came first counts, which is ours where it was under way.
#[test]
fn close_frames_that_cross() {
    let mut server = nothing_set().start();
    let mut client = server.connect();
    client.send_bytes(
        &[Frame::text("!closecode 0 4000 ours").bytes(), Frame::close(3000, "theirs").bytes()]
            .concat(),
    );
    let frame = client.receive();
    assert_eq!(frame.code(), Some(4000));
    client.expect_end();
    assert_eq!(told(&server, 1), "4000");
    server.stop();
}

/// T38, USERS 47: a peer that never answers our close frame is cut after 5 seconds, which what it
/// says does not prolong; nothing of that reaches the program.
#[test]
fn a_peer_that_never_answers() {
    let mut server = nothing_set().start();
    let mut client = server.connect();
    ask(&mut client, "quiet");
    client.text("!closecode 0 4000 bye");
    let start = Instant::now();
    let close = client.receive();
    assert_eq!(close.code(), Some(4000), "{close:?}");
    while !client.hears_within(Duration::from_millis(200)) {
        client.text("still talking");
        client.send(&Frame::new(Op::PING, "hello?"));
        assert!(start.elapsed() < Duration::from_secs(20), "it is not cut");
    }
    client.expect_end();
    let elapsed = start.elapsed();
    assert!(elapsed >= Duration::from_millis(4500), "cut after {elapsed:?}");
    assert_eq!(told(&server, 1), "4000");
    assert!(!server.journal().contains("read 1 "), "{}", server.journal());
    server.stop();
}
