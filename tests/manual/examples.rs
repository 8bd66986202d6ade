//! Every example of the manual is a whole server, which compiles without a warning and does what its page says.

use super::pages;
use crate::examples::{compile, launch};
use crate::harness::{Client, Frame, Launch, Op, Request, Server, literal_blocks};

/// An example, compiled and about to be started, with the directory that it lies in.
fn example(page: &str, number: usize) -> (Launch, tempfile::TempDir) {
    let text = &literal_blocks(&pages()[page], "EXAMPLES")[number];
    let dir = tempfile::tempdir().expect("a directory");
    let (source, program) = (dir.path().join("source.c"), dir.path().join("program"));
    std::fs::write(&source, text).expect("a file");
    compile(&source, &program, &["-pthread"]);
    (launch(&program), dir)
}

/// With the cookie that one of them asks for.
fn client(server: &Server) -> Client {
    let request = Request::new().with("Cookie", "ticket=open-sesame");
    Client::upgraded(server.socket(), &request)
}

/// What each says to somebody who says 1: most of them the same.
#[test]
fn they_answer() {
    let mut count = 0;
    for (page, text) in &pages() {
        for number in 0..literal_blocks(text, "EXAMPLES").len() {
            let (launch, _dir) = example(page, number);
            let is_relay = (page.as_str(), number) == ("ws_post", 1);
            // Its standard input is a pipe that does not end.
            let script = "mkfifo input && exec \"$0\" \"$@\" <>input";
            let launch = if is_relay { launch.under(["sh", "-c", script]) } else { launch };
            let mut server = launch.start();
            let mut client = client(&server);
            let answer = match page.as_str() {
                "ws_get_stats" => "1 of 1",
                _ => "1",
            };
            if is_relay {
                std::fs::write(server.run_dir().join("input"), "1").expect("the pipe");
                assert_eq!(client.receive(), Frame::new(Op::BINARY, "1").unmasked());
            } else {
                assert_eq!(client.ask("1"), answer, "{page}, {number}");
            }
            server.stop();
            count += 1;
        }
    }
    assert!(count >= 16, "{count}");
}

/// ws_write_conn(3): what one says all hear; and the numbers go on when the client has taken those that wait.
#[test]
fn messages() {
    let (launch, _dir) = example("ws_write_conn", 0);
    let mut server = launch.start();
    let (mut ann, mut bob) = (client(&server), client(&server));
    assert_eq!(ann.ask("hello"), "hello");
    bob.expect_text("hello");
    drop(ann);
    assert_eq!(bob.ask("alone"), "alone");
    server.stop();

    let (launch, _dir) = example("ws_write_conn", 1);
    let mut server = launch.start();
    let mut client = client(&server);
    client.text("go");
    // More than waits at a time, by far.
    for number in 1..=100_000 {
        client.expect_text(&number.to_string());
    }
    server.stop();
}

/// ws_pause(3): one message of each client at a time, in order, and nothing for those who have left meanwhile.
#[test]
fn one_at_a_time() {
    let (launch, _dir) = example("ws_pause", 0);
    let mut server = launch.start();
    let (mut ann, mut bob) = (client(&server), client(&server));
    (1..=10).for_each(|number| ann.text(&number.to_string()));
    bob.text("for nobody");
    drop(bob);
    (1..=10).for_each(|number| ann.expect_text(&number.to_string()));
    server.stop();
}

/// ws_each(3): what one says all hear, and a last word.
#[test]
fn a_room_that_closes() {
    let (launch, _dir) = example("ws_each", 0);
    let mut server = launch.start();
    let (mut ann, mut bob) = (client(&server), client(&server));
    assert_eq!(ann.ask("hello"), "hello");
    bob.expect_text("hello");
    server.signal(rustix::process::Signal::TERM);
    for client in [&mut ann, &mut bob] {
        client.expect_text("The room closes. Please come again.");
        assert_eq!(client.receive().code(), Some(1001));
        client.send(&Frame::close(1001, ""));
    }
    assert_eq!(server.wait(), Some(0));
}

/// ws_close_conn(3): a goodbye, and a line for those who say none.
#[test]
fn closing() {
    let (launch, _dir) = example("ws_close_conn", 0);
    let mut server = launch.start();
    let mut ann = client(&server);
    assert_eq!(ann.ask("quit"), "quit");
    let frame = ann.receive();
    assert_eq!((frame.code(), &frame.payload[2..]), (Some(4000), &b"goodbye"[..]));
    drop(client(&server));
    server.await_stderr("a client has left without a close frame");
    server.stop();
}

/// ws_get_header(3): a password, a status, a sub-protocol and an origin.
#[test]
fn requests() {
    let (launch, _dir) = example("ws_get_header", 0);
    let mut server = launch.start();
    let admin = Request::new().line("GET /admin HTTP/1.1");
    for (request, status) in [
        (admin.clone(), "401 Unauthorized"),
        (admin.clone().with("Authorization", "Bearer open-sesamE"), "401 Unauthorized"),
        (admin.with("Authorization", "Bearer open-sesame"), "101 Switching Protocols"),
        (Request::new().with("Origin", "http://localhost"), "101 Switching Protocols"),
        (Request::new().with("Origin", "http://other"), "403 Forbidden"),
    ] {
        let mut client = server.raw();
        client.send_bytes(&request.bytes());
        assert_eq!(client.response().status, format!("HTTP/1.1 {status}"));
    }
    let request = Request::new().with("Sec-WebSocket-Protocol", "desk.v1, desk.v2");
    let mut client = server.raw();
    client.send_bytes(&request.bytes());
    assert_eq!(client.response().header("Sec-WebSocket-Protocol"), Some("desk.v2"));
    client.expect_text("welcome");
    server.stop();
}

/// ws_request_callback(3): a health check, and what is posted to the client that has come last.
#[test]
fn plain_requests() {
    let (launch, _dir) = example("ws_request_callback", 0);
    let mut server = launch.start();
    let mut other = server.raw();
    let mut ask = |line: &str, body: &str| {
        let head = format!("{line}\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len());
        other.send_bytes(format!("{head}{body}").as_bytes());
        other.response()
    };
    assert_eq!(ask("POST /say HTTP/1.1", "lost").status, "HTTP/1.1 503 Service Unavailable");
    let mut client = client(&server);
    assert_eq!(ask("POST /say HTTP/1.1", "hello").status, "HTTP/1.1 204 No Content");
    assert_eq!(client.receive(), Frame::new(Op::BINARY, "hello").unmasked());
    let health = ask("GET /health HTTP/1.1", "");
    assert_eq!((&*health.status, &*health.body), ("HTTP/1.1 200 OK", "well\n"));
    assert_eq!(ask("PUT /say HTTP/1.1", "").header("Allow"), Some("POST"));
    assert_eq!(ask("GET /other HTTP/1.1", "").status, "HTTP/1.1 404 Not Found");
    server.stop();
}

/// ws_defer(3): a thread finds out who may connect.
#[test]
fn later_decisions() {
    let (launch, _dir) = example("ws_defer", 0);
    let mut server = launch.start();
    client(&server).echo("welcome");
    for cookie in ["ticket=open-sesamE", "", &"x".repeat(200)] {
        let mut client = server.raw();
        client.send_bytes(&Request::new().with("Cookie", cookie).bytes());
        assert_eq!(client.response().status, "HTTP/1.1 403 Forbidden");
    }
    server.stop();
}

/// ws_adopt(3): a port of the program's own, on which some talk to it and some to the library.
#[test]
fn a_port_of_its_own() {
    let free = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let place = free.local_addr().expect("its address");
    drop(free);
    let (launch, _dir) = example("ws_adopt", 0);
    let script = format!("exec \"$0\" \"$@\" -- {}", place.port());
    let mut server = launch.under(["sh", "-c", &script]).start();
    let mut other = Client::raw_tcp(place);
    other.send_bytes(b"PING");
    assert_eq!(other.bytes(100), b"PONG\n");
    let mut client = Client::raw_tcp(place).upgrade(&Request::new());
    client.echo("hello");
    self::client(&server).echo("hello");
    drop(Client::raw_tcp(place));
    client.echo("still here");
    server.stop();
    client.expect_close(1001);
}

/// ws_main(3): a client has the server stop, and its program goes on behind it.
#[test]
fn stopping() {
    let (launch, _dir) = example("ws_main", 0);
    let mut server = launch.env("STOP_WORD", "enough").start();
    let mut client = client(&server);
    client.echo("stop");
    client.text("enough");
    client.expect_close(1001);
    assert_eq!(server.wait(), Some(0));
    assert!(server.stderr().ends_with("the server has ended with status 0\n"));
}

/// ws_set_option(3): its limit and origins, over which the command line has the last word.
#[test]
fn options() {
    let (launch, _dir) = example("ws_set_option", 0);
    let mut server = launch.args(["--max-message", "2000000"]).start();
    let mut other = server.raw();
    other.send_bytes(&Request::new().with("Origin", "http://other").bytes());
    assert_eq!(other.response().status, "HTTP/1.1 403 Forbidden");
    let mut client = client(&server);
    client.text(&"x".repeat(2_000_001));
    client.expect_close(1009);
    server.stop();

    let (launch, _dir) = example("ws_set_option", 0);
    let mut server = launch.start();
    let mut client = self::client(&server);
    client.text(&"x".repeat(1_000_001));
    client.expect_close(1009);
    server.stop();
}

/// ws_log_callback(3): the lines have the time before them.
#[test]
fn the_log() {
    let (launch, _dir) = example("ws_log_callback", 0);
    let mut server = launch.start();
    let line = server.await_stderr("listening on ");
    let (time, text) = line.split_once(' ').expect("two words");
    assert!(time.starts_with("20") && time.ends_with('Z') && text.starts_with("listening"));
    server.stop();
}
