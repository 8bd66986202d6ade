//! `ws_set_periodic`. Times are what is measured here, and only from below: a late call is no
//! fault.

use std::time::Duration;

use crate::harness::{Launch, Server, until};

fn ticks(server: &Server) -> Vec<u64> {
    let journal = server.journal();
    let ticks = journal.lines().filter_map(|line| line.strip_prefix("tick "));
    ticks.map(|it| it.parse().expect("milliseconds")).collect()
}

fn await_ticks(server: &Server, count: usize) -> Vec<u64> {
    until(|| Some(ticks(server)).filter(|it| it.len() >= count)).expect("it is called")
}

fn at_least_apart(ticks: &[u64], least: u64) {
    for pair in ticks.windows(2) {
        assert!(pair[1] - pair[0] >= least, "{ticks:?}");
    }
}

/// CONTRACT D8: each time that so many seconds have passed since the last call, with nobody there.
#[test]
fn the_function_is_called_again_and_again() {
    let mut server = Launch::probe().env("PROBE_PERIODIC", "1").start();
    at_least_apart(&await_ticks(&server, 4), 950);
    server.stop();
}

/// CONTRACT D8: a busy server calls it as well, neither more often nor never.
#[test]
fn it_is_called_while_messages_come() {
    let mut server = Launch::probe().env("PROBE_PERIODIC", "1").start();
    let mut client = server.connect();
    while ticks(&server).len() < 3 {
        (0..100).for_each(|_| client.echo("busy"));
    }
    at_least_apart(&ticks(&server), 950);
    drop(client);
    server.stop();
}

/// CONTRACT D8: a second call replaces the first; less than a second, or no function, switches it
/// off.
#[test]
fn it_can_be_changed_and_switched_off() {
    let mut server = Launch::probe().start();
    let mut client = server.connect();
    for off in ["0", "-5", "1 null"] {
        assert_eq!(client.ask("!periodic 1"), "set");
        let count = ticks(&server).len();
        let seen = await_ticks(&server, count + 1);
        at_least_apart(&seen[count..], 950);
        assert_eq!(client.ask(&format!("!periodic {off}")), "set");
        let count = ticks(&server).len();
        assert!(!client.hears_within(Duration::from_millis(1500)));
        assert_eq!(ticks(&server).len(), count, "after {off}");
    }
    assert_eq!(client.ask("!periodic 3600"), "set");
    assert_eq!(client.ask("!periodic 1"), "set");
    let count = ticks(&server).len();
    await_ticks(&server, count + 1);
    assert_eq!(client.ask("!periodic 2147483647"), "set");
    let count = ticks(&server).len();
    assert!(!client.hears_within(Duration::from_millis(1500)));
    assert_eq!(ticks(&server).len(), count);
    drop(client);
    server.stop();
}
