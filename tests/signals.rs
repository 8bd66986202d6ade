//! Signals: which the library touches, and which never end the server.

use rustix::process::Signal;

use crate::harness::{Launch, Op};

/// CONTRACT S13: the dispositions that change are those of SIGTERM, of SIGINT in the foreground,
/// of SIGHUP, of SIGUSR1, and of SIGPIPE.
#[test]
fn only_documented_signals_are_touched() {
    let mut server = Launch::probe().start();
    let changed = server.connect().ask("!signals");
    assert_eq!(changed, "changed: Hangup Interrupt User defined signal 1 Broken pipe Terminated");
    drop(changed);
    server.stop();
}

/// CONTRACT S13: clients that vanish with much still to come do not end the server by SIGPIPE.
#[test]
fn clients_that_vanish_while_they_are_written_to() {
    let mut server = Launch::probe().start();
    for number in 1..=50 {
        let mut client = server.connect();
        client.text("!write 0 1 65535 40");
        assert_eq!(client.receive().op, Op::BINARY);
        drop(client);
        server.await_journal(&format!("close {number} "));
    }
    server.connect().echo("as ever");
    server.stop();
}

/// CONTRACT S13: the same where the client stops reading but still sends.
#[test]
fn clients_that_only_stop_reading() {
    let mut server = Launch::probe().start();
    let mut client = server.connect();
    client.stream().shutdown(std::net::Shutdown::Read).expect("connected");
    for _ in 0..20 {
        client.text("an echo that nobody can hear");
    }
    drop(client);
    server.await_journal("close 1 ");
    assert_eq!(server.connect().ask("!reads 1"), "20", "it is read to its end");
    server.stop();
}

/// CONTRACT S13: a signal that is sent to it is nobody's to take: the program's handler sees it,
/// the server goes on.
#[test]
fn the_programs_own_handlers_stay() {
    let mut server = Launch::probe().env("PROBE_SIGNAL", "yes").start();
    let mut client = server.connect();
    for _ in 0..100 {
        server.signal(Signal::USR1);
        client.text("between signals");
        // Where the handler interrupts the program, not the library, its message is as good as any
        // other.
        while client.receive().as_text() != "between signals" {}
    }
    server.await_journal("interrupted");
    drop(client);
    server.stop();
    assert!(!server.stderr().contains("connections="), "{}", server.stderr());
}
