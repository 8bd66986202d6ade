//! The flow of messages: clients that are held back, drains that are wanted, a look at all connections, and the last
//! word. The server is tests/c/flow.c.

mod all;
mod clients_gone;
mod draining;
mod exceptions;
mod hand_over;
mod last_words;
mod pausing;
mod resuming;
mod states;

use std::io::{ErrorKind, Write as _};
use std::time::Duration;

use crate::harness::{Client, LIMIT, Launch, Request, Server, Variant};

/// The server, about to be started.
fn launch() -> Launch {
    Launch::of("flow.c", Variant::Default)
}

/// A request in whose callback these calls are made.
fn doing(calls: &str) -> Request {
    Request::new().with("X-Do", calls)
}

/// A client that is accepted after these calls.
fn open(server: &Server, calls: &str) -> Client {
    server.raw().upgrade(&doing(calls))
}

/// Has the read callback of that client make these calls: what they have returned.
fn ask(client: &mut Client, calls: &str) -> String {
    client.ask(&format!("!{calls}"))
}

/// What the calls of that number have returned where the journal says so.
fn returned(server: &Server, place: &str, number: u32) -> String {
    let beginning = format!("{place} {number}: ");
    server.await_journal(&beginning)[beginning.len()..].to_owned()
}

/// Messages that were told of that number.
fn told(server: &Server, number: u32) -> Vec<String> {
    let beginning = format!("read {number} ");
    let journal = server.journal();
    journal.lines().filter_map(|line| line.strip_prefix(&beginning).map(str::to_owned)).collect()
}

/// Queues messages for that number, by another client, until its socket takes no more.
fn fill(commander: &mut Client, number: u32) {
    loop {
        ask(commander, &format!("send {number} 10000 1"));
        // Whatever the socket takes is gone when the next command is served.
        if (0..2).all(|_| ask(commander, &format!("qbytes {number}")) != "0") {
            return;
        }
    }
}

/// Sends these bytes over and over until the server takes no more: how many it or its socket has taken.
fn stuff(client: &mut Client, commander: &mut Client, bytes: &[u8]) -> usize {
    client.stream().set_write_timeout(Duration::from_millis(1));
    let (mut sent, mut rounds) = (0, 0);
    while rounds < 5 {
        match client.stream().write(&bytes[sent % bytes.len()..]) {
            Ok(count) => (sent, rounds) = (sent + count, 0),
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
                commander.echo("a round");
                rounds += 1;
            }
        }
        // The longest buffers of TCP that systems give by themselves are shorter.
        assert!(sent < 64 << 20, "it is not held back");
    }
    client.stream().set_write_timeout(LIMIT);
    sent
}

/// The next message, of however many frames.
fn message(client: &mut Client) -> Vec<u8> {
    let mut message = Vec::new();
    loop {
        let frame = client.receive();
        message.extend(frame.payload);
        if frame.fin {
            return message;
        }
    }
}
