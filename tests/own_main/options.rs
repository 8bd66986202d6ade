//! `ws_set_option` in `ws_init_func`: each option, as the command line would have it (tests/c/starts.c).

use crate::harness::{Frame, Launch, Need, Request, Server, Variant, skipped};

/// The program, which sets an option, about to be started.
fn launch(option: &str) -> Launch {
    Launch::of("starts.c", Variant::Default).env("SET_OPTION", option)
}

fn start(option: &str) -> Server {
    launch(option).start()
}

/// What `ws_set_option` returns; the server starts and serves.
fn sets(option: &str, expected: i32) {
    let mut server = start(option);
    assert_eq!(server.await_journal("set "), format!("set {expected}"), "{option}");
    server.connect().echo("hello");
    server.stop();
}

#[test]
fn each_option() {
    for option in [
        "l=other",
        "p=0",
        "m=5",
        "b=100",
        "max-message=100",
        "max-queue=100000",
        "max-queue=100000,skip",
        "max-memory=10000000",
        "compress",
        "compress=3",
        "origin=same",
        "origin=https://example.org",
        "ping=10",
        "ping=10,5",
        "f=file",
        "x",
        "log-level=debug",
        "log-stderr",
        "drain=3",
        "max-body=0",
        "max-body=10K",
        "defer-timeout=5",
        "forwarded=1",
        "forwarded=2,x-forwarded-for",
        "access-log=syslog",
        "tcp-keepalive=60,5,10",
    ] {
        sets(option, 0);
    }
}

/// What cannot be: nothing is set.
#[test]
fn wrong_names_and_values() {
    for option in [
        "p=65536",
        "p=x",
        "p",
        "m=0",
        "m=x",
        "m=",
        "b=x",
        "max-message=0",
        "max-queue=1,drop",
        "max-memory=x",
        "compress=10",
        "compress=x",
        "origin=none at all",
        "ping=1,2,3",
        "ping=x",
        "x=1",
        "l",
        "log-level=loud",
        "log-stderr=1",
        "drain=x",
        "max-body=x",
        "max-body=-1",
        "max-body",
        "defer-timeout=x",
        "forwarded=0",
        "forwarded=1,x-real-ip",
        "proxy-protocol=1",
        "access-log",
        "tcp-keepalive=60",
        "tcp-keepalive=x,5,10",
        "nonsense",
        "nonsense=1",
        "-m=5",
        "--max-message=5",
        "max_message=5",
        "help",
        "h",
        "version",
        "check",
        "=1",
        "m 5",
        "--",
    ] {
        sets(option, -1);
    }
}

#[test]
fn a_port_and_an_address() {
    let mut server = launch("p=0").socket(None).start_tcp();
    server.connect().echo("hello");
    server.stop();
    let mut server = launch("i=127.0.0.2").args(["-p", "0"]).socket(None).start_tcp();
    assert_eq!(server.tcp()[0].ip().to_string(), "127.0.0.2");
    server.connect().echo("hello");
    server.stop();
}

#[test]
fn how_many_there_may_be() {
    let status = |server: &Server| {
        let mut client = server.raw();
        client.send_bytes(&Request::new().bytes());
        client.response().status
    };
    let mut server = start("m=1");
    let first = server.connect();
    assert_eq!(status(&server), "HTTP/1.1 503 Service Unavailable");
    drop(first);
    server.stop();
    // The command line has the last word.
    let mut server = launch("m=1").args(["-m", "2"]).start();
    let _first = server.connect();
    assert_eq!(status(&server), "HTTP/1.1 101 Switching Protocols");
    server.stop();
}

/// One that may be repeated: those of the command line are all.
#[test]
fn origins() {
    let (ours, theirs) = ("https://ours.example", "https://theirs.example");
    let passes = |server: &Server, origin: &str| {
        let mut client = server.raw();
        client.send_bytes(&Request::new().with("Origin", origin).bytes());
        client.response().status == "HTTP/1.1 101 Switching Protocols"
    };
    let option = format!("origin={ours}");
    let mut server = start(&option);
    assert!(passes(&server, ours) && !passes(&server, theirs));
    server.stop();
    let mut server = launch(&option).args(["--origin", theirs]).start();
    assert!(!passes(&server, ours) && passes(&server, theirs));
    server.stop();
}

/// Those for requests: what proxies say, how long a body may be, and where a line for each goes.
#[test]
fn requests() {
    let start =
        |option: &str| Launch::of("requests.c", Variant::Default).env("SET_OPTION", option).start();
    let ask = |server: &Server, bytes: &[u8]| {
        let mut client = server.raw();
        client.send_bytes(bytes);
        client.head().status
    };
    const POST: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    let mut server = start("max-body=4");
    assert_eq!(ask(&server, POST), "HTTP/1.1 413 Content Too Large");
    server.stop();
    let mut server = start("proxy-protocol");
    assert_eq!(ask(&server, POST), "HTTP/1.1 400 Bad Request");
    assert_eq!(ask(&server, &[b"PROXY UNKNOWN\r\n", POST].concat()), "HTTP/1.1 200 OK");
    server.stop();
    let get = b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.7\r\nX-Do: address 0\r\n\r\n";
    let mut server = start("forwarded=1");
    ask(&server, get);
    server.await_journal("request address 0: [192.0.2.7]");
    server.stop();
    let mut server = start("defer-timeout=1");
    let late = b"GET / HTTP/1.1\r\nHost: a\r\nX-Do: defer 0;return 0\r\n\r\n";
    assert_eq!(ask(&server, late), "HTTP/1.1 503 Service Unavailable");
    server.stop();
    let path = std::env::temp_dir().join(format!("dorrit-access-{}", std::process::id()));
    std::fs::write(&path, "").expect("a file");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o666))
        .expect("its mode");
    let mut server = start(&format!("access-log={}", path.display()));
    assert_eq!(ask(&server, POST), "HTTP/1.1 200 OK");
    server.stop();
    let text = std::fs::read_to_string(&path).expect("it is there");
    std::fs::remove_file(&path).expect("it goes");
    assert!(text.contains("\"POST / HTTP/1.1\" 200 5 "), "{text}");
}

/// Known when `ws_init_func` has returned; a relative path is the directory's of the start (CONTRACT S19).
#[test]
fn a_file() {
    let mut server = start("f=own.conf");
    assert_eq!(server.await_journal("file "), "file none");
    let path = server.run_dir().join("own.conf");
    assert_eq!(server.await_journal("started "), format!("started with {}", path.display()));
    server.stop();
}

#[test]
fn what_is_logged() {
    let mut server = start("log-level=error");
    server.connect().send(&Frame::text("x").unmasked());
    server.stop();
    assert_eq!(server.stderr(), "");
}

#[test]
fn a_user() {
    if skipped(&[Need::Root]) {
        return;
    }
    let mut server = start("u=54321");
    assert_eq!(server.process().users(), [54321; 4]);
    server.stop();
}
