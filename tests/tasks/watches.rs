//! `ws_watch`: descriptors of the program's, as long as they are ready.

use super::{ask, await_count, count, launch, rounds, started};
use crate::harness::{Client, Server};

/// Makes a descriptor of that kind, and has it watched.
fn watch(client: &mut Client, kind: &str, name: &str, events: u8) {
    ask(client, &format!("open {kind} {name}"));
    assert_eq!(ask(client, &format!("watch {name} {events}")), "0", "{kind}");
}

/// Nothing is told of it in the rounds to come.
fn is_quiet(client: &mut Client, name: &str) {
    let before = count(client, name);
    rounds(client);
    assert_eq!(count(client, name), before, "{name}");
}

/// Each kind that has readiness: it is told when there is something to read, as long as nobody has, and no
/// longer.
#[test]
fn each_kind_that_can_be_waited_for() {
    let mut server = launch().start();
    let mut client = server.connect();
    for kind in ["pipe", "pair", "udp", "pty"] {
        ask(&mut client, &format!("let {kind} when 5 get {kind}"));
        watch(&mut client, kind, kind, 1);
        is_quiet(&mut client, kind);
        assert_eq!(ask(&mut client, &format!("put {kind}")), "2");
        await_count(&mut client, kind, 5);
        is_quiet(&mut client, kind);
        assert_eq!(count(&mut client, kind), 5, "it was read the fifth time");
        assert_eq!(server.journal().matches(&format!("ready {kind} 1\n")).count(), 5);
        assert_eq!(ask(&mut client, &format!("watch {kind} 0")), "0");
        ask(&mut client, &format!("put {kind}"));
        is_quiet(&mut client, kind);
    }
    server.stop();
}

/// An epoll descriptor of the program's, as libraries hand out, is readable when something in it is.
#[test]
#[cfg(target_os = "linux")]
fn a_poll_of_its_own() {
    let mut server = launch().start();
    let mut client = server.connect();
    ask(&mut client, "open pipe inner;let outer when 3 get inner");
    ask(&mut client, "open epoll outer inner");
    assert_eq!(ask(&mut client, "watch outer 1"), "0");
    is_quiet(&mut client, "outer");
    ask(&mut client, "put inner");
    await_count(&mut client, "outer", 3);
    is_quiet(&mut client, "outer");
    assert_eq!(count(&mut client, "outer"), 3);
    server.stop();
}

/// Room to write, as long as there is, and not while there is none.
#[test]
fn room_to_write() {
    let mut server = launch().start();
    let mut client = server.connect();
    ask(&mut client, "let w when 3 fill w");
    watch(&mut client, "writer", "w", 2);
    await_count(&mut client, "w", 3);
    is_quiet(&mut client, "w");
    assert_eq!(count(&mut client, "w"), 3);
    assert_eq!(server.journal().matches("ready w 2\n").count(), 3);
    // Both at once, of a socket with both.
    ask(&mut client, "let s when 2 watch s 0");
    ask(&mut client, "open pair s;put s;watch s 3");
    await_count(&mut client, "s", 2);
    is_quiet(&mut client, "s");
    assert_eq!(server.journal().matches("ready s 3\n").count(), 2);
    server.stop();
}

/// Hang-ups and errors come as both, whatever was asked for; the end of the other's way alone is something to read.
#[test]
fn hang_ups_come_as_both() {
    let mut server = launch().start();
    let mut client = server.connect();
    let kinds = [("pipe", 1), ("writer", 2), ("pair", 1), ("pair", 2), ("pty", 1)];
    for (index, (kind, events)) in kinds.into_iter().enumerate() {
        let name = format!("h{index}");
        ask(&mut client, &format!("let {name} when 4 watch {name} 0"));
        ask(&mut client, &format!("open {kind} {name}"));
        if events == 2 {
            ask(&mut client, &format!("fill {name}"));
        }
        assert_eq!(ask(&mut client, &format!("watch {name} {events}")), "0", "{kind}");
        is_quiet(&mut client, &name);
        assert_eq!(ask(&mut client, &format!("hangup {name}")), "0");
        await_count(&mut client, &name, 4);
        is_quiet(&mut client, &name);
        let journal = server.journal();
        let told = |events| journal.matches(&format!("ready {name} {events}\n")).count();
        assert_eq!(told(3), 4, "{kind} for {events}: {journal}");
    }
    ask(&mut client, "let half when 2 watch half 0");
    watch(&mut client, "pair", "half", 1);
    assert_eq!(ask(&mut client, "half half"), "0");
    await_count(&mut client, "half", 2);
    is_quiet(&mut client, "half");
    assert_eq!(server.journal().matches("ready half 1\n").count(), 2);
    server.stop();
}

/// The last call counts.
#[test]
fn the_events_can_be_changed() {
    let mut server = launch().start();
    let mut client = server.connect();
    watch(&mut client, "pair", "s", 2);
    await_count(&mut client, "s", 3);
    assert_eq!(ask(&mut client, "watch s 1"), "0");
    is_quiet(&mut client, "s");
    ask(&mut client, "let s get s");
    let before = server.journal().matches("ready s 1\n").count();
    assert_eq!(before, 0);
    let times = count(&mut client, "s");
    ask(&mut client, "put s");
    await_count(&mut client, "s", times + 1);
    is_quiet(&mut client, "s");
    ask(&mut client, "watch s 0;watch s 2");
    await_count(&mut client, "s", times + 3);
    ask(&mut client, "watch s 0");
    is_quiet(&mut client, "s");
    server.stop();
}

/// A watch that its own function ends, and one that another's ends in the same round: it is not told any more.
#[test]
fn ended_from_within() {
    let mut server = launch().start();
    let mut client = server.connect();
    ask(&mut client, "let own watch own 0");
    ask(&mut client, "open pipe own;put own;watch own 1");
    await_count(&mut client, "own", 1);
    is_quiet(&mut client, "own");
    for round in 1..=10 {
        ask(&mut client, "let p watch q 0;watch p 0\nlet q watch p 0;watch q 0");
        if round == 1 {
            ask(&mut client, "open pipe p;open pipe q;put p;put q");
        }
        ask(&mut client, "watch p 1;watch q 1");
        rounds(&mut client);
        let both = count(&mut client, "p") + count(&mut client, "q");
        assert_eq!(both, round, "the first has ended the other");
    }
    server.stop();
}

/// Closed within its own function, with and without what it was watched for ended before.
#[test]
fn closed_from_within() {
    let mut server = launch().start();
    let mut client = server.connect();
    for end in ["shut p", "watch p 0;shut p", "shut p;watch p 0"] {
        ask(&mut client, &format!("let p {end}"));
        let before = count(&mut client, "p");
        ask(&mut client, "open pipe p;put p;watch p 1");
        await_count(&mut client, "p", before + 1);
        is_quiet(&mut client, "p");
        ask(&mut client, "hangup p");
    }
    server.connect().echo("hello");
    server.stop();
}

/// A number that was watched, closed, and given to another file of the program's: that is not watched.
#[test]
fn closed_and_its_number_another_file_s() {
    let mut server = launch().start();
    let mut client = server.connect();
    // Ready or not at the time; and open still under another number, so that the poll goes on to know it.
    for (index, before) in ["", "put p;", "dup p;put p;", "dup p;"].into_iter().enumerate() {
        watch(&mut client, "pipe", "p", 1);
        let number = first_number(&mut client, "p");
        ask(&mut client, &format!("{before}shut p"));
        let next = format!("next{index}");
        ask(&mut client, &format!("open pipe {next}"));
        assert_eq!(first_number(&mut client, &next), number, "the lowest that is free");
        rounds(&mut client);
        let told = count(&mut client, "p");
        ask(&mut client, &format!("put {next}"));
        rounds(&mut client);
        assert_eq!(count(&mut client, "p"), told, "{before}: what has the number now is not p");
        // It can be watched by itself.
        ask(&mut client, &format!("let {next} get {next}"));
        assert_eq!(ask(&mut client, &format!("watch {next} 1")), "0");
        await_count(&mut client, &next, 1);
        is_quiet(&mut client, &next);
        assert_eq!(count(&mut client, "p"), told, "{before}");
    }
    server.stop();
}

/// The same with a client's connection, which is served, and is the library's.
#[test]
fn closed_and_its_number_a_client_s() {
    let mut server = started("open pair spare").start();
    let mut client = server.connect();
    for before in ["", "put p;", "dup p;put p;", "dup p;"] {
        watch(&mut client, "pair", "p", 3);
        await_count(&mut client, "p", 1);
        let number = first_number(&mut client, "p");
        ask(&mut client, &format!("{before}shut p"));
        let mut other = server.connect();
        let link = server.process().link(&format!("fd/{number}"));
        assert!(link.to_string_lossy().starts_with("socket:"), "{link:?}");
        assert_eq!(ask(&mut client, "watch p 1"), "-1", "{number} is a client's");
        assert_eq!(ask(&mut client, "watch p 0"), "-1", "{number} is a client's");
        is_quiet(&mut client, "p");
        (0..20).for_each(|_| other.echo("served"));
        is_quiet(&mut client, "p");
        // It stays open: the next one has the next number.
        assert_eq!(ask(&mut other, "count spare"), "0");
        leave(&server, other);
        ask(&mut client, "hangup p");
    }
    server.stop();
}

fn first_number(client: &mut Client, name: &str) -> u32 {
    let numbers = ask(client, &format!("fd {name}"));
    numbers.split(' ').next().and_then(|it| it.parse().ok()).expect("a number")
}

/// The client leaves, and the server has noticed.
fn leave(server: &Server, client: Client) {
    let closed = server.journal().matches("close\n").count();
    drop(client);
    let is_gone = || server.journal().matches("close\n").count() > closed;
    assert!(crate::harness::until(|| is_gone().then_some(())).is_some());
}
