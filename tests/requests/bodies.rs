//! The bodies of requests: whole, of any bytes, and no longer than they may be.

use super::{OK, answer, ask, count, get, launch, post};
use crate::harness::Server;

fn chunked(chunks: &[&[u8]]) -> Vec<u8> {
    let mut bytes =
        b"POST /chunks HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in chunks.iter().chain([&&b""[..]]) {
        bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
        bytes.extend(*chunk);
        if !chunk.is_empty() {
            bytes.extend(b"\r\n");
        }
    }
    bytes.extend(b"\r\n");
    bytes
}

/// They come as they were sent, with every byte there is, in either form.
#[test]
fn any_bytes() {
    let mut server = launch().start();
    let mut client = server.raw();
    let all: Vec<u8> = (0..=255).cycle().take(65_536).collect();
    for body in [&all[..0], &all[..1], &all[..256], &all] {
        assert_eq!(ask(&mut client, &post(body)).1, body);
        let pieces: Vec<&[u8]> = body.chunks(1000).collect();
        let (head, echo) = ask(&mut client, &chunked(&pieces));
        assert_eq!((&*head.status, &*echo), (OK, body));
    }
    let bytes: Vec<&[u8]> = all[..1000].chunks(1).collect();
    assert_eq!(ask(&mut client, &chunked(&bytes)).1, &all[..1000]);
    // A GET may have one, too.
    let (_, echo) = ask(&mut client, b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na\0b");
    assert_eq!(echo, b"a\0b");
    server.await_journal("request 1 POST /post 0");
    drop(client);
    server.stop();
}

fn is_too_large(server: &Server, request: &[u8]) {
    let mut client = server.raw();
    client.send_bytes(&[request, &get("/behind", "")].concat());
    let head = client.response();
    assert_eq!(head.status, "HTTP/1.1 413 Content Too Large");
    assert_eq!(head.header("Connection"), Some("close"));
    client.expect_end();
}

/// `--max-body`: up to it they are taken, beyond they are refused, before they have come where their length is known.
#[test]
fn no_longer_than_they_may_be() {
    for (option, most) in [
        (None, 65_536),
        (Some("0"), 0),
        (Some("10"), 10),
        (Some("1K"), 1024),
        (Some("1M"), 1 << 20),
    ] {
        let launch = launch();
        let launch = match option {
            Some(value) => launch.args(["--max-body", value]),
            None => launch,
        };
        let mut server = launch.start();
        let body: Vec<u8> = (0..most).map(|i| i as u8).collect();
        let mut client = server.raw();
        assert_eq!(ask(&mut client, &post(&body)).1, body, "{option:?}");
        let halves = body.split_at(most / 2);
        let halves: Vec<&[u8]> =
            [halves.0, halves.1].into_iter().filter(|it| !it.is_empty()).collect();
        assert_eq!(ask(&mut client, &chunked(&halves)).1, body, "{option:?}");
        let more = [&body[..], b"x"].concat();
        is_too_large(&server, &post(&more));
        is_too_large(&server, &chunked(&[&more]));
        let mut early = server.raw();
        let length = most + 1;
        early.send_bytes(
            format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n").as_bytes(),
        );
        assert_eq!(early.response().status, "HTTP/1.1 413 Content Too Large");
        drop(client);
        server.stop();
        assert_eq!(count(&server, "request "), 2, "{}", server.journal());
    }
    for wrong in ["x", "-1", "1T", ""] {
        let ended = launch().args(["-x", "--max-body", wrong]).run();
        assert_eq!(ended.code, Some(1), "{wrong}: {}", ended.stderr);
        assert!(ended.stderr.contains("--max-body"), "{}", ended.stderr);
    }
}

/// RFC 9110 10.1.1: who waits for it is told to go on, once, and not where the body is there or is refused.
#[test]
fn expectations() {
    const HEAD: &str = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n";
    let mut server = launch().start();
    let mut client = server.raw();
    for lines in ["Content-Length: 5\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n"] {
        client.send_bytes(format!("{HEAD}{lines}").as_bytes());
        let head = client.head();
        assert_eq!((&*head.status, head.headers.len()), ("HTTP/1.1 100 Continue", 0));
        client.send_bytes(if lines.starts_with('C') {
            b"hello"
        } else {
            b"5\r\nhello\r\n0\r\n\r\n"
        });
        let (head, body) = answer(&mut client);
        assert_eq!((&*head.status, &*body), (OK, &b"hello"[..]));
    }
    // It did not wait.
    let all = format!("{HEAD}Content-Length: 5\r\n\r\nhello");
    assert_eq!(ask(&mut client, all.as_bytes()).0.status, OK);
    let older =
        all.replace("HTTP/1.1", "HTTP/1.0").replace("Expect", "Connection: keep-alive\r\nExpect");
    assert_eq!(ask(&mut client, older.as_bytes()).0.status, OK);
    client.send_bytes(format!("{HEAD}Content-Length: 65537\r\n\r\n").as_bytes());
    assert_eq!(client.response().status, "HTTP/1.1 413 Content Too Large");
    client.expect_end();
    server.stop();
}

/// The memory that clients' bodies take is held for them, and given back when they leave in the middle.
#[test]
fn clients_that_leave_in_the_middle() {
    let mut server = launch().start();
    let mut control = server.connect();
    let held = |control: &mut crate::harness::Client| {
        let figures = super::command(control, "stats 0");
        figures.rsplit('=').next().and_then(|it| it.parse::<u64>().ok()).expect("a number")
    };
    let before = held(&mut control);
    let mut clients: Vec<_> = (0..20).map(|_| server.raw()).collect();
    for client in &mut clients {
        client.send_and_drain(&post(&[0; 60_000])[..50_000]);
    }
    assert!(
        crate::harness::until(|| (held(&mut control) > before + 20 * 40_000).then_some(()))
            .is_some()
    );
    drop(clients);
    let freed = crate::harness::until(|| (held(&mut control) < before + 100_000).then_some(()));
    assert!(freed.is_some(), "{} bytes are held", held(&mut control));
    drop(control);
    server.stop();
    assert_eq!(count(&server, "request "), 0);
}
