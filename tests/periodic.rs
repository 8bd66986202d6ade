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

/// CONTRACT S21: a period counts from when the last call was due, however long that one took: calls are not
/// early, and do not become later and later.
#[test]
fn what_a_call_takes_is_not_added() {
    let now = || {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        now.tv_sec as u64 * 1000 + now.tv_nsec as u64 / 1_000_000
    };
    let start = now();
    let launch = Launch::probe().env("PROBE_PERIODIC", "1").env("PROBE_TICK_TAKES", "300");
    let mut server = launch.start();
    // Where the machine pauses a call is late, and the next ones are not: five that are not are enough. Were the
    // 300 ms added, five calls would always take 6.5 s.
    let is_even = || ticks(&server).windows(6).any(|six| six[5] - six[0] < 5_700);
    assert!(until(|| is_even().then_some(())).is_some(), "{:?}", ticks(&server));
    for (number, tick) in (1..).zip(ticks(&server)) {
        assert!(
            tick >= start + 1000 * number,
            "call {number} of {:?} since {start}",
            ticks(&server)
        );
    }
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
