//! `ws_set_header`: what goes into the 101 or another answer, and what cannot.

use super::{ask, doing, launch, opening, returned};
use crate::harness::{Response, Server};

/// What breaks the message (RFC 9110 5.1, 5.5), or is the library's to say.
const REFUSED: [&str; 36] = [
    "X-A=a%Injected: b",
    "X-A=a^Injected: b",
    "X-A=a^%^%body",
    "X-A=%",
    "X-A=a%",
    "X-A=^%a",
    "X-A%=a",
    "X-A^%B: c=d",
    "X-A=~",
    "X-A=b~c",
    "=a",
    "X A=a",
    "X-A:=a",
    "X\u{e9}=a",
    "(=a",
    "X-A/B=a",
    "NULL=a",
    "X-A=NULL",
    "Connection=close",
    "connection=keep-alive",
    "Upgrade=h2c",
    "Keep-Alive=timeout=5",
    "Proxy-Connection=close",
    "Sec-WebSocket-Accept=x",
    "SEC-WEBSOCKET-PROTOCOL=chat",
    "Sec-WebSocket-Extensions=x",
    "Sec-WebSocket-Version=13",
    "Sec-WebSocket-Anything=x",
    "Content-Length=5",
    "content-length=0",
    "Transfer-Encoding=chunked",
    "TE=trailers",
    "Trailer=X-A",
    "Date=now",
    "dATE=now",
    "X-A =a",
];

fn values(head: &Response, name: &str) -> Vec<String> {
    let lines = head.headers.iter().filter(|(it, _)| it.eq_ignore_ascii_case(name));
    lines.map(|(_, value)| value.clone()).collect()
}

/// Nothing is set, in either callback: the answer is as it would be without.
#[test]
fn what_cannot_be() {
    let mut server = launch().start();
    let calls = REFUSED.map(|it| format!("add 0 {it}")).join(";");
    for (request, place) in [(doing(&calls), "request"), (opening(&calls).bytes(), "open")] {
        let mut client = server.raw();
        client.send_bytes(&request);
        let head = client.head();
        let names: Vec<&str> = head.headers.iter().map(|(name, _)| name.as_str()).collect();
        for name in ["X-A", "X A", "Injected", "B", "Keep-Alive", "TE", "Trailer", ""] {
            assert!(!names.contains(&name), "{name}: {head:?}");
        }
        for it in REFUSED {
            assert_eq!(returned(&server, &format!("{place} add 0 {it}")), "-1", "{it}");
        }
    }
    server.stop();
}

/// Each call adds a line, in their order, as they were given: to an answer, to a 101, and to a refusal.
#[test]
fn each_call_adds_a_line() {
    let mut server = launch().start();
    let calls = "add 0 Set-Cookie=a=1;add 0 Set-Cookie=b=2, c;add 0 X-Empty=;add 0 x-case=  blanks \t;\
                 add 0 X-Bytes=caf\u{e9};add 0 Content-Type=text/html;body 0 <p>";
    let refused = format!("{calls};return 1");
    for (request, status) in [
        (doing(calls), "HTTP/1.1 200 OK"),
        (opening(calls).bytes(), "HTTP/1.1 101 Switching Protocols"),
        (opening(&refused).bytes(), "HTTP/1.1 403 Forbidden"),
    ] {
        let mut client = server.raw();
        client.send_bytes(&request);
        let head = client.head();
        assert_eq!(head.status, status);
        assert_eq!(values(&head, "set-cookie"), ["a=1", "b=2, c"]);
        assert_eq!(values(&head, "X-Empty"), [""]);
        assert!(head.headers.contains(&("x-case".into(), "blanks".into())), "{head:?}");
        assert_eq!(values(&head, "X-Bytes"), ["caf\u{e9}"]);
        assert_eq!(values(&head, "Content-Type"), ["text/html"]);
        match head.header("Sec-WebSocket-Accept") {
            // A connection that is accepted has no body.
            Some(_) => assert!(head.header("Content-Length").is_none(), "{head:?}"),
            None => assert_eq!(client.bytes(head.length()), b"<p>"),
        }
    }
    server.stop();
}

/// Thousands of lines, and a very long one.
#[test]
fn many_and_long_ones() {
    let mut server = launch().start();
    let long = "v".repeat(14_000);
    let mut client = server.raw();
    let (head, _) = ask(&mut client, &doing(&format!("add 0 X-Long={long}")));
    assert_eq!(head.header("X-Long"), Some(&*long));
    let (head, _) =
        ask(&mut client, &doing(&"add 0 A=b;".repeat(1400).replace(";", "; ")[..16_000 - 1400]));
    assert!(head.headers.len() > 1000, "{}", head.headers.len());
    drop(client);
    server.stop();
}

fn complaints(server: &Server) -> usize {
    server.stderr().matches("401 without WWW-Authenticate").count()
}

/// RFC 9110 11.6.1: a 401 says how. One that does not is told, once, in either way of answering.
#[test]
fn a_401_without_a_challenge_is_told_once() {
    let mut server = launch().start();
    let mut client = server.raw();
    let challenge = "add 0 WWW-Authenticate=Basic realm=\"a\"";
    let (head, _) = ask(&mut client, &doing(&format!("{challenge};return 401")));
    assert_eq!(head.header("WWW-Authenticate"), Some("Basic realm=\"a\""));
    let mut refused = server.raw();
    refused.send_bytes(&opening(&format!("{challenge};status 0 401;return 1")).bytes());
    let head = refused.response();
    assert_eq!(head.status, "HTTP/1.1 401 Unauthorized");
    assert_eq!(head.header("WWW-Authenticate"), Some("Basic realm=\"a\""));
    refused.expect_end();
    assert_eq!(complaints(&server), 0);
    for _ in 0..3 {
        assert_eq!(ask(&mut client, &doing("return 401")).0.status, "HTTP/1.1 401 Unauthorized");
        let mut refused = server.raw();
        refused.send_bytes(&opening("status 0 401;return 1").bytes());
        assert_eq!(refused.response().status, "HTTP/1.1 401 Unauthorized");
    }
    server.await_stderr("401 without WWW-Authenticate");
    drop(client);
    server.stop();
    assert_eq!(complaints(&server), 1, "{}", server.stderr());
}
