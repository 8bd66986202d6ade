//! The functions where they may not be called: on other threads, in children, before the server and behind it.

use super::{ask, await_count, count, launch, lines, place, rounds, started};
use crate::harness::{Launch, Need, Variant, say, skipped, until};
use crate::linking::valgrind;

/// The descriptor that is tried: one with room to write.
const OPEN: &str = "open writer everything";

/// CONTRACT F1, F7, S7: from another thread, while the server works, posts alone are taken. One line says so.
#[test]
fn from_another_thread() {
    let mut server = started(OPEN).start();
    let mut client = server.connect();
    let mut other = server.connect();
    for turn in 1..=5 {
        ask(&mut client, "after 50 timer");
        assert_eq!(
            ask(&mut client, "foreign"),
            "post=0 watch=-3 end=-3 after=null step=-3 fd=-1 timeout=-1 callbacks=-1 option=-3 \
             main=1 begin=-1"
        );
        other.echo("undisturbed");
        await_count(&mut client, "timer", turn);
        // The post was taken, and nothing else.
        await_count(&mut client, "everything", turn);
        rounds(&mut client);
        assert_eq!(count(&mut client, "everything"), turn);
    }
    let said = server.stderr();
    assert_eq!(said.matches("another thread than the server's").count(), 1, "{said}");
    assert_eq!(said.matches("a server runs in this process already").count(), 10, "{said}");
    drop((client, other));
    server.stop();
}

/// CONTRACT S23: in a child of the program's nothing is taken, and nothing comes of it in the server, which goes on.
#[test]
fn in_a_child() {
    let mut server = started(OPEN).start();
    let mut client = server.connect();
    for turn in 1..=5 {
        ask(&mut client, "after 50 timer");
        assert_eq!(
            ask(&mut client, "forked"),
            "post=-3 watch=-3 end=-3 after=null step=-3 fd=-1 timeout=-1 callbacks=-1 option=-3 \
             main=1 begin=-1"
        );
        await_count(&mut client, "timer", turn);
        rounds(&mut client);
        assert_eq!(count(&mut client, "everything"), 0);
    }
    server.connect().echo("as ever");
    server.stop();
}

/// Before `main`, in `ws_init_func`, and when the server has ended: what cannot be is refused, and posts alone are kept
/// for the server that is to come.
#[test]
fn before_and_behind_the_server() {
    let mut server = launch()
        .env("TASKS_EARLY", &format!("{OPEN};all"))
        .env("TASKS_INIT", "all")
        .env("TASKS_START", "all")
        .env("TASKS_EXIT", "all")
        .env("TASKS_LATE", "all;cancelany;after 0 a;watchfd 0 1;post a;stop")
        .start();
    server.connect().echo("hello");
    server.stop();
    let lines = lines(&server);
    for line in [
        "early all: post=0 watch=-1 end=-1 after=null step=0 fd=-1 timeout=-1 callbacks=0 option=0",
        "init all: post=0 watch=-1 end=-1 after=null step=-1 fd=-1 timeout=0 callbacks=-1 option=0",
        "start all: post=0 watch=0 end=0 after=set step=-1 fd=some timeout=0 callbacks=-1 option=-1",
        "late all: post=-1 watch=-1 end=-1 after=null step=0 fd=-1 timeout=-1 callbacks=0 option=0",
        "late stop: told",
    ] {
        place(&lines, line);
    }
    let exit = lines.iter().find(|it| it.starts_with("exit all: ")).expect("it was called");
    assert!(exit.starts_with("exit all: post=-1 watch=-1 end=0 after=null step=-1 "), "{exit}");
    // The timers were cancelled.
    assert_eq!(lines.iter().filter(|it| *it == "ran everything").count(), 3, "{lines:#?}");
}

/// From within a task's function: the server is stopped, or the connection that has asked for it closed.
#[test]
fn a_task_stops_the_server() {
    for (task, how) in [
        ("a", "post a"),
        ("a", "after 1 a"),
        ("own", "open pipe own;put own;watch own 1"),
        ("a", "let b post a\nafter 0 b"),
    ] {
        let mut server = launch().start();
        let mut client = server.connect();
        ask(&mut client, &format!("let {task} watch {task} 0;close 1;stop;say stops\n{how}"));
        let code = client.receive().code().expect("a code");
        assert!([1000, 1001].contains(&code), "{code}");
        assert_eq!(server.wait(), Some(0), "{}", server.stderr());
        let lines = lines(&server);
        place(&lines, "close");
        let exit = place(&lines, &format!("exit {}", server.process().0.as_raw_pid()));
        assert!(place(&lines, "say stops") < exit, "{lines:#?}");
    }
}

/// A task may send to connections, and close them: a drop that follows has its callback.
#[test]
fn a_task_closes_a_connection() {
    let mut server = launch().start();
    let mut client = server.connect();
    let mut other = server.connect();
    for (index, how) in
        ["post t", "after 1 t", "open pipe t;put t;watch t 1"].into_iter().enumerate()
    {
        let number = index + 2;
        ask(&mut client, &format!("let t watch t 0;send {number} a task;close {number}\n{how}"));
        other.expect_text("a task");
        other.send(&crate::harness::Frame::close(1000, ""));
        other.expect_close(1000);
        let closed = || (server.journal().matches("close\n").count() == index + 1).then_some(());
        assert!(until(closed).is_some(), "{}", server.journal());
        client.echo("undisturbed");
        other = server.connect();
    }
    server.stop();
}

/// Posts from threads, and what is refused, under a checker.
fn checked(launch: Launch, posts: &str) {
    let mut server = launch.start();
    let mut client = server.connect();
    let [count, each] =
        [0, 1].map(|word| posts.split(' ').nth(word).and_then(|it| it.parse::<u32>().ok()));
    let all = count.zip(each).map(|(count, each)| count * each).expect("two numbers").to_string();
    ask(&mut client, &format!("threads {posts}"));
    let posted = until(|| {
        client.echo("meanwhile");
        (ask(&mut client, "posted") == all).then_some(())
    });
    assert!(posted.is_some(), "{} of {all}", ask(&mut client, "posted"));
    for calls in ["foreign", "burst 100", "forked"] {
        ask(&mut client, calls);
    }
    server.stop();
    say(&format!("{posts}: {} lines on stderr", server.stderr().lines().count()));
}

/// CONTRACT S14: no memory is misused, and none is lost.
#[test]
fn under_valgrind() {
    if !skipped(&[Need::Tool("valgrind")]) {
        checked(valgrind(started(OPEN)), "4 500");
    }
}

/// The same with the C side under AddressSanitizer.
#[test]
fn under_address_sanitizer() {
    let root = rustix::process::geteuid().is_root();
    let user: &[&str] = if root { &["-u", "root", "-g", "root"] } else { &[] };
    let launch = Launch::of("tasks.c", Variant::Asan).env("TASKS_START", OPEN);
    let options = "detect_leaks=1:exitcode=99";
    checked(launch.args(user.iter().copied()).env("ASAN_OPTIONS", options), "4 2000");
}
