//! A limit on a queue counts the memory that is held, and what is no longer needed is given back (CONTRACT S22).

use super::{ask, fill, set};
use crate::harness::{Client, until};

const MIB: u64 = 1 << 20;
const LIMIT: u64 = 32 * MIB;

fn number(client: &mut Client, calls: &str) -> u64 {
    ask(client, calls).parse().expect("a number")
}

/// However small the messages are that wait for a client that does not read. What the program is told of the queue
/// are frames and bytes on the wire.
#[test]
fn small_messages() {
    for (length, header) in [(1, 2), (20, 2), (200, 4)] {
        let mut server = set(&format!("limit {LIMIT} 1")).start();
        let stuck = server.connect();
        let mut commander = server.connect();
        let start = server.process().resident();
        fill(&mut commander, 1);
        let before = (number(&mut commander, "qlen 1"), number(&mut commander, "qbytes 1"));
        let answer = ask(&mut commander, &format!("send 1 1 {length} {}", LIMIT / (length + 2)));
        let (queued, last) = answer.split_once(' ').expect("two numbers");
        let queued: u64 = queued.parse().expect("a number");
        assert_eq!(last, "0", "{length} bytes: the limit is reached");
        let after = (number(&mut commander, "qlen 1"), number(&mut commander, "qbytes 1"));
        assert_eq!(after.0 - before.0, queued, "frames of {length} bytes");
        assert_eq!(after.1 - before.1, queued * (length + header), "bytes in frames of {length}");
        let grown = server.process().resident() - start;
        assert!(grown <= LIMIT * 5 / 4, "{grown} bytes for {LIMIT} of {length} each");
        assert!(after.1 >= LIMIT / 2, "{} bytes of {length} each are held", after.1);
        drop(stuck);
        server.await_journal("close 1 ");
        let is_back = || (server.process().resident() <= start + 2 * MIB).then_some(());
        let resident = || server.process().resident();
        assert!(until(is_back).is_some(), "{length} bytes: {} became {}", start, resident());
        commander.echo("as ever");
        server.stop();
    }
}

/// The same where each message is for many.
#[test]
fn small_messages_for_many() {
    const CLIENTS: u64 = 8;
    let limit = LIMIT / CLIENTS;
    for length in [1, 20, 200] {
        let mut server = set(&format!("limit {limit} 1")).start();
        let stuck: Vec<_> = (0..CLIENTS).map(|_| server.connect()).collect();
        let mut commander = server.connect();
        let start = server.process().resident();
        for number in 1..=CLIENTS {
            fill(&mut commander, number as u32);
        }
        // The commander is sent each of them too, and has to read.
        let mut rounds = 0;
        let mut is_full = false;
        while !is_full {
            let times = 2000;
            commander.text(&format!("!sendall 1 {length} {times}"));
            let answer = loop {
                let frame = commander.receive();
                if frame.op == crate::harness::Op::TEXT {
                    break frame.as_text().to_owned();
                }
            };
            is_full = answer.ends_with(" 1");
            rounds += 1;
            assert!(rounds < limit / 1000, "the limit is never reached: {answer}");
        }
        let grown = server.process().resident() - start;
        assert!(grown <= LIMIT * 5 / 4, "{grown} bytes for {LIMIT} of {length} each");
        drop(stuck);
        for number in 1..=CLIENTS {
            server.await_journal(&format!("close {number} "));
        }
        let is_back = || (server.process().resident() <= start + 2 * MIB).then_some(());
        let resident = || server.process().resident();
        assert!(until(is_back).is_some(), "{length} bytes: {} became {}", start, resident());
        commander.echo("as ever");
        server.stop();
    }
}
