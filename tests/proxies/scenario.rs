//! What a visitor may do, and what may happen to the servers meanwhile: a test for each through each web server.

use std::time::{Duration, Instant};

use tokio_tungstenite::tungstenite::Message;

use super::caddy::CADDY;
use super::haproxy::HAPROXY;
use super::httpd::HTTPD;
use super::lighttpd::LIGHTTPD;
use super::load::{Load, STAYING};
use super::nginx::NGINX;
use super::proxy::{Kind, Promise};
use super::site::{Site, answer, behind};
use crate::harness::{Launch, Request, Variant};
use crate::peers::{Trouble, Visitor, each, run};

macro_rules! through {
    ($($name:ident $kind:ident;)*) => {
        $(mod $name {
            use super::$kind;

            #[test]
            fn messages() {
                super::messages(&$kind);
            }

            #[test]
            fn hundred() {
                super::hundred(&$kind);
            }

            #[test]
            fn headers() {
                super::headers(&$kind);
            }

            #[test]
            fn plain_get() {
                super::plain_get(&$kind);
            }

            #[test]
            fn strangers() {
                super::strangers(&$kind);
            }

            #[test]
            fn reload() {
                super::reload(&$kind);
            }

            #[test]
            fn restart() {
                super::restart(&$kind);
            }
        })*
    };
}

through! {
    caddy CADDY;
    haproxy HAPROXY;
    httpd HTTPD;
    lighttpd LIGHTTPD;
    nginx NGINX;
}

/// The longest message that the server takes by default.
const LONGEST: usize = 65535;

/// CONTRACT S2, D14: texts and binary messages come back as they were, also when they come to megabytes in all.
fn messages(kind: &'static Kind) {
    let Some(site) = Site::open(kind) else {
        return;
    };
    run(async {
        let mut visitor = Visitor::connect(site.address()).await;
        visitor.echo(Message::text("Grüße, \u{1f42d}!")).await;
        visitor.echo(Message::binary((0..=255).collect::<Vec<u8>>())).await;
        for round in 0..30 {
            visitor.echo(Message::text("x".repeat(LONGEST))).await;
            let bytes: Vec<u8> = (0..LONGEST).map(|index| (index % 251 + round) as u8).collect();
            visitor.echo(Message::binary(bytes)).await;
        }
        visitor.close(3001, "bye").await;
    });
    site.finish();
}

/// All at once, and all leave at once.
fn hundred(kind: &'static Kind) {
    let Some(site) = Site::open(kind) else {
        return;
    };
    let address = site.address();
    run(async {
        let visitors = each(0..100, move |index| async move {
            let mut visitor = Visitor::connect(address).await;
            for round in 0..5 {
                visitor.echo(Message::text(format!("{index} in round {round}"))).await;
            }
            visitor
        });
        let mut visitors = visitors.await;
        assert_eq!(visitors[0].ask("!broadcast 0 3 1").await, "abc");
        visitors[0].expect_text("0 100").await;
        for visitor in &mut visitors[1..] {
            visitor.expect_text("abc").await;
        }
        each(visitors, Visitor::leave).await;
    });
    site.finish();
}

/// The server sees who the visitor is, not who the visitor says it is; and what the page says, as it was said.
fn headers(kind: &'static Kind) {
    let names = "X-Forwarded-For X-Forwarded-Proto X-Real-IP Forwarded Host Origin Cookie";
    let calls: Vec<_> = names.split(' ').map(|name| format!("header 0 {name}")).collect();
    let Some(site) = Site::open_with(kind, Launch::of("beyond.c", Variant::Default)) else {
        return;
    };
    let request = Request::new()
        .line("GET /ws/room?a=b HTTP/1.1")
        .change("Host", "example.org:81")
        .with("Origin", "http://example.org:81")
        .with("Cookie", "session=1")
        .with("X-Forwarded-For", "6.6.6.6")
        .with("x-forwarded-for", "7.7.7.7")
        .with("X-Forwarded-Proto", "gopher")
        .with("X-Real-IP", "6.6.6.6")
        .with("Forwarded", "for=6.6.6.6")
        .with("X-Do", format!("target 0;{}", calls.join(";")));
    let stream = run(async {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind(([127, 0, 0, 9], 0).into()).expect("an address of the loopback network");
        let stream = socket.connect(site.address()).await.expect("the web server listens");
        stream.into_std().expect("a stream")
    });
    stream.set_nonblocking(false).expect("a stream");
    let response = answer(stream, &request.bytes());
    assert!(response.status.starts_with("HTTP/1.1 101 "), "{response:?}");
    let values =
        ["127.0.0.9", "http", "(null)", "(null)", "example.org:81", "http://example.org:81"];
    let values = values.into_iter().chain(["session=1"]);
    let lines = names.split(' ').zip(values);
    let lines = lines.map(|(name, value)| format!("open header 0 {name}: {value}"));
    for line in ["open target 0: /ws/room?a=b".to_owned()].into_iter().chain(lines) {
        let journal = site.server.journal();
        assert!(journal.lines().any(|it| it == line), "no {line:?} in\n{journal}");
    }
    site.finish();
}

/// CONTRACT S2: a browser that is pointed at the server learns why it sees nothing; beside /ws there is no server.
fn plain_get(kind: &'static Kind) {
    let Some(site) = Site::open(kind) else {
        return;
    };
    for version in ["1.0", "1.1"] {
        let get = |path| {
            let head = format!("GET {path} HTTP/{version}\r\nHost: localhost\r\n");
            site.answer(format!("{head}Connection: close\r\n\r\n").as_bytes())
        };
        let response = get("/ws");
        // What stands before and behind the code is the web server's.
        assert_eq!(response.status.get(8..13), Some(" 426 "), "{response:?}");
        assert_eq!(response.header("Sec-WebSocket-Version"), Some("13"), "{response:?}");
        assert!(!response.body.is_empty(), "{response:?}");
        for elsewhere in ["/other", "/wsx"] {
            let response = get(elsewhere);
            assert_eq!(response.status.get(8..12), Some(" 404"), "{response:?}");
            assert_eq!(response.header("Sec-WebSocket-Version"), None, "{response:?}");
        }
    }
    site.finish();
}

/// Whoever is no WebSocket client is told that it is wrong, and nobody else notices.
fn strangers(kind: &'static Kind) {
    let Some(site) = Site::open(kind) else {
        return;
    };
    let hello = [b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03".as_slice(), &[0x55; 194]].concat();
    let post = |length: usize| {
        let head =
            format!("POST /ws HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n");
        [head.as_bytes(), &vec![b'x'; length]].concat()
    };
    let other_version =
        Request::new().line("GET /ws HTTP/1.1").change("Sec-WebSocket-Version", "8");
    let other_protocol = Request::new().line("GET /ws HTTP/1.1").change("Upgrade", "h2c");
    let without_key = Request::new().line("GET /ws HTTP/1.1").without("Sec-WebSocket-Key");
    run(async {
        let mut witness = Visitor::connect(site.address()).await;
        for bytes in [
            b"\x00\xff\xfe what is this?\r\n\r\n".as_slice(),
            // Of a browser that was told wss:// where TLS does not end.
            &[&hello, b"\r\n\r\n".as_slice()].concat(),
            b"GET /ws HTTP/1.0\r\n\r\n",
            &post(5),
            &post(5000),
            &other_version.bytes(),
            &other_protocol.bytes(),
            &without_key.bytes(),
        ] {
            let response = site.answer(bytes);
            let text = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]);
            assert_eq!(response.status.get(8..10), Some(" 4"), "{response:?} to {text:?}");
            witness.echo(Message::text("as ever")).await;
        }
        Visitor::connect(site.address()).await.leave().await;
        witness.leave().await;
    });
    site.finish();
}

/// Nobody is refused while the web server reads its configuration again, and who is there stays; with a web server
/// that cannot do that, all are served when it is over.
fn reload(kind: &'static Kind) {
    let Some(site) = Site::open(kind) else {
        return;
    };
    let load = Load::start(site.address());
    let promise = site.proxy.reload();
    if promise == Promise::Cuts {
        load.wait("those who stay are told", |now| now.ends.len() == STAYING);
    } else {
        load.wait_for_echoes(20 * STAYING);
    }
    load.wait_for_others(50);
    let report = load.stop();
    // 1002 is what the server says of Caddy's own close frame, which has no mask; it may come first.
    let cut = |it: &Trouble| matches!(it, Trouble::Close(1001 | 1002) | Trouble::Cut(_));
    // Who is just coming may find the listener closed, or a server that is not yet there.
    let missed = |it: &Trouble| cut(it) || matches!(it, Trouble::Refused | Trouble::Status(502));
    let may_end = promise == Promise::Cuts;
    let may_miss = promise != Promise::Keeps;
    assert!(report.ends.iter().all(|it| may_end && cut(it)), "{report:?}");
    assert!(report.troubles.iter().all(|it| may_miss && missed(it)), "{report:?}");
    site.finish();
}

/// CONTRACT S10: when the server is restarted, who is there is told so, who comes meanwhile is told or waits, and who
/// comes later is served, with nobody's help.
fn restart(kind: &'static Kind) {
    let Some(mut site) = Site::open(kind) else {
        return;
    };
    let load = Load::start(site.address());
    let away = Instant::now();
    site.server.stop();
    load.wait("those who stay are told", |now| now.ends.len() == STAYING);
    if !kind.waits {
        let told = |it: &&Trouble| matches!(it, Trouble::Status(_));
        load.wait("others are told", |now| now.troubles.iter().filter(told).count() >= 5);
    }
    let socket = site.server.socket().to_owned();
    let mut again = behind(Launch::probe()).socket(Some(socket)).start();
    let away = away.elapsed();
    load.wait_for_others(50);
    let report = load.stop();
    assert!(report.ends.iter().all(|it| *it == Trouble::Close(1001)), "{report:?}");
    for trouble in &report.troubles {
        match trouble {
            Trouble::Close(1001) => {}
            // The configuration says how long who waits does so. 500 is lighttpd's answer where the server left with
            // the request unread.
            Trouble::Status(500 | 502 | 503) if !kind.waits || away > Duration::from_secs(9) => {}
            _ => panic!("{trouble:?}; away for {away:?}"),
        }
    }
    assert!(site.proxy.lives(), "the web server has ended");
    again.stop();
}
