//! libdorrit(8): hand-overs, and new starts after a crash (CONTRACT E6).

use rustix::process::Signal;

use super::{BOTH, Chain, Gate, launch, pid, who};
use crate::harness::{Client, Launch, Need, skipped, until};

fn classic() -> Launch {
    launch(BOTH[1]).args(["--drain", "600"])
}

fn crash(client: &mut Client) {
    client.text("!crash");
    client.expect_end();
}

fn await_starts(chain: &Chain, starts: usize) {
    let seen = until(|| (chain.server.journal().matches("begun ").count() == starts).then_some(()));
    assert!(seen.is_some(), "{}", chain.server.journal());
}

/// A server that has taken over is started anew after a crash: the same process; and hands over again.
#[test]
fn a_crash_after_a_hand_over() {
    for start in [Chain::start, Chain::start_daemon] {
        let launch = classic();
        let name = launch.unique_name();
        let mut chain = start(launch.name(&name));
        for round in 0..3 {
            let new = chain.hand_over();
            crash(&mut chain.server.connect());
            await_starts(&chain, 3 + 2 * round);
            assert_eq!(who(&mut chain.server.connect()).1, pid(new));
            assert_eq!(chain.count("started anew after signal 11"), round + 1);
        }
        assert_eq!(chain.count("not started as root"), {
            usize::from(!rustix::process::geteuid().is_root())
        });
        chain.stop();
    }
}

/// Five crashes of a server are no reason for the next one not to start anew.
#[test]
fn crashes_are_not_inherited() {
    let mut chain = Chain::start(classic());
    for starts in 2..=6 {
        crash(&mut chain.server.connect());
        await_starts(&chain, starts);
    }
    chain.hand_over();
    for starts in 8..=12 {
        crash(&mut chain.server.connect());
        await_starts(&chain, starts);
    }
    assert_eq!(who(&mut chain.server.connect()).1, pid(chain.now));
    chain.stop();
}

/// A server that has handed over is not started anew: the signal ends it.
#[test]
fn a_crash_while_it_drains() {
    let mut chain = Chain::start(classic());
    let first = chain.now;
    let mut client = chain.server.connect();
    client.echo("hello");
    chain.hand_over();
    crash(&mut client);
    assert_eq!(chain.server.wait_signal(), Signal::SEGV.as_raw());
    assert_eq!(who(&mut chain.server.connect()).1, pid(chain.now));
    assert_eq!(chain.server.journal().matches("init ").count(), 2);
    assert!(first.is_over());
    chain.stop();
}

/// A crash calls off the hand-over that is under way, and the server starts anew.
#[test]
fn a_crash_while_the_new_one_starts() {
    if skipped(&[Need::Tool("mkfifo")]) {
        return;
    }
    let mut chain = Chain::start(classic());
    let gate = Gate::make(&chain.dir());
    let mut client = chain.server.connect();
    client.echo("hello");
    chain.plan(&gate.step());
    chain.now.signal(Signal::HUP);
    let at_the_gate = || (chain.server.journal().matches("init ").count() == 2).then_some(());
    assert!(until(at_the_gate).is_some(), "{}", chain.server.journal());
    let is_new = |it: &crate::harness::Process| {
        chain.server.journal().contains(&format!("init {} ", it.0)) && *it != chain.now
    };
    let new = chain.server.processes().into_iter().find(is_new).expect("it stands there");
    chain.plan("");
    crash(&mut client);
    await_starts(&chain, 2);
    assert!(until(|| new.is_over().then_some(())).is_some());
    assert_eq!(who(&mut chain.server.connect()).1, pid(chain.now));
    chain.hand_over();
    assert_eq!(who(&mut chain.server.connect()).1, pid(chain.now));
    chain.stop();
}
