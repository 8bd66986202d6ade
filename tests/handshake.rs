//! Upgrades that succeed.

use crate::harness::{ACCEPT, Client, Frame, Launch, Op, Request, Server};

/// CONTRACT S2: the answer of RFC 6455 4.2.2, header for header; no sub-protocol and no extension
/// is promised (T19, T20, T21, T22).
#[test]
fn the_answer_to_an_upgrade() {
    let mut server = Launch::probe().start();
    let offers = Request::new()
        .with("Sec-WebSocket-Protocol", "chat, superchat")
        .with("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits=99")
        .with("Origin", "http://example.com");
    for request in [Request::new(), offers] {
        let mut client = server.raw();
        client.send_bytes(&request.bytes());
        let response = client.response();
        assert_eq!(response.status, "HTTP/1.1 101 Switching Protocols");
        let mut headers = response.headers.clone();
        headers.sort();
        let expected =
            [("Connection", "Upgrade"), ("Sec-WebSocket-Accept", ACCEPT), ("Upgrade", "websocket")];
        assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        client.echo("hello");
    }
    server.stop();
}

/// CONTRACT S2: the accept value depends on the key, and blanks around the key do not count.
#[test]
fn another_key_is_answered_with_its_own_accept() {
    let mut server = Launch::probe().start();
    for key in ["x3JJHMbDL1EzLkh9GBhXDw==", "  x3JJHMbDL1EzLkh9GBhXDw== \t"] {
        let mut client = server.raw();
        client.send_bytes(&Request::new().change("Sec-WebSocket-Key", key).bytes());
        let accept = client.response().header("Sec-WebSocket-Accept").map(str::to_owned);
        assert_eq!(accept.as_deref(), Some("HSmrc0sMlYUkAGmm5OPpG2HaGWk="));
    }
    server.stop();
}

/// CONTRACT S2: what browsers and proxies send.
#[test]
fn the_requests_of_browsers_and_proxies() {
    let mut server = Launch::probe().start();
    let requests = [
        Request::new().change("Connection", "keep-alive, Upgrade"),
        Request::new().change("Connection", "keep-alive").with("Connection", "Upgrade"),
        Request::new().change("Connection", "upgrade,foo"),
        Request::new().change("Upgrade", "WebSocket"),
        Request::new().change("Upgrade", "h2c, websocket"),
        Request::new().change("Upgrade", "h2c").with("upgrade", "websocket"),
        Request::new().with("Content-Length", "0"),
        Request::new().with("X-Empty", ""),
        Request::new().with("X-Bytes", b"caf\xe9\xff"),
        Request::new().with("Sec-WebSocket-Protocol", b"caf\xe9\xff"),
        Request::new().change("Host", "[::1]:8080"),
    ];
    for request in &requests {
        Client::upgraded(server.socket(), request).echo("hello");
    }
    let names_in_capitals = String::from_utf8(Request::new().bytes())
        .unwrap()
        .replace("Sec-WebSocket", "SEC-WEBSOCKET");
    let mut client = server.raw();
    client.send_bytes(names_in_capitals.as_bytes());
    assert_eq!(client.response().header("Sec-WebSocket-Accept"), Some(ACCEPT));
    drop(client);
    server.stop();
}

/// CONTRACT S2: the request may come in two parts, cut anywhere.
#[test]
fn a_request_cut_at_every_byte() {
    let mut server = Launch::probe().start();
    let bytes = Request::new().with("Cookie", "a=b").bytes();
    for cut in 1..bytes.len() {
        let mut client = server.raw();
        client.send_and_drain(&bytes[..cut]);
        client.send_bytes(&bytes[cut..]);
        assert_eq!(client.response().header("Sec-WebSocket-Accept"), Some(ACCEPT), "cut at {cut}");
        client.echo("hello");
    }
    server.stop();
    assert_eq!(server.journal().matches(" [a=b]\n").count(), bytes.len() - 1);
}

/// CONTRACT S2: it may also come byte by byte, with a message behind it.
#[test]
fn a_request_byte_by_byte() {
    for launch in [Launch::probe(), Launch::probe().tcp()] {
        byte_by_byte(launch.start());
    }
}

fn byte_by_byte(mut server: Server) {
    let mut client = server.raw();
    // Most often the server takes them one by one. To wait for that each time would take longer than a
    // request may take where the machine is busy (CONTRACT S17).
    for bytes in [Request::new().bytes(), Frame::text("hello").bytes()].concat().chunks(16) {
        bytes.iter().for_each(|byte| client.send_bytes(&[*byte]));
        client.send_and_drain(b"");
    }
    assert_eq!(client.response().status, "HTTP/1.1 101 Switching Protocols");
    client.expect_text("hello");
    drop(client);
    server.stop();
}

/// CONTRACT S2, D9: frames that come with the request are served, behind what the open callback
/// queues.
#[test]
fn frames_in_the_packet_of_the_request() {
    let mut server = Launch::probe().start();
    let mut client = server.raw();
    let frames = [Frame::text("one"), Frame::new(Op::PING, "p"), Frame::text("two")];
    let frames: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
    let request = Request::new().with("Cookie", "say=first").bytes();
    client.send_bytes(&[request, frames].concat());
    assert_eq!(client.response().status, "HTTP/1.1 101 Switching Protocols");
    client.expect_text("first");
    client.expect_text("one");
    assert_eq!(client.receive(), Frame::new(Op::PONG, "p").unmasked());
    client.expect_text("two");
    drop(client);
    server.stop();
}

/// CONTRACT S2: a request of exactly 16384 bytes, and one with exactly 128 headers, are the
/// largest.
#[test]
fn the_largest_requests() {
    let mut server = Launch::probe().start();
    let most = (0..123).fold(Request::new(), |it, n| it.with(&format!("X-{n}"), "v"));
    for request in [padded_to(16384), most] {
        Client::upgraded(server.socket(), &request).echo("hello");
    }
    server.stop();
}

/// A valid request that is so many bytes long.
pub(crate) fn padded_to(length: usize) -> Request {
    let least = Request::new().with("X-Padding", "").bytes().len();
    Request::new().with("X-Padding", "x".repeat(length - least))
}

/// CONTRACT S2: many come at once.
#[test]
fn two_hundred_upgrades_at_once() {
    let mut server = Launch::probe().start();
    let mut clients: Vec<_> = (0..200).map(|_| server.raw()).collect();
    clients.iter_mut().for_each(|client| client.send_bytes(&Request::new().bytes()));
    for client in &mut clients {
        assert_eq!(client.response().header("Sec-WebSocket-Accept"), Some(ACCEPT));
    }
    clients.iter_mut().for_each(|client| client.echo("hello"));
    drop(clients);
    server.stop();
}
