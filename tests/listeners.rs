//! Several sockets and several ports: each -l and each -p counts.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use crate::bad_start::fails;
use crate::harness::{Client, Launch, Need, Request, Server, skipped, until};

const MORE: [&str; 2] = ["second", "third"];

/// A server on three sockets.
fn three_sockets(launch: Launch) -> Launch {
    launch.args(MORE.into_iter().flat_map(|name| ["-l", name]))
}

/// The same without a cleaner, who would know of the sockets whatever the server does.
fn without_cleaner(launch: Launch) -> Launch {
    let is_root = rustix::process::geteuid().is_root();
    three_sockets(launch)
        .args(if is_root { &["-u", "0", "-g", "0"][..] } else { &[] }.iter().copied())
}

fn paths(server: &Server) -> Vec<PathBuf> {
    let more = MORE.map(|name| server.run_dir().canonicalize().expect("it is there").join(name));
    more.into_iter().chain([server.socket().to_owned()]).collect()
}

/// Each is told in a line, and serves.
fn all_serve(server: &Server) {
    for path in paths(server) {
        server.await_stderr(&format!("listening on {}", path.display()));
        Client::upgraded(&path, &Request::new()).echo("hello");
    }
}

fn all_are_gone(server: &Server) {
    let gone = until(|| paths(server).iter().all(|it| !it.exists()).then_some(()));
    assert!(gone.is_some(), "{:?}", paths(server));
}

/// CONTRACT S27, D21, S10: in both libraries all sockets are made, with their owner and mode, and removed.
#[test]
fn several_sockets() {
    for launch in [Launch::probe(), Launch::classic()] {
        let mut server = three_sockets(launch).start();
        all_serve(&server);
        let first = server.socket().symlink_metadata().expect("it is there");
        for path in paths(&server) {
            let it = path.symlink_metadata().expect("it is there");
            assert!(it.file_type().is_socket());
            assert_eq!((it.mode(), it.uid(), it.gid()), (first.mode(), first.uid(), first.gid()));
        }
        server.stop();
        all_are_gone(&server);
    }
}

/// CONTRACT S10: as a daemon that was root's they are removed, also where the server is killed.
#[test]
fn several_sockets_of_a_daemon() {
    if skipped(&[Need::Root]) {
        return;
    }
    for signal in [Signal::TERM, Signal::KILL] {
        let launch = three_sockets(Launch::probe()).args(["--log-stderr"]);
        let name = launch.unique_name();
        let mut server = launch.name(&name).start_daemon();
        all_serve(&server);
        server.signal(signal);
        server.wait();
        server.await_nobody();
        all_are_gone(&server);
    }
}

/// All are handed over, and the last server removes them.
#[test]
fn several_sockets_are_handed_over() {
    for source in crate::handover::BOTH {
        let mut chain =
            crate::handover::Chain::start(without_cleaner(crate::handover::launch(source)));
        for _ in 0..2 {
            chain.hand_over();
            all_serve(&chain.server);
        }
        chain.stop();
        all_are_gone(&chain.server);
    }
}

/// The new start after a crash has them all, and removes them.
#[test]
fn several_sockets_after_a_crash() {
    let mut server = without_cleaner(Launch::classic()).start();
    server.signal(Signal::SEGV);
    server.await_stderr("started anew after signal 11");
    all_serve(&server);
    server.stop();
    all_are_gone(&server);
}

/// A socket that stands there twice counts once; where one cannot be, none is left.
#[test]
fn one_that_cannot_be() {
    let mut server = Launch::probe().args(["-l", "second", "-l", "./second"]).start();
    server.connect().echo("hello");
    server.stop();
    for ended in fails(1, &["-l", "second", "-l", "/nowhere/third"], |_| {}) {
        assert!(ended.stderr.starts_with("server: -l /nowhere/third: "), "{}", ended.stderr);
    }
}

/// Each port is there on each address.
#[test]
fn several_ports() {
    let mut server =
        Launch::probe().tcp().args(["-p0", "-i", "127.0.0.1", "-i", "127.0.0.2"]).start();
    assert_eq!(server.tcp().len(), 4, "{:?}", server.tcp());
    for address in server.tcp() {
        server.await_stderr(&format!("listening on {address}"));
        Client::raw_tcp(*address).upgrade(&Request::new()).echo("hello");
    }
    server.await_stderr(&format!("listening on {}", server.socket().display()));
    server.stop();
    assert!(!Path::new(server.socket()).exists());
}
