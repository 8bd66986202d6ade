//! What `ws_request_callback` returns, and what becomes of it on the wire.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{OK, answer, ask, count, doing, get, launch, post};
use crate::harness::{Launch, Response};

/// The seconds that a date says (RFC 9110 5.6.7).
fn seconds(date: &str) -> u64 {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let parts: Vec<&str> = date.split([' ', ':', ',']).filter(|it| !it.is_empty()).collect();
    let [weekday, day, month, year, hour, minute, second, "GMT"] = parts[..] else {
        panic!("no date: {date}");
    };
    let number = |text: &str| text.parse::<u64>().expect("a number");
    let month = MONTHS.find(month).expect("a month") as u64 / 3 + 1;
    // Days since 1970 of the proleptic Gregorian calendar, years that begin in March.
    let year = number(year) - u64::from(month < 3);
    let days = 365 * year + year / 4 - year / 100
        + year / 400
        + (153 * ((month + 9) % 12) + 2) / 5
        + number(day)
        - 719_469;
    let names = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    assert_eq!(weekday, names[(days % 7) as usize], "{date}");
    assert_eq!(date.len(), 29, "{date}");
    days * 86_400 + number(hour) * 3600 + number(minute) * 60 + number(second)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// RFC 9110 6.6.1: each answer has one Date, of now; those of the program, of the library, and refusals.
#[test]
fn each_answer_has_a_date() {
    let mut server = launch().start();
    let has_date = |head: &Response, before: u64| {
        let date = seconds(head.header("Date").unwrap_or_else(|| panic!("no Date: {head:?}")));
        assert!((before..=now() + 1).contains(&date), "{date} after {before}");
    };
    for request in [
        get("/", ""),
        doing("return 404"),
        doing("return 0"),
        doing("return 999"),
        post(b"x"),
        b"x\r\n\r\n".to_vec(),
    ] {
        let mut client = server.raw();
        let before = now() - 1;
        let (head, _) = ask(&mut client, &request);
        has_date(&head, before);
    }
    // The next second is another one.
    let mut client = server.raw();
    let first = seconds(ask(&mut client, &get("/", "")).0.header("Date").expect("it has"));
    let later = crate::harness::until(|| {
        let (head, _) = ask(&mut client, &get("/", ""));
        (seconds(head.header("Date").expect("it has")) > first).then_some(())
    });
    assert!(later.is_some(), "time stands still");
    drop(client);
    server.stop();
}

/// 200 to 599, with the words of RFC 9110 15 where it has some; the connection stays.
#[test]
fn each_status() {
    let mut server = launch().start();
    let mut client = server.raw();
    for status in 200..600 {
        client.send_bytes(&doing(&format!("body 0 text;return {status}")));
        let head = client.head();
        let beginning = format!("HTTP/1.1 {status} ");
        assert!(head.status.starts_with(&beginning) && head.status.len() > beginning.len());
        assert_eq!(head.header("Connection"), None, "{head:?}");
        // RFC 9110 8.6, 15.3.5, 15.4.5: what follows is the answer to the next request.
        match status {
            204 => assert_eq!(head.header("Content-Length"), None),
            304 => assert_eq!(head.header("Content-Length"), Some("4")),
            _ => assert_eq!(client.bytes(head.length()), b"text", "{status}"),
        }
    }
    for (status, words) in
        [(201, "Created"), (302, "Found"), (418, ""), (503, "Service Unavailable")]
    {
        let (head, _) = ask(&mut client, &doing(&format!("return {status}")));
        assert!(head.status.ends_with(words), "{head:?}");
        assert_eq!(head.header("Content-Length"), Some("0"));
    }
    drop(client);
    server.stop();
}

/// What is no status is answered 500, the log names it, and the connection ends.
#[test]
fn what_is_no_status() {
    let mut server = launch().start();
    for status in ["17", "-5", "199", "600", "1000", "100", "101", "65736", "-2147483648"] {
        let mut client = server.raw();
        let calls = format!("add 0 X-A=b;body 0 secret;return {status}");
        client.send_bytes(&[doing(&calls), get("/behind", "")].concat());
        let head = client.response();
        assert_eq!(head.status, "HTTP/1.1 500 Internal Server Error", "{status}");
        assert_eq!((head.header("Connection"), head.header("X-A")), (Some("close"), None));
        assert!(!head.body.contains("secret"), "{head:?}");
        client.expect_end();
    }
    let line = server.await_stderr("ws_request_callback: 17 ");
    assert!(line.contains("no status"), "{line}");
    server.stop();
    assert_eq!(count(&server, "request 1"), 1, "{}", server.journal());
    assert!(!server.journal().contains(" /behind "), "{}", server.journal());
}

/// 0 leaves it to -w's pages, with what was set thrown away; without -w it is 426, and the connection ends.
#[test]
fn what_is_not_the_programs_affair() {
    let mut server = launch().start();
    let mut client = server.raw();
    client.send_bytes(&doing("add 0 X-A=b;body 0 x;return 0"));
    let head = client.response();
    assert_eq!(head.status, "HTTP/1.1 426 Upgrade Required");
    assert_eq!((head.header("Connection"), head.header("X-A")), (Some("Upgrade, close"), None));
    assert_eq!(head.header("Sec-WebSocket-Version"), Some("13"));
    client.expect_end();
    server.stop();

    let launch = launch();
    let pages = launch.run_dir().join("www");
    std::fs::create_dir(&pages).expect("a directory");
    std::fs::write(pages.join("do"), "a page").expect("a file");
    let mut server = launch.args(["-w", "www"]).start();
    let mut client = server.raw();
    let (head, body) = ask(&mut client, &doing("add 0 X-A=b;body 0 x;return 0"));
    assert_eq!((&*head.status, &*body, head.header("X-A")), (OK, &b"a page"[..], None));
    let (head, body) = ask(&mut client, &doing("body 0 x;return 202"));
    assert_eq!((&*head.status, &*body), ("HTTP/1.1 202 Accepted", &b"x"[..]));
    let (head, _) = ask(&mut client, &get("/none", "X-Do: return 0\r\n"));
    assert_eq!(head.status, "HTTP/1.1 404 Not Found");
    // A page that is POSTed to is none.
    let (head, _) = ask(
        &mut client,
        b"POST /do HTTP/1.1\r\nHost: a\r\nX-Do: return 0\r\nContent-Length: 2\r\n\r\nab",
    );
    assert_eq!(head.status, "HTTP/1.1 405 Method Not Allowed");
    client.expect_end();
    server.stop();
}

/// RFC 9110 9.3.2: HEAD has what GET has, without the body; the next answer follows at once.
#[test]
fn head_requests() {
    let mut server = launch().start();
    let mut client = server.raw();
    let head = String::from_utf8(doing("body 0 twelve bytes;add 0 X-A=b")).expect("text");
    let head = head.replace("GET", "HEAD");
    for _ in 0..3 {
        client.send_bytes(&[head.as_bytes(), &get("/next", "X-Do: body 0 next\r\n")].concat());
        let first = client.head();
        assert_eq!((&*first.status, first.header("X-A")), (OK, Some("b")));
        assert_eq!(first.header("Content-Length"), Some("12"));
        assert_eq!(first.header("Content-Type"), Some("text/plain; charset=utf-8"));
        assert_eq!(answer(&mut client).1, b"next");
    }
    drop(client);
    server.stop();
}

/// A body without a type is text; with one it is that; without a body nothing is said.
#[test]
fn the_type() {
    let mut server = launch().start();
    let mut client = server.raw();
    for (calls, kind) in [
        ("body 0 x", Some("text/plain; charset=utf-8")),
        ("body 0 x;add 0 content-TYPE=a/b", Some("a/b")),
        ("nobody 0", None),
        ("body 0 x;nobody 0", None),
        ("return 404", None),
    ] {
        let (head, _) = ask(&mut client, &doing(calls));
        assert_eq!(head.header("Content-Type"), kind, "{calls}");
    }
    drop(client);
    server.stop();
}

/// The body that was set last counts, of any bytes and of any length.
#[test]
fn bodies() {
    let mut server = launch().start();
    let mut client = server.raw();
    assert_eq!(ask(&mut client, &doing("body 0 first;body 0 second")).1, b"second");
    for length in [1, 255, 65_536, 10_000_000] {
        let (head, body) = ask(&mut client, &doing(&format!("long 0 {length}")));
        assert_eq!(head.length(), length);
        assert!(body.iter().enumerate().all(|(i, byte)| *byte == i as u8), "{length}");
    }
    // One who does not read it holds nobody up.
    let mut stuck = server.raw();
    stuck.send_bytes(&doing("long 0 30000000").repeat(2));
    assert_eq!(stuck.head().length(), 30_000_000);
    assert_eq!(ask(&mut client, &get("/", "")).0.status, OK);
    assert_eq!(stuck.bytes(30_000_000).len(), 30_000_000);
    assert_eq!(answer(&mut stuck).1.len(), 30_000_000);
    drop((client, stuck));
    server.stop();
}

/// A request with Connection: close, and one of HTTP/1.0, is the last.
#[test]
fn the_last_request() {
    let mut server = launch().start();
    for (line, lines, keeps) in [
        ("GET /last HTTP/1.1", "Host: a\r\nConnection: close\r\n", None),
        ("GET /last HTTP/1.1", "Host: a\r\nConnection: x, CLOSE\r\n", None),
        ("GET /last HTTP/1.0", "", None),
        ("GET /last HTTP/1.0", "Connection: close, keep-alive\r\n", None),
        ("GET /kept HTTP/1.0", "Connection: keep-alive\r\n", Some(Some("keep-alive"))),
        ("GET /kept HTTP/1.1", "Host: a\r\nConnection: keep-alive\r\n", Some(None)),
    ] {
        let mut client = server.raw();
        client.send_bytes(&[format!("{line}\r\n{lines}\r\n").into_bytes(), get("/n", "")].concat());
        let (head, _) = answer(&mut client);
        assert_eq!(head.status, OK);
        match keeps {
            Some(said) => {
                assert_eq!(head.header("Connection"), said, "{lines}");
                assert_eq!(answer(&mut client).0.status, OK, "{lines}");
            }
            None => {
                assert_eq!(head.header("Connection"), Some("close"), "{line} {lines}");
                client.expect_end();
            }
        }
    }
    server.stop();
    assert_eq!(server.journal().matches(" /n ").count(), 2);
}

/// A program's close of a request in its callback cuts it, or ends it behind a refusal.
#[test]
fn a_request_that_is_closed() {
    let mut server = launch().start();
    let mut client = server.raw();
    client.send_bytes(&doing("close 0 1;body 0 x"));
    client.expect_end();
    let mut client = server.raw();
    client.send_bytes(&doing("close 0 0"));
    assert_eq!(client.response().status, "HTTP/1.1 403 Forbidden");
    client.expect_end();
    let mut client = server.raw();
    assert!(!client.hears_within(Duration::from_millis(1)));
    assert_eq!(ask(&mut client, &get("/", "")).0.status, OK);
    drop(client);
    server.stop();
    assert_eq!(count(&server, "close "), 0, "{}", server.journal());
}

/// As many connections as there may be: a plain request is answered all the same, and kept no longer.
#[test]
fn beside_all_connections_that_there_may_be() {
    let mut server = Launch::args(launch(), ["-m", "2"]).start();
    let mut all = [server.connect(), server.connect()];
    let mut client = server.raw();
    client.send_bytes(&get("/", ""));
    let head = client.response();
    assert_eq!((&*head.status, head.header("Connection")), (OK, Some("close")));
    client.expect_end();
    all.iter_mut().for_each(|client| client.echo("as ever"));
    drop(all);
    server.stop();
}
