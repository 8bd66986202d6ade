//! A server in a process that is the program's own touches none of what is that's (tests/c/guest.c).

use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener};

use crate::harness::{Launch, RunFiles, Server, Variant};

/// What the program has found at that moment.
fn found(server: &Server, when: &str) -> String {
    let line = server.await_journal(&format!("{when}: "));
    line[when.len() + 2..].to_owned()
}

/// Signals, the directory, LISTEN_FDS and its sockets, NOTIFY_SOCKET, the user; there is no pidfile, and no daemon.
#[test]
fn it_touches_nothing() {
    let launch = Launch::of("guest.c", Variant::Default);
    let notify = launch.dir().join("out/notify");
    let manager = UnixDatagram::bind(&notify).expect("a socket");
    manager.set_nonblocking(true).expect("an option");
    let passed = UnixListener::bind(launch.dir().join("out/passed")).expect("a socket");
    let name = launch.unique_name();
    let launch = launch.name(&name).env("NOTIFY_SOCKET", &notify.display().to_string());
    let mut server = launch.passing([Some(OwnedFd::from(passed))]).start();

    let (before, begun) = (found(&server, "before"), found(&server, "begun"));
    assert_eq!(begun, before);
    assert!(before.contains(" fds 1 pid 1 ") && before.contains(" descriptor 0 "), "{before}");
    // That of SIGTERM alone, which is the program's.
    assert!(before.contains(" signals 8000 "), "{before}");
    let user = rustix::process::geteuid().as_raw();
    assert_eq!(server.process().users(), [user; 4]);
    assert!(!RunFiles::of(&name).path("pid").exists());
    server.connect().echo("hello");
    server.stop();
    assert_eq!(found(&server, "ended"), before);
    let told = manager.recv(&mut [0; 100]).expect_err("nobody has told the service manager");
    assert_eq!(told.kind(), std::io::ErrorKind::WouldBlock);
    assert!(server.complaints().is_empty(), "{}", server.stderr());
}
