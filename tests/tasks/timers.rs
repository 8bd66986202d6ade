//! `ws_after` and `ws_cancel`. Times are measured from below alone: a late call is no fault.

use super::{ask, await_count, count, in_order, launch, rounds, started};
use crate::harness::{Server, say, until};

/// When a task has run, in milliseconds.
fn times(server: &Server, task: &str) -> Vec<u64> {
    let (journal, beginning) = (server.journal(), format!("ran {task} "));
    let times = journal.lines().filter_map(|line| line.strip_prefix(&beginning));
    times.map(|it| it.parse().expect("milliseconds")).collect()
}

fn now() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1000 + now.tv_nsec as u64 / 1_000_000
}

/// Each once, by when it is due, and in the order of the calls where that is the same; never early.
#[test]
fn each_once_and_in_order() {
    let mut server = launch().start();
    let mut client = server.connect();
    let start = now();
    ask(&mut client, "after 150 d;after 50 b;after 100 c;after 0 a;sleep 200");
    await_count(&mut client, "d", 1);
    in_order(&server, &["ran a", "ran b", "ran c", "ran d"]);
    ask(&mut client, "after 150 h;after 50 f;after 100 g;after 0 e");
    await_count(&mut client, "h", 1);
    in_order(&server, &["ran d", "ran e", "ran f", "ran g", "ran h"]);
    for (task, millis) in [("f", 50), ("g", 100), ("h", 150), ("d", 150)] {
        assert!(times(&server, task)[0] >= start + millis, "{task}");
        assert_eq!(count(&mut client, task), 1, "{task}");
    }
    server.stop();
}

/// With nobody there, and nothing else to do: the loop wakes by itself.
#[test]
fn with_nobody_there() {
    let mut server = started("let a after 20 b\nafter 20 a").start();
    server.await_journal("ran b");
    server.stop();
}

/// Armed again by itself, it counts from when it was due, however long it takes: it does not become later and later.
#[test]
fn what_the_function_takes_is_not_added() {
    let mut server = started("let t sleep 60;after 200 t\nafter 200 t").start();
    // Where the machine pauses a call is late, and the next ones are not: five that are not are enough. Were the
    // 60 ms added, five would always take 1300 ms.
    let is_even = || times(&server, "t").windows(6).any(|six| six[5] - six[0] < 1_150);
    let found = until(|| (is_even() || times(&server, "t").len() >= 20).then(is_even));
    assert_eq!(found, Some(true), "{:?}", times(&server, "t"));
    let all = times(&server, "t");
    // The first was due 200 ms after the start.
    let beginning = all[0] as i64;
    for pair in all.windows(2) {
        assert!(pair[1] >= pair[0] + 60, "{all:?}");
    }
    assert!(all.iter().zip(0..).all(|(it, turn)| *it as i64 >= beginning - 200 + 200 * turn));
    server.stop();
}

/// Periods that have passed already are left out.
#[test]
fn periods_that_have_passed_are_left_out() {
    let start = now();
    // Due at 100, it has let those at 200 and 300 pass when it asks for the next one.
    let mut server = started("let t sleep 250;after 100 t\nafter 100 t").start();
    let is_even = || times(&server, "t").windows(5).any(|five| five[4] - five[0] < 1_350);
    let found = until(|| (is_even() || times(&server, "t").len() >= 20).then(is_even));
    // Were it to count from the call, four would always take 1400 ms.
    assert_eq!(found, Some(true), "{:?}", times(&server, "t"));
    for (turn, time) in (0..).zip(times(&server, "t")) {
        assert!(time >= start + 100 + 300 * turn, "call {turn} of {:?}", times(&server, "t"));
    }
    server.stop();
}

/// Asked for before what takes long, the next one counts from the same moment.
#[test]
fn armed_before_what_takes_long() {
    let mut server = started("let t after 200 t;sleep 60\nafter 200 t").start();
    let is_even = || times(&server, "t").windows(6).any(|six| six[5] - six[0] < 1_150);
    let found = until(|| (is_even() || times(&server, "t").len() >= 20).then(is_even));
    assert_eq!(found, Some(true), "{:?}", times(&server, "t"));
    server.stop();
}

/// Another task counts from the call, also where it has the same function.
#[test]
fn another_one_counts_from_the_call() {
    let mut server =
        started("let a sleep 60;after 200 b\nlet b sleep 60;after 200 a\nafter 0 a").start();
    let mut client = server.connect();
    await_count(&mut client, "b", 3);
    let (a, b) = (times(&server, "a"), times(&server, "b"));
    for (a, b) in a.iter().zip(&b) {
        assert!(*b >= a + 260, "{a} and {b}");
    }
    server.stop();
}

/// From a post it counts from now, though it is the same function and data.
#[test]
fn from_elsewhere_it_counts_from_now() {
    let mut server =
        started("let t when 1 post t;when 2 after 100 t;when 2 sleep 70\nafter 50 t").start();
    server.await_journal("ran t");
    let three = until(|| Some(times(&server, "t")).filter(|it| it.len() == 3)).expect("three");
    assert!(three[2] >= three[1] + 100, "{three:?}");
    server.stop();
}

/// Cancelled by others, by itself, twice; and what is no timer.
#[test]
fn cancelled() {
    let mut server = launch().start();
    let mut client = server.connect();
    assert_eq!(ask(&mut client, "after 0 a;cancel a"), "cancelled");
    assert_eq!(ask(&mut client, "after 20 b;cancel b;cancel b;cancelany"), "cancelled");
    // Of two that are due at the same time the first cancels the second, and itself, which is stale.
    ask(&mut client, "let c cancel c;cancel d;after 0 e\nafter 10 c;after 10 d;sleep 20");
    await_count(&mut client, "e", 1);
    ask(&mut client, "after 20 f");
    await_count(&mut client, "f", 1);
    // What has been called is stale, and no other one is meant by it.
    ask(&mut client, "after 20 g;cancel f;cancel c;cancelconn 0");
    await_count(&mut client, "g", 1);
    for (task, times) in [("a", 0), ("b", 0), ("c", 1), ("d", 0), ("e", 1), ("f", 1)] {
        assert_eq!(count(&mut client, task), times, "{task}");
    }
    server.stop();
}

/// CONTRACT F6: a connection's handle where a timer's belongs, and a timer's where a connection's does.
#[test]
fn handles_of_another_kind() {
    let mut server = launch().start();
    let mut client = server.connect();
    ask(&mut client, "after 50 a;cancelconn 0;cancelconn 1");
    assert_eq!(
        ask(&mut client, "asconn a"),
        "write=0 send=0 data=null qlen=0 qbytes=0 code=1006 protocol=[]"
    );
    await_count(&mut client, "a", 1);
    client.echo("not closed");
    assert_eq!(
        ask(&mut client, "asconn a"),
        "write=0 send=0 data=null qlen=0 qbytes=0 code=1006 protocol=[]",
        "a stale one"
    );
    server.stop();
}

/// The longest time and the shortest; no function; and what waits at the stop is dropped, and does not delay it.
#[test]
fn at_the_limits() {
    let mut server = launch().env("TASKS_CLOSE", "after 0 late;after 4294967295 late").start();
    let mut client = server.connect();
    assert_eq!(ask(&mut client, "after 0 NULL"), "null");
    assert_eq!(ask(&mut client, "after 4294967295 NULL"), "null");
    for millis in ["4294967295", "2147483648", "2147483647", "86400000", "3600000"] {
        assert_eq!(ask(&mut client, &format!("after {millis} far")), "set");
    }
    assert_eq!(ask(&mut client, "after 0 near"), "set");
    await_count(&mut client, "near", 1);
    rounds(&mut client);
    assert_eq!((count(&mut client, "far"), count(&mut client, "NULL")), (0, 0));
    server.stop();
    assert!(!server.journal().contains("ran far"), "{}", server.journal());
}

/// A hundred thousand: each that was not cancelled is called once, and clients are served. What they have taken is given
/// back (CONTRACT S22).
#[test]
fn a_hundred_thousand() {
    const MIB: u64 = 1 << 20;
    let mut server = launch().start();
    let mut client = server.connect();
    client.echo("warm");
    let before = (server.process().ticks(), server.process().resident());
    assert_eq!(ask(&mut client, "many 1 500 a"), "0");
    await_count(&mut client, "a", 100_000);
    let fired = server.process().ticks();
    assert_eq!(ask(&mut client, "many 3600000 3700000 b;cancelmany 1"), "cancelled");
    let cancelled = server.process().ticks();
    assert_eq!(ask(&mut client, "many 300 500 c"), "0");
    assert_eq!(ask(&mut client, "cancelmany 2"), "cancelled");
    await_count(&mut client, "c", 50_000);
    rounds(&mut client);
    let counts = ["a", "b", "c"].map(|task| count(&mut client, task));
    assert_eq!(counts, [100_000, 0, 50_000]);
    say(&format!(
        "100000 timers: {} ticks of processor time to set and call them, {} to set and cancel them",
        fired - before.0,
        cancelled - fired
    ));
    let fell = until(|| (server.process().resident() < before.1 + 2 * MIB).then_some(()));
    assert!(fell.is_some(), "{} bytes, and {} before", server.process().resident(), before.1);
    server.stop();
}

/// One of 0 ms that arms itself for ever, a watch that is always ready, and posts that post again, all at once: clients
/// are served, new ones too, each of the three goes on, and SIGTERM ends the server.
#[test]
fn the_budget_of_clients() {
    let calls = "let t after 0 t\nlet p post p\nlet q post q\nopen writer w;watch w 2;after 0 t;post p;post q";
    let mut server = started(calls).start();
    let mut client = server.connect();
    for round in 1..=100 {
        client.echo("hello");
        if round % 10 == 0 {
            server.connect().echo("a newcomer");
        }
    }
    let counts = ["t", "w", "p", "q"].map(|task| count(&mut client, task));
    for (task, times) in ["t", "w", "p", "q"].into_iter().zip(counts) {
        await_count(&mut client, task, times + 100);
    }
    server.stop();
}
