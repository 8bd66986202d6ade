//! A hand-over for which memory lacks: the new server serves, or the old one does.

use rustix::process::Signal;

use super::{Chain, launch};
use crate::harness::{Faults, skipped, until};

/// CONTRACT S14: whichever allocation of both processes it is that fails, nobody's connection is lost.
#[test]
fn each_allocation_of_a_hand_over_may_fail() {
    if skipped(&[Faults::NEED]) {
        return;
    }
    const GOES_ON: &str = "this server goes on";
    let (launch, faults) = Faults::of(launch("handover.c"));
    let mut chain = Chain::start(launch);
    let mut client = chain.server.connect();
    let mut after = 0;
    loop {
        client.echo("before");
        let (successors, failures, failed) =
            (chain.successors().len(), chain.count(GOES_ON), faults.failed());
        faults.fail(after, 1);
        chain.now.signal(Signal::HUP);
        let outcome = until(|| {
            let successor = chain.successors().get(successors).copied();
            let has_failed = chain.count(GOES_ON) > failures;
            (successor.is_some() || has_failed).then_some(successor)
        });
        let outcome = outcome.unwrap_or_else(|| panic!("{after}: {}", chain.server.stderr()));
        faults.heal();
        client.echo("after");
        chain.now = outcome.unwrap_or(chain.now);
        client = chain.server.connect();
        if faults.failed() == failed {
            assert!(after > 50, "{after} allocations are not all of them");
            break;
        }
        after += 2;
    }
    drop(client);
    chain.stop();
}
