//! `ws_watch` with every number that there is: the library's own descriptors cannot be watched, and nothing of it breaks.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use super::{ask, await_count, launch};
use crate::handover::{self, Chain};
use crate::harness::{
    Client, Launch, Need, Process, Request, Server, Syslog, output, skipped, until,
};

/// The program's own, which it has opened at the start, and a walk then.
const START: &str = "open pair own;walk";

/// What a walk has answered: what could be watched, and what could not be ended.
fn sets(answer: &str) -> [BTreeSet<u32>; 2] {
    let (_, rest) = answer.split_once("watched:").expect("an answer");
    let (watched, refused) = rest.split_once(" refused:").expect("both");
    let numbers =
        |text: &str| text.split_whitespace().map(|it| it.parse().expect("a number")).collect();
    [watched, refused].map(numbers)
}

/// Has this process walk, as the client is served: the program's own descriptors alone can be watched, and what else
/// has readiness is known for the library's.
fn walk(process: Process, client: &mut Client) {
    let own: BTreeSet<u32> =
        ask(client, "fd own").split(' ').map(|it| it.parse().expect("a number")).collect();
    let [watched, refused] = sets(&ask(client, "walk"));
    let links: Vec<_> = watched.iter().map(|it| process.link(&format!("fd/{it}"))).collect();
    assert_eq!(watched, own, "{links:?}");
    let kinds = ["socket:", "pipe:", "anon_inode:"];
    let has_readiness = |number: &u32| {
        let link = process.link(&format!("fd/{number}"));
        kinds.iter().any(|kind| link.to_string_lossy().starts_with(kind))
    };
    let others: BTreeSet<_> = process.descriptors().into_iter().filter(has_readiness).collect();
    let others: BTreeSet<_> = others.difference(&own).copied().collect();
    assert!(others.len() >= 4, "the poll, a pipe, a client: {others:?}");
    assert!(others.is_subset(&refused), "{others:?}, of which {refused:?} were refused");
    // What the program opens is its own, also where the library had the number before.
    for index in 0..8 {
        assert_eq!(ask(client, &format!("open pipe n{index};watch n{index} 1")), "0");
    }
    for index in 0..8 {
        ask(client, &format!("shut n{index};hangup n{index}"));
    }
    // The walk has ended the watches of the program's own.
    ask(client, "put own;let own get own\nwatch own 1");
    await_count(client, "own", 1);
}

/// The walk in `ws_start_callback` has found the program's own.
fn has_walked_at_the_start(server: &Server) {
    let own = server.await_journal("start open pair own: ");
    let own = own.split(": ").nth(1).expect("two numbers");
    let own: BTreeSet<u32> = own.split(' ').map(|it| it.parse().expect("a number")).collect();
    assert_eq!(sets(&server.await_journal("start walk: "))[0], own);
}

/// Those who are there, and those who come, are served.
fn serves(server: &Server, old: &mut Client) {
    (0..20).for_each(|_| old.echo("still here"));
    (0..3).for_each(|_| server.connect().echo("a newcomer"));
}

fn with_pages(launch: Launch) -> Launch {
    let dir = launch.dir().join("pages");
    std::fs::create_dir(&dir).expect("a directory");
    std::fs::write(dir.join("page.txt"), "a page").expect("a file");
    launch.args(["-w".to_owned(), dir.display().to_string()])
}

fn page(server: &Server) {
    let mut client = server.raw();
    client.send_bytes(b"GET /page.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let response = client.response();
    assert!(response.status.starts_with("HTTP/1.1 200 "), "{response:?}");
}

/// In the foreground, with pages and without.
#[test]
fn in_the_foreground() {
    for has_pages in [false, true] {
        let launch = launch().env("TASKS_START", START).tcp();
        let launch = if has_pages { with_pages(launch) } else { launch };
        let mut server = launch.start();
        let mut client = server.connect();
        has_walked_at_the_start(&server);
        for _ in 0..3 {
            let mut upgrading = server.raw();
            walk(server.process(), &mut client);
            upgrading.send_bytes(&Request::new().bytes());
            upgrading.response();
            upgrading.echo("served");
            serves(&server, &mut client);
            if has_pages {
                page(&server);
            }
        }
        server.stop();
        assert!(!server.socket().exists());
    }
}

/// As a daemon: its pidfile and its lines in the log are as ever.
#[test]
fn as_a_daemon() {
    let Some(syslog) = Syslog::listen() else {
        return;
    };
    let launch = with_pages(launch().env("TASKS_START", START));
    let name = launch.unique_name();
    let mut server = launch.name(&name).args(["-u", "nobody"]).start_daemon();
    let pidfile = format!("/var/run/{name}.pid");
    let pid = server.process().0.as_raw_pid().to_string();
    let mut client = server.connect();
    has_walked_at_the_start(&server);
    for _ in 0..2 {
        walk(server.process(), &mut client);
        serves(&server, &mut client);
        page(&server);
    }
    ask(&mut client, "foreign");
    syslog.await_line(&name, "another thread");
    // Now the log's socket is open, where it was not before.
    walk(server.process(), &mut client);
    let before = syslog.lines(&name).len();
    ask(&mut client, "foreign");
    let more = until(|| (syslog.lines(&name).len() > before).then_some(()));
    assert!(more.is_some(), "{:?}", syslog.lines(&name));
    assert_eq!(std::fs::read_to_string(&pidfile).expect("the pidfile").trim_end(), pid);
    server.stop();
    assert!(!Path::new(&pidfile).exists() && !server.socket().exists());
    server.await_nobody();
}

/// While a hand-over is under way, and when it is done: the server's clients stay, and the new one takes over.
#[test]
fn during_a_hand_over() {
    if skipped(&[Need::Tool("mkfifo")]) {
        return;
    }
    let launch = handover::launch("tasks.c").args(["--drain", "600"]);
    let gate = launch.dir().join("out/gate");
    output(Command::new("mkfifo").args(["-m", "666"]).arg(&gate));
    let path = gate.display().to_string();
    let open = || drop(File::options().write(true).open(&path).expect("the gate opens"));
    let start = format!("{START};wait {path}");
    let launch = launch.env("TASKS_START", &start);
    let mut chain = std::thread::scope(|scope| {
        scope.spawn(open);
        Chain::start(launch)
    });
    let first = chain.server.process();
    let mut client = chain.server.connect();
    has_walked_at_the_start(&chain.server);
    let mut now = first;
    for turn in 0..2 {
        let before = chain.server.journal().matches("waiting\n").count();
        now.signal(Signal::HUP);
        let waits = || chain.server.journal().matches("waiting\n").count() > before;
        assert!(until(|| waits().then_some(())).is_some(), "{}", chain.server.stderr());
        walk(first, &mut client);
        open();
        now = chain.await_successor(turn);
        serves(&chain.server, &mut client);
        walk(first, &mut client);
        let mut newcomer = chain.server.connect();
        walk(now, &mut newcomer);
    }
    drop(client);
    chain.stop();
}
