//! How many may come: -m, and the descriptors that it takes.

use std::os::unix::net::UnixStream;

use rustix::process::Signal;

use crate::harness::{ACCEPT, Client, Launch, Need, Request, Server, skipped, until};

fn is_refused(server: &Server) -> bool {
    let mut client = server.raw();
    client.send_bytes(&Request::new().bytes());
    let response = client.response();
    if response.status == "HTTP/1.1 101 Switching Protocols" {
        return false;
    }
    assert_eq!(response.status, "HTTP/1.1 503 Service Unavailable");
    assert_eq!(response.header("Connection"), Some("close"));
    assert!(response.header("Content-Type").is_some_and(|it| it.starts_with("text/plain")));
    assert_eq!(response.body.lines().count(), 1, "{response:?}");
    client.expect_end();
    true
}

/// CONTRACT D20, S2: past -m there is 503; whoever leaves makes room.
#[test]
fn past_the_limit_there_is_503() {
    let mut server = Launch::probe().args(["-m", "3"]).start();
    let mut clients: Vec<_> = (0..3).map(|_| server.connect()).collect();
    for _ in 0..10 {
        assert!(is_refused(&server));
    }
    clients.iter_mut().for_each(|client| client.echo("undisturbed"));
    drop(clients.pop());
    server.await_journal("close 3 ");
    let mut fourth = server.connect();
    fourth.echo("hello");
    assert!(is_refused(&server));
    drop((clients, fourth));
    server.stop();
    assert_eq!(server.journal().matches("open ").count(), 4);
}

/// CONTRACT S2: those who have not upgraded yet do not count.
#[test]
fn half_made_connections_take_nobodys_place() {
    let mut server = Launch::probe().args(["-m", "1"]).start();
    let half: Vec<_> = (0..10)
        .map(|_| {
            let mut client = server.raw();
            client.send_and_drain(b"GET / HTTP/1.1\r\n");
            client
        })
        .collect();
    let mut client = server.connect();
    client.echo("hello");
    drop(half);
    client.echo("hello");
    drop(client);
    server.stop();
}

/// CONTRACT D20: the default is 16384 connections.
#[test]
fn sixteen_thousand_is_the_default() {
    if skipped(&[Need::Descriptors(16384 + 500)]) {
        return;
    }
    let mut server = Launch::probe().start();
    let limits = server.connect().ask("!nofile");
    let (soft, _) = limits.split_once(' ').expect("two numbers");
    assert!(soft.parse::<u64>().is_ok_and(|it| it > 16384), "{limits}");
    assert!(!server.stderr().contains("connections"), "{}", server.stderr());
    drop(limits);
    server.stop();
}

/// DESIGN, traps: a crowd that comes while the server is busy waits its turn; nobody is turned away
/// with EAGAIN.
#[test]
fn a_crowd_waits_its_turn() {
    let mut server = Launch::probe().start();
    server.signal(Signal::STOP);
    let crowd: Vec<_> = (0..500).map(|_| connect_at_once(server.socket())).collect();
    server.signal(Signal::CONT);
    let mut clients: Vec<_> = crowd.into_iter().map(Client::on).collect();
    clients.iter_mut().for_each(|client| client.send_bytes(&Request::new().bytes()));
    for client in &mut clients {
        assert_eq!(client.response().header("Sec-WebSocket-Accept"), Some(ACCEPT));
    }
    drop(clients);
    server.stop();
}

/// Connects as a web server does, which does not wait for room in the backlog.
fn connect_at_once(path: &std::path::Path) -> UnixStream {
    use rustix::net::{
        AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with,
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let stream = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None);
    let stream = stream.expect("a socket");
    let address = SocketAddrUnix::new(path).expect("a path that fits");
    connect(&stream, &address).expect("there is room in the backlog");
    let stream = UnixStream::from(stream);
    stream.set_nonblocking(false).expect("it was only for the connect");
    stream
}

/// CONTRACT S18: the soft limit of descriptors is raised to what -m needs.
#[test]
fn the_soft_limit_is_raised() {
    let mut server = Launch::probe().descriptors(64, 2000).args(["-m", "500"]).start();
    let mut clients: Vec<_> = (0..500).map(|_| server.connect()).collect();
    clients.iter_mut().for_each(|client| client.echo("hello"));
    assert!(is_refused(&server));
    let limits = clients[0].ask("!nofile");
    let (soft, hard) = limits.split_once(' ').expect("two numbers");
    assert!(soft.parse::<u64>().is_ok_and(|it| (501..=2000).contains(&it)), "{limits}");
    assert_eq!(hard, "2000");
    drop(clients);
    server.stop();
}

/// CONTRACT S18: where the hard limit is not enough, one line says how many are taken, and so many
/// are.
#[test]
fn the_hard_limit_bounds_the_connections() {
    let mut server = Launch::probe().descriptors(64, 128).start();
    let said = server.await_stderr("connections");
    let lines = server.stderr().lines().filter(|line| line.contains("connections")).count();
    assert_eq!(lines, 1, "{}", server.stderr());
    let numbers = said.split(|it: char| !it.is_ascii_digit()).filter_map(|it| it.parse().ok());
    let most: usize = numbers.filter(|it| *it < 128).max().expect("it says how many");
    let mut clients: Vec<Client> = (0..most).map(|_| server.connect()).collect();
    assert!(is_refused(&server));
    clients.iter_mut().for_each(|client| client.echo("hello"));
    clients.truncate(most / 2);
    assert!(until(|| (!is_refused(&server)).then_some(())).is_some(), "there is room again");
    drop(clients);
    server.stop();
}
