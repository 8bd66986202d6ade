//! The figures: what is counted, by `ws_get_stats` and in the line that SIGUSR1 asks for.

use std::collections::BTreeMap;

use rustix::process::Signal;

use crate::harness::{Client, Frame, Launch, Op, Request, Server, Variant, until};

type Figures = BTreeMap<String, u64>;

fn start() -> Server {
    Launch::of("beyond.c", Variant::Default).env("BEYOND_INIT", "stats;limit 100000 1").start()
}

fn figures(line: &str) -> Figures {
    let figure = |pair: &str| {
        let (name, value) = pair.split_once('=').expect("a figure");
        (name.to_owned(), value.parse().expect("a number"))
    };
    line.split(' ').map(figure).collect()
}

fn ask(client: &mut Client) -> Figures {
    figures(&client.ask("!stats"))
}

/// In what two differ.
fn difference(before: &Figures, after: &Figures) -> BTreeMap<String, i64> {
    let change = |(name, value): (&String, &u64)| {
        let change = *value as i64 - before[name] as i64;
        (change != 0).then(|| (name.clone(), change))
    };
    after.iter().filter_map(change).collect()
}

fn expect(before: &Figures, after: &Figures, expected: &[(&str, i64)]) {
    let expected = expected.iter().map(|(name, change)| ((*name).to_owned(), *change));
    assert_eq!(difference(before, after), expected.collect());
}

/// How many bytes the text of an answer takes on the wire.
fn wire_len(text: usize) -> i64 {
    (text + if text < 126 { 2 } else { 4 }) as i64
}

fn text_of(figures: &Figures) -> usize {
    figures.iter().map(|(name, value)| name.len() + value.to_string().len() + 2).sum::<usize>() - 1
}

/// Messages and bytes, both ways, to the byte.
#[test]
fn messages_and_bytes() {
    let mut server = start();
    let mut client = server.connect();
    let question = Frame::text("!stats").bytes().len() as i64;
    let first = ask(&mut client);
    assert_eq!((first["connections"], first["accepted"], first["messages_in"]), (1, 1, 1));
    assert!(first["bytes_in"] as usize > Request::new().bytes().len());
    let second = ask(&mut client);
    let answer = wire_len(text_of(&first));
    expect(
        &first,
        &second,
        &[("messages_in", 1), ("messages_out", 1), ("bytes_in", question), ("bytes_out", answer)],
    );
    let long = Frame::text(&"x".repeat(30_000));
    for _ in 0..10 {
        client.send(&long);
        assert_eq!(client.receive().payload.len(), 30_000);
        client.echo("hello");
    }
    client.send(&Frame::new(Op::PING, "a ping is no message"));
    client.receive();
    let third = ask(&mut client);
    let pieces = [long.bytes().len() as i64, Frame::text("hello").bytes().len() as i64];
    let ping = Frame::new(Op::PING, "a ping is no message").bytes().len() as i64;
    let came = 10 * pieces.iter().sum::<i64>() + ping + question;
    let went = 10 * (wire_len(30_000) + wire_len(5)) + wire_len(20) + wire_len(text_of(&second));
    expect(
        &second,
        &third,
        &[("messages_in", 21), ("messages_out", 21), ("bytes_in", came), ("bytes_out", went)],
    );
    drop(client);
    server.await_journal("close 1 ");
    let last = ask(&mut server.connect());
    assert_eq!((last["connections"], last["accepted"]), (1, 2));
    server.stop();
    let at_exit = figures(&server.await_journal("exit stats: ")["exit stats: ".len()..]);
    assert_eq!((at_exit["connections"], at_exit["accepted"]), (0, 2));
    server.await_journal("init stats: -1");
}

/// Who was refused or dropped, and why; and what waits or was left out.
#[test]
fn refusals_and_drops() {
    let launch = Launch::of("beyond.c", Variant::Default).env("BEYOND_INIT", "limit 100000 1");
    let mut server = launch.args(["-m", "3"]).start();
    let mut client = server.connect();
    let before = ask(&mut client);
    for bad in [&b"no HTTP\r\n\r\n"[..], b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"] {
        let mut refused = server.raw();
        refused.send_bytes(bad);
        refused.response();
    }
    let mut refused = server.raw();
    refused.send_bytes(&Request::new().with("X-Do", "return 1").bytes());
    refused.response();
    let mut dropped = server.connect();
    dropped.send(&Frame::text("x").unmasked());
    dropped.expect_close(1002);
    server.await_journal("close 3 ");
    let stuck = server.connect();
    let _third = server.connect();
    let mut refused = server.raw();
    refused.send_bytes(&Request::new().bytes());
    assert!(refused.response().status.contains("503"));
    // Until its socket takes no more, and then some more.
    let full = until(|| {
        client.ask("!send 4 1 20000 20");
        let now = ask(&mut client);
        (now["skipped"] > 0 && now["queued_bytes"] > 60_000).then_some(now)
    });
    let after = full.expect("a queue that is full");
    let changes = difference(&before, &after);
    for (name, change) in [
        ("connections", 2),
        ("accepted", 3),
        ("refused_full", 1),
        ("refused_bad", 2),
        ("refused_program", 1),
        ("dropped_violation", 1),
    ] {
        assert_eq!(changes.get(name), Some(&change), "{name}: {changes:?}");
    }
    assert!(!changes.contains_key("refused_slow") && !changes.contains_key("dropped_queue"));
    assert!(after["queued_bytes"] <= 100_000, "{after:?}");
    drop(stuck);
    server.await_journal("close 4 ");
    assert_eq!(ask(&mut client)["queued_bytes"], 0);
    server.stop();
}

/// Who does not read is counted where the queue's limit ends the connection, and nothing is skipped.
#[test]
fn a_queue_that_is_full_ends_a_connection() {
    let launch = Launch::of("beyond.c", Variant::Default).env("BEYOND_INIT", "limit 100000 0");
    let mut server = launch.start();
    let _stuck = server.connect();
    let mut client = server.connect();
    let dropped = until(|| {
        client.ask("!send 1 1 20000 20");
        let now = ask(&mut client);
        (now["dropped_queue"] > 0).then_some(now)
    });
    let dropped = dropped.expect("it is dropped");
    assert_eq!((dropped["dropped_queue"], dropped["skipped"]), (1, 0));
    server.stop();
}

/// A client that is silent for too long.
#[test]
fn silence_is_counted() {
    let launch = Launch::of("beyond.c", Variant::Default).env("BEYOND_INIT", "ping 1 1");
    let mut server = launch.start();
    let _silent = server.connect();
    let silent = until(|| (ask(&mut server.connect())["dropped_silent"] > 0).then_some(()));
    assert!(silent.is_some(), "it is not dropped");
    server.await_stderr("a client is dropped: it does not answer");
    server.stop();
}

/// Programs that are older or newer than the library; NULL; another thread.
#[test]
fn sizes_and_threads() {
    let mut server = start();
    let mut client = server.connect();
    assert_eq!(client.ask("!sizes"), "-1 -1 -1 0 0");
    assert_eq!(client.ask("!stats_thread"), "-3");
    drop(client);
    server.stop();
}

/// SIGUSR1 has a line written: the same figures under the same names.
#[test]
fn a_line_for_the_operator() {
    let mut server = start();
    let mut client = server.connect();
    let told = ask(&mut client);
    server.signal(Signal::USR1);
    let line = server.await_stderr("connections=");
    let line = line.strip_prefix("server: ").expect("the name");
    let said = figures(line);
    expect(&told, &said, &[("messages_out", 1), ("bytes_out", wire_len(text_of(&told)))]);
    let names = |line: &str| -> Vec<String> {
        line.split(' ').map(|pair| pair.split('=').next().unwrap_or("").to_owned()).collect()
    };
    assert_eq!(names(line), names(&client.ask("!stats")), "their order");
    drop(client);
    server.stop();
    assert_eq!(server.stderr().matches("connections=").count(), 1);
}

/// The older library has the line too, and a level above it leaves it out.
#[test]
fn the_older_library_and_a_higher_level() {
    let mut server = Launch::classic().start();
    server.signal(Signal::USR1);
    server.await_stderr("connections=0 accepted=0 ");
    server.connect().echo("hello");
    server.stop();
    let mut server = Launch::classic().args(["--log-level", "warning"]).start();
    server.signal(Signal::USR1);
    server.connect().echo("hello");
    server.stop();
    assert!(!server.stderr().contains("connections="), "{}", server.stderr());
}

/// CONTRACT S13: a signal that is ignored when the server starts stays so.
#[test]
fn a_signal_that_is_ignored_stays_ignored() {
    let ignoring = ["sh", "-c", "trap '' USR1; exec \"$0\" \"$@\""];
    let mut server = Launch::probe().under(ignoring).start();
    server.signal(Signal::USR1);
    server.connect().echo("hello");
    server.stop();
    assert!(!server.stderr().contains("connections="), "{}", server.stderr());
}
