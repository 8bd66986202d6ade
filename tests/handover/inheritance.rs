//! What the new server has of the old one, and what it has not.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::Signal;

use super::load::{idle, kinds};
use super::{BOTH, Chain, launch, pid, plan, who};
use crate::harness::{Client, Launch, Need, Process, Request, Trace, skipped, until};

fn daemon(source: &'static str) -> Launch {
    let launch = launch(source);
    let name = launch.unique_name();
    launch.name(&name)
}

/// The lines of the journal that the starts wrote, without "init" and the number.
fn starts(chain: &Chain) -> Vec<String> {
    let journal = chain.server.journal();
    let lines = journal.lines().filter_map(|line| line.strip_prefix("init "));
    lines.map(|line| line.split_once(' ').expect("more").1.to_owned()).collect()
}

/// The arguments, the environment, the directory, the user, the socket: as at the first start. `ws_init_func`
/// finds no signal blocked.
#[test]
fn as_it_was_started() {
    for source in BOTH {
        for start in [Chain::start, Chain::start_daemon] {
            let launch =
                daemon(source).args(["-f", "relative/file"]).env("A_VARIABLE", "its value");
            let mut chain = start(launch);
            chain.server.connect().echo("hello");
            let file = |name: &str, process: Process| {
                std::fs::read(format!("/proc/{}/{name}", process.0)).expect("it runs")
            };
            let first = chain.now;
            let before = file("cmdline", first);
            let state = Process::attributes;
            let state_before = state(first);
            let socket = chain.server.socket().symlink_metadata().expect("the socket");
            for _ in 0..3 {
                chain.hand_over();
                assert_eq!(file("cmdline", chain.now), before);
                // While it writes a line, it keeps SIGPIPE off.
                let same = until(|| (state(chain.now) == state_before).then_some(()));
                assert!(same.is_some(), "{:?}, not {state_before:?}", state(chain.now));
                let environment = file("environ", chain.now);
                assert!(String::from_utf8_lossy(&environment).contains("A_VARIABLE=its value\0"));
            }
            let [start, later @ ..] = &starts(&chain)[..] else { panic!("it has started") };
            let mut expected = start.clone();
            if rustix::process::geteuid().is_root() {
                let nobody = crate::socket_file::id("-u", "nobody");
                expected = start.replace("uid=0 ", &format!("uid={nobody} "));
            }
            assert_eq!(later, [&*expected; 3]);
            let now = chain.server.socket().symlink_metadata().expect("the socket");
            assert_eq!(
                (now.ino(), now.uid(), now.gid(), now.mode(), now.mtime_nsec()),
                (socket.ino(), socket.uid(), socket.gid(), socket.mode(), socket.mtime_nsec())
            );
            // The environment does not grow.
            assert_eq!(file("environ", chain.now).len(), {
                chain.hand_over();
                file("environ", chain.now).len()
            });
            chain.stop();
        }
    }
}

/// The addresses of TCP, of either family, stay with their ports; there need be no UNIX socket.
#[test]
fn on_tcp_alone() {
    let has_ipv6 = std::net::TcpListener::bind("[::1]:0").is_ok();
    if skipped(&[Need::Has(has_ipv6, "there is no IPv6")]) {
        return;
    }
    let arguments = ["-p", "0", "-i", "127.0.0.1", "-i", "::1"];
    let mut chain = Chain::of(Launch::start_tcp, daemon(BOTH[0]).socket(None).args(arguments));
    let addresses = chain.server.tcp().to_owned();
    assert_eq!(addresses.len(), 2);
    for _ in 0..3 {
        chain.hand_over();
        assert_eq!(chain.now.listening(), addresses);
        for address in &addresses {
            let mut client = Client::raw_tcp(*address).upgrade(&Request::new());
            assert_eq!(who(&mut client).1, pid(chain.now));
        }
    }
    chain.stop();
}

/// A daemon is one again: a session of its own, "/", no terminal.
#[test]
fn a_daemon_again() {
    let mut chain = Chain::start_daemon(daemon(BOTH[0]));
    chain.hand_over();
    let process = chain.now;
    assert_eq!(process.session(), pid(process));
    assert_eq!(process.link("cwd"), Path::new("/"));
    for standard in ["fd/0", "fd/1"] {
        assert_eq!(process.link(standard), Path::new("/dev/null"), "{standard}");
    }
    chain.stop();
}

/// One in the foreground keeps its standard streams and its session, so that Ctrl-C reaches it.
#[test]
fn in_the_foreground_again() {
    let mut chain = Chain::start(launch(BOTH[0]));
    let first = chain.now;
    let session = first.session();
    let mut client = chain.server.connect();
    client.echo("hello");
    chain.hand_over();
    assert_eq!(chain.now.session(), session);
    for standard in ["fd/0", "fd/1", "fd/2"] {
        assert_eq!(chain.now.link(standard), first.link(standard), "{standard}");
    }
    drop(client);
    assert_eq!(chain.wait(first), Some(0));
    chain.now.signal(Signal::INT);
    assert_eq!(chain.wait(chain.now), Some(0));
    chain.server.await_nobody();
    assert!(!chain.server.socket().exists());
}

/// What the program has opened, marked to be closed or not, is not the new server's.
#[test]
fn descriptors_do_not_pile_up() {
    for source in BOTH {
        for start in [Chain::start, Chain::start_daemon] {
            let mut chain = start(daemon(source));
            let table = idle(&chain);
            for _ in 0..3 {
                let mut client = chain.server.connect();
                assert_eq!(client.ask("!leak"), "leaked");
                assert!(kinds(chain.now).len() > table.len() + 10);
                drop(client);
                chain.hand_over();
                let same = until(|| (kinds(chain.now) == table).then_some(()));
                assert!(same.is_some(), "{table:?} became {:?}", kinds(chain.now));
            }
            chain.stop();
        }
    }
}

/// What the server was started with it passes on, time and again.
#[test]
fn what_it_was_started_with_stays() {
    let launch = launch(BOTH[0]);
    let file = launch.dir().join("out/given");
    std::fs::write(&file, "").expect("a file");
    let script = format!("exec \"$0\" \"$@\" 7<'{}'", file.display());
    let mut chain = Chain::start(launch.under(["sh", "-c", &script]));
    for _ in 0..3 {
        assert_eq!(chain.now.link("fd/7"), file);
        let mut client = chain.server.connect();
        assert_eq!(client.ask("!leak"), "leaked");
        drop(client);
        chain.hand_over();
    }
    assert_eq!(chain.now.link("fd/7"), file);
    chain.stop();
}

/// Threads that take memory and descriptors all the time.
#[test]
fn a_program_with_threads() {
    let launch = launch(BOTH[0]).args(["--drain", "600"]);
    let mut chain = Chain::start(launch);
    let table = idle(&chain);
    chain.plan("threads 4\n");
    chain.hand_over();
    for _ in 0..5 {
        let mut client = chain.server.connect();
        client.echo("hello");
        drop(client);
        chain.hand_over();
    }
    // Without threads again what is open can be compared.
    chain.plan("");
    chain.hand_over();
    let same = until(|| (kinds(chain.now) == table).then_some(()));
    assert!(same.is_some(), "{table:?} became {:?}", kinds(chain.now));
    chain.stop();
}

/// The program's wait(2) meets no process of ours, while the hand-over is under way and later; also where
/// the program has children reaped by nobody.
#[test]
fn the_new_server_is_no_child() {
    for steps in ["", "nobodys-child\n"] {
        let launch = launch(BOTH[0]).args(["--drain", "600"]);
        plan(&launch, steps);
        let mut chain = Chain::start(launch);
        let first = chain.now;
        let mut client = chain.server.connect();
        assert_eq!(client.ask("!children"), "none");
        chain.now.signal(Signal::HUP);
        while chain.successors().is_empty() {
            assert_eq!(client.ask("!children"), "none");
            assert!(!chain.server.stderr().contains("goes on"), "{}", chain.server.stderr());
        }
        chain.await_successor(0);
        assert_eq!(client.ask("!children"), "none");
        assert_eq!(first.children(), []);
        assert_eq!(who(&mut chain.server.connect()).1, pid(chain.now));
        drop(client);
        assert_eq!(chain.wait(first), Some(0));
        chain.stop();
    }
}

/// Between the fork and the new program only calls are made that signal-safety(7) lists: a thread may have
/// been in the middle of anything.
#[test]
fn what_is_forked_is_signal_safe() {
    if skipped(&[Need::Tool("strace")]) {
        return;
    }
    let (launch, trace) = Trace::of(daemon(BOTH[0]), &["-s", "200"]);
    let mut chain = Chain::start(launch);
    chain.hand_over();
    chain.stop();
    let before = chain.server.process().0.to_string();
    let mut roles = Vec::new();
    for process in trace.processes(&chain.server).into_iter().filter(|it| *it != before) {
        let mut calls = trace.calls_of(&chain.server, &process);
        let execve = calls.iter().position(|call| call.starts_with("execve("));
        calls.truncate(execve.unwrap_or(calls.len()));
        // The C library's own, in a child.
        calls.retain(|call| !call.starts_with("set_robust_list(") && !call.starts_with("rseq("));
        let is_supervisor = calls.iter().any(|call| call.starts_with("poll("));
        let allowed: &[&str] = match (is_supervisor, execve.is_some()) {
            (true, _) => &[
                "close(",
                "rt_sigaction(",
                "clone(",
                "clock_gettime(",
                "poll(",
                "read(",
                "write(",
                "exit_group(",
                "rt_sigprocmask(",
            ],
            (false, true) => {
                &["rt_sigaction(", "setsid(", "getpid(", "fcntl(", "fchdir(", "rt_sigprocmask("]
            }
            // The one between, and what the start has forked.
            (false, false) => continue,
        };
        for call in calls.iter().filter(|call| !call.starts_with("+++") && !call.starts_with("---"))
        {
            assert!(allowed.iter().any(|it| call.starts_with(it)), "{call} in {calls:#?}");
        }
        roles.push(is_supervisor);
    }
    roles.sort();
    // The program that strace has started has executed something too, as the first of its calls.
    assert!(roles.ends_with(&[false, true]), "{roles:?}");
}
