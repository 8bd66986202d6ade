//! Servers that somebody starts who is not root.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::harness::{Launch, Need, skipped};
use crate::socket_file::id;

/// A user that the system does not know: it has a number and nothing else.
const STRANGER: u32 = 54321;

fn cannot_run() -> bool {
    skipped(&[Need::Root, Need::Tool("setpriv")])
}

/// CONTRACT D22, S12: the server keeps its own user and group, says so in one line, and serves.
#[test]
fn an_ordinary_user_keeps_user_and_group() {
    if cannot_run() {
        return;
    }
    let mut server = Launch::probe().by_user(STRANGER, STRANGER).start();
    assert_eq!(server.process().users(), [STRANGER; 4]);
    assert_eq!(server.process().groups(), [STRANGER; 4]);
    let it = server.socket().symlink_metadata().expect("the socket");
    assert_eq!((it.uid(), it.gid(), it.mode() & 0o7777), (STRANGER, STRANGER, 0o770));
    assert!(server.await_stderr("not started as root").starts_with("server: "));
    assert_eq!(server.stderr().matches("not started").count(), 1, "{}", server.stderr());
    assert!(server.complaints().is_empty(), "{}", server.stderr());
    server.connect().echo("hello");
    assert_eq!(server.processes().len(), 1, "no helper is needed");
    server.stop();
    assert!(!server.socket().exists());
}

/// CONTRACT D6, D22: as a daemon as well; there is no pidfile.
#[test]
fn an_ordinary_users_daemon_has_no_pidfile() {
    if cannot_run() {
        return;
    }
    let launch = Launch::probe();
    let name = launch.unique_name();
    let mut server = launch.name(&name).by_user(STRANGER, STRANGER).start_daemon();
    server.connect().echo("hello");
    assert!(!Path::new(&format!("/var/run/{name}.pid")).exists());
    assert_eq!(server.stderr().lines().count(), 1, "{}", server.stderr());
    server.stop();
    assert!(!server.socket().exists());
    server.await_nobody();
}

/// CONTRACT S12: -u and -g that are one's own are no error, and nothing is said.
#[test]
fn ones_own_user_and_group_may_be_given() {
    if cannot_run() {
        return;
    }
    let (user, group) = (id("-u", "daemon"), id("-g", "daemon"));
    let launch = Launch::probe().by_user(user, group).args(["-u", "daemon", "-g", "daemon"]);
    let mut server = launch.start();
    server.connect().echo("hello");
    assert!(!server.stderr().contains("not started"), "{}", server.stderr());
    assert!(server.complaints().is_empty(), "{}", server.stderr());
    server.stop();
}

/// CONTRACT S12, D22: another's are a clear error.
#[test]
fn another_user_or_group_cannot_be_had() {
    if cannot_run() {
        return;
    }
    for (option, value) in [("-u", "root"), ("-g", "root"), ("-u", "nobody")] {
        for way in [&["-x"][..], &[]] {
            let launch = Launch::probe().by_user(STRANGER, STRANGER);
            let ended = launch.args([option, value]).args(way.iter().copied()).run();
            assert_eq!(ended.code, Some(1), "{}", ended.stderr);
            let beginning = format!("server: {option} {value}: ");
            assert!(ended.stderr.starts_with(&beginning), "{}", ended.stderr);
            assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
            assert!(crate::harness::snapshot(&ended.run_dir()).is_empty());
        }
    }
}

/// CONTRACT D20: where the socket may not be created, one line says so.
#[test]
fn a_directory_that_is_not_ones_own() {
    if cannot_run() {
        return;
    }
    let launch = Launch::probe().by_user(STRANGER, STRANGER);
    let forbidden = launch.dir().join("socket");
    let ended = launch.socket(Some(forbidden.clone())).args(["-x"]).run();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let beginning = format!("server: -l {}: ", forbidden.display());
    assert!(ended.stderr.starts_with(&beginning), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(!forbidden.exists());
}

/// CONTRACT D20: the same with the default path, which is root's.
#[test]
fn the_default_path_is_roots() {
    if cannot_run() {
        return;
    }
    let launch = Launch::probe();
    let name = launch.unique_name();
    let launch = launch.name(&name).socket(None).by_user(STRANGER, STRANGER);
    let ended = launch.run();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let path = format!("/var/run/{name}.socket");
    assert!(ended.stderr.contains(&path), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(!Path::new(&path).exists());
}
