//! SIGHUP where it is not for the library: the program's own, nohup's, and a terminal's that is gone.

use std::os::fd::{FromRawFd, OwnedFd};

use rustix::process::Signal;

use super::{BOTH, Chain, launch, plan};
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

/// A new version may keep it from then on.
#[test]
fn of_the_next_version() {
    for (step, is_blocked) in [("handle\n", false), ("ignore\n", false), ("block\n", true)] {
        let mut chain = Chain::start(launch(BOTH[0]));
        chain.plan(step);
        let new = chain.hand_over();
        let before = chain.server.stderr();
        new.signal(Signal::HUP);
        if step == "handle\n" {
            chain.server.await_journal("handled 1");
        }
        chain.server.connect().echo("after it");
        chain.server.connect().echo("and again");
        assert_eq!(chain.server.stderr(), before, "{step}");
        let blocked = u64::from_str_radix(&new.status("SigBlk"), 16).expect("hexadecimal");
        assert_eq!(blocked & 1 != 0, is_blocked, "{step}: {blocked:x}");
        chain.stop();
    }
}

/// nohup(1) ignores it.
#[test]
fn under_nohup() {
    if skipped(&[Need::Tool("nohup")]) {
        return;
    }
    let mut chain = Chain::start(launch(BOTH[0]).under(["nohup"]));
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
    for _ in 0..20 {
        for process in chain.server.processes() {
            process.signal(Signal::HUP);
        }
    }
    let is_settled = || {
        let started = chain.count("hand-over: starts ");
        (started == chain.successors().len() + chain.count("this server goes on")).then_some(())
    };
    assert!(until(is_settled).is_some(), "{}", chain.server.stderr());
    chain.now = *chain.successors().last().expect("there is one");
    chain.server.connect().echo("hello");
    chain.stop();
}

/// A terminal: both of its sides.
fn terminal() -> (OwnedFd, OwnedFd) {
    let (mut ours, mut theirs) = (-1, -1);
    let null = std::ptr::null_mut();
    // SAFETY: it fills the two numbers.
    let made = unsafe { libc::openpty(&mut ours, &mut theirs, null, null.cast(), null.cast()) };
    assert_eq!(made, 0, "{}", std::io::Error::last_os_error());
    // SAFETY: they were just opened, and are nobody else's.
    unsafe { (OwnedFd::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) }
}

/// The name of a terminal's side.
fn name(side: &OwnedFd) -> String {
    let fd = std::os::fd::AsRawFd::as_raw_fd(side);
    std::fs::read_link(format!("/proc/self/fd/{fd}")).expect("it is open").display().to_string()
}

/// In the foreground on a terminal SIGHUP hands over as long as the terminal is there. When it goes the
/// server stops in good order.
#[test]
fn on_a_terminal() {
    if skipped(&[Need::Tool("setsid")]) {
        return;
    }
    for hand_overs in 0..=1 {
        let (ours, theirs) = terminal();
        let launch = launch(BOTH[0]).args(["--drain", "600"]);
        // A session whose terminal this becomes, as its leader opens it; the leader outlives the server.
        let script = format!(
            "trap '' HUP; exec <>'{}'; (trap - HUP; exec \"$0\" \"$@\") & wait",
            name(&theirs)
        );
        let launch = launch.under(["setsid", "sh", "-c", &script]);
        let mut chain = Chain::start(launch);
        drop(theirs);
        let mut client = chain.server.connect();
        client.echo("hello");
        let first = chain.now;
        for _ in 0..hand_overs {
            chain.hand_over();
        }
        drop(ours);
        // The shell, which the kernel tells, would tell its jobs.
        chain.now.signal(Signal::HUP);
        if hand_overs == 0 {
            assert_eq!(client.receive().code(), Some(1001));
        }
        drop(client);
        for process in [first, chain.now] {
            assert!(until(|| process.is_over().then_some(())).is_some(), "{process:?} goes on");
        }
        chain.server.await_nobody();
        assert_eq!(chain.successors().len(), hand_overs);
        assert!(!chain.server.socket().exists());
    }
}
