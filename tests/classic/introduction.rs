//! What `ws_open_callback` is told: the host and the sub-protocol, or with `-h` the cookie.

use crate::harness::{ACCEPT, Client, Launch, Request};

/// CONTRACT E3: without `-h` the Host header without its port is the hostname, and the cookie is
/// "".
#[test]
fn the_host_without_its_port() {
    let mut server = Launch::classic().start();
    let cases = [
        ("example.com", "example.com"),
        ("example.com:8443", "example.com"),
        ("example.com:", "example.com"),
        ("EXAMPLE.com:80", "EXAMPLE.com"),
        ("192.0.2.7:80", "192.0.2.7"),
        ("[::1]", "[::1]"),
        ("[::1]:8080", "[::1]"),
        ("[2001:db8::7:1]:443", "[2001:db8::7:1]"),
        ("[2001:db8::7:1]", "[2001:db8::7:1]"),
        ("localhost", "localhost"),
    ];
    for (number, (header, hostname)) in (1..).zip(cases) {
        let request = Request::new().change("Host", header).with("Cookie", "not=told");
        Client::upgraded(server.socket(), &request).echo("hello");
        let line = server.await_journal(&format!("open {number} "));
        assert_eq!(line, format!("open {number} [] [{hostname}] []"), "{header}");
    }
    server.stop();
}

/// CONTRACT E3: a name as long as a request allows is told whole.
#[test]
fn a_long_host() {
    let mut server = Launch::classic().start();
    let host = "x".repeat(16000);
    let request = Request::new().change("Host", format!("{host}:80"));
    Client::upgraded(server.socket(), &request).echo("hello");
    assert_eq!(server.await_journal("open 1 "), format!("open 1 [] [{host}] []"));
    server.stop();
}

/// Offers these values of Sec-WebSocket-Protocol, each in a header of its own: what the answer
/// names.
fn offer(socket: &std::path::Path, offers: &[&[u8]]) -> Option<String> {
    let request = offers
        .iter()
        .fold(Request::new(), |request, offer| request.with("Sec-WebSocket-Protocol", offer));
    let mut client = Client::raw(socket);
    client.send_bytes(&request.bytes());
    let response = client.response();
    assert_eq!(response.status, "HTTP/1.1 101 Switching Protocols", "{offers:?}");
    assert_eq!(response.header("Sec-WebSocket-Accept"), Some(ACCEPT));
    client.echo("hello");
    response.header("Sec-WebSocket-Protocol").map(str::to_owned)
}

/// CONTRACT E3: the first sub-protocol that the client offers is sent back and handed over; none
/// offered: "".
#[test]
fn the_first_sub_protocol_offered() {
    let mut server = Launch::classic().start();
    let long = "p".repeat(8000);
    let list = format!("{long}, other");
    let cases: [(&[&[u8]], &str); 10] = [
        (&[], ""),
        (&[b"chat"], "chat"),
        (&[b"chat, superchat"], "chat"),
        (&[b"superchat,chat"], "superchat"),
        (&[b"\t chat\t ,\tother"], "chat"),
        (&[b"v1.example.org!#$%&'*+-.^_`|~"], "v1.example.org!#$%&'*+-.^_`|~"),
        (&[b"Chat, chat"], "Chat"),
        (&[b"first", b"second"], "first"),
        (&[b"one, two", b"three"], "one"),
        (&[list.as_bytes()], &long),
    ];
    told(&server, &cases);
    server.stop();
}

/// CONTRACT E3: what is no token is not offered, and what stands behind it is; nothing that the
/// client did not offer, and nothing that could end a header line, is ever sent back.
#[test]
fn sub_protocols_that_are_none() {
    let mut server = Launch::classic().start();
    let cases: [(&[&[u8]], &str); 14] = [
        (&[b""], ""),
        (&[b","], ""),
        (&[b", ,\t,chat"], "chat"),
        (&[b"", b"chat"], "chat"),
        (&[b"two words"], ""),
        (&[b"two words, chat"], "chat"),
        (&[b"\"quoted\", chat"], "chat"),
        (&[b"chat;q=1, plain"], "plain"),
        (&[b"a/b, (c), d@e, [f], {g}, h:i, j?k, l=m, <n>, o\\p"], ""),
        (&[b"ch\xc3\xa9t, chat"], "chat"),
        (&[b"\xff\xfe"], ""),
        (&[b"a\x7fb, chat"], "chat"),
        (&[b"two words", b"chat"], "chat"),
        (&[b"chat,"], "chat"),
    ];
    for (_, protocol) in &cases {
        assert!(protocol.is_ascii());
    }
    told_or_refused(&server, &cases);
    server.stop();
}

fn told(server: &crate::harness::Server, cases: &[(&[&[u8]], &str)]) {
    for (number, (offers, protocol)) in (1..).zip(cases) {
        let answered = offer(server.socket(), offers);
        assert_eq!(answered.as_deref().unwrap_or(""), *protocol, "{offers:?}");
        assert_ne!(answered.as_deref(), Some(""), "none is no header: {offers:?}");
        let line = server.await_journal(&format!("open {number} "));
        assert_eq!(line, format!("open {number} [] [localhost] [{protocol}]"), "{offers:?}");
    }
}

/// A value that no header may have is a malformed request (CONTRACT S2); any other is read.
fn told_or_refused(server: &crate::harness::Server, cases: &[(&[&[u8]], &str)]) {
    let may_be = |offers: &&[&[u8]]| offers.iter().all(|it| !it.contains(&0x7f));
    let (good, bad): (Vec<_>, Vec<_>) = cases.iter().partition(|(offers, _)| may_be(offers));
    told(server, &good.into_iter().copied().collect::<Vec<_>>());
    for (offers, _) in bad {
        let mut client = server.raw();
        client.send_bytes(&Request::new().with("Sec-WebSocket-Protocol", offers[0]).bytes());
        assert_eq!(client.response().status, "HTTP/1.1 400 Bad Request", "{offers:?}");
        client.expect_end();
    }
}

/// CONTRACT E3: with `-h` the cookie is the header's value, and the others are "". Nothing is
/// negotiated: no sub-protocol is sent back.
#[test]
fn with_h_the_cookie() {
    let mut server = Launch::classic().args(["-h"]).start();
    let offering = Request::new().with("Sec-WebSocket-Protocol", "chat");
    let cases = [
        (offering.clone(), ""),
        (offering.clone().with("Cookie", "session=0123; theme=dark"), "session=0123; theme=dark"),
        (offering.clone().with("Cookie", "a=1").with("cookie", "b=2"), "a=1; b=2"),
        (offering.clone().with("Cookie", ""), ""),
        (Request::new().change("Host", "refuse").with("Cookie", "a=1"), "a=1"),
    ];
    for (number, (request, cookie)) in (1..).zip(cases) {
        let mut client = server.raw();
        client.send_bytes(&request.bytes());
        let response = client.response();
        assert_eq!(response.status, "HTTP/1.1 101 Switching Protocols");
        assert_eq!(response.header("Sec-WebSocket-Protocol"), None);
        client.echo("hello");
        let line = server.await_journal(&format!("open {number} "));
        assert_eq!(line, format!("open {number} [{cookie}] [] []"));
    }
    server.stop();
}

/// CONTRACT D9, E3: what the open callback queues comes behind the answer, which names the
/// sub-protocol.
#[test]
fn the_server_speaks_first() {
    let mut server = Launch::classic().start();
    let mut client = server.raw();
    let request = Request::new().change("Host", "say=welcome");
    client.send_bytes(&request.with("Sec-WebSocket-Protocol", "greeting").bytes());
    assert_eq!(client.response().header("Sec-WebSocket-Protocol"), Some("greeting"));
    client.expect_text("welcome");
    client.echo("hello");
    server.stop();
}

/// CONTRACT S4, E3: a refusal is 403 and names no sub-protocol; no message, no close callback.
#[test]
fn a_refusal_names_no_sub_protocol() {
    let mut server = Launch::classic().start();
    let mut client = server.raw();
    let request = Request::new().change("Host", "refuse:80");
    client.send_bytes(&request.with("Sec-WebSocket-Protocol", "chat").bytes());
    let response = client.response();
    assert_eq!(response.status, "HTTP/1.1 403 Forbidden");
    assert_eq!(response.header("Sec-WebSocket-Protocol"), None);
    client.expect_end();
    server.await_journal("open 1 ");
    server.stop();
    assert!(!server.journal().contains("close "), "{}", server.journal());
}
