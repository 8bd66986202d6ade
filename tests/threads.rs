//! Calls from where the library may not be called: other threads, and handlers that interrupt it.

use rustix::process::Signal;

use crate::harness::Launch;

/// CONTRACT S7: from another thread nothing changes; `ws_write_conn` returns -3; the log says so
/// once.
#[test]
fn calls_from_another_thread() {
    let mut server = Launch::probe().start();
    let mut client = server.connect();
    let before = server.stderr().lines().count();
    for _ in 0..5 {
        assert_eq!(client.ask("!thread"), "write=-3 qlen=0 data=null kept=yes");
    }
    client.echo("neither closed nor written to");
    server.await_stderr("thread");
    assert_eq!(server.stderr().lines().count(), before + 1, "{}", server.stderr());
    drop(client);
    server.stop();
}

/// CONTRACT S7: the periodic function is not switched off from there either.
#[test]
fn another_thread_does_not_switch_the_periodic_function_off() {
    let mut server = Launch::probe().env("PROBE_PERIODIC", "1").start();
    let mut client = server.connect();
    assert_eq!(client.ask("!thread"), "write=-3 qlen=0 data=null kept=yes");
    let seen = server.journal().matches("tick ").count();
    let more = crate::harness::until(|| {
        (server.journal().matches("tick ").count() > seen + 1).then_some(())
    });
    assert!(more.is_some());
    drop(client);
    server.stop();
}

/// CONTRACT S7, S14: a handler that interrupts the library, here in its sleep, gets -3 as well.
#[test]
fn calls_from_a_signal_handler() {
    let mut server = Launch::probe().env("PROBE_SIGNAL", "yes").start();
    let mut client = server.connect();
    client.echo("hello");
    for count in 1..=3 {
        server.signal(Signal::USR1);
        let seen = crate::harness::until(|| {
            (server.journal().matches("interrupted write=-3\n").count() >= count).then_some(())
        });
        assert!(seen.is_some(), "{}", server.journal());
    }
    client.echo("nothing came between");
    drop(client);
    server.stop();
}
