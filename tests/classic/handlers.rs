//! E6: the program's own handlers, and its children.

use rustix::process::Signal;

use super::restart::classic;

fn number(signal: Signal) -> String {
    signal.as_raw().to_string()
}

/// CONTRACT E6: a handler that the program has set in `ws_init_func` is called instead.
#[test]
fn one_that_is_set_at_the_start() {
    let mut server = classic().env("PROBE_HANDLER", &number(Signal::SEGV)).start();
    // The other signal is the library's.
    super::crash(&server, "bus");
    let mut client = server.connect();
    client.text("!crash segv");
    client.expect_end();
    assert_eq!(server.wait(), Some(77));
    server.await_journal(&format!("handled {}", number(Signal::SEGV)));
    assert_eq!(super::starts(&server), 2);
}

/// CONTRACT E6: so is one for SIGBUS.
#[test]
fn one_for_the_other_signal() {
    let mut server = classic().env("PROBE_HANDLER", &number(Signal::BUS)).start();
    super::crash(&server, "segv");
    let mut client = server.connect();
    client.text("!crash bus");
    client.expect_end();
    assert_eq!(server.wait(), Some(77));
    server.await_journal(&format!("handled {}", number(Signal::BUS)));
}

/// CONTRACT E6: so is one that it sets later.
#[test]
fn one_that_is_set_later() {
    let mut server = classic().start();
    super::crash(&server, "segv");
    let mut client = server.connect();
    assert_eq!(client.ask(&format!("!handle {}", number(Signal::SEGV))), "handled");
    client.text("!crash segv");
    client.expect_end();
    assert_eq!(server.wait(), Some(77));
    assert_eq!(super::starts(&server), 2);
}

/// CONTRACT E6: so is none at all: a program that wants a core dump sets the default when it
/// serves.
#[test]
fn the_default_that_is_set_later() {
    let mut server = classic().start();
    super::crash(&server, "segv");
    let mut client = server.connect();
    assert_eq!(client.ask(&format!("!default {}", number(Signal::SEGV))), "default");
    client.text("!crash segv");
    client.expect_end();
    assert_eq!(server.wait_signal(), Signal::SEGV.as_raw());
    assert_eq!(super::starts(&server), 2);
}

/// CONTRACT E6: a child of the program's that crashes is no server: it ends by the signal, and
/// nobody notices.
#[test]
fn a_child_that_crashes() {
    let mut server = classic().start();
    let mut client = server.connect();
    for (way, signal) in [("segv", Signal::SEGV), ("bus", Signal::BUS), ("overflow", Signal::SEGV)]
    {
        assert_eq!(client.ask(&format!("!child {way}")), format!("signal {}", number(signal)));
        client.echo("undisturbed");
    }
    assert_eq!(super::starts(&server), 1);
    super::crash(&server, "segv");
    server.stop();
}
