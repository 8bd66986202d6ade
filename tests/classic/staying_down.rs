//! E6: a server that crashes again and again is not started for ever.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::restart::classic;
use crate::harness::{Launch, Need, Server, Syslog, say, skipped};

/// Five crashes, each with a new start, and one more: the process must be gone by that signal.
/// False where the machine was too slow for them to come within ten seconds, which is said.
fn six_crashes(server: &mut Server, ways: [&str; 6]) -> bool {
    let [first_five @ .., last] = ways;
    let start = Instant::now();
    for (starts, way) in (1..).zip(first_five) {
        assert_eq!(super::starts(server), starts);
        super::crash(server, way);
    }
    let mut client = server.connect();
    client.text(&format!("!crash {last}"));
    client.expect_end();
    if start.elapsed() > Duration::from_secs(9) {
        say(&format!("skipped: six crashes took {:?}", start.elapsed()));
        return false;
    }
    let signal = if last.contains("bus") { Signal::BUS } else { Signal::SEGV };
    assert_eq!(server.wait_signal(), signal.as_raw());
    assert_eq!(super::starts(server), 6, "{}", server.journal());
    server.await_nobody();
    true
}

/// CONTRACT E6: in the foreground; the status is the signal's.
#[test]
fn in_the_foreground() {
    for way in ["segv", "bus", "overflow"] {
        let mut server = classic().start();
        six_crashes(&mut server, [way; 6]);
    }
}

/// CONTRACT E6: the sixth crash counts whichever signal it is.
#[test]
fn by_both_signals() {
    let mut server = classic().start();
    six_crashes(&mut server, ["segv", "bus", "segv", "overflow", "kill-segv", "bus"]);
}

/// CONTRACT E6: a daemon says so in syslog, under its name, and leaves neither socket nor pidfile.
#[test]
fn a_daemon_says_so() {
    let Some(syslog) = Syslog::listen() else {
        return;
    };
    let launch = classic();
    let name = launch.unique_name();
    let mut server = launch.name(&name).socket(None).args(["-u", "nobody"]).start_daemon();
    if !six_crashes(&mut server, ["segv"; 6]) {
        return;
    }
    let line = syslog.await_line(&name, "not started again");
    let (_, after) = line.split_once(&name).expect("the name");
    assert!(after.starts_with(": ") || after.starts_with('['), "the ident ends there: {line}");
    let lines = syslog.lines(&name);
    let count = |text| lines.iter().filter(|line| line.contains(text)).count();
    assert_eq!((count("started anew after signal 11"), count("not started again")), (5, 1));
    gone(&[server.socket(), &pidfile(&name)]);
}

/// CONTRACT E6: also one that stays root, and so has no helper that would remove its files.
#[test]
fn a_daemon_that_stays_root() {
    if skipped(&[Need::Root]) {
        return;
    }
    let launch = classic();
    let name = launch.unique_name();
    let mut server =
        launch.name(&name).socket(None).args(["-u", "root", "-g", "root"]).start_daemon();
    if !six_crashes(&mut server, ["segv"; 6]) {
        return;
    }
    gone(&[server.socket(), &pidfile(&name)]);
}

/// CONTRACT E6: in the foreground the log is stderr, this line too.
#[test]
fn in_the_foreground_it_says_so_on_stderr() {
    let launch = classic();
    let name = launch.unique_name();
    let mut server = launch.name(&name).start();
    if !six_crashes(&mut server, ["segv"; 6]) {
        return;
    }
    let stderr = server.stderr();
    let line = stderr.lines().find(|line| line.contains("signal 11"));
    assert!(line.is_some_and(|line| line.starts_with(&format!("{name}: "))), "{stderr:?}");
    gone(&[server.socket()]);
}

fn pidfile(name: &str) -> PathBuf {
    format!("/var/run/{name}.pid").into()
}

fn gone(paths: &[&Path]) {
    for path in paths {
        assert!(!path.exists(), "{} is still there", path.display());
    }
}

/// CONTRACT E6: a new start whose `ws_init_func` crashes has no handler yet: it ends, at the first
/// time.
#[test]
fn a_new_start_that_cannot_start() {
    let mut server = classic().env("PROBE_CRASH_INIT", "segv").start();
    let mut client = server.connect();
    client.text("!crash segv");
    client.expect_end();
    assert_eq!(server.wait_signal(), Signal::SEGV.as_raw());
    assert_eq!(super::starts(&server), 2);
    server.await_nobody();
}

/// CONTRACT E6: after it stays down, it can be started again by hand, on the same socket, with
/// nothing remembered.
#[test]
fn it_can_be_started_again() {
    let mut server = classic().start();
    let socket = server.socket().to_owned();
    if !six_crashes(&mut server, ["segv"; 6]) {
        return;
    }
    let mut again = Launch::classic().everybodys().socket(Some(socket)).start();
    for _ in 0..5 {
        super::crash(&again, "segv");
    }
    again.stop();
}
