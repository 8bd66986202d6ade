//! Timers: each is told once, when it is due (CONTRACT S20 to S22).

mod support;

use std::thread::sleep;
use std::time::{Duration, Instant};

use dorrit_engine::{ConnId, Key, TimerId};
use dorrit_proto::CloseCode;
use support::*;

const NOW: Duration = Duration::ZERO;
const LONG: Duration = Duration::from_secs(60);

/// A server that has nothing left to do.
fn server() -> Server {
    let mut server = Server::new(CONFIG);
    server.pump();
    server
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn set(server: &mut Server, after: Duration, number: usize) -> TimerId {
    server.engine.set_timer(after, Key(number, 0)).unwrap()
}

fn numbers(told: &[Source]) -> Vec<usize> {
    let number = |source: &Source| match source {
        Source::Timer(Key(number, 0)) => *number,
        other => panic!("{other:?}"),
    };
    told.iter().map(number).collect()
}

/// What is told until there were so many, for which the loop sleeps.
fn tell(server: &mut Server, count: usize) -> Vec<usize> {
    let mut told = Vec::new();
    while told.len() < count {
        told.extend(numbers(&round(server, LONG, |_, _| {})));
    }
    told
}

#[test]
fn in_the_order_in_which_they_are_due() {
    let mut server = server();
    let start = Instant::now();
    for (after, number) in [(30, 3), (0, 0), (20, 2), (40, 4), (0, 1), (4_000_000_000, 5)] {
        set(&mut server, millis(after), number);
    }
    assert_eq!(server.engine.timeout(), Some(NOW));
    assert_eq!(tell(&mut server, 5), [0, 1, 2, 3, 4]);
    assert!(start.elapsed() >= millis(40), "{:?}", start.elapsed());
    let left = server.engine.timeout().unwrap();
    assert!(left > millis(3_900_000_000) && left <= millis(4_000_000_000), "{left:?}");
}

/// Not before it is due, however often it is looked.
#[test]
fn not_too_early() {
    let mut server = server();
    for after in [1, 2, 3, 5, 8, 13] {
        let start = Instant::now();
        set(&mut server, millis(after), 0);
        while round(&mut server, NOW, |_, _| {}).is_empty() {}
        assert!(start.elapsed() >= millis(after), "{:?} for {after}", start.elapsed());
    }
}

/// One that is set for now comes in the next round, whoever sets it: it is not told for ever in this one.
#[test]
fn for_now() {
    let mut server = server();
    set(&mut server, NOW, 0);
    for number in 0..100 {
        let mut told = Vec::new();
        while told.is_empty() {
            told = round(&mut server, LONG, |engine, _| {
                engine.set_timer(NOW, Key(number + 1, 0)).unwrap();
            });
        }
        assert_eq!(numbers(&told), [number]);
    }
}

/// Set anew with the same key from its event, a timer counts from when it was due, however late it is told; what has
/// passed already is left out.
#[test]
fn periods() {
    let (mut server, period) = (server(), millis(500));
    for (late, later) in [(0, 0), (80, 0), (30, 50), (600, 0), (20, 1050)] {
        // Where the machine stands still for longer than is left of the period, it cannot be seen.
        let mut is_seen = false;
        while !is_seen {
            let first = Instant::now();
            let id = set(&mut server, period, 7);
            let last = Instant::now();
            sleep(period + millis(late));
            let told = round(&mut server, LONG, |engine, _| {
                sleep(millis(later));
                let next = engine.set_timer(period, Key(7, 0)).unwrap();
                let asked = Instant::now();
                let left = engine.timeout().unwrap();
                let due = (asked + left, Instant::now() + left);
                let is_in_step =
                    |count| first + period * count <= due.1 && due.0 <= last + period * count;
                is_seen = left > NOW;
                assert!(!is_seen || (2..100).any(is_in_step), "{late} and {later} ms late");
                engine.cancel_timer(next);
            });
            assert_eq!(numbers(&told), [7], "none is made up for");
            server.engine.cancel_timer(id);
        }
    }
}

/// Every timer that is set so counts from there; those with another key, those for no time, and those that are set
/// afterwards, count from now.
#[test]
fn other_timers_count_from_now() {
    let (mut server, late) = (server(), millis(500));
    set(&mut server, NOW, 1);
    sleep(late);
    let told = round(&mut server, LONG, |engine, _| {
        let asked = Instant::now();
        let other = engine.set_timer(LONG, Key(2, 0)).unwrap();
        assert!(engine.timeout().unwrap() + asked.elapsed() >= LONG, "another key");
        engine.cancel_timer(other);
        for _ in 0..2 {
            let same = engine.set_timer(LONG, Key(1, 0)).unwrap();
            let left = engine.timeout().unwrap();
            assert!(left <= LONG - late, "{left:?}");
            engine.cancel_timer(same);
        }
        engine.set_timer(NOW, Key(1, 0)).unwrap();
        assert_eq!(engine.timeout(), Some(NOW));
    });
    assert_eq!(numbers(&told), [1]);
    assert_eq!(tell(&mut server, 1), [1]);
    let asked = Instant::now();
    set(&mut server, LONG, 1);
    assert!(server.engine.timeout().unwrap() + asked.elapsed() >= LONG, "after the event");
}

/// A timer that is cancelled is not told, not even where it was due before its canceller was told.
#[test]
fn cancelled() {
    let mut server = server();
    let ids: Vec<_> = (0..10).map(|number| set(&mut server, millis(1), number)).collect();
    server.engine.cancel_timer(ids[3]);
    sleep(millis(2));
    let told = round(&mut server, LONG, |engine, source| {
        let number = numbers(&[source])[0];
        // Its own is stale; others are due already, or told, or cancelled before.
        [number, number + 1, 0, 3].into_iter().for_each(|it| engine.cancel_timer(ids[it]));
    });
    assert_eq!(numbers(&told), [0, 2, 4, 6, 8]);
    assert_eq!(server.engine.timeout(), None);
}

/// CONTRACT S6 and F6: any number is safe, and a stale id never ends another timer.
#[test]
fn stale_ids() {
    let mut server = server();
    let (_client, conn) = server.open_client();
    let first = set(&mut server, NOW, 0);
    assert_eq!(tell(&mut server, 1), [0]);
    let mut ids = vec![first];
    for number in 1..100 {
        let id = set(&mut server, millis(number), number as usize);
        assert!(!ids.contains(&id) && TimerId::from_bits(id.to_bits()) == Some(id));
        assert_eq!(ConnId::from_bits(id.to_bits()), None);
        ids.push(id);
        server.engine.cancel_timer(first);
    }
    assert_eq!(TimerId::from_bits(conn.to_bits()), None);
    for bits in [0, 1, u64::MAX, ids[1].to_bits() | 1 << 63, ids[1].to_bits() + (1 << 32)] {
        TimerId::from_bits(bits).into_iter().for_each(|id| server.engine.cancel_timer(id));
    }
    assert_eq!(tell(&mut server, 99), Vec::from_iter(1..100));
}

/// Many timers, half of which are cancelled in another order: the others are told once each, as they are due.
#[test]
fn a_hundred_thousand() {
    const COUNT: usize = 100_000;
    let mut server = server();
    let due = |number: usize| millis((number * 7919 % 1000) as u64);
    let start = Instant::now();
    let ids: Vec<_> = (0..COUNT).map(|number| set(&mut server, due(number), number)).collect();
    let was_set = start.elapsed();
    for number in (0..COUNT).map(|number| number * 7 % COUNT).filter(|number| number % 2 == 0) {
        server.engine.cancel_timer(ids[number]);
    }
    let told = tell(&mut server, COUNT / 2);
    assert!(told.iter().all(|number| number % 2 == 1));
    assert!(start.elapsed() >= millis(999));
    // Each was set at some moment of that time.
    let is_ordered = |pair: &[usize]| due(pair[0]) <= due(pair[1]) + was_set;
    assert!(told.windows(2).all(is_ordered));
    let mut told = told;
    told.sort_unstable();
    told.dedup();
    assert_eq!((told.len(), server.engine.timeout()), (COUNT / 2, None));
}

/// Timers that are due tell no more than 64 of them before others have their turns, and what is left makes no sleep.
#[test]
fn many_that_are_due() {
    let mut server = server();
    server.on_message = echo;
    let (mut client, _) = server.open_client();
    (0..100_000).for_each(|number| _ = set(&mut server, NOW, number));
    client.write(&text("hello"));
    while server.messages.is_empty() {
        server.step_once();
    }
    assert!(server.sources.len() <= 64, "{} timers before the message", server.sources.len());
    assert_eq!(server.engine.timeout(), Some(NOW));
    while client.read().is_empty() {
        server.step_once();
    }
    assert!(server.sources.len() <= 3 * 64, "{} timers before its echo", server.sources.len());
    while server.sources.len() < 100_000 {
        server.pump();
    }
    assert_eq!(numbers(&server.sources), Vec::from_iter(0..100_000));
}

/// Timers that each take all the time of a look do not keep connections from their turns, nor the other way round.
#[test]
fn those_that_take_long() {
    let mut server = server();
    let (mut client, _) = server.open_client();
    server.on_source = |engine, _| {
        sleep(millis(15));
        engine.set_timer(NOW, Key(0, 0)).unwrap();
    };
    server.on_message = |engine, id, kind, payload| {
        sleep(millis(15));
        echo(engine, id, kind, payload);
    };
    (0..5).for_each(|number| _ = set(&mut server, NOW, number));
    client.write(&text("hello").repeat(200));
    for round in 1..10 {
        let (timers, messages) = (server.sources.len(), server.messages.len());
        (0..3).for_each(|_| server.pump_once());
        assert!(server.sources.len() > timers, "no timer in round {round}");
        assert!(server.messages.len() > messages, "no message in round {round}");
    }
}

/// Timers are told while the server is about to end, which they do not put off, and not afterwards.
#[test]
fn until_the_end() {
    for is_drained in [true, false] {
        let mut server = server();
        let (client, id) = server.open_client();
        // Its close frame is never answered.
        server.on_source = |engine, _| _ = engine.set_timer(millis(1), Key(0, 0)).unwrap();
        set(&mut server, NOW, 0);
        let start = Instant::now();
        match is_drained {
            true => server.engine.drain(LONG),
            false => server.engine.stop(CloseCode::GOING_AWAY),
        }
        while server.sources.len() < 20 {
            server.step_once();
        }
        if is_drained {
            server.engine.close_now(id);
        }
        while !server.is_stopped {
            server.step_once();
        }
        if !is_drained {
            assert!(start.elapsed() >= millis(1900), "{:?}", start.elapsed());
        }
        let told = server.sources.len();
        sleep(millis(5));
        server.step_once();
        assert_eq!(server.sources.len(), told);
        drop(client);
    }
}
