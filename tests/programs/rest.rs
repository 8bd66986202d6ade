//! c-examples/rest.c: its HTTP interface by curl, and what of it comes by WebSocket.

use std::path::PathBuf;
use std::sync::OnceLock;

use crate::harness::{Client, Launch, Need, Request, Response, skipped};

use super::{compile, curl, with_operands};

pub(super) fn program() -> PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| compile("rest", &[])).clone()
}

/// The server, about to let pages of these origins in; `None` where the test must be skipped.
fn letting_in(origins: &[&str]) -> Option<Launch> {
    if skipped(&[Need::Tool("curl")]) {
        return None;
    }
    Some(with_operands(&program(), origins))
}

fn status(response: &Response) -> &str {
    response.status.strip_prefix("HTTP/1.1 ").expect("a status line")
}

/// What anybody posts all hear who are connected, as it is; and how many they are is told.
#[test]
fn messages_and_health() {
    let Some(launch) = letting_in(&[]) else { return };
    let mut server = launch.start();
    let health = curl(&server, "/health", &[]);
    assert_eq!(status(&health), "200 OK");
    assert_eq!(health.header("Content-Type"), Some("application/json"));
    assert_eq!(health.body, "{\"status\":\"ok\",\"clients\":0}\n");

    let (mut ann, mut bob) = (server.connect(), server.connect());
    let long = "\u{1f42d}".repeat(5000);
    for text in ["{\"text\":\"hello\"}", "", "no JSON at all: \u{e9}\u{20ac}", &long] {
        let answer = curl(&server, "/messages", &["--data-binary", text]);
        assert_eq!((status(&answer), &*answer.body), ("202 Accepted", "{\"clients\":2}\n"));
        ann.expect_text(text);
        bob.expect_text(text);
    }
    drop(ann);
    bob.send(&crate::harness::Frame::close(1000, ""));
    bob.expect_close(1000);
    let left = crate::harness::until(|| {
        let body = curl(&server, "/health?verbose", &[]).body;
        body.contains("\"clients\":0}").then_some(())
    });
    assert!(left.is_some());
    server.stop();
    assert_eq!(server.complaints(), [""; 0]);
}

/// RFC 3629 3, 4: what is no UTF-8 would have browsers end their connections, and is not sent on.
#[test]
fn what_is_no_text() {
    let Some(launch) = letting_in(&[]) else { return };
    let mut server = launch.start();
    let mut client = server.connect();
    let post = |body: &[u8]| {
        let line = Request::new().line("POST /messages HTTP/1.1").without("Upgrade");
        let head = line.with("Content-Length", body.len().to_string());
        let mut client = server.raw();
        client.send_bytes(&[&head.bytes(), body].concat());
        client.response()
    };
    let bad: [&[u8]; 12] = [
        b"\xff",
        b"a\x80",
        b"\xc3",
        b"\xc0\xaf",
        b"\xc1\xbf",
        b"\xe0\x9f\xbf",
        b"\xe2\x82",
        b"\xed\xa0\x80",
        b"\xf0\x8f\xbf\xbf",
        b"\xf0\x9f\x90a",
        b"\xf4\x90\x80\x80",
        b"\xf5\x80\x80\x80",
    ];
    for body in bad {
        assert_eq!(status(&post(body)), "400 Bad Request", "{body:?}");
    }
    let edges = "\0\u{7f}\u{80}\u{7ff}\u{800}\u{d7ff}\u{e000}\u{ffff}\u{10000}\u{10ffff}";
    assert_eq!(status(&post(edges.as_bytes())), "202 Accepted");
    client.expect_text(edges);
    server.stop();
}

/// RFC 9110 9.3.2, 15.5.6: methods that a resource does not have are answered 405 with those that it has, and what is not
/// there 404.
#[test]
fn methods_and_paths() {
    let Some(launch) = letting_in(&[]) else { return };
    let mut server = launch.start();
    let head = curl(&server, "/health", &["--head"]);
    assert_eq!((status(&head), head.length()), ("200 OK", 28));
    for (path, method, allowed) in [
        ("/health", "POST", "GET, HEAD, OPTIONS"),
        ("/health", "get", "GET, HEAD, OPTIONS"),
        ("/messages", "GET", "POST, OPTIONS"),
        ("/messages", "DELETE", "POST, OPTIONS"),
        ("/messages?x=1", "PATCH", "POST, OPTIONS"),
    ] {
        let answer = curl(&server, path, &["--request", method]);
        assert_eq!(status(&answer), "405 Method Not Allowed", "{method} {path}");
        assert_eq!(answer.header("Allow"), Some(allowed));
    }
    let answer = curl(&server, "/messages", &["--head"]);
    assert_eq!(status(&answer), "405 Method Not Allowed");
    for path in ["/healt", "/healthy", "/messages/", "/x/health", "/health%20", "/favicon.ico"] {
        assert_eq!(status(&curl(&server, path, &[])), "404 Not Found", "{path}");
    }
    // Where there is no page.
    assert_eq!(status(&curl(&server, "/", &[])), "426 Upgrade Required");
    server.stop();
}

/// A page may ask whose origin is the server's own or was named, also without having asked whether it may (Fetch 3.2);
/// any other page may not, nor connect.
#[test]
fn origins() {
    let named = "https://example.org";
    let Some(launch) = letting_in(&["http://localhost:1", named]) else { return };
    let mut server = launch.start();
    let mut listener = server.connect();
    let with = |origin: &str, options: &[&str]| {
        let origin = format!("Origin: {origin}");
        curl(&server, "/messages", &[&["--header", &origin], options].concat())
    };
    let preflight = with(named, &["--request", "OPTIONS"]);
    assert_eq!(status(&preflight), "204 No Content");
    for (name, value) in [
        ("Access-Control-Allow-Origin", named),
        ("Access-Control-Allow-Methods", "POST, OPTIONS"),
        ("Access-Control-Allow-Headers", "Content-Type"),
        ("Vary", "Origin"),
    ] {
        assert_eq!(preflight.header(name), Some(value));
    }
    let answer = with(named, &["--data", "from there"]);
    assert_eq!(status(&answer), "202 Accepted");
    assert_eq!(answer.header("Access-Control-Allow-Origin"), Some(named));
    listener.expect_text("from there");
    let own = with("http://localhost", &["--data", "from here"]);
    assert_eq!((status(&own), own.header("Access-Control-Allow-Origin")), ("202 Accepted", None));
    listener.expect_text("from here");
    for origin in ["https://example.com", "http://example.org", "null", "localhost", ""] {
        for options in [&["--data", "x"][..], &["--request", "OPTIONS"]] {
            let answer = with(origin, options);
            let allowed = answer.header("Access-Control-Allow-Origin");
            // Without a value curl does not send the header.
            let wanted = if !origin.is_empty() { "403 Forbidden" } else { status(&answer) };
            assert_eq!((status(&answer), allowed), (wanted, None), "{origin}");
        }
    }
    listener.expect_text("x");

    for (origin, answer) in
        [(named, "101 Switching Protocols"), ("https://example.com", "403 Forbidden")]
    {
        let mut client = Client::raw(server.socket());
        client.send_bytes(&Request::new().with("Origin", origin).bytes());
        assert_eq!(status(&client.response()), answer);
    }
    server.stop();
}

/// What is no origin ends the start.
#[test]
fn bad_operands() {
    let ended = with_operands(&program(), &["example.org"]).args(["-x"]).run();
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("rest: after -- come origins"), "{}", ended.stderr);
}
