//! The server as a daemon that root starts: pidfile, user and group, syslog, and what becomes of
//! the start's process.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::Signal;

use crate::harness::{
    Frame, Launch, Need, Process, RunFiles, Server, Syslog, Variant, skipped, until,
};
use crate::socket_file::{id, nobodys_group};

fn named() -> Launch {
    let launch = Launch::probe();
    let name = launch.unique_name();
    launch.name(&name)
}

/// The two numbers in the journal's line "init PID uid=UID file=FILE".
fn init(server: &Server) -> (i32, u32) {
    let line = server.await_journal("init ");
    let words: Vec<_> = line.split(' ').collect();
    let user = words[2].strip_prefix("uid=").expect("a user");
    (words[1].parse().expect("a pid"), user.parse().expect("a uid"))
}

/// CONTRACT D4, D6, D21, D22, S1, S10: a daemon's whole life, with `-u nobody` and its files in
/// /var/run.
#[test]
fn a_daemon_as_nobody() {
    if skipped(&[Need::Root]) {
        return;
    }
    let launch = Launch::probe();
    let name = launch.unique_name();
    let mut server = launch
        .name(&name)
        .socket(None)
        .args(["-u", "nobody"])
        .env("PROBE_PERIODIC", "1")
        .start_daemon();
    let process = server.process();
    let pidfile = format!("/var/run/{name}.pid");
    let (user, group) = (id("-u", "nobody"), nobodys_group());

    let content = std::fs::read_to_string(&pidfile).expect("the pidfile");
    assert_eq!(content.trim_end(), process.0.as_raw_pid().to_string());
    assert_eq!(process.users(), [user; 4]);
    assert_eq!(process.groups(), [group; 4]);
    assert_eq!(process.status().groups, [group]);
    let socket = Path::new(server.socket()).symlink_metadata().expect("the socket");
    assert_eq!((socket.uid(), socket.gid(), socket.mode() & 0o7777), (user, group, 0o770));

    let (starter, started_by) = init(&server);
    assert_eq!(started_by, 0, "ws_init_func is root's");
    assert_ne!(starter, process.0.as_raw_pid(), "ws_init_func runs before the fork");

    let mut client = server.connect();
    client.echo("hello");
    server.await_journal("tick ");
    server.signal(Signal::TERM);
    assert_eq!(client.receive().code(), Some(1001));
    client.send(&Frame::close(1001, ""));
    client.expect_end();
    drop(client);
    server.stop();
    assert!(!Path::new(&pidfile).exists(), "the pidfile is removed");
    assert!(!server.socket().exists(), "the socket is removed");
    let last = format!("exit {}", process.0.as_raw_pid());
    assert_eq!(server.journal().lines().last(), Some(&*last), "{}", server.journal());
    server.await_nobody();
}

/// CONTRACT S1, S9: the daemon has left the terminal: its own session, "/" below it, nothing
/// inherited, nothing kept.
#[test]
fn a_daemon_keeps_nothing_of_the_terminal() {
    let mut server = named().start_daemon();
    let process = server.process();
    assert_ne!(process.session(), Process(rustix::process::getpid()).session());
    assert_eq!(process.link("cwd"), Path::new("/"));
    for standard in ["fd/0", "fd/1", "fd/2"] {
        assert_eq!(process.link(standard), Path::new("/dev/null"), "{standard}");
    }
    // A helper lets go of it when it has come to run, which may be a moment later.
    let holds = |it: &Process| it.open_files().iter().any(|file| file.ends_with("out/stderr"));
    let let_go = until(|| (!server.processes().iter().any(holds)).then_some(()));
    assert!(let_go.is_some(), "the terminal is held open by one of {:?}", server.processes());
    assert_eq!(server.connect().ask("!leaks"), "inherited:");
    server.stop();
}

/// CONTRACT D6: without a name the socket is dorrit.socket, and the pidfile server.pid.
#[test]
fn a_daemon_without_a_name() {
    let files = ["/var/run/dorrit.socket", "/var/run/server.pid"];
    if skipped(&[Need::Root, Need::Free(files[0]), Need::Free(files[1])]) {
        return;
    }
    let _removed_at_the_end = RunFiles::of("dorrit");
    let _this_too = RunFiles::of("server");
    let mut server = Launch::probe().socket(None).start_daemon();
    server.connect().echo("hello");
    let pid = std::fs::read_to_string(files[1]).expect("the pidfile");
    assert_eq!(pid.trim_end(), server.process().0.as_raw_pid().to_string());
    server.stop();
    files.iter().for_each(|path| assert!(!Path::new(path).exists(), "{path}"));
}

/// CONTRACT D6: a pidfile that a dead server has left behind does not hinder.
#[test]
fn an_old_pidfile_is_replaced() {
    if skipped(&[Need::Root]) {
        return;
    }
    let launch = named();
    let pidfile = format!("/var/run/{}.pid", launch.unique_name());
    std::fs::write(&pidfile, "999999999 and much more than the new one\n").expect("root may");
    let mut server = launch.start_daemon();
    let content = std::fs::read_to_string(&pidfile).expect("the pidfile");
    assert_eq!(content.trim_end(), server.process().0.as_raw_pid().to_string());
    server.stop();
}

/// CONTRACT S1: with -x there is no pidfile, even where root starts it, and the process is the one
/// that was started.
#[test]
fn in_the_foreground_there_is_no_pidfile() {
    if skipped(&[Need::Root]) {
        return;
    }
    let launch = named();
    let pidfile = format!("/var/run/{}.pid", launch.unique_name());
    let mut server = launch.start();
    assert!(!Path::new(&pidfile).exists());
    assert_eq!(init(&server).0, server.process().0.as_raw_pid());
    assert!(server.process().link("fd/2").ends_with("out/stderr"));
    server.stop();
}

/// CONTRACT D4, S9: what `ws_init_func` prints reaches the terminal, once, though it has flushed
/// nothing.
#[test]
fn the_standard_streams_are_flushed_once() {
    let mut server = named().env("PROBE_PRINT", "starting").start_daemon();
    assert_eq!(server.output("stdout"), "starting");
    assert_eq!(server.stderr().matches("starting\n").count(), 1, "{}", server.stderr());
    server.stop();
    assert_eq!(server.output("stdout"), "starting");
    assert_eq!(server.stderr().matches("starting\n").count(), 1, "{}", server.stderr());
}

/// CONTRACT D5, S9: an `atexit` handler runs in the daemon, when it ends, and not in the parent
/// that leaves.
#[test]
fn atexit_handlers_do_not_run_in_the_parent() {
    let mut server = named().env("PROBE_ATEXIT", "yes").start_daemon();
    assert!(!server.journal().contains("atexit"), "{}", server.journal());
    server.stop();
    server.await_nobody();
    let pid = server.process().0;
    let journal = server.journal();
    let lines: Vec<_> = journal.lines().filter(|line| line.contains("exit ")).collect();
    assert_eq!(lines, [format!("exit {pid}"), format!("atexit {pid}")]);
}

/// CONTRACT D6, D7: the daemon's errors and the program's own lines go to syslog under the server's
/// name.
#[test]
fn a_daemon_speaks_to_syslog() {
    let Some(syslog) = Syslog::listen() else {
        return;
    };
    let launch = Launch::probe();
    let name = launch.unique_name();
    let mut server = launch.name(&name).start_daemon();
    let mut client = server.connect();
    assert_eq!(client.ask("!syslog a line of the program"), "logged");
    syslog.await_line(&name, "a line of the program");
    // An error of the library's own.
    assert_eq!(client.ask("!thread"), "write=-3 qlen=0 data=null kept=yes");
    syslog.await_line(&name, "thread");
    for line in syslog.lines(&name) {
        let (_, after) = line.split_once(&name).expect("the name");
        assert!(after.starts_with(": ") || after.starts_with('['), "the ident ends there: {line}");
    }
    drop(client);
    server.stop();
    assert_eq!(server.stderr(), "", "nothing of it went to the terminal");
}

/// CONTRACT D7: without a syslogd the daemon lives as well.
#[test]
fn a_daemon_needs_no_syslogd() {
    let Some(_nobody_listens) = Syslog::absent() else {
        return;
    };
    let mut server = named().start_daemon();
    let mut client = server.connect();
    assert_eq!(client.ask("!syslog a line that nobody reads"), "logged");
    assert_eq!(client.ask("!thread"), "write=-3 qlen=0 data=null kept=yes");
    client.echo("hello");
    drop(client);
    server.stop();
}

/// CONTRACT S1: as the parent has left, the daemon takes connections, every time; statically linked
/// as well.
#[test]
fn when_the_parent_has_left_the_daemon_listens() {
    for variant in [Variant::Default, Variant::StaticLibrary, Variant::FullyStatic] {
        for _ in 0..5 {
            let launch = Launch::of("probe.c", variant).args(user_for(variant).iter().copied());
            let name = launch.unique_name();
            // start_daemon() connects at once, without a second try.
            let mut server = launch.name(&name).start_daemon();
            server.connect().echo("hello");
            server.stop();
        }
    }
}

/// Whom root may let such a program run as: in a fully static one glibc may crash where it looks
/// for a user's groups beyond the files.
fn user_for(variant: Variant) -> &'static [&'static str] {
    match variant {
        _ if !rustix::process::geteuid().is_root() => &[],
        Variant::FullyStatic => &["-u", "root", "-g", "root"],
        _ => &["-u", "nobody"],
    }
}

/// CONTRACT S10: where the daemon dies without warning, whoever is left of it goes, and the next
/// start succeeds.
#[test]
fn a_daemon_that_was_killed_can_be_started_again() {
    let mut server = named().start_daemon();
    let socket = server.socket().to_owned();
    server.signal(Signal::KILL);
    assert_eq!(server.wait(), None);
    server.await_nobody();
    let again = Launch::probe();
    let name = again.unique_name();
    let mut server = again.name(&name).socket(Some(socket)).start_daemon();
    server.connect().echo("hello");
    server.stop();
}

/// CONTRACT S10: SIGINT is the foreground's; the daemon gets no handler for it.
#[test]
fn sigint_does_not_stop_a_daemon_in_order() {
    let mut server = named().start_daemon();
    let changed = server.connect().ask("!signals");
    assert!(changed.contains("Terminated") && !changed.contains("Interrupt"), "{changed}");
    drop(changed);
    server.stop();
}

/// CONTRACT D22: privileges are gone before the first byte of a client is read.
#[test]
fn clients_are_served_without_privileges() {
    if skipped(&[Need::Root]) {
        return;
    }
    let mut server = Launch::probe().args(["-u", "daemon", "-g", "daemon"]).start();
    let process = server.process();
    let user = id("-u", "daemon");
    let dropped = until(|| (process.users()[0] == user).then_some(()));
    assert!(dropped.is_some());
    assert_eq!((process.status().capeff, process.status().capprm), (0, 0));
    server.connect().echo("hello");
    server.stop();
}
