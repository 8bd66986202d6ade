//! Requests behind each other: their order, their fairness, and what of them is kept.

mod support;

use std::io::Write as _;
use std::time::Duration;

use dorrit_engine::{Config, ConnId, Engine, Upgrades};
use dorrit_proto::{CloseCode, MessageKind, Refusal};
use rustix::net::SocketType;
use support::site::*;
use support::*;

const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &[u8] = b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";

fn post(number: usize) -> Vec<u8> {
    let body = number.to_string();
    let len = body.len();
    format!("POST /{number} HTTP/1.1\r\nHost: a\r\nContent-Length: {len}\r\n\r\n{body}")
        .into_bytes()
}

/// CONTRACT S20: a client that sends without end is answered in order, and another one is served meanwhile.
#[test]
fn a_hundred_thousand() {
    const COUNT: usize = 100_000;
    let mut site = Site::new(SITE);
    site.server.on_message = echo;
    let (mut other, _) = open(&mut site);
    let mut client = site.client();
    let all: Vec<u8> = (0..COUNT).flat_map(post).collect();
    let (mut read, mut sent, mut rounds) = (Vec::new(), 0, 0);
    while site.asked.len() < COUNT + 1 {
        sent += client.stream.write(&all[sent..]).unwrap_or(0);
        other.write(&text("hello"));
        site.pump();
        assert_eq!(other.read(), b"\x81\x05hello");
        read.extend(client.read());
        rounds += 1;
    }
    let len: usize = (0..COUNT)
        .map(|number| echo_of("POST", &format!("/{number}"), number.to_string().as_bytes()).len())
        .sum();
    read.extend(site.read(&mut client, len - read.len()));
    assert!(rounds > COUNT / 64 / 8, "{rounds}");
    let expected = (0..COUNT)
        .flat_map(|number| echo_of("POST", &format!("/{number}"), number.to_string().as_bytes()));
    assert!(read.into_iter().eq(expected));
}

fn open(site: &mut Site) -> (Client, ConnId) {
    let mut client = site.client();
    client.write(REQUEST);
    site.pump();
    assert!(client.read().starts_with(b"HTTP/1.1 101 "));
    (client, site.last())
}

/// Who asks and never reads is told no next request until it takes its answers, and takes little memory.
#[test]
fn who_never_reads() {
    let mut site = Site::new(SITE);
    site.decide = Box::new(|engine, asked| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 100_000);
        let head = [head.as_bytes(), asked.target.repeat(50_000).as_bytes()].concat();
        respond(engine, asked.id, &head, true);
    });
    let mut client = site.client();
    for _ in 0..200 {
        let requests = [GET, POST].concat().repeat(100);
        let _ = client.stream.write(&requests);
        site.pump();
    }
    let (asked, held) = (site.asked.len(), site.engine().stats().held_bytes);
    assert!(asked < 12 && held < 1 << 20, "{asked} requests, {held} bytes");
    site.pump();
    assert_eq!(site.asked.len(), asked, "the next one waits");
    let read = site.read(&mut client, 10_000_000);
    let answer = |target: &str| {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
        [&head[..], target.repeat(50_000).as_bytes()].concat()
    };
    let expected = [answer("/a"), answer("/b")].concat();
    let whole = expected.len();
    assert!(read.chunks(whole).all(|chunk| expected.starts_with(chunk)));
    drop(client);
    site.assert_empty();
}

/// So it is where answers are short, and a turn's worth of them is more than the socket takes.
#[test]
fn who_never_reads_short_answers() {
    let mut site = Site::new(SITE);
    let answer = echo_of("GET", "/a", &[b'x'; 500]);
    let first = answer.clone();
    site.decide = Box::new(move |engine, asked| respond(engine, asked.id, &first, true));
    let (socket, ours) = pair(SocketType::STREAM);
    rustix::net::sockopt::set_socket_send_buffer_size(&socket, 4096).unwrap();
    site.engine().adopt(socket, &GET.repeat(1000)).unwrap();
    let stream = std::os::unix::net::UnixStream::from(ours);
    stream.set_nonblocking(true).unwrap();
    for _ in 0..10 {
        site.pump();
    }
    assert!((10..=64).contains(&site.asked.len()), "{}", site.asked.len());
    let read = site.read(&mut Client { stream }, 1000 * answer.len());
    assert!(read == answer.repeat(1000) && site.asked.len() == 1000);
}

/// Behind requests in one write an upgrade is one, and frames behind it are messages; what is sent in its event
/// follows the 101.
#[test]
fn an_upgrade_behind_requests() {
    for at_once in [true, false] {
        let mut site = Site::new(SITE);
        site.server.on_message = echo;
        site.decide = Box::new(|engine, asked| match asked.plain {
            Some(_) => answer(engine, asked),
            None => {
                engine.send_to(asked.id, MessageKind::Text, b"first").unwrap();
                assert!(engine.accept(asked.id, None, b"X: y\r\n"));
            }
        });
        let mut client = site.client();
        let all = [GET, POST, REQUEST, &text("hello"), &text("you")].concat();
        if at_once {
            client.write(&all);
        } else {
            all.chunks(1).for_each(|byte| {
                client.write(byte);
                site.pump_once();
            });
        }
        site.pump();
        let read = client.read();
        let before = [echo_of("GET", "/a", b""), echo_of("POST", "/b", b"body")].concat();
        let behind = read.strip_prefix(&before[..]).unwrap();
        assert!(behind.starts_with(b"HTTP/1.1 101 "));
        let end = behind.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        assert_eq!(&behind[end..], b"\x81\x05first\x81\x05hello\x81\x03you");
        assert!(behind[..end].windows(4).any(|line| line == b"X: y"));
        drop(client);
        site.pump();
        assert_eq!(site.server.closed, [site.last()]);
        assert_eq!(site.server.drained, [], "nothing of the connection has waited");
    }
}

/// An answer that had to wait is no news of the connection that comes behind it.
#[test]
fn an_upgrade_behind_an_answer_that_waited() {
    let mut site = Site::new(SITE);
    site.decide = Box::new(|engine, asked| match asked.plain {
        Some(_) => {
            let head = b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n";
            respond(engine, asked.id, &[&head[..], &[b'x'; 2_000_000]].concat(), true);
            assert_eq!(engine.queued_bytes(asked.id), 0, "it is answered");
        }
        None => assert!(engine.accept(asked.id, None, b"")),
    });
    let mut client = site.client();
    client.write(&[GET, REQUEST].concat());
    site.pump();
    assert_eq!(site.asked.len(), 1);
    site.read(&mut client, 2_000_100);
    assert_eq!((site.asked.len(), &site.server.drained[..]), (2, &[][..]));
}

/// Answers go out as few calls: those of a turn as one.
#[test]
fn few_calls() {
    let mut site = Site::new(SITE);
    let (socket, ours) = pair(SocketType::SEQPACKET);
    site.engine().adopt(socket, b"").unwrap();
    rustix::io::write(&ours, &POST.repeat(200)).unwrap();
    while site.asked.len() < 200 {
        site.pump();
    }
    site.pump();
    let mut room = vec![0; 1 << 20];
    let (mut calls, mut len) = (0, 0);
    while let Ok((read, _)) =
        rustix::net::recv(&ours, &mut room[..], rustix::net::RecvFlags::DONTWAIT)
    {
        (calls, len) = (calls + 1, len + read);
    }
    assert_eq!(len, 200 * echo_of("POST", "/b", b"body").len());
    assert!((1..=7).contains(&calls), "{calls} calls for 200 answers");
}

/// HEAD, and the requests behind which nothing can follow.
#[test]
fn the_last_request() {
    let close = "GET /c HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let old = "POST /o HTTP/1.0\r\nContent-Length: 2\r\n\r\nok";
    let kept = "POST /k HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok";
    let head = "HEAD /h HTTP/1.1\r\nHost: a\r\n\r\n";
    for (requests, expected) in [
        ([head, kept, close, head], [("HEAD", "/h", ""), ("POST", "/k", "ok"), ("GET", "/c", "")]),
        (
            [kept, head, old, close],
            [("POST", "/k", "ok"), ("HEAD", "/h", ""), ("POST", "/o", "ok")],
        ),
    ] {
        let mut site = Site::new(SITE);
        let mut client = site.client();
        client.write(requests.concat().as_bytes());
        site.pump();
        let answers =
            expected.map(|(method, target, body)| echo_of(method, target, body.as_bytes()));
        assert_eq!(client.read(), answers.concat());
        assert!(client.is_at_end());
        drop(client);
        site.assert_empty();
        assert_eq!(site.asked.len(), 3);
    }
}

/// Who has all its answers is told of its end; where the caller closes in the event of a request, that is refused.
#[test]
fn closes_in_the_event() {
    for (close, expected) in [
        ((|engine, id| engine.close(id, CloseCode::NORMAL, "")) as fn(&mut Engine, ConnId), "403"),
        (|engine, id| engine.refuse(id, Refusal::Status(503)), "503"),
        (|engine, id| engine.close_now(id), ""),
        (|_, _| {}, "403"),
    ] {
        let mut site = Site::new(SITE);
        site.decide = Box::new(move |engine, asked| match &asked.target[..] {
            "/a" => answer(engine, asked),
            _ => {
                close(engine, asked.id);
                // A second decision changes nothing.
                if !engine.is_known(asked.id) {
                    answer(engine, asked);
                }
            }
        });
        let mut client = site.client();
        client.write(&[GET, POST, GET].concat());
        site.pump();
        let read = client.read();
        if expected.is_empty() {
            assert!(read.is_empty() || read == echo_of("GET", "/a", b""));
        } else {
            let behind = read.strip_prefix(&echo_of("GET", "/a", b"")[..]).unwrap();
            assert!(behind.starts_with(format!("HTTP/1.1 {expected} ").as_bytes()));
            assert_eq!(behind.windows(9).filter(|it| *it == b"HTTP/1.1 ").count(), 1);
        }
        assert!(client.is_at_end());
        assert_eq!((site.asked.len(), site.server.closed.len()), (2, 0));
        drop(client);
        site.assert_empty();
    }
}

/// CONTRACT S10: at the end of a server, whatever a request has come to, its client has the answer that was given, and
/// the loop ends.
#[test]
fn the_end_at_every_stage() {
    for code in [CloseCode::GOING_AWAY, CloseCode::SERVICE_RESTART] {
        let mut site = Site::new(SITE);
        site.decide = Box::new(|engine, asked| match &asked.target[..] {
            "/defer" => engine.defer(asked.id).unwrap(),
            "/long" => {
                let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
                respond(engine, asked.id, &[&head[..], &[b'x'; 1_000_000]].concat(), true);
            }
            _ => answer(engine, asked),
        });
        let starts: [&[u8]; 6] = [
            b"",
            b"GET / HT",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nbo",
            b"GET /defer HTTP/1.1\r\nHost: a\r\n\r\nGET",
            b"GET /long HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n",
        ];
        let mut clients = starts.map(|start| {
            let mut client = site.client();
            client.write(start);
            site.pump();
            client
        });
        clients[5].read();
        site.engine().stop(code);
        site.pump();
        let is_restart = code == CloseCode::SERVICE_RESTART;
        for (number, client) in clients.iter_mut().enumerate() {
            match number {
                // Who has not asked yet may, and is answered, and that is all.
                0 | 1 if is_restart => {
                    client.write(if number == 0 { GET } else { b"TP/1.1\r\nHost: a\r\n\r\n" });
                    site.pump();
                    assert!(client.read().starts_with(b"HTTP/1.1 200 "));
                }
                3 => assert!(client.read().starts_with(b"HTTP/1.1 503 ")),
                4 => assert_eq!(site.read(client, 1_000_044).len(), 1_000_044),
                _ => assert_eq!(client.read(), b"", "{number}"),
            }
            site.pump();
            assert!(client.is_at_end(), "{number}");
        }
        drop(clients);
        site.pump();
        assert!(site.server.is_stopped);
        assert_eq!(site.server.closed.len(), 1, "the one that was put off");
        site.server.is_stopped = false;
    }
}

/// A server that others take over from answers all who ask, and keeps nobody.
#[test]
fn a_drain_at_every_stage() {
    let mut site = Site::new(SITE);
    site.decide = Box::new(|engine, asked| match &asked.target[..] {
        "/defer" => engine.defer(asked.id).unwrap(),
        _ => answer(engine, asked),
    });
    let requests = [GET, POST, b"GET /defer HTTP/1.1\r\nHost: a\r\n\r\n", REQUEST];
    for cut in [1, GET.len() - 1] {
        let mut site = Site::new(SITE);
        let mut clients = requests.map(|request| {
            let mut client = site.client();
            client.write(&request[..cut]);
            site.pump();
            client
        });
        site.engine().drain(Duration::from_secs(60));
        for (client, request) in clients.iter_mut().zip(requests) {
            client.write(&[&request[cut..], GET].concat());
            site.pump();
            let read = client.read();
            assert!(read.starts_with(b"HTTP/1.1 200 ") || read.starts_with(b"HTTP/1.1 101 "));
        }
        assert!(!site.server.is_stopped, "one has a connection");
        drop(clients);
        site.pump();
        assert!(site.server.is_stopped && site.asked.len() == 4);
    }
    let mut client = site.client();
    client.write(b"GET /defer HTTP/1.1\r\nHost: a\r\n\r\n");
    site.pump();
    site.engine().drain(Duration::from_secs(60));
    site.pump();
    assert!(!site.server.is_stopped);
    let asked = site.asked[0].clone();
    assert!(!site.engine().plain(asked.id).unwrap().keeps_alive);
    respond(site.engine(), asked.id, &answer_to(&asked), false);
    site.pump();
    assert_eq!((client.read(), client.is_at_end()), (answer_to(&asked), true));
    drop(client);
    site.pump();
    assert!(site.server.is_stopped);
}

/// The caller may ask in the event how long the loop may sleep: the connection has its deadline all the same.
#[test]
fn a_timeout_that_is_asked_for_in_the_event() {
    let mut site = Site::new(SITE);
    site.decide = Box::new(|engine, asked| {
        engine.timeout();
        answer(engine, asked);
    });
    let mut client = site.client();
    for _ in 0..3 {
        client.write(GET);
        site.pump();
        assert_eq!(client.read(), echo_of("GET", "/a", b""));
        let left = site.engine().timeout().unwrap();
        assert!((Duration::from_secs(8)..=Duration::from_secs(10)).contains(&left), "{left:?}");
    }
}

/// Where there are plain requests alone, an upgrade is answered 426, behind all answers before it.
#[test]
fn no_upgrades() {
    let mut site = Site::new(Config { upgrades: Upgrades::Refused, ..SITE });
    let mut client = site.client();
    client.write(&[GET, REQUEST, GET].concat());
    site.pump();
    let read = client.read();
    let behind = read.strip_prefix(&echo_of("GET", "/a", b"")[..]).unwrap();
    assert!(behind.starts_with(b"HTTP/1.1 426 ") && client.is_at_end());
    assert_eq!((site.asked.len(), &site.server.refused[..]), (1, &[Refusal::UpgradeRequired][..]));
    drop(client);
    site.assert_empty();
}
