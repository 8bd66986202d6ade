//! Compressed messages for which memory lacks: what they take is given back.

use rustix::process::Signal;

use super::{Bystander, launch, stop};
use crate::harness::{Client, Faults, Frame, Op, Request, Server, skipped, until};

/// How long the message is: more than is decompressed in a turn.
const LENGTH: usize = 3_000_000;

/// CONTRACT S14, S22: whichever allocation fails while a message is decompressed that takes several turns, what
/// is counted as held is what it was.
#[test]
fn what_a_failure_leaves_is_given_back() {
    if skipped(&[Faults::NEED]) {
        return;
    }
    let (launch, faults) = launch();
    let mut server = launch.args(["--max-message", "5000000"]).start();
    let message = Frame::new(Op::BINARY, zeros(LENGTH)).reserved(4).bytes();
    let mut asked = 0;
    let before = held_after(&server, &message, &mut asked);
    for after in 0.. {
        let mut client = deflating(&server);
        let failed = faults.failed();
        faults.fail(after, 1);
        client.send_bytes(&message);
        let _ = client.next();
        faults.heal();
        drop(client);
        assert_eq!(held_after(&server, &message, &mut asked), before, "at {after}");
        if faults.failed() == failed {
            assert!(after > 3, "{after} allocations are not all of them");
            break;
        }
    }
    stop(&mut server);
}

fn deflating(server: &Server) -> Client {
    let request = Request::new().with("Sec-WebSocket-Extensions", "permessage-deflate");
    let mut client = server.raw().upgrade(&request);
    client.expect_text("hello");
    client
}

/// What the server says that it holds when a message was dealt with for which there was memory, and its client
/// has gone.
fn held_after(server: &Server, message: &[u8], asked: &mut usize) -> String {
    let mut client = deflating(server);
    client.send_bytes(message);
    let mut answer = client.receive();
    while !answer.fin {
        assert!([Op::BINARY, Op::CONTINUATION].contains(&answer.op), "{answer:?}");
        answer = client.receive();
    }
    drop(client);
    Bystander::of(server).echo();
    server.signal(Signal::USR1);
    *asked += 1;
    let line = until(|| {
        let said = server.stderr();
        let mut lines = said.lines().filter(|line| line.contains(" held_bytes="));
        lines.nth(*asked - 1).map(str::to_owned)
    });
    let line = line.expect("it says so");
    line.split(' ').find(|word| word.starts_with("held_bytes=")).expect("it is there").to_owned()
}

/// So many zero bytes, compressed (RFC 1951 3.2.6): one, and repetitions of it by 258.
fn zeros(length: usize) -> Vec<u8> {
    // A block that is not the last, of fixed codes; a literal 0, code 00110000.
    let mut bits = vec![0, 1, 0];
    bits.extend([0, 0, 1, 1, 0, 0, 0, 0]);
    // Length 258, code 11000101, from a distance of 1, code 00000.
    let repetition = [1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0];
    bits.extend(repetition.iter().cycle().take(repetition.len() * (length / 258)));
    // The block's end, code 0000000, and an empty block without compression, whose length is left out (RFC 7692
    // 7.2.1).
    bits.extend([0; 7]);
    bits.extend([0; 3]);
    bits.chunks(8).map(|byte| byte.iter().rev().fold(0, |all, bit| all << 1 | bit)).collect()
}
