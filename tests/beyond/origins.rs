//! Origins: pages of other sites are answered 403 (RFC 6455 10.2).

use super::{doing, nothing_set, set};
use crate::harness::{Request, Server};

fn status(server: &Server, origins: &[&[u8]]) -> String {
    let request = origins.iter().fold(doing("target 0"), |it, line| it.with("Origin", line));
    let mut client = server.raw();
    client.send_bytes(&request.bytes());
    client.response().status
}

const TAKEN: &str = "HTTP/1.1 101 Switching Protocols";
const REFUSED: &str = "HTTP/1.1 403 Forbidden";

/// T35: those that are listed pass, in any case, and those who are no page; nobody else does.
#[test]
fn who_passes() {
    let mut server = set("origins https://example.org, https://www.example.org:8443").start();
    let cases: [(&[&[u8]], &str); 19] = [
        (&[], TAKEN),
        (&[b"https://example.org"], TAKEN),
        (&[b"https://EXAMPLE.org"], TAKEN),
        (&[b"https://www.example.org:8443"], TAKEN),
        (&[b"https://example.org", b"https://example.org"], TAKEN),
        (&[b"http://example.org"], REFUSED),
        (&[b"https://example.org:8443"], REFUSED),
        (&[b"https://www.example.org"], REFUSED),
        (&[b"https://example.org.evil.example"], REFUSED),
        (&[b"https://evil-example.org"], REFUSED),
        (&[b"https://evil.example/https://example.org"], REFUSED),
        (&[b"https://example.org/"], REFUSED),
        (&[b"https://example.org, https://www.example.org:8443"], REFUSED),
        (&[b"https://example.org", b"https://evil.example"], REFUSED),
        (&[b"https://evil.example", b"https://example.org"], REFUSED),
        (&[b"null"], REFUSED),
        (&[b""], REFUSED),
        (&[b"*"], REFUSED),
        (&[b"https://caf\xe9.example"], REFUSED),
    ];
    for (origins, expected) in cases {
        let text: Vec<_> = origins.iter().map(|it| String::from_utf8_lossy(it)).collect();
        assert_eq!(status(&server, origins), expected, "{text:?}");
    }
    server.stop();
    // The program is asked only where the origin is right.
    assert_eq!(server.journal().matches("open target 0").count(), 5, "{}", server.journal());
}

/// Sandboxed pages and files say "null": it passes only where it is listed.
#[test]
fn null_can_be_listed() {
    let mut server = set("origins null").start();
    assert_eq!(status(&server, &[b"null"]), TAKEN);
    assert_eq!(status(&server, &[b"https://example.org"]), REFUSED);
    server.stop();
}

/// Who lists none takes everybody, as ever.
#[test]
fn without_a_list_all_pass() {
    let mut server = nothing_set().start();
    assert_eq!(status(&server, &[b"https://anywhere.example"]), TAKEN);
    assert_eq!(status(&server, &[b"\xff"]), TAKEN);
    server.stop();
}

/// What is wrong with a request otherwise is still told first.
#[test]
fn a_bad_request_of_a_foreign_page() {
    let mut server = set("origins https://example.org").start();
    let mut client = server.raw();
    let request = Request::new().with("Origin", "https://evil.example").without("Host");
    client.send_bytes(&request.bytes());
    assert_eq!(client.response().status, "HTTP/1.1 400 Bad Request");
    server.stop();
}

/// `same`: the page is of the host and port that the request names.
#[test]
fn the_same_host() {
    let mut server = set("origins same, https://example.org").start();
    for (origin, host, expected) in [
        ("http://chat.example", "chat.example", TAKEN),
        ("https://CHAT.example", "chat.example:443", TAKEN),
        ("http://chat.example:8080", "chat.example:8080", TAKEN),
        ("https://example.org", "chat.example", TAKEN),
        ("http://chat.example", "chat.example:8080", REFUSED),
        ("https://evil.example", "chat.example", REFUSED),
        ("null", "chat.example", REFUSED),
    ] {
        let mut client = server.raw();
        let request = Request::new().change("Host", host).with("Origin", origin);
        client.send_bytes(&request.bytes());
        assert_eq!(client.response().status, expected, "{origin} {host}");
    }
    server.stop();
}

/// CONTRACT S27: a refusal says why, in its body and in the log, which names the origin and can neither be
/// written to by it nor filled with it; and it counts.
#[test]
fn a_refusal_names_its_cause() {
    let mut server = set("origins https://example.org").start();
    for origin in ["https://evil.example", &"x".repeat(10_000), "a\u{9b}b"] {
        let mut client = server.raw();
        client.send_bytes(&Request::new().with("Origin", origin).bytes());
        let response = client.response();
        assert_eq!(response.status, REFUSED);
        assert_eq!(response.body, "pages of this origin may not connect\n");
    }
    let line = "a client is answered 403: pages of this origin may not connect: ";
    server.await_stderr(&format!("{line}https://evil.example"));
    let long = server.await_stderr(&format!("{line}xxx"));
    assert!(long.len() < 250, "{long}");
    server.await_stderr(&format!("{line}a\\xc2\\x9bb"));
    server.signal(rustix::process::Signal::USR1);
    server.await_stderr("refused_program=3 ");
    server.stop();
}
