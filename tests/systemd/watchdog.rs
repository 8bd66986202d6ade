//! The watchdog: the loop itself says that it goes round.

use std::time::{Duration, Instant};

use super::{Manager, WATCHDOG};
use crate::harness::{Launch, Server};

/// It is told in half the time that the service manager waits, busy or idle.
#[test]
fn twice_in_an_interval() {
    const INTERVAL: Duration = Duration::from_millis(400);
    let (launch, manager) = Manager::of(Launch::probe());
    let mut server = launch
        .env("WATCHDOG_USEC", &INTERVAL.as_micros().to_string())
        .for_itself("WATCHDOG_PID")
        .start();
    assert_eq!(manager.hear(), "READY=1");
    let start = Instant::now();
    const COUNT: u32 = 5;
    for _ in 0..COUNT {
        assert_eq!(manager.hear(), WATCHDOG);
        server.connect().echo("hello");
    }
    // The first may have been on its way already.
    assert!(start.elapsed() >= INTERVAL / 2 * (COUNT - 1), "{:?}", start.elapsed());
    server.stop();
    assert_eq!(manager.hear_news(), "STOPPING=1");
}

/// A function of the program's that does not return is found.
#[test]
fn a_callback_that_hangs() {
    const INTERVAL: Duration = Duration::from_millis(100);
    let (launch, manager) = Manager::of(Launch::probe());
    let fifo = launch.run_dir().join("fifo");
    let made = std::process::Command::new("mkfifo").args(["-m", "666"]).arg(&fifo).status();
    assert!(made.expect("mkfifo(1) runs").success());
    let mut server = launch.env("WATCHDOG_USEC", &INTERVAL.as_micros().to_string()).start();
    assert_eq!(manager.hear(), "READY=1");
    assert_eq!(manager.hear(), WATCHDOG);
    let mut client = server.connect();
    client.text(&format!("!hang {}", fifo.display()));
    server.await_journal("hanging");
    while manager.heard().is_some() {}
    // That nothing comes is what is measured.
    manager.socket.set_nonblocking(false).expect("a flag");
    manager.socket.set_read_timeout(Some(INTERVAL * 5)).expect("a timeout");
    assert_eq!(manager.take(), None);
    drop(std::fs::OpenOptions::new().write(true).open(&fifo).expect("the program reads it"));
    client.expect_text("free");
    assert_eq!(manager.hear(), WATCHDOG);
    drop(client);
    server.stop();
}

/// Without a watchdog, with one that is meant for another process, and with one that is nonsense
/// nothing is told of it.
#[test]
fn a_watchdog_that_is_none() {
    let (other, clock) = Manager::of(Launch::probe());
    let mut other = other.env("WATCHDOG_USEC", "2000").start();
    let quiet: [&[(&str, &str)]; 6] = [
        &[],
        &[("WATCHDOG_USEC", "2000"), ("WATCHDOG_PID", "1")],
        &[("WATCHDOG_USEC", "0")],
        &[("WATCHDOG_USEC", "-1")],
        &[("WATCHDOG_USEC", "soon")],
        &[("WATCHDOG_USEC", "18446744073709551615")],
    ];
    for variables in quiet {
        let (launch, manager) = Manager::of(Launch::probe());
        let launch = variables.iter().fold(launch, |launch, (name, value)| launch.env(name, value));
        let mut server = launch.start();
        assert_eq!(manager.hear(), "READY=1");
        while clock.heard().is_some() {}
        (0..20).for_each(|_| assert_eq!(clock.hear(), WATCHDOG));
        server.connect().echo("hello");
        server.stop();
        assert_eq!(manager.hear(), "STOPPING=1", "{variables:?}");
    }
    other.stop();
}

/// The watchdog and the log share the loop's alarm: neither costs the other its own.
#[test]
fn beside_the_log() {
    let (launch, manager) = Manager::of(Launch::probe());
    let launch = launch.args(["--log-level", "debug"]);
    let mut server = launch.env("WATCHDOG_USEC", "20000").start();
    assert_eq!(manager.hear(), "READY=1");
    for _ in 0..3 {
        let mut refused = server.raw();
        refused.send_bytes(b"no HTTP\r\n\r\n");
        refused.response();
        while manager.heard().is_some() {}
        assert_eq!(manager.hear(), WATCHDOG);
    }
    server.stop();
    assert!(server.stderr().contains("(2 times more)"), "{}", server.stderr());
}

/// The new start after a crash is ready anew, and has the watchdog; so has a daemon's.
#[test]
fn after_a_crash() {
    for is_daemon in [false, true] {
        let (launch, manager) = Manager::of(Launch::classic().everybodys());
        let name = launch.unique_name();
        let launch = launch.name(&name).env("WATCHDOG_USEC", "20000").for_itself("WATCHDOG_PID");
        let mut server = if is_daemon { launch.start_daemon() } else { launch.start() };
        assert!(manager.hear().starts_with("READY=1"));
        assert_eq!(manager.hear(), WATCHDOG);
        crash(&server);
        assert!(manager.hear_news().starts_with("READY=1"));
        assert_eq!(manager.hear(), WATCHDOG);
        server.stop();
        assert_eq!(manager.hear_news(), "STOPPING=1");
    }
}

fn crash(server: &Server) {
    let mut client = server.connect();
    client.text("!crash segv");
    client.expect_end();
    server.connect().echo("here again");
}
