//! E6: what counts as a crash, and where.

use rustix::process::Signal;

use super::restart::classic;
use crate::harness::until;

fn starts_anew_after(way: &str) {
    let mut server = classic().start();
    // Twice: the signal must not stay blocked, nor the stack lost.
    super::crash(&server, way);
    super::crash(&server, way);
    assert_eq!(super::starts(&server), 3);
    server.stop();
}

/// CONTRACT E6: an address that is not there.
#[test]
fn a_segmentation_fault() {
    starts_anew_after("segv");
}

/// CONTRACT E6: a mapping whose file has been cut off.
#[test]
fn a_bus_error() {
    starts_anew_after("bus");
}

/// CONTRACT E6: the stack has no room for a handler: it has one of its own.
#[test]
fn a_stack_overflow() {
    starts_anew_after("overflow");
}

/// CONTRACT E6: the signals from outside, or from the program itself.
#[test]
fn the_signals_by_kill() {
    starts_anew_after("kill-segv");
    starts_anew_after("kill-bus");
    let mut server = classic().start();
    server.connect().echo("ready");
    for (signal, starts) in [(Signal::SEGV, 2), (Signal::BUS, 3), (Signal::SEGV, 4)] {
        server.signal(signal);
        assert!(until(|| (super::starts(&server) == starts).then_some(())).is_some());
        server.connect().echo("here again");
    }
    server.stop();
}

/// CONTRACT E6: in a thread of the program's: the process is the same one.
#[test]
fn in_another_thread() {
    starts_anew_after("thread");
}

/// CONTRACT E6: in the other callbacks.
#[test]
fn in_each_callback() {
    let mut server = classic().start();
    let mut client = server.connect();
    assert_eq!(client.ask("!later open segv"), "later");
    server.raw().send_bytes(&crate::harness::Request::new().bytes());
    client.expect_end();
    assert!(until(|| (super::starts(&server) == 2).then_some(())).is_some());

    let mut client = server.connect();
    assert_eq!(client.ask("!later close bus"), "later");
    client.send(&crate::harness::Frame::close(1000, ""));
    while client.next().is_some() {}
    assert!(until(|| (super::starts(&server) == 3).then_some(())).is_some());

    // The one in the open callback, of a client that is not yet answered.
    let mut client = server.raw();
    client.send_bytes(&crate::harness::Request::new().change("Host", "crash=overflow").bytes());
    client.expect_end();
    assert!(until(|| (super::starts(&server) == 4).then_some(())).is_some());
    server.connect().echo("hello");
    server.stop();
}

/// CONTRACT E6, S10: a server that stops is not started again: the signal ends it, and its files
/// are gone.
#[test]
fn at_the_end() {
    let mut server = classic().start();
    assert_eq!(server.connect().ask("!later exit segv"), "later");
    server.signal(Signal::TERM);
    assert_eq!(server.wait_signal(), Signal::SEGV.as_raw());
    server.await_nobody();
    assert!(!server.socket().exists());
    assert_eq!(super::starts(&server), 1);
}

/// CONTRACT D19, E6: nor one that has been told to stop, and crashes before it comes to that.
#[test]
fn sigterm_is_not_forgotten() {
    let mut server = classic().start();
    let mut client = server.connect();
    client.text("!crash told-to-stop");
    client.expect_end();
    server.await_nobody();
    server.wait();
    assert_eq!(super::starts(&server), 1, "{}", server.journal());
}

/// The new start tells its figures as the first one did, and counts anew.
#[test]
fn the_figures_of_a_new_start() {
    let mut server = classic().start();
    for _ in 0..2 {
        server.connect().echo("hello");
        server.connect().echo("hello");
        super::crash(&server, "segv");
    }
    server.connect().echo("hello");
    server.signal(Signal::USR1);
    let line = server.await_stderr(" accepted=");
    let accepted = line.split_once(" accepted=").and_then(|(_, rest)| rest.split(' ').next());
    let accepted: u32 = accepted.and_then(|it| it.parse().ok()).expect("a number");
    // This one, and that of the wait for the new start; the starts before had three each at least.
    assert!((1..=2).contains(&accepted), "{line}");
    server.stop();
}

/// CONTRACT E6: the other signals that end a program end this one.
#[test]
fn an_abort_is_no_crash() {
    let mut server = classic().start();
    let mut client = server.connect();
    client.text("!crash abort");
    client.expect_end();
    assert_eq!(server.wait_signal(), Signal::ABORT.as_raw());
    assert_eq!(super::starts(&server), 1);
}
