//! Processes beside the server: children of the program's that do not exec, and those of ours, of which the
//! program sees nothing.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use crate::harness::{Client, Frame, Launch, Need, Server, skipped};

/// Has the server fork a child, which calls nothing and lives until the server is dropped.
fn fork(server: &Server, client: &mut Client) {
    let fifo = server.run_dir().join("fifo");
    if !fifo.exists() {
        assert!(Command::new("mkfifo").arg(&fifo).status().expect("mkfifo runs").success());
    }
    assert_eq!(client.ask(&format!("!fork {}", fifo.display())), "0");
}

/// CONTRACT S23: in a child each call returns its failure and changes nothing, nor is a line written.
#[test]
fn in_a_child_nothing_is_done() {
    let mut server = Launch::probe().args(["--log-level", "debug"]).start();
    let mut client = server.connect();
    assert_eq!(client.ask("!fork calls"), "0");
    let said = server.await_journal("child write=");
    let nothing = "write=-3 send=-3 qlen=0 qbytes=0 data=null protocol=[] compression=-1";
    assert_eq!(said, format!("child {nothing}"));
    // What the child had sent would come first.
    client.echo("hello");
    assert_eq!(client.ask("!set 0"), "kept null kept");
    drop(client);
    server.stop();
    assert!(!server.stderr().contains("ws_"), "{}", server.stderr());
}

/// CONTRACT S23: each end reaches its client while a child has the sockets too.
#[test]
fn ends_reach_the_clients() {
    for launch in [Launch::probe(), Launch::probe().tcp()] {
        let mut server = launch.start();
        let mut forced = server.connect();
        fork(&server, &mut forced);
        forced.text("!close 0 1");
        forced.expect_end();
        let mut closes = server.connect();
        fork(&server, &mut closes);
        closes.send(&Frame::close(1000, ""));
        closes.expect_close(1000);
        let mut bad = server.connect();
        fork(&server, &mut bad);
        bad.send(&Frame::text("x").unmasked());
        bad.expect_close(1002);
        let mut refused = server.raw();
        refused.send_bytes(b"no HTTP\r\n\r\n");
        assert!(refused.response().status.contains(" 400 "));
        refused.expect_end();
        let mut last = server.connect();
        fork(&server, &mut last);
        server.signal(Signal::TERM);
        last.expect_close(1001);
        server.stop();
    }
}

/// CONTRACT S23: a server that has stopped listens no more, and its port can be had again.
#[test]
fn nobody_listens_for_a_server_that_has_stopped() {
    let mut server = Launch::probe().tcp().start();
    let (address, link) = (server.tcp()[0], server.run_dir().join("link"));
    std::fs::hard_link(server.socket(), &link).expect("a second name for the socket");
    let mut client = server.connect();
    fork(&server, &mut client);
    drop(client);
    server.stop();
    assert!(!server.processes().is_empty(), "the child lives");
    let refused = [TcpStream::connect(address).err(), UnixStream::connect(&link).err()];
    for error in refused {
        assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::ConnectionRefused));
    }
    let port = address.port().to_string();
    let mut again = Launch::probe().args(["-p", &port]).start_tcp();
    again.connect().echo("hello");
    again.stop();
}

/// CONTRACT S23: a socket that was passed is others' too, who may go on to listen on it.
#[test]
fn sockets_that_were_passed_are_left_as_they_are() {
    let launch = Launch::probe();
    let path = launch.run_dir().join("socket");
    let listener = UnixListener::bind(&path).expect("a socket");
    let passed = OwnedFd::from(listener.try_clone().expect("a descriptor"));
    let mut server = launch.passing([Some(passed)]).start_passed();
    server.connect().echo("hello");
    server.stop();
    UnixStream::connect(&path).expect("it still listens");
    listener.accept().expect("for whoever has it");
}

/// CONTRACT S23: nor does a child keep the files of a server that has stopped, which another user removes.
#[test]
fn the_files_of_a_server_that_has_stopped_are_gone() {
    if skipped(&[Need::Root]) {
        return;
    }
    let launch = Launch::probe();
    let name = launch.unique_name();
    let launch = launch.name(&name).socket(None).args(["-u", "nobody"]);
    let mut server = launch.start_daemon();
    let fifo = server.run_dir().join("fifo");
    assert!(Command::new("mkfifo").args(["-m", "666"]).arg(&fifo).status().is_ok());
    fork(&server, &mut server.connect());
    server.stop();
    for ending in ["pid", "socket"] {
        let path = format!("/var/run/{name}.{ending}");
        assert!(!Path::new(&path).exists(), "{path} is left");
    }
}

/// A child that returns from a callback ends there, and takes nothing with it.
#[test]
fn a_child_that_returns_ends() {
    let mut server = Launch::probe().start();
    let mut client = server.connect();
    assert_eq!(client.ask("!fork return"), "1");
    client.echo("hello");
    assert!(server.socket().exists());
    drop(client);
    server.stop();
    assert_eq!(server.journal().matches("exit ").count(), 1, "{}", server.journal());
}

/// CONTRACT S28: where processes that lose their parents become the server's children, there are none of
/// ours: as process 1, or by its own choice. A program that waits for its children finds none.
#[test]
fn a_reaper_has_no_children_of_ours() {
    if skipped(&[Need::Root]) {
        return;
    }
    let unshare = ["unshare", "--pid", "--fork", "--kill-child"];
    let can = Command::new("unshare").args(&unshare[1..]).arg("true").status();
    let can = can.is_ok_and(|status| status.success());
    let by_choice = Launch::probe().env("PROBE_REAPER", "yes");
    let as_process_1 = (!skipped(&[Need::Has(can, "no process namespaces")]))
        .then(|| Launch::probe().under(unshare));
    for launch in [Some(by_choice), as_process_1].into_iter().flatten() {
        let user = ["-u", "nobody"];
        let mut server = launch.env("PROBE_CHILDREN", "yes").args(user).start();
        server.connect().echo("hello");
        server.signal(Signal::HUP);
        server.await_stderr("replaced; this server goes on");
        server.signal(Signal::TERM);
        server.await_journal("no child: ");
        server.await_stderr("socket is left behind: Permission denied");
        assert_eq!(server.wait(), Some(0), "{}", server.stderr());
        assert!(!server.journal().contains("fault:"), "{}", server.journal());
    }
}

/// CONTRACT S28: the one that removes the files, and the one that hands over, come and go without a signal
/// or a child that the program could meet.
#[test]
#[cfg(target_os = "linux")]
fn helpers_are_not_seen() {
    if skipped(&[Need::Root]) {
        return;
    }
    let mut server = Launch::probe().env("PROBE_CHILDREN", "yes").args(["-u", "nobody"]).start();
    server.connect().echo("hello");
    assert_eq!(server.processes().len(), 2, "a server and its cleaner");
    // Its user may not execute the program, or it may and takes over: both are over when it is told.
    server.signal(Signal::HUP);
    server.await_stderr("hand-over: starts ");
    server.signal(Signal::TERM);
    server.await_journal("no child: ");
    assert_eq!(server.wait(), Some(0), "{}", server.stderr());
    assert!(!server.journal().contains("fault:"), "{}", server.journal());
    assert!(!server.stderr().contains("a child's end"), "{}", server.stderr());
}
