//! `ws_start_callback`: in the process that is the server, before anybody is served.

use super::{ask, await_count, in_order, launch, lines, place, started};
use crate::harness::{Need, skipped, until};
use crate::socket_file::id;

/// Once, behind `ws_init_func` and before the first client, in the same process.
#[test]
fn once_and_before_the_first_client() {
    let mut server = started("say started").start();
    server.connect().echo("hello");
    server.stop();
    let pid = server.process().0.as_raw_pid();
    let user = server.journal();
    let start = user.lines().find(|line| line.starts_with("start ")).expect("it was called");
    assert!(start.starts_with(&format!("start {pid} ")), "{start}");
    in_order(&server, &["say started", "start say started: done", "open 1"]);
    assert!(lines(&server)[0].starts_with(&format!("init {pid} ")), "{:?}", lines(&server));
    assert_eq!(lines(&server).iter().filter(|it| it.starts_with("start ")).count(), 2);
}

/// A daemon's: behind the fork and the loss of root, with the socket that is there, and with threads that live on.
#[test]
fn of_a_daemon_that_root_starts() {
    if skipped(&[Need::Root]) {
        return;
    }
    let launch = started("process;threads 4 1000").env("TASKS_INIT", "process");
    let name = launch.unique_name();
    let mut server = launch.name(&name).args(["-u", "nobody"]).start_daemon();
    let (pid, nobody) = (server.process().0.as_raw_pid(), id("-u", "nobody"));
    let init = server.await_journal("init process: ");
    assert!(init.ends_with(" 0") && !init.starts_with(&format!("init process: {pid} ")), "{init}");
    assert_eq!(
        server.await_journal("start process: "),
        format!("start process: {pid} {nobody}"),
        "the daemon's, as nobody"
    );
    let mut client = server.connect();
    let all = until(|| (ask(&mut client, "posted") == "4000").then_some(()));
    assert!(all.is_some(), "{} of 4000", ask(&mut client, "posted"));
    server.stop();
}

/// All that the loop calls may be asked for there, and nothing of it comes before it has returned.
#[test]
fn it_may_ask_for_everything() {
    let calls = "let w get w;hangup w;watch w 0;say read\nopen pipe w;put w;watch w 1;after 0 t;post p;after 1 u;cancel u;say begun";
    let mut server = started(calls).start();
    let mut client = server.connect();
    for task in ["w", "t", "p"] {
        await_count(&mut client, task, 1);
    }
    client.echo("hello");
    server.stop();
    let lines = lines(&server);
    let begun = place(&lines, "start say begun: done");
    for line in ["ready w 1", "ran t", "ran p", "say read"] {
        assert!(place(&lines, line) > begun, "{lines:#?}");
    }
    assert!(!lines.contains(&"ran u".to_owned()), "{lines:#?}");
    for call in ["watch w 1: 0", "after 0 t: set", "post p: 0"] {
        place(&lines, &format!("start {call}"));
    }
}

/// A program without it is what it was: it need not be there.
#[test]
fn it_may_be_left_out() {
    let mut server = crate::harness::Launch::probe().start();
    server.connect().echo("hello");
    server.stop();
}

/// Where nobody asks for anything, nothing is called.
#[test]
fn nothing_is_asked_for() {
    let mut server = launch().start();
    server.connect().echo("hello");
    server.stop();
    assert!(!lines(&server).iter().any(|it| it.starts_with("ran ") || it.starts_with("ready ")));
}
