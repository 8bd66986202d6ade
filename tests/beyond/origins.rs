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
