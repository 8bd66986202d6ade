//! SIGHUP where it is not for the library: the program's own, nohup's, and a terminal's that is gone.

use std::ffi::CStr;
use std::os::fd::{FromRawFd, OwnedFd};

use rustix::process::Signal;

use super::{BOTH, Chain, launch, pid, plan, who};
use crate::harness::{Need, skipped, until};

/// Nothing comes of SIGHUP; the server goes on.
fn nothing_happens(chain: &mut Chain) {
    let mut client = chain.server.connect();
    for _ in 0..3 {
        chain.now.signal(Signal::HUP);
        // What the signal would do is done before what comes after it.
        client.echo("after it");
        chain.server.connect().echo("and again");
    }
    assert_eq!(chain.count("SIGHUP") + chain.count("hand-over"), 0, "{}", chain.server.stderr());
    assert_eq!(chain.server.journal().matches("init ").count(), 1);
}

/// A program that handles, ignores or blocks it keeps it.
#[test]
fn of_the_program() {
    for source in BOTH {
        for step in ["handle\n", "ignore\n", "block\n"] {
            let launch = launch(source);
            plan(&launch, step);
            let mut chain = Chain::start(launch);
            nothing_happens(&mut chain);
            if step == "handle\n" {
                chain.server.await_journal("handled 1");
            }
            chain.stop();
        }
    }
}

/// A server that is to stop starts nobody: both signals have come at once, as a service manager may send
/// them.
#[test]
fn with_sigterm() {
    for source in BOTH {
        let mut chain = Chain::start(launch(source));
        chain.server.connect().echo("hello");
        for signal in [Signal::STOP, Signal::HUP, Signal::TERM, Signal::CONT] {
            chain.now.signal(signal);
        }
        chain.stop();
        assert_eq!(chain.count("hand-over"), 0, "{}", chain.server.stderr());
    }
}

/// A new version may keep it from then on.
#[test]
fn of_the_next_version() {
    for (step, is_blocked) in [("handle\n", false), ("ignore\n", false), ("block\n", true)] {
        let mut chain = Chain::start(launch(BOTH[0]));
        chain.plan(step);
        let new = chain.hand_over();
        // What it says at its start it has said when it serves.
        chain.server.connect().echo("hello");
        let before = chain.server.stderr();
        new.signal(Signal::HUP);
        if step == "handle\n" {
            chain.server.await_journal("handled 1");
        }
        chain.server.connect().echo("after it");
        chain.server.connect().echo("and again");
        assert_eq!(chain.server.stderr(), before, "{step}");
        let blocked = new.status().sigblk;
        assert_eq!(blocked & 1 != 0, is_blocked, "{step}: {blocked:x}");
        chain.stop();
    }
}

/// nohup(1) ignores it, which in the foreground is for the server.
#[test]
fn under_nohup() {
    if skipped(&[Need::Tool("nohup")]) {
        return;
    }
    let mut chain = Chain::start(launch(BOTH[0]).under(["nohup"]));
    nothing_happens(&mut chain);
    chain.stop();
}

/// A daemon has let the terminal go: only what the program itself has set is the program's.
#[test]
fn a_daemon_under_nohup() {
    if skipped(&[Need::Tool("nohup")]) {
        return;
    }
    for source in BOTH {
        let mut chain = Chain::start_daemon(launch(source).under(["nohup"]));
        for _ in 0..2 {
            chain.hand_over();
            chain.server.connect().echo("hello");
        }
        chain.stop();
    }
    let launch = launch(BOTH[0]).under(["nohup"]);
    plan(&launch, "handle\n");
    let mut chain = Chain::start_daemon(launch);
    nothing_happens(&mut chain);
    chain.stop();
}

/// Whoever starts the server may have blocked it: it is caught all the same, and so by those to come.
#[test]
fn blocked_from_outside() {
    if skipped(&[Need::Tool("env")]) {
        return;
    }
    let can = std::process::Command::new("env").args(["--block-signal=HUP", "true"]).status();
    if skipped(&[Need::Has(can.is_ok_and(|it| it.success()), "env(1) cannot block signals")]) {
        return;
    }
    let mut chain = Chain::start(launch(BOTH[0]).under(["env", "--block-signal=HUP"]));
    for _ in 0..3 {
        chain.hand_over();
    }
    chain.stop();
}

/// As often and as fast as it comes: the server goes on, and hands over.
#[test]
fn a_storm() {
    let mut chain = Chain::start(launch(BOTH[0]));
    let first = chain.now;
    for _ in 0..500 {
        first.signal(Signal::HUP);
    }
    chain.await_successor(0);
    chain.server.connect().echo("hello");
    assert_eq!(chain.wait(first), Some(0));
    // To all that are there, whatever they do: as pkill(1) sends it.
    let helpers = chain.server.processes().len() - 1;
    for _ in 0..20 {
        for process in chain.server.processes() {
            process.signal(Signal::HUP);
        }
    }
    let alone = until(|| {
        // What the signals would do is done before what comes after them.
        chain.server.connect().echo("hello");
        let now = who(&mut chain.server.connect()).1;
        let is_alone = chain.server.processes().len() == helpers + 1;
        let server = chain.server.processes().into_iter().find(|it| pid(*it) == now);
        server.filter(|_| is_alone)
    });
    chain.now = alone.unwrap_or_else(|| panic!("it does not end:\n{}", chain.server.stderr()));
    chain.stop();
}

/// A terminal: our side of it, which no child has, and the name of the other.
fn terminal() -> (OwnedFd, String) {
    let mut name = [0; 64];
    // SAFETY: the one who is told the name has room for it; what was just opened is nobody else's.
    unsafe {
        let ours = libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC);
        assert!(ours >= 0, "{}", std::io::Error::last_os_error());
        assert_eq!(libc::grantpt(ours) + libc::unlockpt(ours), 0);
        assert_eq!(libc::ptsname_r(ours, name.as_mut_ptr(), name.len()), 0);
        let name = CStr::from_ptr(name.as_ptr()).to_str().expect("ASCII").to_owned();
        (OwnedFd::from_raw_fd(ours), name)
    }
}

/// In the foreground on a terminal SIGHUP hands over as long as the terminal is there. When it goes the
/// server stops in good order.
#[test]
fn on_a_terminal() {
    if skipped(&[Need::Tool("setsid")]) {
        return;
    }
    for hand_overs in 0..=1 {
        let (ours, name) = terminal();
        let launch = launch(BOTH[0]).args(["--drain", "600"]);
        // A session whose terminal this becomes, as its leader opens it.
        let script = format!("exec <>'{name}'; \"$0\" \"$@\" & wait");
        let launch = launch.under(["setsid", "sh", "-c", &script]);
        let mut chain = Chain::start(launch);
        let mut client = chain.server.connect();
        client.echo("hello");
        let first = chain.now;
        for _ in 0..hand_overs {
            chain.hand_over();
        }
        // The shell is told by the kernel, and with its end so are all in the foreground.
        drop(ours);
        assert_eq!(client.receive().code(), Some(1001));
        drop(client);
        for process in [first, chain.now] {
            assert!(until(|| process.is_over().then_some(())).is_some(), "{process:?} goes on");
        }
        chain.server.await_nobody();
        assert_eq!(chain.successors().len(), hand_overs);
        assert!(!chain.server.socket().exists());
    }
}
