//! What a program has the loop call: `ws_post`, `ws_watch`, `ws_after`, and `ws_start_callback`, from which on that is
//! so. The server is tests/c/tasks.c.

mod posts;
mod start;
mod threads;
mod timers;
mod walks;
mod watches;

use crate::harness::{Client, Launch, Server, Variant, until};

fn launch() -> Launch {
    Launch::of("tasks.c", Variant::Default)
}

/// The server, which has done that in `ws_start_callback`.
fn started(calls: &str) -> Launch {
    launch().env("TASKS_START", calls)
}

/// Has the read callback of that client make these calls: what the last one returned.
fn ask(client: &mut Client, calls: &str) -> String {
    client.ask(&format!("!{calls}"))
}

/// How often a task has run.
fn count(client: &mut Client, task: &str) -> u32 {
    ask(client, &format!("count {task}")).parse().expect("a number")
}

/// Waits until a task has run so often, or more. Whoever asks is served meanwhile.
fn await_count(client: &mut Client, task: &str, times: u32) {
    let reached = until(|| (count(client, task) >= times).then_some(()));
    assert!(reached.is_some(), "{task} has run {} times", count(client, task));
}

/// Rounds of the loop go by, in which the client is served.
fn rounds(client: &mut Client) {
    (0..10).for_each(|_| client.echo("a round"));
}

/// The lines of the journal, without the times.
fn lines(server: &Server) -> Vec<String> {
    let journal = server.journal();
    let line = |line: &str| match line.split_once(' ') {
        Some(("ran", rest)) => format!("ran {}", rest.split(' ').next().unwrap_or("")),
        _ => line.to_owned(),
    };
    journal.lines().map(line).collect()
}

/// Where a line stands in the journal, which must be there once.
fn place(lines: &[String], wanted: &str) -> usize {
    let places: Vec<_> = lines.iter().enumerate().filter(|(_, it)| *it == wanted).collect();
    assert_eq!(places.len(), 1, "{wanted:?} in {lines:#?}");
    places[0].0
}

/// The lines stand in this order, each once.
fn in_order(server: &Server, wanted: &[&str]) {
    let lines = lines(server);
    let places: Vec<_> = wanted.iter().map(|it| place(&lines, it)).collect();
    assert!(places.is_sorted(), "{wanted:?} in {lines:#?}");
}
