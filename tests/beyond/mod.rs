//! What goes beyond the manuals, by the C API: each function and option in all that it returns, at
//! its limits, and where it may not be called. The server is tests/c/beyond.c. T numbers are the
//! advisories that a case comes from, USERS numbers what users of other libraries ask for.

mod close_codes;
mod compression;
mod drains;
mod feed;
mod fragments;
mod keepalive;
mod long_messages;
mod memory;
mod opening;
mod options;
mod origins;
mod protocols;
mod queue_limits;
mod queue_memory;
mod sending;
mod settings;
mod silence;
mod statuses;
mod threads;

use crate::harness::{Client, Launch, Request, Server, Variant};

/// The server, after these calls in `ws_init_func`.
fn set(calls: &str) -> Launch {
    Launch::of("beyond.c", Variant::Default).env("BEYOND_INIT", calls)
}

/// The server that has asked for nothing.
fn nothing_set() -> Launch {
    Launch::of("beyond.c", Variant::Default)
}

/// A request for which the open callback makes these calls.
fn doing(calls: &str) -> Request {
    Request::new().with("X-Do", calls)
}

fn open(server: &Server, request: &Request) -> Client {
    Client::upgraded(server.socket(), request)
}

/// Has the read callback of that client make these calls: what the last one returned.
fn ask(client: &mut Client, calls: &str) -> String {
    client.ask(&format!("!{calls}"))
}

/// What that call returned in the callback that it names: "open", "did" or "init".
fn returned(server: &Server, call: &str) -> String {
    let beginning = format!("{call}: ");
    server.await_journal(&beginning)[beginning.len()..].to_owned()
}

/// Queues messages of ten thousand bytes for that connection, by another client, until its socket takes
/// no more: from then on every byte counts.
fn fill(commander: &mut Client, number: u32) {
    loop {
        ask(commander, &format!("send {number} 1 10000 1"));
        // Whatever the socket takes is gone when the next command is served.
        if (0..2).all(|_| ask(commander, &format!("qlen {number}")) != "0") {
            return;
        }
    }
}
