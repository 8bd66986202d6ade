//! Silent clients are asked, and those that do not answer are cut off. The times are what is measured
//! here.

use std::time::{Duration, Instant};

use super::{ask, nothing_set, set};
use crate::harness::{Frame, Op, Server, until};

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// USERS 43: a ping after the idle time, the end after the timeout: 1006 for the program, and a line
/// in the log. No close frame: nobody is there to read it.
#[test]
fn a_silent_client_is_asked_and_cut() {
    for (program, arguments) in [("ping 1 1", &[][..]), ("ping 0 0", &["--ping=1,1"])] {
        let mut server = set(program).args(arguments.iter().copied()).start();
        let start = Instant::now();
        let mut client = server.connect();
        let ping = client.receive();
        assert_eq!((ping.op, ping.payload.len()), (Op::PING, 0));
        assert!(start.elapsed() >= seconds(1), "asked after {:?}", start.elapsed());
        client.expect_end();
        let elapsed = start.elapsed();
        assert!(elapsed >= seconds(2), "cut after {elapsed:?}");
        server.await_journal("close 1 code=1006");
        server.await_stderr("does not answer");
        server.stop();
    }
}

/// USERS 43: one that answers stays, as long as it does; and its pongs are no messages.
#[test]
fn one_that_answers_stays() {
    let mut server = set("ping 1 1").start();
    let mut client = server.connect();
    for _ in 0..4 {
        assert_eq!(client.receive().op, Op::PING);
        client.send(&Frame::new(Op::PONG, ""));
    }
    client.echo("still here");
    assert!(!server.journal().contains("close "), "{}", server.journal());
    server.stop();
}

/// USERS 44, 45: any byte counts as life, a pong that answers nothing and half a frame too; what the
/// server sends does not.
#[test]
fn any_byte_counts() {
    let mut server = set("ping 2 1").start();
    let mut client = server.connect();
    let bytes = [Frame::text("slowly").bytes(), Frame::new(Op::PONG, "x").bytes()].concat();
    let start = Instant::now();
    for byte in bytes {
        client.send_bytes(&[byte]);
        if client.hears_within(Duration::from_millis(400)) {
            break;
        }
    }
    assert!(start.elapsed() > seconds(4), "asked after {:?}", start.elapsed());
    client.expect_text("slowly");
    let mut other = server.connect();
    let mut asked = 0;
    // It is sent something all the time, and says nothing: that does not keep it.
    let cut = until(|| {
        ask(&mut other, "send 1 0 10 1");
        while client.hears_within(Duration::from_millis(100)) {
            match client.next() {
                Some(frame) => asked += u32::from(frame.op == Op::PING),
                None => return Some(()),
            }
        }
        None
    });
    assert!(cut.is_some() && asked == 1, "asked {asked} times");
    server.await_journal("close 1 code=1006");
    server.stop();
}

/// A client that neither reads nor speaks is cut off too, with all that is queued for it.
#[test]
fn one_that_reads_nothing() {
    let mut server = set("ping 1 1").start();
    let stuck = server.connect();
    let mut other = server.connect();
    ask(&mut other, "send 1 1 10000000 1");
    let gone = until(|| {
        ask(&mut other, "qbytes 1");
        server.journal().contains("close 1 code=1006").then_some(())
    });
    assert!(gone.is_some(), "{}", server.journal());
    assert_eq!(ask(&mut other, "qbytes 1"), "0");
    drop(stuck);
    server.stop();
}

/// 0 is never, by the program or by the option.
#[test]
fn it_can_be_switched_off() {
    let mut servers: [Server; 2] =
        [set("ping 0 0").start(), set("ping 1 1").args(["--ping", "0"]).start()];
    for server in &mut servers {
        let mut client = server.connect();
        assert!(!client.hears_within(seconds(4)), "nobody is asked");
        client.echo("still here");
        server.stop();
    }
}

/// USERS 27: who asks for nothing asks after 50 seconds, before proxies cut at 60.
#[test]
fn it_is_on_by_default() {
    let mut server = nothing_set().start();
    let mut client = server.connect();
    client.echo("hello");
    let start = Instant::now();
    assert!(client.hears_within(seconds(80)), "not asked");
    let elapsed = start.elapsed();
    assert!((seconds(49)..seconds(58)).contains(&elapsed), "asked after {elapsed:?}");
    assert_eq!(client.receive().op, Op::PING);
    client.send(&Frame::new(Op::PONG, ""));
    client.echo("still here");
    server.stop();
}
