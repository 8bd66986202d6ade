//! libdorrit(8), the classic library: programs written to the older manual, against its own header
//! and library.
//!
//! What both libraries do in the same way is pinned once, by the modules beside this one. Here
//! stands what differs (CONTRACT part 2), and that what is the same is there.

mod arguments;
mod buffers;
mod clauses;
mod crashes;
mod examples;
mod exports;
mod fragments;
mod handlers;
mod header;
mod install;
mod introduction;
mod linking;
mod manual;
mod messages;
mod older_names;
mod other_library;
mod queue;
mod restart;
mod restart_as_root;
mod room;
mod staying_down;

use crate::harness::{Client, Request, Server};

/// An upgraded connection with that Host header, which commands the probe as a cookie does where
/// there is `-h`.
fn connect_for(server: &Server, host: &str) -> Client {
    Client::upgraded(server.socket(), &Request::new().change("Host", host))
}

/// Crashes the server in that way, by a client of its own, and waits until it has started anew.
fn crash(server: &Server, way: &str) {
    let before = starts(server);
    let mut client = server.connect();
    client.text(&format!("!crash {way}"));
    client.expect_end();
    let again = crate::harness::until(|| (starts(server) > before).then_some(()));
    assert!(again.is_some(), "no new start after {way}:\n{}", server.journal());
    server.connect().echo("here again");
}

/// How often the server has started.
fn starts(server: &Server) -> usize {
    server.journal().lines().filter(|line| line.starts_with("init ")).count()
}

/// The line of the journal that the last start wrote, without "init".
fn last_start(server: &Server) -> String {
    let journal = server.journal();
    let line = journal.lines().rev().find_map(|line| line.strip_prefix("init "));
    line.expect("it has started").to_owned()
}
