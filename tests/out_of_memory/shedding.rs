//! Memory that is really used up: the server makes room, and goes on.

use rustix::process::Signal;

use super::{Bystander, launch, stop};
use crate::harness::{Faults, Frame, Op, skipped};

/// CONTRACT S14, S27: the client that holds most is told to come back later, the others go on, and who
/// comes then is served. The log and the figures name it.
#[test]
fn who_holds_most_is_dropped() {
    if skipped(&[Faults::NEED]) {
        return;
    }
    const LONG: u64 = 32 << 20;
    let (launch, _) = launch();
    let mut server = launch.args(["--max-message", "50000000"]).start();
    let mut bystanders = [Bystander::of(&server), Bystander::of(&server)];
    let mut greedy = Bystander::of(&server).0;
    // All but a byte of a message: its memory is held as long as that does not come.
    let whole = Frame::new(Op::BINARY, vec![7; LONG as usize]).bytes();
    greedy.send_and_drain(&whole[..whole.len() - 1]);
    bystanders[0].0.text("!eat");
    bystanders[0].0.text("!all");
    greedy.expect_close(1013);
    bystanders.iter_mut().for_each(Bystander::echo);
    let mut late = Bystander::of(&server);
    late.echo();
    server.await_stderr("there is not enough memory");
    server.await_stderr("a client is dropped: there is no memory, and it holds most");
    server.signal(Signal::USR1);
    server.await_stderr("dropped_memory=1");
    drop((bystanders, late));
    stop(&mut server);
}
