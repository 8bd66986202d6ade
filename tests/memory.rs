//! Where memory cannot be had.

use crate::harness::{Launch, Op, Variant};

/// CONTRACT D17: -1, nothing is queued for anybody, and the server goes on.
#[test]
fn a_message_that_memory_does_not_hold() {
    let mut server = Launch::probe().start();
    let mut first = server.connect();
    let mut second = server.connect();
    for _ in 0..3 {
        assert_eq!(second.ask("!oom"), "-1 0 0");
    }
    first.echo("as ever");
    second.echo("as ever");
    second.text("!write 1 1 100000 1");
    second.expect_text("0 2");
    assert_eq!(first.receive().op, Op::BINARY);
    drop((first, second));
    server.stop();
}

/// CONTRACT D17: whichever allocation of a call it is that fails.
#[test]
fn every_allocation_of_a_write_may_fail() {
    let mut server = Launch::of("counts.c", Variant::Default).start();
    let mut client = server.connect();
    for length in [1, 100, 65535, 65536, 300_000, 1 << 20] {
        // So that what the loop keeps for later is there, and what the message itself takes
        // remains.
        client.text(&format!("!starve {length}"));
        let mut received = 0;
        let answer = loop {
            let frame = client.receive();
            if frame.op == Op::TEXT {
                break frame;
            }
            received += frame.payload.len();
        };
        let answer: i64 = answer.as_text().parse().expect("a number");
        assert!(answer >= 0, "a failure was not reported for {length} bytes");
        assert_eq!(received, length, "the one that succeeded, and no other");
    }
    client.echo("as ever");
    drop(client);
    server.stop();
}
