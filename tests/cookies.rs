//! What `ws_open_callback` gets, and what its answer does.

use crate::harness::{Client, Launch, Request};

/// CONTRACT D9, S3: the cookie as it was sent; "" where there is none; several headers as one.
#[test]
fn the_cookie_is_what_was_sent() {
    let mut server = Launch::probe().start();
    let long = format!("session={}", "x".repeat(15000));
    let cases: [(Request, &str); 6] = [
        (Request::new(), ""),
        (Request::new().with("Cookie", ""), ""),
        (Request::new().with("Cookie", "a=b; c=\"d e\",f"), "a=b; c=\"d e\",f"),
        (
            Request::new().with("cookie", "a=1").with("COOKIE", "b=2").with("Cookie", "c=3"),
            "a=1; b=2; c=3",
        ),
        (Request::new().with("Cookie", &long), &long),
        (Request::new().with("Cookies", "a=b"), ""),
    ];
    for (number, (request, cookie)) in cases.iter().enumerate() {
        Client::upgraded(server.socket(), request).echo("hello");
        server.await_journal(&format!("open {} [{cookie}]", number + 1));
    }
    server.stop();
}

/// CONTRACT S3: bytes as sent, also those that are no UTF-8.
#[test]
fn the_cookie_may_hold_any_bytes() {
    let mut server = Launch::probe().start();
    let request = Request::new().with("Cookie", b"say=caf\xc3\xa9");
    Client::upgraded(server.socket(), &request).expect_text("caf\u{e9}");
    Client::upgraded(server.socket(), &Request::new().with("Cookie", b"a=\xff\xfe")).echo("hello");
    server.stop();
    // The journal is read as text, in which every byte that fits nowhere is marked.
    assert!(server.journal().contains("open 2 [a=\u{fffd}\u{fffd}]\n"), "{}", server.journal());
}

/// CONTRACT D9: what the open callback queues comes right behind the response.
#[test]
fn what_the_open_callback_queues_comes_first() {
    let mut server = Launch::probe().start();
    let mut client = server.connect_as("say=welcome");
    client.expect_text("welcome");
    client.echo("thanks");
    drop(client);
    server.stop();
}

/// CONTRACT S4, D9: refused with 403; neither what was queued nor a close callback follows.
#[test]
fn a_refused_connection_gets_403() {
    let mut server = Launch::probe().start();
    for number in 1..=3 {
        let mut client = server.raw();
        client.send_bytes(&Request::new().with("Cookie", "refuse").bytes());
        let response = client.response();
        assert_eq!(response.status, "HTTP/1.1 403 Forbidden");
        assert_eq!(response.header("Connection"), Some("close"));
        assert!(response.header("Content-Type").is_some_and(|it| it.starts_with("text/plain")));
        assert_eq!(response.body.lines().count(), 1, "{response:?}");
        client.expect_end();
        server.await_journal(&format!("open {number} [refuse]"));
    }
    server.connect().echo("the next is served");
    server.stop();
    assert!(!server.journal().contains("close 1 "), "{}", server.journal());
}

/// CONTRACT S4: nothing that comes behind a refused request is read.
#[test]
fn messages_behind_a_refused_request_are_not_read() {
    let mut server = Launch::probe().start();
    let mut client = server.raw();
    let refused = Request::new().with("Cookie", "refuse").bytes();
    let message = crate::harness::Frame::text("!id").bytes();
    client.send_bytes(&[refused, message, Request::new().bytes()].concat());
    assert_eq!(client.response().status, "HTTP/1.1 403 Forbidden");
    client.expect_end();
    drop(client);
    server.stop();
    assert_eq!(server.journal().matches("open ").count(), 1, "{}", server.journal());
}

/// CONTRACT S5, D18: a connection may be closed in its own open callback, either way.
#[test]
fn closing_in_the_open_callback() {
    let mut server = Launch::probe().start();
    let mut polite = server.connect_as("close0");
    assert_eq!(polite.receive().code(), Some(1000));
    polite.send(&crate::harness::Frame::close(1000, ""));
    polite.expect_end();
    server.await_journal("close 1 ");

    let mut forced = server.raw();
    forced.send_bytes(&Request::new().with("Cookie", "close1").bytes());
    server.await_journal("open 2 ");
    server.await_journal("close 2 queued=0");
    drop(forced);
    server.connect().echo("the next is served");
    drop(polite);
    server.stop();
}
