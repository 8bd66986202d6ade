//! `ws_post`: each post is called once, in its turn, and holds nobody up.

use std::fs::File;
use std::process::Command;

use super::{ask, await_count, count, in_order, launch, lines, place, rounds, started};
use crate::harness::{Need, Trace, output, skipped, until};

/// Each of 4 threads' ten thousand is called once, in the thread's order, while clients talk.
#[test]
fn from_four_threads() {
    let mut server = launch().start();
    let mut clients: Vec<_> = (0..4).map(|_| server.connect()).collect();
    for _ in 0..3 {
        assert_eq!(ask(&mut clients[0], "threads 4 10000"), "started");
        let all = until(|| {
            clients.iter_mut().for_each(|client| client.echo("meanwhile"));
            (ask(&mut clients[0], "posted") == "40000").then_some(())
        });
        assert!(all.is_some(), "{} of 40000", ask(&mut clients[0], "posted"));
        rounds(&mut clients[1]);
        assert_eq!(ask(&mut clients[0], "posted"), "40000");
    }
    // That each thread's came in its order is what the program has looked at.
    server.stop();
}

/// A post comes after the callback that has made it, those of it in their order, and one that a post makes
/// behind those that are there.
#[test]
fn after_the_callback_that_runs() {
    let mut server = launch().start();
    let mut client = server.connect();
    ask(&mut client, "let a post d\nlet b say b\npost a;post b;post c;say the callback");
    await_count(&mut client, "d", 1);
    in_order(&server, &["say the callback", "ran a", "ran b", "ran c", "ran d"]);
    ask(&mut client, "let e post e2;say e\nlet e2 say e2\npost e;post e;say twice");
    await_count(&mut client, "e2", 2);
    assert_eq!((count(&mut client, "e"), count(&mut client, "e2")), (2, 2));
    server.stop();
}

/// From any callback, and from those that are for posts, timers and watches.
#[test]
fn from_the_others() {
    let mut server =
        started("let t post from-t\nafter 1 t").env("TASKS_CLOSE", "post from-close").start();
    let mut client = server.connect();
    await_count(&mut client, "from-t", 1);
    ask(&mut client, "open pipe p\nlet p get p;post from-p\nwatch p 1;put p");
    await_count(&mut client, "from-p", 1);
    drop(server.connect());
    await_count(&mut client, "from-close", 1);
    server.stop();
}

/// What is posted before the server listens is called when it does, in order, and before any client.
#[test]
fn before_the_server_listens() {
    let mut server = launch()
        .env("TASKS_EARLY", "post early")
        .env("TASKS_INIT", "post init")
        .env("TASKS_START", "post start")
        .start();
    server.connect().echo("hello");
    server.stop();
    in_order(&server, &["early post early: 0", "init post init: 0", "start post start: 0"]);
    in_order(&server, &["start post start: 0", "ran early", "ran init", "ran start"]);
    assert_eq!(lines(&server).iter().filter(|it| it.starts_with("ran ")).count(), 3);
}

/// A daemon keeps what its parent has posted.
#[test]
fn over_the_fork_of_a_daemon() {
    let launch = launch().env("TASKS_INIT", "let a process\npost a");
    let name = launch.unique_name();
    let mut server = launch.name(&name).start_daemon();
    let pid = server.process().0.as_raw_pid();
    let line = server.await_journal("a process: ");
    assert!(line.starts_with(&format!("a process: {pid} ")), "{line} is not {pid}");
    let init = server.await_journal("init ");
    assert!(!init.starts_with(&format!("init {pid} ")), "{init} is the parent's");
    server.stop();
    assert_eq!(lines(&server).iter().filter(|it| *it == "ran a").count(), 1);
}

/// A loop that sleeps, and has nothing to wake for, is woken.
#[test]
fn a_loop_that_sleeps() {
    let launch = launch();
    let gate = launch.dir().join("out/gate");
    output(Command::new("mkfifo").args(["-m", "666"]).arg(&gate));
    let calls = format!("gate a {}", gate.display());
    let mut server = launch.env("TASKS_START", &calls).start();
    let state = || {
        let path = format!("/proc/{}/stat", server.process().0.as_raw_pid());
        let stat = std::fs::read_to_string(path).expect("it runs");
        stat.rsplit(") ").next().and_then(|rest| rest.chars().next())
    };
    assert!(until(|| (state() == Some('S')).then_some(())).is_some(), "it sleeps");
    assert!(!server.journal().contains("ran a"));
    drop(File::options().write(true).open(&gate).expect("the gate opens"));
    server.await_journal("ran a");
    server.stop();
}

/// A thousand posts of another thread wake the loop once, and those of its own thread need not.
#[test]
fn a_thousand_wake_it_once() {
    if skipped(&[Need::Tool("strace")]) {
        return;
    }
    let (launch, trace) = Trace::of(launch(), &["-e", "trace=write"]);
    let mut server = launch.start();
    let mut client = server.connect();
    for _ in 0..3 {
        assert_eq!(ask(&mut client, "burst 1000"), "posted");
        let all = until(|| (ask(&mut client, "posted") == "1000").then_some(()));
        assert!(all.is_some(), "{} of 1000", ask(&mut client, "posted"));
    }
    assert_eq!(ask(&mut client, "posts 1000 a"), "0");
    await_count(&mut client, "a", 1000);
    server.stop();
    let wakes = |thread: &String| {
        let calls = trace.calls_of(&server, thread);
        let is_wake = |call: &&String| call.starts_with("write(") && call.contains(r#""\0", 1"#);
        calls.iter().filter(is_wake).count()
    };
    let own = server.process().0.as_raw_pid().to_string();
    // The signal that has stopped it writes there too.
    assert!(wakes(&own) <= 1, "{} by its own thread", wakes(&own));
    // Processes of the library's do not write there, and each of the three threads must have.
    let threads = trace.processes(&server).into_iter().filter(|it| *it != own);
    let wakes: Vec<_> = threads.map(|it| wakes(&it)).filter(|wakes| *wakes > 0).collect();
    assert_eq!(wakes, [1, 1, 1]);
}

/// What is posted at the stop is called before `ws_exit_func`; what comes later is refused.
#[test]
fn at_the_stop() {
    let mut server = launch()
        .env("TASKS_CLOSE", "let c say c;post d\npost c")
        .env("TASKS_EXIT", "post e")
        .env("TASKS_LATE", "post f;watchfd 0 1;after 0 f")
        .start();
    let mut client = server.connect();
    let _other = server.connect();
    ask(&mut client, "let a say a;post b\nposts 100 a;stop");
    assert_eq!(server.wait(), Some(0), "{}", server.stderr());
    let lines = lines(&server);
    let times = |line: &str| lines.iter().filter(|it| *it == line).count();
    let exit = place(&lines, &format!("exit {}", server.process().0.as_raw_pid()));
    let last_run = lines.iter().rposition(|it| it.starts_with("ran ")).expect("one");
    assert!(last_run < exit, "{lines:#?}");
    // Each post that was taken is called, whatever the moment at which it came.
    for (poster, post) in [("a", "b"), ("c", "d")] {
        let taken = times(&format!("{poster} post {post}: 0"));
        assert_eq!(times(&format!("ran {post}")), taken.min(20), "{lines:#?}");
    }
    assert_eq!((times("ran a"), times("ran c")), (20, 2), "{lines:#?}");
    place(&lines, "exit post e: -1");
    in_order(&server, &["late post f: -1", "late watchfd 0 1: -1", "late after 0 f: null"]);
    assert!(!lines.iter().any(|it| ["ran e", "ran f"].contains(&&**it)), "{lines:#?}");
}

/// No function, and a child of the program's: nothing is called.
#[test]
fn what_is_refused() {
    let mut server = launch().start();
    let mut client = server.connect();
    assert_eq!(ask(&mut client, "post NULL"), "-1");
    rounds(&mut client);
    assert_eq!(count(&mut client, "NULL"), 0);
    server.stop();
}

/// Posts that post again for ever hold neither clients nor the stop up.
#[test]
fn again_and_again() {
    let mut server = launch().start();
    let mut client = server.connect();
    ask(&mut client, "let a post a\nlet b post b;post c\npost a;post b");
    for turn in 1..=200 {
        client.echo("hello");
        await_count(&mut client, "a", turn);
    }
    server.connect().echo("a newcomer");
    await_count(&mut client, "c", 100);
    server.stop();
}

/// What a million posts have taken is given back (CONTRACT S22).
#[test]
fn memory() {
    const MIB: u64 = 1 << 20;
    let mut server = launch().start();
    let mut client = server.connect();
    assert_eq!(ask(&mut client, "posts 100 a"), "0");
    await_count(&mut client, "a", 100);
    let before = server.process().resident();
    assert_eq!(ask(&mut client, "posts 1000000 a"), "0");
    await_count(&mut client, "a", 1_000_100);
    let fell = until(|| (server.process().resident() < before + 2 * MIB).then_some(()));
    assert!(fell.is_some(), "{} bytes, and {before} before", server.process().resident());
    server.stop();
}
