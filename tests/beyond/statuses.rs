//! `ws_set_status`: what a client is answered with that the program does not take.

use super::{doing, nothing_set, open, returned};
use crate::harness::{Response, Server};

fn answer(server: &Server, calls: &str) -> Response {
    let mut client = server.raw();
    client.send_bytes(&doing(calls).bytes());
    let response = client.response();
    client.expect_end();
    response
}

/// 300 to 599 can be, and no other number.
#[test]
fn which_can_be() {
    let mut server = nothing_set().start();
    let calls = [
        ("status 0 299", "-1"),
        ("status 0 600", "-1"),
        ("status 0 0", "-1"),
        ("status 0 -1", "-1"),
        ("status 0 101", "-1"),
        ("status 0 65936", "-1"),
        ("status 0 300", "0"),
        ("status 0 599", "0"),
        ("status 999 404", "-1"),
    ];
    let list: Vec<&str> = calls.iter().map(|(call, _)| *call).collect();
    open(&server, &doing(&list.join(";"))).echo("a status is no refusal");
    for (call, result) in calls {
        assert_eq!(returned(&server, &format!("open {call}")), result, "{call}");
    }
    server.stop();
}

/// The answer has the form of the library's own: one line of text, and the end.
#[test]
fn the_answer() {
    let mut server = nothing_set().start();
    for status in [
        300, 302, 308, 399, 400, 401, 403, 404, 405, 410, 418, 421, 426, 429, 431, 451, 499, 500,
        503, 599,
    ] {
        let response = answer(&server, &format!("status 0 {status};return 1"));
        let beginning = format!("HTTP/1.1 {status} ");
        assert!(response.status.starts_with(&beginning), "{response:?}");
        assert!(response.status.len() > beginning.len(), "a phrase: {response:?}");
        assert_eq!(response.header("Connection"), Some("close"), "{response:?}");
        assert!(response.header("Content-Type").is_some_and(|it| it.starts_with("text/plain")));
        assert_eq!(response.header("Content-Length"), Some(&*response.body.len().to_string()));
        assert_eq!(response.body.lines().count(), 1, "{response:?}");
        assert!(response.header("Sec-WebSocket-Accept").is_none());
    }
    server.connect().echo("hello");
    server.stop();
    assert_eq!(server.journal().matches("close ").count(), 1, "{}", server.journal());
}

/// The last one counts; one that cannot be leaves it; it is for this client alone.
#[test]
fn which_one_counts() {
    let mut server = nothing_set().start();
    let response = answer(&server, "status 0 404;status 0 429;status 0 1000;return 7");
    assert_eq!(response.status, "HTTP/1.1 429 Too Many Requests");
    assert_eq!(answer(&server, "return 1").status, "HTTP/1.1 403 Forbidden");
    open(&server, &doing("status 0 404")).echo("taken all the same");
    assert_eq!(answer(&server, "return -1").status, "HTTP/1.1 403 Forbidden");
    server.stop();
}

/// What was queued for a client that is refused is not sent.
#[test]
fn nothing_comes_before_it() {
    let mut server = nothing_set().start();
    let response = answer(&server, "send 0 0 100 50;status 0 503;closecode 0 4000 no;return 1");
    assert_eq!(response.status, "HTTP/1.1 503 Service Unavailable");
    server.stop();
    assert!(!server.journal().contains("close 1 "), "{}", server.journal());
}
