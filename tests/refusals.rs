//! Requests that are no upgrade: each is answered, and its connection closed (CONTRACT S2).

use std::time::Instant;

use rustix::process::Signal;

use crate::handshake::padded_to;
use crate::harness::{Launch, Request, Response, Server};

/// Sends the bytes and checks everything about the answer that does not depend on the status.
fn refused(server: &Server, bytes: &[u8], status: &str) -> Response {
    let mut client = server.raw();
    // A second request behind the first must never be looked at (T33).
    client.send_bytes(&[bytes, &Request::new().bytes()].concat());
    let response = client.response();
    let text = String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(response.status, format!("HTTP/1.1 {status}"), "to {text:.300}");
    assert!(response.header("Content-Type").is_some_and(|it| it.starts_with("text/plain")));
    assert_eq!(response.header("Content-Length"), Some(&*response.body.len().to_string()));
    assert_eq!(response.body.lines().count(), 1, "{response:?}");
    assert!(response.header("Sec-WebSocket-Accept").is_none());
    client.expect_end();
    response
}

fn bad_request(server: &Server, bytes: &[u8]) {
    let response = refused(server, bytes, "400 Bad Request");
    assert_eq!(response.header("Connection"), Some("close"), "{response:?}");
}

/// After everything, the server serves, and no callback has run for any of it.
fn nothing_has_happened(mut server: Server) {
    assert_eq!(server.journal().matches("open ").count(), 0, "{}", server.journal());
    server.connect().echo("as ever");
    server.stop();
}

/// CONTRACT S2, T29, T32, T34: 400 for what is malformed.
#[test]
fn malformed_requests_get_400() {
    let server = Launch::probe().start();
    let key = |key: &str| Request::new().change("Sec-WebSocket-Key", key);
    let requests = [
        Request::new().line("GET /chat"),
        Request::new().line("GET  HTTP/1.1"),
        Request::new().line("GET chat HTTP/1.1"),
        Request::new().line("GET * HTTP/1.1"),
        Request::new().line("GET ftp://localhost/ HTTP/1.1"),
        Request::new().line("GET localhost:80 HTTP/1.1"),
        Request::new().line("GET /a b HTTP/1.1"),
        Request::new().line("GET /\x01 HTTP/1.1"),
        Request::new().line("GET /chat HTTX/1.1"),
        Request::new().line("\u{0}"),
        Request::new().line("G@T(/ /chat HTTP/1.1"),
        Request::new().without("Host"),
        Request::new().change("Host", ""),
        Request::new().with("Host", "localhost"),
        Request::new().without("Sec-WebSocket-Key"),
        key(""),
        key("dGhlIHNhbXBsZSBub25jZQ"),
        key("dGhlIHNhbXBsZSBub25jZQ=!"),
        key("dGhlIHNhbXBsZSBub24="),
        key("dGhlIHNhbXBsZSBub25jZTEyMzQ="),
        key(&"A".repeat(8000)),
        Request::new().with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        Request::new().with("Sec-WebSocket-Version", "13"),
        Request::new().with("Content-Length", "5"),
        Request::new().with("Content-Length", "-1"),
        Request::new().with("Content-Length", "0").with("Content-Length", "7"),
        Request::new().with("Transfer-Encoding", "chunked"),
        Request::new().with("Transfer-Encoding", "identity").with("Content-Length", "0"),
        Request::new().with("", "no name"),
        Request::new().with("X Y", "a blank in the name"),
        Request::new().with("X-Zero", "a\0b"),
        Request::new().with("X-Control", "a\x01b"),
        Request::new().with("X-Folded", "a\r\n b"),
        Request::new().with("X-Bare", "a\nX-Other: b"),
        Request::new().with("X-Bare", "a\rb"),
    ];
    for request in &requests {
        bad_request(&server, &request.bytes());
    }
    nothing_has_happened(server);
}

/// CONTRACT S2: bytes that are no HTTP at all, and line ends that are none.
#[test]
fn what_is_no_http_gets_400() {
    let server = Launch::probe().start();
    let valid = String::from_utf8(Request::new().bytes()).unwrap();
    for text in [
        valid.replace("\r\n", "\n"),
        valid.replacen("\r\n", "\n", 2),
        valid.replace("Upgrade: websocket", "Upgrade"),
        valid.replace("Upgrade: websocket", "Upgrade : websocket"),
        "\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03\r\n\r\n".to_owned(),
        "\u{0}\u{1}\u{2}\r\n\r\n".to_owned(),
        "hello\r\n\r\n".to_owned(),
    ] {
        bad_request(&server, text.as_bytes());
    }
    nothing_has_happened(server);
}

/// CONTRACT S2: 405 for another method, with what is allowed.
#[test]
fn other_methods_get_405() {
    let server = Launch::probe().start();
    for method in ["POST", "PUT", "OPTIONS", "CONNECT", "get"] {
        let bytes = Request::new().line(&format!("{method} /chat HTTP/1.1")).bytes();
        let response = refused(&server, &bytes, "405 Method Not Allowed");
        assert_eq!(response.header("Allow"), Some("GET"));
        assert_eq!(response.header("Connection"), Some("close"));
    }
    nothing_has_happened(server);
}

/// CONTRACT S2, T10, T24, T30, T33: 426 for what is no upgrade, or another version's.
#[test]
fn plain_requests_and_other_versions_get_426() {
    let server = Launch::probe().start();
    let version = |it: &str| Request::new().change("Sec-WebSocket-Version", it);
    for request in [
        Request::new().without("Upgrade"),
        Request::new().without("Connection"),
        Request::new().without("Upgrade").without("Connection"),
        Request::new().change("Upgrade", "h2c"),
        Request::new().change("Upgrade", "websockets"),
        Request::new().change("Upgrade", ""),
        Request::new().change("Connection", "keep-alive"),
        Request::new().change("Connection", "Upgraded"),
        Request::new().line("GET /chat HTTP/1.0"),
        Request::new().without("Sec-WebSocket-Version"),
        version("8"),
        version("14"),
        version("0"),
        version("013"),
        version("13, 8"),
        version("abc"),
    ] {
        let response = refused(&server, &request.bytes(), "426 Upgrade Required");
        assert_eq!(response.header("Upgrade"), Some("websocket"));
        assert_eq!(response.header("Connection"), Some("Upgrade, close"));
        assert_eq!(response.header("Sec-WebSocket-Version"), Some("13"));
    }
    nothing_has_happened(server);
}

/// CONTRACT S2, T26: 431 for what is too large or has too many headers, as soon as that is certain.
#[test]
fn large_requests_get_431() {
    let server = Launch::probe().start();
    let many = (0..124).fold(Request::new(), |it, n| it.with(&format!("X-{n}"), "v"));
    let endless = vec![b'x'; 16385];
    let line = Request::new().line(&format!("GET /{} HTTP/1.1", "x".repeat(20000)));
    let unfinished = [b"GET / HTTP/1.1\r\nX: ".to_vec(), endless.clone()].concat();
    for bytes in [padded_to(16385).bytes(), many.bytes(), line.bytes(), unfinished] {
        let response = refused(&server, &bytes, "431 Request Header Fields Too Large");
        assert_eq!(response.header("Connection"), Some("close"));
    }
    nothing_has_happened(server);
}

/// CONTRACT S2: a bad request is judged as it stands also where it comes byte by byte.
#[test]
fn a_bad_request_cut_at_every_byte() {
    let server = Launch::probe().start();
    let bytes = Request::new().line("POST /chat HTTP/1.1").bytes();
    for cut in 1..bytes.len() {
        let mut client = server.raw();
        client.send_and_drain(&bytes[..cut]);
        client.send_bytes(&bytes[cut..]);
        assert_eq!(client.response().status, "HTTP/1.1 405 Method Not Allowed", "cut at {cut}");
        client.expect_end();
    }
    nothing_has_happened(server);
}

/// CONTRACT S2: a client that leaves in the middle of its request leaves nothing behind.
#[test]
fn a_request_that_ends_early() {
    let server = Launch::probe().start();
    let bytes = Request::new().bytes();
    for cut in 0..bytes.len() {
        let mut client = server.raw();
        client.send_bytes(&bytes[..cut]);
        client.stream().shutdown(std::net::Shutdown::Write).expect("still connected");
        client.expect_end();
    }
    nothing_has_happened(server);
}

/// CONTRACT S17, T37: 408 after ten seconds, to one who says nothing and to one who never stops.
/// The time is what is measured here.
#[test]
fn slow_requests_get_408() {
    slow_requests(Launch::probe().start());
}

/// CONTRACT S17: over TCP as well.
#[test]
fn slow_requests_over_tcp_get_408() {
    slow_requests(Launch::probe().tcp().start());
}

fn slow_requests(server: Server) {
    let start = Instant::now();
    let mut silent = server.raw();
    let mut slow = server.raw();
    let bytes = padded_to(8000).bytes();
    // Each wait for an answer is the pause before the next byte.
    let pace = std::time::Duration::from_millis(200);
    let sent = bytes.iter().take_while(|byte| {
        slow.send_bytes(&[**byte]);
        !slow.hears_within(pace)
    });
    assert!(sent.count() < bytes.len() - 1, "it was never cut off");
    assert!(start.elapsed().as_millis() >= 9_500, "too early: {:?}", start.elapsed());
    for client in [&mut slow, &mut silent] {
        let response = client.response();
        assert_eq!(response.status, "HTTP/1.1 408 Request Timeout");
        assert_eq!(response.header("Connection"), Some("close"));
        client.expect_end();
    }
    server.signal(Signal::USR1);
    server.await_stderr(" refused_slow=2 ");
    nothing_has_happened(server);
}

/// CONTRACT S27: TLS on a plain port is answered 400, whose text says so, and told in the log.
#[test]
fn tls_is_told() {
    // How a ClientHello begins, cut where it is known for one.
    for hello in [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"\x16\x03"] {
        let mut server = Launch::probe().start();
        let mut client = server.raw();
        client.send_bytes(hello);
        let response = client.response();
        assert_eq!(response.status, "HTTP/1.1 400 Bad Request");
        assert!(response.body.contains("TLS"), "{response:?}");
        client.expect_end();
        server.await_stderr("a client is answered 400: this is TLS");
        server.signal(Signal::USR1);
        server.await_stderr("refused_bad=1 ");
        server.stop();
    }
}
