//! Listening on TCP, where -p and -i ask for it. What holds on a UNIX socket and on TCP alike is
//! tested beside what it says of the one, by `Launch::tcp`.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use crate::bad_start::fails;
use crate::harness::{Client, Frame, Launch, Need, Op, Request, Server, Syslog, Trace, skipped};
use crate::socket_file::id;

/// A port that nobody listens on.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("there is one");
    listener.local_addr().expect("it is bound").port()
}

fn connect(address: SocketAddr) -> Client {
    Client::raw_tcp(address).upgrade(&Request::new())
}

fn has_no_ipv6() -> bool {
    let has = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    skipped(&[Need::Has(has, "there is no IPv6")])
}

/// A launch that says nothing of a UNIX socket.
fn tcp_alone() -> Launch {
    let launch = Launch::probe().socket(None);
    let name = launch.unique_name();
    launch.name(&name)
}

fn is_default_socket_there(server: &Server) -> bool {
    server.socket().symlink_metadata().is_ok()
}

/// CONTRACT D1, S27: without -p nothing listens on TCP, and the socket is told in one line.
#[test]
fn without_p_nothing_listens_on_tcp() {
    let mut server = Launch::probe().start();
    assert_eq!(server.process().listening(), []);
    server.await_stderr(&format!("server: listening on {}", server.socket().display()));
    assert_eq!(server.stderr().matches("listening").count(), 1, "{}", server.stderr());
    server.stop();
}

/// With -p alone there is no UNIX socket, and 127.0.0.1 is the one address. The free port of -p 0 is
/// told in one line.
#[test]
fn with_p_alone_only_the_loopback_listens() {
    let mut server = tcp_alone().args(["-p", "0"]).start_tcp();
    let [address] = server.tcp()[..] else { panic!("{:?}", server.tcp()) };
    assert_eq!(address.ip(), Ipv4Addr::LOCALHOST);
    assert_ne!(address.port(), 0);
    let told = server.await_stderr("listening on ");
    assert!(told.ends_with(&format!(": listening on {address}")), "{told}");
    assert_eq!(server.stderr().matches("listening").count(), 1, "{}", server.stderr());
    assert!(!is_default_socket_there(&server));
    server.connect().echo("hello");
    server.stop();
}

/// With -p and -l both listen, and a message from the one reaches the other.
#[test]
fn both_at_once() {
    let mut server = Launch::probe().tcp().start();
    let mut unix = Client::raw(server.socket()).upgrade(&Request::new());
    let mut tcp = connect(server.tcp()[0]);
    unix.echo("over the file system");
    tcp.echo("over the network");
    tcp.text("!broadcast 0 10 1");
    unix.expect_text("abcdefghij");
    tcp.expect_text("abcdefghij");
    tcp.expect_text("0 2");
    unix.text("!broadcast 1 65535 3");
    for _ in 0..3 {
        assert_eq!(tcp.receive().payload.len(), 65535);
        assert_eq!(unix.receive().payload.len(), 65535);
    }
    drop((unix, tcp));
    server.stop();
    assert!(!server.socket().exists());
}

/// -i is an address, IPv4 or IPv6, and may be given several times; an address that stands there
/// twice counts once. "::" and 0.0.0.0 are two.
#[test]
fn several_addresses() {
    if has_no_ipv6() {
        return;
    }
    let port = free_port().to_string();
    let all = ["-p", &port, "-i", "::", "-i", "0.0.0.0", "-i", "::"];
    let mut server = tcp_alone().args(all).start_tcp();
    let port = port.parse().expect("a number");
    let mut wanted = [
        SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
        SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
    ];
    let mut found = server.tcp().to_vec();
    found.sort();
    wanted.sort();
    assert_eq!(found, wanted);
    for address in wanted {
        server.await_stderr(&format!("listening on {address}"));
    }
    connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).echo("IPv4");
    connect(SocketAddr::from((Ipv6Addr::LOCALHOST, port))).echo("IPv6");
    server.stop();
}

/// One IPv6 address alone.
#[test]
fn ipv6() {
    if has_no_ipv6() {
        return;
    }
    let mut server = tcp_alone().args(["-i", "::1", "-p", "0"]).start_tcp();
    let [address] = server.tcp()[..] else { panic!("{:?}", server.tcp()) };
    assert_eq!(address.ip(), Ipv6Addr::LOCALHOST);
    server.await_stderr(&format!("listening on [::1]:{}", address.port()));
    server.connect().echo("hello");
    server.stop();
}

/// CONTRACT D13, D2: messages of every class of length, both ways, and pings.
#[test]
fn messages_of_every_length() {
    let mut server = Launch::probe().tcp().start();
    let mut client = server.connect();
    for length in [1, 2, 125, 126, 127, 4095, 8191, 8192, 65534, 65535] {
        client.echo(&"x".repeat(length));
        let binary = Frame::new(Op::BINARY, vec![0xe9; length]);
        client.send(&binary);
        assert_eq!(client.receive(), binary.unmasked());
        client.send(&Frame::new(Op::PING, "p"));
        assert_eq!(client.receive(), Frame::new(Op::PONG, "p").unmasked());
    }
    client.text("");
    client.expect_text("empty 0");
    client.send_bytes(&Frame::text("").declare64(65536).bytes());
    client.expect_close(1009);
    server.stop();
}

/// CONTRACT D14, D15, D16: queues that a socket does not take at once arrive whole.
#[test]
fn long_queues() {
    let mut server = Launch::probe().tcp().start();
    let mut client = server.connect();
    let mut other = server.connect();
    client.text("!write 0 1 8388607 3");
    other.echo("not held up");
    let mut length = 0;
    while length < 3 * 8_388_607 {
        let frame = client.receive();
        assert!(matches!(frame.op, Op::BINARY | Op::CONTINUATION), "{:?}", frame.op);
        length += frame.payload.len();
    }
    client.expect_queued(3 * 129);
    server.stop();
}

/// A message goes out at once, whatever is not yet acknowledged.
#[test]
fn no_delay() {
    if skipped(&[Need::Tool("strace")]) {
        return;
    }
    let (launch, trace) = Trace::of(Launch::probe().tcp(), &["-e", "trace=setsockopt,accept4"]);
    let mut server = launch.start();
    server.connect().echo("hello");
    server.stop();
    server.await_nobody();
    let calls = trace.calls(&server);
    let set = calls.iter().filter(|call| call.contains("TCP_NODELAY, [1], 4) = 0"));
    assert_eq!(set.count(), 1, "{calls:#?}");
}

/// A connection that is reset is one that has ended: the others notice nothing.
#[test]
fn reset_connections() {
    let mut server = Launch::probe().tcp().start();
    let mut witness = server.connect();
    let message = Frame::new(Op::BINARY, vec![7; 65535]).bytes();
    let mut number = 1;
    for cut in [0, 1, 3, 11, 14, 40_000, message.len()] {
        let mut client = server.connect();
        number += 1;
        client.echo("hello");
        client.send_bytes(&message[..cut]);
        reset(client);
        server.await_journal(&format!("close {number} "));
        witness.echo("as ever");
    }
    let request = Request::new().bytes();
    for cut in [0, 1, request.len() / 2, request.len() - 1] {
        let mut client = server.raw();
        client.send_bytes(&request[..cut]);
        reset(client);
        witness.echo("as ever");
    }
    // What was queued for it goes with it.
    let mut client = server.connect();
    number += 1;
    client.text("!write 0 1 65535 200");
    assert_eq!(client.receive().payload.len(), 65535);
    reset(client);
    server.await_journal(&format!("close {number} "));
    drop(witness);
    server.stop();
    assert_eq!(server.journal().matches("close ").count(), number);
}

/// Ends a connection as a machine does that knows of none.
fn reset(client: Client) {
    let linger = Some(Duration::ZERO);
    rustix::net::sockopt::set_socket_linger(client.stream(), linger).expect("an option");
}

/// CONTRACT S9, S1, D7: a daemon says where it listens in the log, and not on the terminal.
#[test]
fn a_daemon_says_where_it_listens() {
    let Some(syslog) = Syslog::listen() else {
        return;
    };
    let launch = tcp_alone();
    let name = launch.unique_name();
    let mut server = launch.tcp().start_daemon();
    let address = server.tcp()[0];
    syslog.await_line(&name, &format!("listening on {address}"));
    assert_eq!(server.stderr(), "");
    assert!(!is_default_socket_there(&server));
    server.connect().echo("hello");
    server.stop();
    assert!(!Path::new(&format!("/var/run/{name}.pid")).exists(), "the pidfile is removed");
    server.await_nobody();
}

/// CONTRACT D22: a port that is root's is bound before the server becomes another user. Without files
/// nobody stays behind to remove them.
#[test]
fn roots_port_and_nobodys_server() {
    if skipped(&[Need::Root]) {
        return;
    }
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let port = (600..1024).rev().find(is_free).expect("one of so many is free").to_string();
    let mut server = tcp_alone().args(["-p", &port, "-u", "nobody"]).start_tcp();
    assert_eq!(server.process().users(), [id("-u", "nobody"); 4]);
    assert_eq!(server.tcp()[0].port().to_string(), port);
    assert_eq!(server.processes().len(), 1, "no cleaner is needed");
    server.connect().echo("hello");
    server.stop();
}

/// A port that somebody listens on: one line, and nothing is changed.
#[test]
fn a_taken_port() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free one");
    let port = taken.local_addr().expect("it is bound").port().to_string();
    for arguments in [&["-p", &*port][..], &["-p", &port, "-i", "0.0.0.0"]] {
        for ended in fails(1, arguments, |_| {}) {
            let beginning = format!("server: -p {port}: ");
            assert!(ended.stderr.starts_with(&beginning), "{}", ended.stderr);
            assert!(ended.stderr.contains("in use"), "{}", ended.stderr);
            assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        }
    }
}

/// An address that is not this machine's: one line, which names it.
#[test]
fn an_address_of_another_machine() {
    // RFC 5737, RFC 3849: addresses that nobody has.
    for address in ["192.0.2.1", "2001:db8::1"] {
        for ended in fails(1, &["-p", "0", "-i", "127.0.0.1", "-i", address], |_| {}) {
            let beginning = format!("server: -i {address}: ");
            assert!(ended.stderr.starts_with(&beginning), "{}", ended.stderr);
            assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        }
    }
}

/// A port that only root may take.
#[test]
fn a_port_that_is_not_ones_own() {
    const FIRST: &str = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
    let first = std::fs::read_to_string(FIRST).unwrap_or_default();
    let is_kept = first.trim().parse().is_ok_and(|first: u16| first > 999);
    let why = "anybody may take any port here";
    if skipped(&[Need::Root, Need::Tool("setpriv"), Need::Has(is_kept, why)]) {
        return;
    }
    let ended = Launch::probe().by_user(54321, 54321).args(["-x", "-p", "999"]).run();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("server: -p 999: 127.0.0.1: "), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
}

/// A server can be started again at once, whatever lingers of the connections that it ended.
#[test]
fn the_port_is_free_again_at_once() {
    let port = free_port().to_string();
    for _ in 0..3 {
        let mut server = tcp_alone().args(["-p", &port]).start_tcp();
        let mut client = server.connect();
        client.echo("hello");
        // The side that ends it first is the one on which it lingers.
        client.text("!close 0 1");
        client.expect_end();
        server.stop();
    }
}

/// CONTRACT S10: while it stops it takes nobody, and no process of its own holds its port.
#[test]
fn nobody_is_accepted_while_it_stops() {
    let mut server = Launch::probe().tcp().start();
    let mut client = server.connect();
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(client.receive().code(), Some(1001));
    assert!(std::net::TcpStream::connect(server.tcp()[0]).is_err());
    assert_eq!(server.process().listening(), []);
    client.send(&Frame::close(1001, ""));
    client.expect_end();
    server.stop();
}

/// The timers of the server's ends of connections to this port, as Linux tells them: 2 is that of probes.
#[cfg(target_os = "linux")]
fn timers(port: u16) -> Vec<String> {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("it is there");
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let local = format!(":{port:04X}");
    let is_ours = |row: &Vec<&str>| row[1].ends_with(&local) && row[3] == "01";
    rows.filter(is_ours).map(|row| row[5].split(':').next().unwrap_or_default().into()).collect()
}

/// --tcp-keepalive: the system probes who is silent, from the accept on.
#[cfg(target_os = "linux")]
#[test]
fn silent_peers_are_probed_where_that_is_asked_for() {
    for (arguments, timer) in [(&[][..], "00"), (&["--tcp-keepalive", "60,5,10"], "02")] {
        let launch = tcp_alone().args(["-p", "0"]).args(arguments.iter().copied());
        let mut server = launch.start_tcp();
        let [address] = server.tcp()[..] else { panic!("{:?}", server.tcp()) };
        let silent = Client::raw_tcp(address);
        assert_eq!(timers(address.port()), [timer]);
        drop(silent);
        server.stop();
    }
}

/// Numbers that cannot be are told.
#[test]
fn what_cannot_be_of_probes_is_told() {
    let ended = Launch::probe().args(["--tcp-keepalive", "60,0,10"]).run();
    let why = "--tcp-keepalive 60,0,10: must be seconds, probes and seconds, as in 60,5,10";
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains(why), "{}", ended.stderr);
}
