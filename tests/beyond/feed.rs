//! c-examples/feed.c, as people use it.

use std::path::PathBuf;
use std::sync::OnceLock;

use crate::examples::{compile, launch};
use crate::harness::{Client, Frame, Op, Request, Server, program_dir, root};

/// The program.
fn program() -> PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let path = program_dir().join("feed");
        compile(&root().join("c-examples/feed.c"), &path, &["-O2"]);
        path
    };
    PROGRAM.get_or_init(build).clone()
}

fn start() -> Server {
    let launch = launch(&program());
    std::fs::write(launch.run_dir().join("token"), "open-sesame\n").expect("a file");
    launch.args(["-f", "token"]).start()
}

fn reader() -> Request {
    Request::new().line("GET /feed HTTP/1.1")
}

fn writer(token: &str) -> Request {
    reader().with("Sec-WebSocket-Protocol", "feed.write").with("Authorization", token)
}

fn status(server: &Server, request: &Request) -> String {
    let mut client = server.raw();
    client.send_bytes(&request.bytes());
    client.response().status
}

/// What is written comes to all readers, and at once to who comes later.
#[test]
fn news() {
    let mut server = start();
    let mut first = Client::upgraded(server.socket(), &reader());
    let mut writer = Client::upgraded(server.socket(), &writer("Bearer open-sesame"));
    for news in ["one", "two", &"three ".repeat(20_000)] {
        writer.text(news);
        let mut text = Vec::new();
        loop {
            let frame = first.receive();
            text.extend(frame.payload);
            if frame.fin {
                break;
            }
        }
        assert_eq!(text, news.as_bytes());
    }
    writer.text("four");
    first.expect_text("four");
    Client::upgraded(server.socket(), &reader()).expect_text("four");
    writer.send(&Frame::new(Op::BINARY, "no text"));
    writer.expect_close(1003);
    first.text("me too");
    assert_eq!(first.receive().code(), Some(4001));
    server.stop();
}

/// Who is not taken learns why.
#[test]
fn statuses() {
    let mut server = start();
    let foreign = reader().with("Origin", "https://evil.example");
    let cases = [
        (reader(), "101 Switching Protocols"),
        (reader().with("Origin", "https://example.org"), "101 Switching Protocols"),
        (foreign, "403 Forbidden"),
        (Request::new().line("GET /other HTTP/1.1"), "404 Not Found"),
        (writer("Bearer open-sesame"), "101 Switching Protocols"),
        (writer("Bearer open-sesamE"), "401 Unauthorized"),
        (writer("Bearer "), "401 Unauthorized"),
        (writer("open-sesame"), "401 Unauthorized"),
    ];
    for (request, expected) in &cases {
        assert_eq!(status(&server, request), format!("HTTP/1.1 {expected}"));
    }
    server.stop();
}

/// Without a token there is no server.
#[test]
fn without_a_token() {
    let ended = launch(&program()).args(["-x"]).run();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("-f"), "{}", ended.stderr);
}

/// One who does not read misses some, holds nobody up, and gets the last when he has caught up.
#[test]
fn a_slow_reader() {
    let mut server = start();
    let mut slow = Client::upgraded(server.socket(), &reader());
    let mut quick = Client::upgraded(server.socket(), &reader());
    let mut writer = Client::upgraded(server.socket(), &writer("Bearer open-sesame"));
    let long = "x".repeat(4 << 20);
    for number in 0..8 {
        writer.text(&format!("{number}{}", &long[1..]));
        while !quick.receive().fin {}
    }
    writer.text("the last");
    quick.expect_text("the last");
    let mut texts = Vec::new();
    while texts.last().is_none_or(|text| text != "the last") {
        let mut text = slow.receive();
        while !text.fin {
            text = slow.receive();
        }
        texts.push(text.as_text().to_owned());
    }
    assert!(texts.len() < 9, "{} of 9: it has missed none", texts.len());
    server.stop();
}
