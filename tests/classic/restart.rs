//! E6: the server that crashes starts itself anew: what stays, and what is lost.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::harness::{Client, Launch, Need, Request, Server, Trace, Variant, skipped, until};

/// Started by root it runs as nobody, who must be able to execute it.
pub(super) fn classic() -> Launch {
    Launch::classic().everybodys()
}

/// CONTRACT E6: the same process, the same socket, the same arguments; the clients are dropped, and
/// new ones served.
#[test]
fn the_same_server_again() {
    let mut server = classic().args(["-f", "relative/file", "-b", "30"]).start();
    let process = server.process();
    let socket = server.socket().symlink_metadata().expect("the socket").ino();
    let first_start = super::last_start(&server);
    let mut clients: Vec<_> = (0..5).map(|_| super::connect_for(&server, "host.example")).collect();
    clients.iter_mut().for_each(|client| client.echo("hello"));
    super::crash(&server, "segv");
    clients.iter_mut().for_each(Client::expect_end);

    assert_eq!(super::starts(&server), 2);
    let pid_and_file = |line: &str| {
        let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        (words[0].clone(), words[2].clone())
    };
    assert_eq!(pid_and_file(&super::last_start(&server)), pid_and_file(&first_start));
    let file = server.run_dir().join("relative/file");
    assert_eq!(
        pid_and_file(&first_start),
        (process.0.to_string(), format!("file={}", file.display()))
    );
    assert_eq!(server.socket().symlink_metadata().expect("the socket").ino(), socket);
    let peer = rustix::net::sockopt::socket_peercred(server.raw().stream()).expect("a UNIX socket");
    assert_eq!(peer.pid, process.0);
    let mut client = server.connect();
    assert_eq!(client.ask("!where"), server.run_dir().display().to_string());
    client.text(&"x".repeat(26));
    client.expect_close(1009);
    server.stop();
    assert!(!server.socket().exists());
    assert_eq!(server.journal().matches("exit ").count(), 1);
}

/// CONTRACT E6, S19: -l is taken from the directory in which the server was started, the second
/// time too.
#[test]
fn a_relative_socket() {
    let launch = classic().socket(Some("relative".into()));
    std::fs::create_dir(launch.run_dir().join("elsewhere")).expect("a directory");
    let mut server = launch.start();
    super::crash(&server, "segv");
    super::crash(&server, "bus");
    assert!(server.run_dir().join("relative").exists());
    server.stop();
    assert!(!server.run_dir().join("relative").exists());
}

/// CONTRACT E6: a connect is never refused, also while the server crashes and starts.
#[test]
fn nobody_is_refused_meanwhile() {
    let mut server = classic().start();
    let is_over = AtomicBool::new(false);
    let connects = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let result = UnixStream::connect(server.socket());
                is_over.fetch_or(result.is_err(), Ordering::Relaxed);
                result.expect("somebody listens");
                connects.fetch_add(1, Ordering::Relaxed);
            }
        });
        for _ in 0..3 {
            let before = connects.load(Ordering::Relaxed);
            let went_on = until(|| (connects.load(Ordering::Relaxed) > before).then_some(()));
            assert!(went_on.is_some(), "nobody connects any more");
            super::crash(&server, "segv");
        }
        is_over.store(true, Ordering::Relaxed);
    });
    server.stop();
}

/// CONTRACT E6: who connects while the new start is not ready waits, and is served.
#[test]
fn who_comes_meanwhile_is_served() {
    if skipped(&[Need::Tool("mkfifo")]) {
        return;
    }
    let launch = classic();
    let gate = launch.dir().join("out/gate");
    let made = Command::new("mkfifo").args(["-m", "666"]).arg(&gate).status();
    assert!(made.expect("mkfifo runs").success());
    let mut server = launch.env("PROBE_GATE", &gate.display().to_string()).start();
    let mut client = server.connect();
    client.text("!crash segv");
    client.expect_end();
    // ws_init_func of the new start stands at the gate: nobody accepts.
    assert!(until(|| (super::starts(&server) == 2).then_some(())).is_some());
    let mut waiting: Vec<_> = (0..20).map(|_| server.raw()).collect();
    waiting.iter_mut().for_each(|client| client.send_bytes(&Request::new().bytes()));
    drop(File::options().write(true).open(&gate).expect("the gate opens"));
    for client in &mut waiting {
        assert_eq!(client.response().status, "HTTP/1.1 101 Switching Protocols");
        client.echo("served");
    }
    drop(waiting);
    server.stop();
}

/// The kinds of what is open, in order: numbers and inodes are the kernel's choice.
fn open_files(server: &Server) -> Vec<String> {
    let process = server.process();
    let links = process.descriptors().into_iter().map(|fd| process.link(&format!("fd/{fd}")));
    let mut kinds: Vec<_> = links
        .map(|link| link.display().to_string().split(":[").next().unwrap_or("").to_owned())
        .collect();
    kinds.sort();
    kinds
}

/// CONTRACT E6, S9: no start leaves a descriptor to the next, and none of a client's is kept.
#[test]
fn descriptors_do_not_leak() {
    let mut server = classic().start();
    server.connect().echo("hello");
    let idle = |number: usize| server.await_journal(&format!("close {number} "));
    idle(1);
    let first = open_files(&server);
    for _ in 0..3 {
        let clients: Vec<_> = (0..10).map(|_| server.connect()).collect();
        super::crash(&server, "segv");
        drop(clients);
        let now = until(|| Some(open_files(&server)).filter(|now| *now == first));
        assert!(now.is_some(), "{first:?} became {:?}", open_files(&server));
    }
    server.stop();
}

/// The descriptors that a program which it executes would get.
fn inheritable(server: &Server) -> Vec<String> {
    let process = server.process();
    // What is gone meanwhile was a client's.
    let is_inheritable = |fd: &u32| process.is_close_on_exec(*fd) == Some(false);
    let found = process.descriptors().into_iter().filter(is_inheritable);
    found.map(|fd| format!("{fd} {}", process.link(&format!("fd/{fd}")).display())).collect()
}

/// CONTRACT E6, S9, S13: what else a process has is as before: no signal stays blocked, none is
/// left unhandled, and what the new start has inherited is closed in a program that it executes.
#[test]
fn the_process_is_as_before() {
    let mut server = classic().start();
    server.connect().echo("hello");
    let process = server.process();
    let state = || (process.attributes(), inheritable(&server));
    let before = state();
    assert!(process.descriptors().len() > before.1.len() + 3, "the library has some of its own");
    for way in ["segv", "bus", "overflow"] {
        super::crash(&server, way);
        assert_eq!(state(), before, "{way}");
    }
    server.stop();
}

/// CONTRACT E6: as an ordinary user, who has no helper, the socket is removed at the end all the
/// same.
#[test]
fn as_an_ordinary_user() {
    if skipped(&[Need::Root, Need::Tool("setpriv")]) {
        return;
    }
    let mut server = Launch::classic().by_user(12345, 12345).args(["-f", "conf"]).start();
    for _ in 0..2 {
        super::crash(&server, "segv");
    }
    let pid = server.process().0;
    let file = server.run_dir().join("conf");
    assert_eq!(
        super::last_start(&server),
        format!("{pid} uid=12345/12345 file={}", file.display())
    );
    assert_eq!(server.processes().len(), 1);
    server.stop();
    assert!(!server.socket().exists());
}

/// CONTRACT E6: with the shared library, and with none.
#[test]
fn however_it_is_linked() {
    let root = rustix::process::geteuid().is_root();
    for variant in [Variant::Default, Variant::FullyStatic, Variant::NoPie, Variant::HiddenLto] {
        // Nobody else may be able to read the build directory.
        let user: &[&str] = if root { &["-u", "root", "-g", "root"] } else { &[] };
        let launch = Launch::of("classic/probe.c", variant).args(user.iter().copied());
        let mut server = launch.args(["-f", "conf"]).start();
        super::crash(&server, "segv");
        super::crash(&server, "overflow");
        let file = server.run_dir().join("conf").display().to_string();
        assert!(super::last_start(&server).ends_with(&file));
        server.stop();
        assert!(!server.socket().exists());
    }
}

/// CONTRACT E6, S10: a new start stops like a first one.
#[test]
fn a_new_start_stops_in_order() {
    let mut server = classic().start();
    super::crash(&server, "segv");
    let mut client = server.connect();
    client.echo("hello");
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(client.receive().code(), Some(1001));
    drop(client);
    server.stop();
    let journal = server.journal();
    assert_eq!(journal.lines().last(), Some(&*format!("exit {}", server.process().0)), "{journal}");
    assert!(!server.socket().exists());
    server.await_nobody();
}

/// CONTRACT E6, D8: what `ws_init_func` sets up it sets up anew, such as the periodic function.
#[test]
fn what_is_lost_is_made_anew() {
    let mut server = classic().env("PROBE_PERIODIC", "1").start();
    let mut client = server.connect();
    assert_eq!(client.ask("!later tick segv"), "later");
    client.expect_end();
    assert!(until(|| (super::starts(&server) == 2).then_some(())).is_some());
    let ticks_again = until(|| {
        let journal = server.journal();
        let (_, since) = journal.rsplit_once("init ")?;
        since.contains("tick").then_some(())
    });
    assert!(ticks_again.is_some(), "{}", server.journal());
    server.stop();
}

/// Between the signal and the new start only calls are made that signal-safety(7) lists.
#[test]
fn the_handler_is_signal_safe() {
    if skipped(&[Need::Tool("strace")]) {
        return;
    }
    for way in ["segv", "bus", "overflow"] {
        let (launch, trace) = Trace::of(classic().args(["-f", "conf"]), &["-s", "200"]);
        let mut server = launch.start();
        super::crash(&server, way);
        server.stop();
        server.await_nobody();
        let calls = trace.calls(&server);
        let is_signal =
            |call: &String| call.starts_with("--- SIGSEGV") || call.starts_with("--- SIGBUS");
        let from = calls.iter().position(is_signal).expect("the signal");
        let to =
            calls[from..].iter().position(|call| call.starts_with("execve(")).expect("a new start");
        let between = &calls[from + 1..from + to];
        let allowed = ["getpid(", "clock_gettime(", "fcntl(", "fchdir(", "rt_sigprocmask("];
        for call in between {
            assert!(allowed.iter().any(|it| call.starts_with(it)), "{way}: {call} in {between:#?}");
        }
        let execve = &calls[from + to];
        assert!(execve.ends_with(" = 0"), "{execve}");
        let more = calls[from + to + 1..].iter().filter(|call| call.starts_with("execve(")).count();
        assert_eq!(more, 0, "one new start is enough");
    }
}
