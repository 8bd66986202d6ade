//! Requests as RFC 9110, RFC 9112 and ADVISORIES T32 want them read, and what h1spec tries: each with the status that
//! follows, and whether the connection stays.

use super::{OK, answer, ask, count, get, launch};
use crate::harness::Server;

/// What stands behind each of them: where the connection is kept, it is answered.
const BEHIND: &[u8] = b"GET /behind HTTP/1.1\r\nHost: a\r\n\r\n";

fn status(server: &Server, request: &[u8], expected: u16, keeps: bool) {
    let shown = request.escape_ascii().to_string();
    let shown = &shown[..shown.len().min(200)];
    let mut client = server.raw();
    client.send_bytes(&[request, BEHIND].concat());
    let mut head = client.head();
    if head.status == "HTTP/1.1 100 Continue" {
        head = client.head();
    }
    assert!(head.status.starts_with(&format!("HTTP/1.1 {expected} ")), "{head:?}: {shown}");
    assert_eq!(head.header("Connection") == Some("close"), !keeps, "{head:?}: {shown}");
    client.bytes(head.length());
    if keeps {
        assert_eq!(answer(&mut client).0.status, OK, "{shown}");
    } else {
        client.expect_end();
    }
}

/// Requests, each with the status of its answer and whether another one may follow.
fn table(rows: &[(&str, u16, bool)]) {
    let mut server = launch().start();
    for (request, expected, keeps) in rows {
        status(&server, request.as_bytes(), *expected, *keeps);
    }
    let answered = rows.iter().filter(|(_, expected, _)| *expected == 200).count();
    let kept = rows.iter().filter(|(_, _, keeps)| *keeps).count();
    let told = count(&server, "request ");
    assert_eq!(told, answered + kept, "{}", server.journal());
    assert_eq!(server.journal().matches("GET /behind 0\n").count(), kept);
    server.stop();
}

/// Those that are right.
#[test]
fn valid_requests() {
    table(&[
        ("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", 200, true),
        ("GET / HTTP/1.1\r\nhoSt:\texample.com\r\nempty:\r\n\r\n", 200, true),
        ("GET / HTTP/1.1\r\nHost: example.com\r\nX-Empty-Header: \r\n\r\n", 200, true),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", 200, true),
        ("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 200, true),
        ("GET /a?b=c&d HTTP/1.1\r\nHost: a:8080\r\n\r\n", 200, true),
        ("GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n", 200, true),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 200, true),
        ("OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n", 200, true),
        ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 200, true),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 200, true),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 200, true),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 00005\r\n\r\nhello", 200, true),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 200, true),
        ("PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", 200, true),
        ("DELETE /x HTTP/1.1\r\nHost: a\r\n\r\n", 200, true),
        ("PATCH /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", 200, true),
        ("PROPFIND /x HTTP/1.1\r\nHost: a\r\n\r\n", 200, true),
        ("x-any!method /x HTTP/1.1\r\nHost: a\r\n\r\n", 200, true),
        ("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", 200, true),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 200, false),
        ("GET / HTTP/1.0\r\n\r\n", 200, false),
        ("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", 200, true),
        ("POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nab", 200, false),
        // There is no body to wait for.
        ("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", 200, true),
    ]);
}

/// Those that are not: nothing behind them is read, and the program is not asked.
#[test]
fn invalid_requests() {
    table(&[
        ("GET / \r\n\r\n", 400, false),
        ("GET /\r\n\r\n", 400, false),
        ("GET / HTTP/9.9\r\nHost: a\r\n\r\n", 400, false),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 400, false),
        ("GET / http/1.1\r\nHost: a\r\n\r\n", 400, false),
        ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400, false),
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400, false),
        ("GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n", 400, false),
        (" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, false),
        ("Extra lineGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, false),
        ("GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400, false),
        ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400, false),
        ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400, false),
        ("GET /\u{1} HTTP/1.1\r\nHost: a\r\n\r\n", 400, false),
        ("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400, false),
        ("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 501, false),
        ("GET / HTTP/1.1\r\n\r\n", 400, false),
        ("GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n", 400, false),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, false),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, false),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, false),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, false),
        ("GET / HTTP/1.1\r\nHost: a\r\nX-Invalid[]: test\r\n\r\n", 400, false),
        ("GET / HTTP/1.1\r\nHost: a\r\nX-Bad: test\u{7}\r\n\r\n", 400, false),
        ("GET / HTTP/1.1\r\nHost: a\r\nX-Bad: te\0st\r\n\r\n", 400, false),
        ("GET / HTTP/1.1\r\nHost: a\r\nX-Bad : a\r\n\r\n", 400, false),
        ("GET / HTTP/1.1\r\nHost: a\r\n: empty\r\n\r\n", 400, false),
        ("GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", 400, false),
        ("GET / HTTP/1.1\r\nHost: a\r\nX-Folded: a\r\n b\r\n\r\n", 400, false),
        ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, false),
        ("GET / HTTP/1.1\r\nHost: a\r\n\rSome-Header: Test\r\n\r\n", 400, false),
        ("GET / HTTP/1.1\nHost: a\n\n", 400, false),
        ("GET / HTTP/1.1\r\nHost: a\n\r\n", 400, false),
        ("GET / HTTP/1.1\r\nHost: a\r\nExpect: something\r\n\r\n", 417, false),
    ]);
}

/// T32, RFC 9112 6.1, 6.3, 11.2: forms that two servers may read in two ways.
#[test]
fn what_smugglers_send() {
    const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\n";
    let rows = [
        ("Content-Length: -1234\r\n\r\n", 400),
        ("Content-Length: -123456789123456789123456789\r\n\r\n", 400),
        ("Content-Length: abc\r\n\r\n", 400),
        ("Content-Length: +5\r\n\r\nhello", 400),
        ("Content-Length: 0x5\r\n\r\nhello", 400),
        ("Content-Length: 5 5\r\n\r\nhello", 400),
        ("Content-Length: 5, 5\r\n\r\nhello", 400),
        ("Content-Length:\r\n\r\n", 400),
        ("Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400),
        ("Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
        ("Content-Length: 18446744073709551616\r\n\r\n", 413),
        ("Content-Length: 99999999999999999999999999\r\n\r\n", 413),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: identity\r\n\r\n", 400),
        ("Transfer-Encoding: gzip\r\n\r\n", 400),
        ("Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        ("Transfer-Encoding: chunked, gzip\r\n\r\n", 400),
        ("Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding:\r\n\r\n", 400),
        ("Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding:\u{b}chunked\r\n\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: chunked\r\n\r\n5;a\nb\r\nhello\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: chunked\r\n\r\n 5\r\nhello\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\nhello0\r\n\r\n", 400),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n", 400),
        ("Transfer-Encoding: chunked\r\n\r\n\r\n", 400),
        ("Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n", 400),
        ("Transfer-Encoding: chunked\r\n\r\n0\r\nGET / HTTP/1.1\r\n\r\n", 400),
        ("Transfer-Encoding: chunked\r\n\r\n0\r\nA : b\r\n\r\n", 400),
        ("Transfer-Encoding: chunked\r\n\r\n0\r\n A: b\r\n\r\n", 400),
    ];
    let requests: Vec<String> = rows.iter().map(|(rest, _)| format!("{POST}{rest}")).collect();
    let rows: Vec<(&str, u16, bool)> = requests
        .iter()
        .zip(rows)
        .map(|(request, (_, status))| (&**request, status, false))
        .collect();
    table(&rows);
    table(&[
        ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, false),
        ("POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding: CHUNKED\r\n\r\n0\r\n\r\n", 200, true),
    ]);
}

/// RFC 9112 2.2: a head in parts is waited for, cut at every byte; so is a body.
#[test]
fn cut_at_every_byte() {
    let mut server = launch().start();
    let mut client = server.raw();
    let requests = [
        b"POST /5 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello".to_vec(),
        b"POST /5 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n03\r\nllo\r\n0\r\nA: b\r\n\r\n"
            .to_vec(),
        get("/get", "X-Do: body 0 hello\r\n"),
    ];
    for request in &requests {
        for cut in 1..request.len() {
            client.send_and_drain(&request[..cut]);
            client.send_bytes(&request[cut..]);
            let (head, body) = answer(&mut client);
            assert_eq!((&*head.status, &*body), (OK, &b"hello"[..]), "{cut}");
        }
    }
    // And two of them, cut into three.
    let two = [&requests[0][..], &requests[1], &requests[2]].concat();
    for cut in (1..two.len() - 1).step_by(3) {
        for part in [&two[..cut], &two[cut..cut + 1], &two[cut + 1..]] {
            client.send_and_drain(part);
        }
        (0..3).for_each(|_| assert_eq!(answer(&mut client).1, b"hello", "{cut}"));
    }
    drop(client);
    server.stop();
}

/// What is too large: RFC 6585 5 for a head, and as many lines as there may be.
#[test]
fn heads_that_are_too_large() {
    let mut server = launch().start();
    for request in [
        get(&format!("/{}", "x".repeat(17_000)), ""),
        get("/", &format!("X-A: {}\r\n", "x".repeat(17_000))),
        get("/", &"A: b\r\n".repeat(2000)),
    ] {
        let mut client = server.raw();
        let (head, _) = ask(&mut client, &request);
        assert_eq!(head.status, "HTTP/1.1 431 Request Header Fields Too Large");
        client.expect_end();
    }
    server.stop();
    assert_eq!(count(&server, "request "), 0);
}
