//! A new server that does not start: the old one goes on, and a line says why.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{BOTH, Chain, Gate, launch, pid, who};
use crate::harness::{Launch, Need, Process, skipped, until};

/// Has the server try, and waits for the line that says what came of it.
fn fails(chain: &Chain, why: &str) {
    let line = format!("hand-over: {why}; this server goes on");
    let before = chain.count(&line);
    chain.now.signal(Signal::HUP);
    let told = until(|| (chain.count(&line) == before + 1).then_some(()));
    assert!(told.is_some(), "no {line:?} in\n{}", chain.server.stderr());
}

/// As good as before: the same server serves, old clients and new ones.
fn goes_on(chain: &mut Chain, client: &mut crate::harness::Client) {
    client.echo("still served");
    assert_eq!(who(&mut chain.server.connect()), (1, pid(chain.now)));
    let is_alone = || chain.now.children().is_empty().then_some(());
    assert!(until(is_alone).is_some(), "{:?}", chain.now.children());
}

fn daemon(source: &'static str) -> Launch {
    let launch = launch(source);
    let name = launch.unique_name();
    launch.name(&name)
}

/// In `ws_init_func` it ends by itself, or by a signal. After each the next try may succeed.
#[test]
fn it_ends_in_ws_init_func() {
    for source in BOTH {
        for start in [Chain::start, Chain::start_daemon] {
            let mut chain = start(daemon(source));
            let mut client = chain.server.connect();
            for (steps, why) in [
                ("exit 3\n", "the new server has ended with status 3"),
                ("abort\n", "the new server was ended by signal 6"),
                ("exit 0\n", "the new server has ended with status 0"),
            ] {
                chain.plan(steps);
                fails(&chain, why);
                goes_on(&mut chain, &mut client);
            }
            chain.plan("");
            drop(client);
            chain.hand_over();
            assert_eq!(who(&mut chain.server.connect()).1, pid(chain.now));
            chain.stop();
        }
    }
}

/// The program itself calls it off, in `ws_start_callback`.
#[test]
fn it_is_called_off_by_the_program() {
    for start in [Chain::start, Chain::start_daemon] {
        let mut chain = start(daemon(BOTH[0]));
        let mut client = chain.server.connect();
        chain.plan("start 4\n");
        fails(&chain, "the new server has ended with status 1");
        assert!(chain.server.stderr().contains("ws_start_callback has returned 4"));
        goes_on(&mut chain, &mut client);
        chain.plan("");
        drop(client);
        chain.hand_over();
        assert_eq!(who(&mut chain.server.connect()).1, pid(chain.now));
        chain.stop();
    }
}

/// Moves the program away. Returns where it was, and where it is.
fn move_aside(chain: &Chain) -> (PathBuf, PathBuf) {
    let moved = (chain.program(), chain.dir().join("program.aside"));
    std::fs::rename(&moved.0, &moved.1).expect("it can be moved");
    moved
}

fn make_executable(program: &Path) {
    std::fs::set_permissions(program, Permissions::from_mode(0o755)).expect("its mode");
}

/// The file in its place is none that can be executed, or not there.
#[test]
fn it_cannot_be_executed() {
    let mut chain = Chain::start(daemon(BOTH[0]));
    let mut client = chain.server.connect();
    let (program, aside) = move_aside(&chain);
    fails(&chain, "the new server could not be executed: No such file or directory");
    std::fs::write(&program, "no program").expect("a file");
    fails(&chain, "the new server could not be executed: Permission denied");
    make_executable(&program);
    fails(&chain, "the new server could not be executed: Exec format error");
    goes_on(&mut chain, &mut client);
    std::fs::rename(&aside, &program).expect("back");
    drop(client);
    chain.hand_over();
    chain.stop();
}

/// It is a program of the library's, but one that lacks a function; it says so itself, too.
#[test]
fn a_callback_is_missing() {
    for (source, missing) in [(BOTH[0], "missing_two.c"), (BOTH[1], "classic/missing_two.c")] {
        for start in [Chain::start, Chain::start_daemon] {
            let mut chain = start(daemon(source));
            let mut client = chain.server.connect();
            chain.replace(missing);
            fails(&chain, "the new server has ended with status 1");
            assert_eq!(chain.count("missing: "), 1, "{}", chain.server.stderr());
            goes_on(&mut chain, &mut client);
            drop(client);
            chain.stop();
        }
    }
}

/// It is called by a program that closes what it does not know: it is then no new start, but a server
/// that finds another one there.
#[test]
fn what_is_handed_over_is_closed() {
    let mut chain = Chain::start(daemon(BOTH[0]));
    let mut client = chain.server.connect();
    let (program, aside) = move_aside(&chain);
    let closing = (3..10).map(|fd| format!("{fd}>&- ")).collect::<String>();
    let script = format!("#!/bin/sh\nexec '{}' \"$@\" {closing}\n", aside.display());
    std::fs::write(&program, script).expect("a file");
    make_executable(&program);
    fails(&chain, "the new server has ended with status 1");
    chain.server.await_stderr("another server listens there");
    goes_on(&mut chain, &mut client);
    drop(client);
    chain.stop();
}

/// It is no program of the library's.
#[test]
fn another_program() {
    let mut chain = Chain::start(daemon(BOTH[0]));
    let mut client = chain.server.connect();
    std::fs::remove_file(chain.program()).expect("it can be removed");
    std::os::unix::fs::symlink("/bin/false", chain.program()).expect("a link");
    fails(&chain, "the new server has ended with status 1");
    goes_on(&mut chain, &mut client);
    drop(client);
    chain.stop();
}

/// A second SIGHUP while the new server starts has one line written; the hand-over goes on, and so does
/// the server.
#[test]
fn sighup_meanwhile() {
    if skipped(&[Need::Tool("mkfifo")]) {
        return;
    }
    for source in BOTH {
        let mut chain = Chain::start(daemon(source));
        let mut client = chain.server.connect();
        let gate = Gate::make(&chain.dir());
        chain.plan(&gate.step());
        chain.now.signal(Signal::HUP);
        chain.server.await_stderr("hand-over: starts ");
        for times in 1..=3 {
            chain.now.signal(Signal::HUP);
            let told = || (chain.count("a hand-over is under way already") == times).then_some(());
            assert!(until(told).is_some(), "{}", chain.server.stderr());
            client.echo("still served");
        }
        gate.open();
        drop(client);
        chain.await_successor(0);
        assert_eq!(chain.count("hand-over: starts "), 1);
        chain.plan("");
        chain.hand_over();
        chain.stop();
    }
}

/// Waits until the new server stands at the gate: its process.
fn at_the_gate(chain: &Chain) -> Process {
    let init = |line: &str| {
        let pid = line.strip_prefix("init ")?.split(' ').next()?.parse().ok()?;
        rustix::process::Pid::from_raw(pid).map(Process)
    };
    let found = until(|| {
        let journal = chain.server.journal();
        let all: Vec<_> = journal.lines().filter_map(init).collect();
        all.last().copied().filter(|_| all.len() == 2)
    });
    found.unwrap_or_else(|| panic!("no new server:\n{}", chain.server.journal()))
}

/// SIGTERM while the new server starts stops the old one at once, and the new one is gone too, with all
/// files.
#[test]
fn sigterm_meanwhile() {
    if skipped(&[Need::Tool("mkfifo")]) {
        return;
    }
    for source in BOTH {
        for start in [Chain::start, Chain::start_daemon] {
            let mut chain = start(daemon(source));
            let gate = Gate::make(&chain.dir());
            chain.plan(&gate.step());
            chain.now.signal(Signal::HUP);
            let new = at_the_gate(&chain);
            chain.stop();
            assert!(new.is_over());
            assert_eq!(chain.count("hand-over: called off"), 1, "{}", chain.server.stderr());
        }
    }
}

/// SIGTERM at whatever moment of a hand-over: either there is no server any more, and no file of it, or the
/// new one serves.
#[test]
fn sigterm_at_every_moment() {
    for moment in 0..40 {
        let mut chain = Chain::start_daemon(daemon(BOTH[moment % 2]).args(["--drain", "600"]));
        let first = chain.now;
        first.signal(Signal::HUP);
        // Which moment that is nothing depends on.
        let until_then = Instant::now() + Duration::from_micros(500) * moment as u32;
        while Instant::now() < until_then {}
        first.signal(Signal::TERM);
        assert_eq!(chain.wait(first), Some(0), "{}", chain.server.stderr());
        if chain.successors().is_empty() {
            chain.server.await_nobody();
            assert!(!chain.server.socket().exists());
        } else {
            let new = chain.await_successor(0);
            assert_eq!(who(&mut chain.server.connect()).1, pid(new));
            chain.stop();
        }
    }
}

/// The old server is killed while the new one starts: that is not one of its own, and ends, with all
/// that was theirs.
#[test]
fn the_old_one_is_killed() {
    if skipped(&[Need::Tool("mkfifo")]) {
        return;
    }
    let mut chain = Chain::start_daemon(daemon(BOTH[0]));
    let gate = Gate::make(&chain.dir());
    chain.plan(&gate.step());
    chain.now.signal(Signal::HUP);
    at_the_gate(&chain);
    chain.now.signal(Signal::KILL);
    assert_eq!(chain.wait(chain.now), None);
    chain.server.await_nobody();
}

/// The new server is killed while it starts.
#[test]
fn the_new_one_is_killed() {
    if skipped(&[Need::Tool("mkfifo")]) {
        return;
    }
    for signal in [Signal::KILL, Signal::TERM] {
        let mut chain = Chain::start(daemon(BOTH[0]));
        let mut client = chain.server.connect();
        let gate = Gate::make(&chain.dir());
        chain.plan(&gate.step());
        chain.now.signal(Signal::HUP);
        at_the_gate(&chain).signal(signal);
        let line = format!("the new server was ended by signal {}; ", signal.as_raw());
        chain.server.await_stderr(&line);
        goes_on(&mut chain, &mut client);
        chain.plan("");
        drop(client);
        chain.hand_over();
        chain.stop();
    }
}

/// Nobody is left who knows of the new server: it ends, and the old one goes on.
#[test]
fn the_process_between_is_killed() {
    if skipped(&[Need::Tool("mkfifo")]) {
        return;
    }
    let mut chain = Chain::start(daemon(BOTH[0]));
    let mut client = chain.server.connect();
    let gate = Gate::make(&chain.dir());
    chain.plan(&gate.step());
    chain.now.signal(Signal::HUP);
    let new = at_the_gate(&chain);
    let is_parent = |it: &Process| it.children().contains(&new);
    let between = chain.server.processes().into_iter().find(is_parent).expect("a parent");
    assert_ne!(between, chain.now);
    between.signal(Signal::KILL);
    chain.server.await_stderr("hand-over: nobody tells what becomes of the new server; ");
    gate.open();
    assert!(until(|| new.is_over().then_some(())).is_some());
    goes_on(&mut chain, &mut client);
    chain.plan("");
    drop(client);
    chain.hand_over();
    chain.stop();
}

/// A process of which all others depend cannot be replaced.
#[test]
fn process_1_does_not_hand_over() {
    let unshare = ["unshare", "--pid", "--fork", "--kill-child"];
    let can = std::process::Command::new("unshare").args(&unshare[1..]).arg("true").status();
    let can = can.is_ok_and(|status| status.success());
    if skipped(&[Need::Has(can, "no namespace of processes can be made")]) {
        return;
    }
    let mut server = daemon(BOTH[0]).under(unshare).start();
    let mut client = server.connect();
    let one = server.process();
    one.signal(Signal::HUP);
    server.await_stderr("hand-over: process 1 cannot be replaced; this server goes on");
    client.echo("still served");
    one.signal(Signal::TERM);
    assert_eq!(server.wait(), Some(0));
}
