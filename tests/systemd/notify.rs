//! Readiness and stopping, as the service manager hears of them.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};

use rustix::process::Signal;

use super::{Manager, WATCHDOG};
use crate::harness::{FILLER, Launch, Need, RunFiles, Variant, fill_datagrams, skipped};

/// The word comes when clients can connect, and the other when SIGTERM has come.
#[test]
fn ready_and_stopping() {
    for launch in [Launch::probe(), Launch::classic(), Launch::probe().tcp()] {
        let (launch, manager) = Manager::of(launch);
        let path = launch.run_dir().join("socket");
        let watcher = std::thread::spawn(move || {
            let first = manager.hear();
            let connected = std::os::unix::net::UnixStream::connect(path).is_ok();
            (first, connected, manager)
        });
        let mut server = launch.start();
        let (first, connected, manager) = watcher.join().expect("no panic");
        assert_eq!((first.as_str(), connected), ("READY=1", true));
        server.connect().echo("hello");
        assert_eq!(manager.heard(), None);
        server.stop();
        assert_eq!(manager.heard().as_deref(), Some("STOPPING=1"));
        assert_eq!(manager.heard(), None);
    }
}

/// The stop is told while clients are still to be let go.
#[test]
fn stopping_is_told_at_once() {
    let (launch, manager) = Manager::of(Launch::probe());
    let mut server = launch.start();
    let mut client = server.connect();
    assert_eq!(manager.hear(), "READY=1");
    server.signal(Signal::TERM);
    assert_eq!(manager.hear(), "STOPPING=1");
    // It waits for the client's close frame.
    assert!(!server.process().is_over());
    client.expect_close(1001);
    drop(client);
    assert_eq!(server.wait(), Some(0));
}

/// A daemon says which process it is, before the one that was started leaves.
#[test]
fn a_daemon_names_itself() {
    for launch in [Launch::probe(), Launch::classic()] {
        let name = launch.unique_name();
        let (launch, manager) = Manager::of(launch.name(&name));
        let mut server = launch.start_daemon();
        let word = format!("READY=1\nMAINPID={}", server.process().0);
        assert_eq!(manager.heard(), Some(word));
        server.stop();
        assert_eq!(manager.heard().as_deref(), Some("STOPPING=1"));
    }
}

/// A server that does not start says nothing.
#[test]
fn no_word_of_a_start_that_fails() {
    for arguments in
        [&["-x", "-w", "/nowhere"][..], &["-w", "/nowhere"], &["-x", "-b", "0"], &["--help"]]
    {
        let launch = Launch::probe();
        let name = launch.unique_name();
        let (launch, manager) = Manager::of(launch.name(&name));
        let ended = launch.args(arguments.iter().copied()).run();
        assert_eq!(ended.code, Some(i32::from(arguments != ["--help"])), "{}", ended.stderr);
        assert_eq!(manager.heard(), None);
    }
}

/// What the program executes must not speak for the server.
#[test]
fn the_variables_are_gone() {
    let (launch, _manager) = Manager::of(Launch::probe());
    let launch = launch.env("WATCHDOG_USEC", "60000000").for_itself("WATCHDOG_PID");
    let mut server = launch.env("STAYS", "here").start();
    let mut client = server.connect();
    assert_eq!(client.ask("!env STAYS"), "here");
    for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] {
        assert_eq!(client.ask(&format!("!env {name}")), "unset", "{name}");
    }
    assert_eq!(client.ask("!leaks"), "inherited:");
    drop(client);
    server.stop();
}

/// A socket that has a name, and no file.
#[test]
fn an_abstract_socket() {
    let launch = Launch::probe();
    let name = launch.unique_name();
    let address = SocketAddr::from_abstract_name(&name).expect("a name");
    let socket = UnixDatagram::bind_addr(&address).expect("it is free");
    let manager = Manager { socket, path: "".into() };
    let mut server = launch.env("NOTIFY_SOCKET", &format!("@{name}")).start();
    assert_eq!(manager.hear(), "READY=1");
    server.stop();
    assert_eq!(manager.hear(), "STOPPING=1");
}

/// A service manager that is not there is told of in one line, however often it would have been told
/// something.
#[test]
fn a_socket_that_is_gone_or_nonsense() {
    let long = format!("/{}", "x".repeat(200));
    let abstract_long = format!("@{}", "x".repeat(200));
    for socket in [
        "gone",
        "stream",
        "file",
        "/",
        "",
        "nonsense",
        "@",
        "@nobody",
        &long,
        &abstract_long,
        "vsock:2:1",
    ] {
        let launch = Launch::probe();
        let value = match socket {
            "gone" | "stream" | "file" => launch.dir().join(socket).display().to_string(),
            other => other.to_owned(),
        };
        let _stream = (socket == "stream").then(|| UnixListener::bind(&value).expect("a socket"));
        if socket == "file" {
            std::fs::write(&value, "").expect("a file");
        }
        // The other one says when the watchdog has had its say many times.
        let (other, manager) = Manager::of(Launch::probe());
        let mut other = other.env("WATCHDOG_USEC", "2000").start();
        let mut server = launch.env("NOTIFY_SOCKET", &value).env("WATCHDOG_USEC", "2000").start();
        while manager.heard().is_some() {}
        (0..20).for_each(|_| assert_eq!(manager.hear(), WATCHDOG));
        server.connect().echo("hello");
        server.stop();
        other.stop();
        let lines = server.stderr();
        let lines: Vec<_> = lines.lines().filter(|line| line.contains("NOTIFY_SOCKET")).collect();
        assert_eq!(lines.len(), 1, "{socket}: {lines:?}");
        assert!(lines[0].contains(&format!("NOTIFY_SOCKET {value}: ")), "{lines:?}");
    }
}

/// A socket that is full holds nothing up, and hears all when it is read.
#[test]
fn a_full_socket() {
    let (launch, manager) = Manager::of(Launch::probe());
    fill_datagrams(&manager.path);
    let mut server = launch.start();
    server.connect().echo("hello");
    let mut messages = std::iter::repeat_with(|| manager.hear());
    assert_eq!(messages.find(|message| message != FILLER).as_deref(), Some("READY=1"));

    fill_datagrams(&manager.path);
    server.stop();
    assert!(!server.stderr().contains("NOTIFY_SOCKET"), "{}", server.stderr());
}

/// The same where the server is root at the start, and somebody else when it tells.
#[test]
fn as_another_user() {
    if skipped(&[Need::Root]) {
        return;
    }
    let (launch, manager) = Manager::of(Launch::of("probe.c", Variant::Default));
    let name = launch.unique_name();
    let _files = RunFiles::of(&name);
    let mut server = launch.args(["-u", "daemon", "-g", "daemon"]).start();
    assert_eq!(manager.hear(), "READY=1");
    assert_ne!(server.process().users()[0], 0);
    server.stop();
    assert_eq!(manager.hear(), "STOPPING=1");
}
