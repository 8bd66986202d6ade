//! The socket as a file: who owns it, what it replaces, and when it goes.

use std::fs::Permissions;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;

use rustix::process::Signal;

use crate::harness::{Launch, Need, Trace, skipped, until};

/// A number out of "id": `id("-u", "nobody")`.
pub(crate) fn id(option: &str, user: &str) -> u32 {
    let output = Command::new("id").args([option, user]).output().expect("id(1) runs");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number")
}

/// CONTRACT D1: nothing but a UNIX socket listens.
#[test]
fn only_a_unix_socket_listens() {
    let mut server = Launch::probe().start();
    let table = procfs::net::unix().expect("the kernel's table");
    let sockets = server.process().sockets();
    assert!(!sockets.is_empty());
    for inode in sockets {
        assert!(table.iter().any(|it| it.inode == inode), "socket {inode} is no UNIX socket");
    }
    server.stop();
}

/// CONTRACT D21, S12: srwxrwx---, and the owner and the group are those of -u and -g.
#[test]
fn owner_group_and_mode() {
    if skipped(&[Need::Root]) {
        return;
    }
    let cases: [(&[&str], u32, u32); 3] = [
        (&["-u", "daemon", "-g", "mail"], id("-u", "daemon"), group("mail")),
        (&["-u", "daemon"], id("-u", "daemon"), nobodys_group()),
        (&[], id("-u", "nobody"), nobodys_group()),
    ];
    for (arguments, user, group) in cases {
        let mut server = Launch::probe().args(arguments.iter().copied()).start();
        let it = server.socket().symlink_metadata().expect("the socket");
        assert!(it.file_type().is_socket());
        assert_eq!(it.mode() & 0o7777, 0o770, "{arguments:?}");
        assert_eq!((it.uid(), it.gid()), (user, group), "{arguments:?}");
        server.connect().echo("hello");
        server.stop();
        assert!(!server.socket().exists());
    }
}

fn group(name: &str) -> u32 {
    let entry = group_entry(name).unwrap_or_else(|| panic!("a group {name}"));
    entry.split(':').nth(2).and_then(|it| it.parse().ok()).expect("a group's number")
}

fn group_entry(name: &str) -> Option<String> {
    let groups = std::fs::read_to_string("/etc/group").expect("the groups");
    groups.lines().find(|line| line.starts_with(&format!("{name}:"))).map(str::to_owned)
}

/// CONTRACT S12: `nobody`, or `nogroup` where there is no such group.
pub(crate) fn nobodys_group() -> u32 {
    group(if group_entry("nobody").is_some() { "nobody" } else { "nogroup" })
}

/// CONTRACT D21: a socket that nobody listens on any more is replaced.
#[test]
fn a_dead_socket_is_replaced() {
    let launch = Launch::probe();
    let path = launch.run_dir().join("socket");
    drop(UnixListener::bind(&path).expect("a socket"));
    assert!(UnixStream::connect(&path).is_err());
    let mut server = launch.start();
    server.connect().echo("hello");
    server.stop();
    assert!(!path.exists());
}

/// CONTRACT D20: the longest path that a socket's address holds.
#[test]
fn the_longest_path() {
    let launch = Launch::probe();
    let dir = launch.run_dir();
    let length = 107 - dir.as_os_str().len() - 1;
    let mut server = launch.socket(Some(dir.join("x".repeat(length)))).start();
    server.connect().echo("hello");
    server.stop();
}

/// CONTRACT S11: whoever can connect finds mode and owner right already.
#[test]
fn mode_and_owner_are_right_from_the_first_moment() {
    let user = if rustix::process::geteuid().is_root() {
        id("-u", "nobody")
    } else {
        rustix::process::geteuid().as_raw()
    };
    for _ in 0..10 {
        let launch = Launch::probe();
        let path = launch.run_dir().join("socket");
        let watcher = std::thread::spawn(move || {
            let connected = until(|| {
                // As often as possible: the pause of `until` comes but every so many attempts.
                (0..2000).find_map(|_| UnixStream::connect(&path).ok())
            });
            let seen = path.symlink_metadata().expect("the socket");
            (connected.is_some(), seen.mode() & 0o7777, seen.uid())
        });
        let mut server = launch.start();
        assert_eq!(watcher.join().expect("no panic"), (true, 0o770, user));
        server.stop();
    }
}

/// CONTRACT S11: the same by the order of system calls, which no scheduling can hide.
#[test]
fn nothing_is_changed_once_the_socket_listens() {
    if skipped(&[Need::Tool("strace")]) {
        return;
    }
    let (launch, trace) = Trace::of(Launch::probe(), &["-e", "trace=%file,%desc,%net,umask"]);
    let mut server = launch.start();
    server.stop();
    let calls = trace.calls(&server);
    let listen = calls.iter().position(|call| call.starts_with("listen(")).expect("it listens");
    let bind = calls.iter().position(|call| call.starts_with("bind(")).expect("it binds");
    assert!(bind < listen);
    for call in &calls[listen..] {
        let name = call.split('(').next().unwrap_or("");
        assert!(!name.contains("chmod") && !name.contains("chown"), "after listen: {call}");
    }
}

/// CONTRACT D21: the mode of the socket costs the program nothing: its umask is as it was.
#[test]
fn the_umask_is_given_back() {
    let mut server = Launch::probe().under(["sh", "-c", "umask 026 && exec \"$0\" \"$@\""]).start();
    assert_eq!(server.process().status().umask, Some(0o026));
    let mode = server.socket().symlink_metadata().expect("the socket").mode() & 0o7777;
    assert_eq!(mode, 0o770, "whatever the umask of the start is");
    server.stop();
}

/// CONTRACT S10: at the end the socket is unlinked, but only where it is still ours.
#[test]
fn another_servers_socket_is_not_unlinked() {
    let mut server = Launch::probe().start();
    let path = server.socket().to_owned();
    std::fs::remove_file(&path).expect("it was there");
    let other = UnixListener::bind(&path).expect("the path is free");
    server.stop();
    assert!(UnixStream::connect(&path).is_ok(), "the other's socket is still there");
    drop(other);
}

/// CONTRACT S10: what tidies up after a server that was killed leaves alone the socket of the next one, which
/// may have got the same inode.
#[test]
fn the_next_servers_socket_is_left_alone() {
    if skipped(&[Need::Root]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    std::fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).expect("its mode");
    let socket = dir.path().join("socket");
    for _ in 0..20 {
        let mut killed = Launch::probe().socket(Some(socket.clone())).start();
        killed.signal(Signal::KILL);
        killed.wait_signal();
        let mut next = Launch::probe().socket(Some(socket.clone())).start();
        killed.await_nobody();
        next.connect().echo("hello");
        next.stop();
    }
}

/// CONTRACT S10, S11: nor is a file that somebody has put there.
#[test]
fn a_file_in_the_sockets_place_is_not_unlinked() {
    let mut server = Launch::probe().start();
    let path = server.socket().to_owned();
    std::fs::remove_file(&path).expect("it was there");
    std::fs::write(&path, "precious").expect("the path is free");
    server.stop();
    assert_eq!(std::fs::read_to_string(&path).expect("still there"), "precious");
}
