//! Requests and connections: one behind the other, refused, and ended.

use std::fs::File;
use std::time::Duration;

use super::{NOT_FOUND, OK, Site, get, request, site, start, stop};
use crate::harness::{Frame, Launch, Request};

/// Other methods are refused, and nothing that follows is looked at.
#[test]
fn other_methods_get_405() {
    let Site { server, .. } = site();
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "get"] {
        let mut client = server.raw();
        client.send_bytes(
            &[request(&format!("{method} / HTTP/1.1")), request("GET / HTTP/1.1")].concat(),
        );
        let response = client.response();
        assert_eq!(response.status, "HTTP/1.1 405 Method Not Allowed", "{method}");
        assert_eq!(response.header("Allow"), Some("GET, HEAD"));
        client.expect_end();
    }
    stop(server);
}

/// Requests behind each other, in one packet, are answered in order; then an upgrade, on any path, and
/// messages.
#[test]
fn pipelined_requests() {
    let Site { mut server, .. } = site();
    let mut client = server.raw();
    let mut bytes = Vec::new();
    for target in ["/sub/", "/nothing", "/", "/sub"].repeat(50) {
        bytes.extend(request(&format!("GET {target} HTTP/1.1")));
    }
    bytes.extend(Request::new().line("GET /sub/index.html HTTP/1.1").bytes());
    bytes.extend(Frame::text("hello").bytes());
    client.send_bytes(&bytes);
    for (status, body) in [
        (OK, &b"below"[..]),
        (NOT_FOUND, b"there is no such page\n"),
        (OK, b"<p>hello</p>"),
        ("HTTP/1.1 301 Moved Permanently", b"it is a directory\n"),
    ]
    .repeat(50)
    {
        let head = client.head();
        assert_eq!(head.status, status);
        assert_eq!(client.bytes(head.length()), body);
    }
    assert_eq!(client.head().status, "HTTP/1.1 101 Switching Protocols");
    client.expect_text("hello");
    client.echo("it is a connection like any other");
    drop(client);
    server.stop();
    assert_eq!(server.journal().matches("open ").count(), 1);
}

/// A request byte by byte behind another one.
#[test]
fn byte_by_byte() {
    let Site { server, .. } = site();
    let mut client = server.raw();
    for _ in 0..2 {
        for byte in request("GET /sub/ HTTP/1.1") {
            client.send_and_drain(&[byte]);
        }
        let head = client.head();
        assert_eq!((&*head.status, &*client.bytes(head.length())), (OK, &b"below"[..]));
    }
    drop(client);
    stop(server);
}

/// The connection ends behind the answer where the client wants it, is of HTTP/1.0, or sends a body.
#[test]
fn the_last_answer() {
    let Site { server, .. } = site();
    for (line, headers) in [
        ("GET / HTTP/1.1", "Host: a\r\nConnection: close\r\n"),
        ("GET / HTTP/1.1", "Host: a\r\nConnection: TE, Close\r\nTE: trailers\r\n"),
        ("GET / HTTP/1.0", ""),
        ("GET / HTTP/1.1", "Host: a\r\nContent-Length: 40\r\n"),
        ("GET / HTTP/1.1", "Host: a\r\nTransfer-Encoding: chunked\r\n"),
    ] {
        let mut client = server.raw();
        let first = format!("{line}\r\n{headers}\r\n");
        client.send_bytes(&[first.into_bytes(), request("GET /sub/ HTTP/1.1")].concat());
        let head = client.head();
        assert_eq!((&*head.status, head.header("Connection")), (OK, Some("close")), "{headers}");
        assert_eq!(client.bytes(1000), b"<p>hello</p>", "{headers}");
        client.expect_end();
    }
    stop(server);
}

/// RFC 9112 9.3: a connection of HTTP/1.0 stays where the client asks for that, and is told so.
#[test]
fn an_older_client_that_keeps_its_connection() {
    let Site { server, .. } = site();
    let mut client = server.raw();
    for _ in 0..2 {
        client.send_bytes(b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
        let head = client.head();
        assert_eq!((&*head.status, head.header("Connection")), (OK, Some("keep-alive")));
        assert_eq!(client.bytes(head.length()), b"<p>hello</p>");
    }
    drop(client);
    stop(server);
}

/// CONTRACT S2: requests that go wrong are refused, upgrades that go wrong as ever, and without -w all
/// plain ones.
#[test]
fn refusals() {
    let Site { server, .. } = site();
    for (bytes, status) in [
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "400 Bad Request"),
        (request("GET / HTTP/1.1\r\nHost: b"), "400 Bad Request"),
        (request("GET / HTTP/1.1\r\nContent-Length: x"), "400 Bad Request"),
        (request("GET index.html HTTP/1.1"), "400 Bad Request"),
        (request("GET / HTTP/3.0"), "400 Bad Request"),
        (
            request(&format!("GET /{} HTTP/1.1", "x".repeat(17000))),
            "431 Request Header Fields Too Large",
        ),
        (Request::new().without("Connection").bytes(), "426 Upgrade Required"),
        (Request::new().line("POST /chat HTTP/1.1").bytes(), "405 Method Not Allowed"),
    ] {
        let mut client = server.raw();
        // As the second request of a connection, too.
        for is_kept in [false, true] {
            if is_kept {
                client = server.raw();
                assert_eq!(get(&mut client, "/").0.status, OK);
            }
            client.send_bytes(&bytes);
            assert_eq!(client.response().status, format!("HTTP/1.1 {status}"));
            client.expect_end();
        }
    }
    stop(server);
    let server = Launch::probe().start();
    let mut client = server.raw();
    client.send_bytes(&request("GET / HTTP/1.1"));
    assert_eq!(client.response().status, "HTTP/1.1 426 Upgrade Required");
    client.expect_end();
    stop(server);
}

/// CONTRACT S17: the ten seconds are for each request. One who has begun another is told; one who has
/// not is let go without a word. The time is what is measured.
#[test]
fn slow_requests_on_a_kept_connection() {
    let Site { server, .. } = site();
    let mut idle = server.raw();
    let mut slow = server.raw();
    let mut asking = server.raw();
    let start = std::time::Instant::now();
    for client in [&mut idle, &mut slow, &mut asking] {
        assert_eq!(get(client, "/").0.status, OK);
    }
    slow.send_bytes(b"GET / HT");
    // This one asks again half-way, and has ten seconds from then on. Where the machine has paused it
    // is too late for that, and may have been let go: not before its time either.
    let mut again = start;
    if asking.hears_within(Duration::from_secs(6)) {
        assert!(start.elapsed().as_millis() >= 9_500, "too early: {:?}", start.elapsed());
    } else {
        again = std::time::Instant::now();
        assert_eq!(get(&mut asking, "/").0.status, OK);
    }
    assert_eq!(slow.response().status, "HTTP/1.1 408 Request Timeout");
    slow.expect_end();
    idle.expect_end();
    assert!(start.elapsed().as_millis() >= 9_500, "too early: {:?}", start.elapsed());
    asking.expect_end();
    assert!(again.elapsed().as_millis() >= 9_500, "too early: {:?}", again.elapsed());
    stop(server);
}

/// Connections for pages take no place of those that -m counts, and the other way round.
#[test]
fn beside_all_connections_that_there_may_be() {
    let Site { mut server, .. } = start(Launch::probe().tcp().args(["-m", "2"]));
    let mut kept = server.raw();
    assert_eq!(get(&mut kept, "/").0.header("Connection"), None);
    let mut all = [server.connect(), server.connect()];
    let mut client = server.raw();
    client.send_bytes(&Request::new().bytes());
    assert_eq!(client.response().status, "HTTP/1.1 503 Service Unavailable");
    // A full server answers, and keeps nobody.
    let (head, _) = get(&mut kept, "/");
    assert_eq!((&*head.status, head.header("Connection")), (OK, Some("close")));
    kept.expect_end();
    all.iter_mut().for_each(|client| client.echo("as ever"));
    drop(all);
    server.stop();
}

/// CONTRACT S10: a server stops while it sends a page.
#[test]
fn stopping() {
    let Site { mut server, pages } = site();
    File::create(pages.join("long")).expect("a file").set_len(50_000_000).expect("room");
    let mut kept = server.raw();
    assert_eq!(get(&mut kept, "/").0.status, OK);
    let mut stuck = server.raw();
    stuck.send_bytes(&request("GET /long HTTP/1.1"));
    assert_eq!(stuck.head().status, OK);
    server.stop();
    kept.expect_end();
}
