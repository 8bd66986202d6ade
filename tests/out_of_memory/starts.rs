//! The start and the stop. A start may fail, and then says why.

use rustix::process::Signal;

use super::{Bystander, check_ends, launch};
use crate::harness::{Client, Ended, Faults, Launch, Process, Server, skipped};

/// CONTRACT S14: a start for which memory lacks goes on, or ends with status 1 and says why.
#[test]
fn each_allocation_of_a_start_may_fail() {
    if skipped(&[Faults::NEED]) {
        return;
    }
    scan(1, Launch::try_start);
}

/// The same for a daemon, and the process that waits for it.
#[test]
fn each_allocation_of_a_daemons_start_may_fail() {
    if skipped(&[Faults::NEED]) {
        return;
    }
    scan(3, |launch| {
        let name = launch.unique_name();
        let socket = launch.socket_path();
        launch.name(&name).try_start_daemon_by(|| Process::at(Client::raw(&socket)))
    });
}

/// Has one allocation fail, at every `step`th place, each time in a start of its own.
fn scan(step: u64, start: impl Fn(Launch) -> Result<Server, Ended>) {
    let mut after = 0;
    loop {
        let (launch, faults) = launch();
        faults.fail(after, 1);
        match start(launch) {
            Ok(mut server) => {
                let has_failed = faults.failed() > 0;
                faults.heal();
                Bystander::of(&server).echo();
                server.stop();
                if !has_failed {
                    assert!(after > 50, "{after} allocations are not all of them");
                    return;
                }
            }
            Err(Ended { code, stderr, .. }) => {
                assert_eq!(code, Some(1), "at {after}: {stderr}");
                assert!(!stderr.is_empty(), "at {after} it did not say why");
            }
        }
        after += step;
    }
}

/// CONTRACT S10, S14: whatever memory lacks at the stop, it is a stop.
#[test]
fn each_allocation_of_a_stop_may_fail() {
    if skipped(&[Faults::NEED]) {
        return;
    }
    for many in [1, u64::MAX] {
        let mut after = 0;
        loop {
            let (launch, faults) = launch();
            let mut server = launch.start();
            let clients = [Bystander::of(&server), Bystander::of(&server)];
            faults.fail(after, many);
            server.signal(Signal::TERM);
            assert_eq!(server.wait(), Some(0), "at {after}: {}", server.stderr());
            check_ends(&server);
            assert!(!server.socket().exists());
            drop(clients);
            if faults.failed() == 0 {
                break;
            }
            after += 1;
        }
    }
}
