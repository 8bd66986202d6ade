//! Sockets that the service manager has opened: what is listened on, and what is left as it is.

use std::net::{Ipv6Addr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use crate::harness::{Client, Launch, Need, Process, Request, Server, skipped, snapshot};

/// A socket that somebody else's server listens on, and the path where clients find it. Its owner, group
/// and mode are no server's of ours.
fn unix(launch: &Launch, name: &str) -> (Option<OwnedFd>, PathBuf) {
    let path = launch.run_dir().join(name);
    let socket = UnixListener::bind(&path).expect("a socket");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o642)).expect("its mode");
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(12345), Some(23456)).expect("root may");
    }
    (Some(socket.into()), path)
}

fn tcp(address: &str) -> (Option<OwnedFd>, std::net::SocketAddr) {
    let socket = TcpListener::bind(address).expect("a free port");
    let address = socket.local_addr().expect("it is bound");
    (Some(socket.into()), address)
}

fn on_unix(path: &Path) -> Client {
    Client::raw(path).upgrade(&Request::new())
}

fn on_tcp(address: std::net::SocketAddr) -> Client {
    Client::raw_tcp(address).upgrade(&Request::new())
}

/// A launch without -l.
fn without_options(launch: Launch) -> Launch {
    let launch = launch.socket(None);
    let name = launch.unique_name();
    launch.name(&name)
}

fn lines(server: &Server) -> Vec<String> {
    server.stderr().lines().filter(|line| line.contains("LISTEN_FDS")).map(str::to_owned).collect()
}

/// A UNIX socket: the file is neither touched nor removed, as root neither, and nothing else listens.
#[test]
fn a_unix_socket_is_left_as_it_is() {
    for launch in [Launch::probe(), Launch::classic()] {
        let launch = without_options(launch);
        let (socket, path) = unix(&launch, "theirs");
        let dir = launch.run_dir();
        let before = snapshot(&dir);
        let mut server = launch.passing([socket]).start_passed();
        on_unix(&path).echo("hello");
        assert_eq!(snapshot(&dir), before);
        assert!(!server.socket().exists(), "{}", server.socket().display());
        assert_eq!(server.process().listening(), []);
        assert_eq!(server.process().is_close_on_exec(3), Some(true));
        server.stop();
        assert_eq!(snapshot(&dir), before);
        assert!(server.stderr().contains("listening on sockets that were passed: 1\n"));
        assert_eq!(lines(&server), [""; 0]);
    }
}

/// TCP, of both kinds.
#[test]
fn tcp_sockets() {
    let has_ipv6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    let addresses = ["127.0.0.1:0", "[::1]:0"];
    let addresses = if has_ipv6 { &addresses[..] } else { &addresses[..1] };
    let (sockets, addresses): (Vec<_>, Vec<_>) = addresses.iter().map(|it| tcp(it)).unzip();
    let launch = without_options(Launch::probe());
    let mut server = launch.passing(sockets).start_passed();
    for address in &addresses {
        on_tcp(*address).echo("hello");
        server.await_stderr(&format!("listening on {address}"));
    }
    let mut listening = server.process().listening();
    listening.sort();
    let mut wanted = addresses.clone();
    wanted.sort();
    assert_eq!(listening, wanted);
    assert!(!server.socket().exists());
    server.stop();
}

/// A message from the one reaches the other.
#[test]
fn unix_and_tcp_at_once() {
    let launch = without_options(Launch::probe());
    let (first, path) = unix(&launch, "first");
    let (second, address) = tcp("127.0.0.1:0");
    let (third, other) = unix(&launch, "third");
    let mut server = launch.passing([first, second, third]).start_passed();
    let mut clients = [on_unix(&path), on_tcp(address), on_unix(&other)];
    clients.iter_mut().for_each(|client| client.echo("hello"));
    clients[0].text("!broadcast 0 10 1");
    clients.iter_mut().for_each(|client| client.expect_text("abcdefghij"));
    drop(clients);
    server.stop();
}

/// What was passed takes the place of -l and -p, and a line says so.
#[test]
fn options_do_not_count() {
    for arguments in [&["-p", "0"][..], &[]] {
        let launch = Launch::probe().args(arguments.iter().copied());
        let (socket, path) = unix(&launch, "theirs");
        let mut server = launch.passing([socket]).start_passed();
        on_unix(&path).echo("hello");
        assert!(!server.socket().exists(), "-l");
        assert_eq!(server.process().listening(), []);
        server.await_stderr("listening on sockets that were passed: 1; -l and -p do not count");
        server.stop();
    }
    // A path that cannot be is none of its concern.
    let launch = Launch::probe().socket(Some("/nowhere/socket".into()));
    let (socket, path) = unix(&launch, "theirs");
    let mut server = launch.passing([socket]).start_passed();
    on_unix(&path).echo("hello");
    server.stop();
}

/// What the program executes gets neither the variables nor the sockets.
#[test]
fn nothing_is_passed_on() {
    let launch = without_options(Launch::probe()).env("LISTEN_FDNAMES", "web:other");
    let (socket, path) = unix(&launch, "theirs");
    let file = std::fs::File::open(launch.dir()).expect("a directory");
    let mut server = launch.passing([socket, Some(file.into())]).start_passed();
    let mut client = on_unix(&path);
    for name in ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"] {
        assert_eq!(client.ask(&format!("!env {name}")), "unset", "{name}");
    }
    for descriptor in [3, 4] {
        assert_eq!(server.process().is_close_on_exec(descriptor), Some(true), "{descriptor}");
    }
    drop(client);
    server.stop();
}

/// What is no socket that listens is told of, one line each, and the others serve.
#[test]
fn what_cannot_be_listened_on() {
    let launch = without_options(Launch::probe());
    let (pipe, _writer) = std::io::pipe().expect("a pipe");
    let datagram = UnixDatagram::unbound().expect("a socket");
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let (pair, _other) = std::os::unix::net::UnixStream::pair().expect("sockets");
    let bound = rustix::net::socket(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::STREAM,
        None,
    );
    let (good, path) = unix(&launch, "theirs");
    let file = std::fs::File::open("/dev/null").expect("a device");
    let all = [
        Some(pipe.into()),
        None,
        Some(datagram.into()),
        Some(udp.into()),
        Some(pair.into()),
        Some(bound.expect("a socket")),
        good,
        Some(file.into()),
    ];
    let mut server = launch.passing(all).start_passed();
    on_unix(&path).echo("hello");
    server.stop();
    let wanted = [
        (3, "is no socket"),
        (4, "is not open"),
        (5, "is no stream socket"),
        (6, "is no stream socket"),
        (7, "does not listen"),
        (8, "does not listen"),
        (10, "is no socket"),
    ];
    let found = lines(&server);
    assert_eq!(found.len(), wanted.len(), "{found:?}");
    for ((number, why), line) in wanted.iter().zip(&found) {
        assert!(line.ends_with(&format!(": LISTEN_FDS: descriptor {number} {why}")), "{line}");
    }
}

/// Where nothing that was passed can be listened on, the options say where to.
#[test]
fn nothing_good_at_all() {
    let file = std::fs::File::open("/dev/null").expect("a device");
    let mut server = Launch::probe().passing([Some(file.into()), None]).start();
    server.connect().echo("hello");
    assert_eq!(lines(&server).len(), 2, "{:?}", lines(&server));
    assert!(!server.stderr().contains("passed"), "{}", server.stderr());
    server.stop();
    assert!(!server.socket().exists(), "this one is the server's own");
}

/// A number of sockets that cannot be is told of in one line.
#[test]
fn absurd_numbers() {
    for count in
        ["", "0", "-1", "ten", " 1", "1025", "2147483647", "4294967297", "99999999999999999999"]
    {
        let launch = Launch::probe().passing([None]).env("LISTEN_FDS", count);
        let mut server = launch.start();
        server.connect().echo("hello");
        server.stop();
        let wanted = format!(": LISTEN_FDS {count}: must be a number from 1 to 1024");
        let found = lines(&server);
        assert!(found.len() == 1 && found[0].ends_with(&wanted), "{found:?}");
    }
}

/// Many that are not there are a few lines.
#[test]
fn a_flood_of_descriptors_that_are_closed() {
    let launch = without_options(Launch::probe());
    let (good, path) = unix(&launch, "theirs");
    let mut server = launch.passing([good]).env("LISTEN_FDS", "1000").start_passed();
    on_unix(&path).echo("hello");
    server.stop();
    assert_eq!(lines(&server).len(), 10, "{}", server.stderr());
    assert!(server.stderr().contains("989 other lines like these were left out"));
}

/// Variables that are for another process, or for nobody, are not ours.
#[test]
fn variables_of_another_process() {
    for pid in [Some("1"), Some(""), Some("me"), None] {
        let launch = Launch::probe().env("LISTEN_FDS", "1");
        let launch = pid.into_iter().fold(launch, |launch, pid| launch.env("LISTEN_PID", pid));
        let mut server = launch.start();
        let mut client = server.connect();
        assert_eq!(client.ask("!env LISTEN_FDS"), "unset");
        assert_eq!(client.ask("!env LISTEN_PID"), "unset");
        drop(client);
        server.stop();
        assert_eq!(lines(&server), [""; 0], "{pid:?}");
    }
}

/// A daemon keeps what was passed to the process that became it.
#[test]
fn a_daemon() {
    if skipped(&[Need::Root]) {
        return;
    }
    let launch = without_options(Launch::probe());
    let (socket, path) = unix(&launch, "theirs");
    let (launch, manager) = super::Manager::of(launch);
    let dir = launch.run_dir();
    let before = snapshot(&dir);
    let mut server = launch.passing([socket]).start_daemon_by(|| {
        let word = manager.hear();
        let (_, pid) = word.split_once("MAINPID=").expect("a daemon says which it is");
        Process(rustix::process::Pid::from_raw(pid.parse().expect("a number")).expect("no 0"))
    });
    on_unix(&path).echo("hello");
    server.stop();
    server.await_nobody();
    assert_eq!(snapshot(&dir), before);
}

/// libdorrit(8) listens on one UNIX socket.
#[test]
fn the_classic_library_takes_one() {
    let launch = without_options(Launch::classic());
    let (network, _) = tcp("127.0.0.1:0");
    let (first, path) = unix(&launch, "first");
    let (second, _) = unix(&launch, "second");
    let mut server = launch.passing([network, first, second]).start_passed();
    on_unix(&path).echo("hello");
    server.stop();
    let found = lines(&server);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].ends_with("descriptor 3 is no UNIX socket"), "{found:?}");
    assert!(found[1].ends_with("descriptor 5 is one socket too many"), "{found:?}");

    let (network, _) = tcp("127.0.0.1:0");
    let mut server = Launch::classic().passing([network]).start();
    server.connect().echo("hello");
    server.stop();
}

/// CONTRACT E6: the new start after a crash has the same socket, and it is still not its own: not when
/// it stops, and not when it has crashed too often.
#[test]
fn after_a_crash() {
    for is_given_up in [false, true] {
        let launch = without_options(Launch::classic().everybodys());
        let (socket, path) = unix(&launch, "theirs");
        let dir = launch.run_dir();
        let before = snapshot(&dir);
        let mut server = launch.passing([socket]).start_passed();
        for _ in 0..if is_given_up { 6 } else { 2 } {
            let mut client = on_unix(&path);
            client.echo("hello");
            client.text("!crash segv");
            client.expect_end();
        }
        if is_given_up {
            assert_eq!(server.wait(), None, "a signal has ended it");
        } else {
            on_unix(&path).echo("here again");
            assert_eq!(server.process().is_close_on_exec(3), Some(true));
            assert!(!server.socket().exists(), "{}", server.socket().display());
            server.stop();
        }
        assert_eq!(snapshot(&dir), before);
    }
}

/// The same by a service manager that is none of ours.
#[test]
fn by_systemd_socket_activate() {
    if skipped(&[Need::Tool("systemd-socket-activate")]) {
        return;
    }
    let launch = without_options(Launch::probe());
    let path = launch.run_dir().join("theirs");
    let listen = format!("--listen={}", path.display());
    let launch = launch.under(["systemd-socket-activate", &listen]);
    let server = launch.start_passed();
    // The file is there before anything listens on it.
    let there = crate::harness::until(|| UnixStream::connect(&path).ok());
    assert!(there.is_some(), "{}", server.stderr());
    on_unix(&path).echo("hello");
    server.process().signal(rustix::process::Signal::TERM);
    server.await_nobody();
    assert!(path.exists(), "it is not the server's own");
}
