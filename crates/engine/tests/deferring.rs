//! Requests on which the decision is put off.

mod support;

use std::io::Write as _;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use dorrit_engine::{Config, ConnId, Engine, SendError};
use dorrit_proto::{CloseCode, MessageKind, Refusal};
use support::site::*;
use support::*;

const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &[u8] = b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";

/// What the request says is there until the decision, whoever asks meanwhile; the end is told once, and then the next
/// request is.
#[test]
fn a_plain_request() {
    let (mut site, mut client, id) = put_off(SITE, &[POST, GET].concat());
    let mut other = site.client();
    other.write(b"GET /other HTTP/1.1\r\nHost: other\r\nX: y\r\n\r\n");
    site.pump();
    let other_id = site.last();
    site.engine().set_tag(id, 9);
    site.on_close = |engine, id| {
        // It is known, and decided on.
        assert!(engine.is_known(id) && engine.request(id).is_none());
        assert_eq!(engine.defer(id), Err(SendError::OutOfMemory));
        engine.refuse(id, Refusal::Forbidden);
        respond(engine, id, b"twice", true);
    };
    let request = site.engine().request(id).unwrap();
    assert_eq!((request.method(), request.target()), (&b"POST"[..], &b"/b"[..]));
    assert_eq!(site.engine().tag(id), 9);
    assert!(site.engine().stats().held_bytes > 0);
    answer_late(&mut site, id);
    assert!(site.engine().request(id).is_none());
    assert_eq!(site.asked.len(), 2, "the next one waits for the end of the first");
    site.pump();
    assert_eq!(
        (client.read(), &site.server.closed[..]),
        (echo_of("POST", "/b", b"body"), &[id][..])
    );
    assert_stale(site.engine(), id);
    assert_eq!(site.asked.len(), 3);
    let next = site.last();
    assert_eq!((site.engine().tag(next), site.asked[2].target.as_str()), (0, "/a"));
    answer_late(&mut site, next);
    site.pump();
    assert_eq!(client.read(), echo_of("GET", "/a", b""));
    site.engine().refuse(other_id, Refusal::Status(503));
    site.pump();
    assert!(other.read().starts_with(b"HTTP/1.1 503 ") && other.is_at_end());
    drop((client, other));
    site.assert_empty();
    assert_eq!(site.server.closed, [id, next, other_id]);
}

/// An upgrade is accepted later: what was sent meanwhile follows the 101, and what came meanwhile is told.
#[test]
fn an_upgrade() {
    let (mut site, mut client, id) = put_off(SITE, &[REQUEST, &text("hello")].concat());
    site.server.on_message = echo;
    site.engine().send_to(id, MessageKind::Text, b"one").unwrap();
    site.pump();
    site.engine().send([id, id].into_iter(), MessageKind::Text, b"two").unwrap();
    client.write(&text("you"));
    site.pump();
    assert_eq!((client.read(), site.server.messages.len()), (vec![], 0));
    assert!(site.engine().accept(id, None, b"X: y\r\n"));
    assert!(!site.engine().accept(id, None, b""), "it is accepted");
    assert_eq!(site.engine().send_to(id, MessageKind::Text, b"three"), Ok(1));
    site.pump();
    let read = client.read();
    assert!(read.starts_with(b"HTTP/1.1 101 "));
    let end = read.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let messages = ["one", "two", "two", "three", "hello", "you"];
    let frames = messages.map(|it| [&[0x81, it.len() as u8], it.as_bytes()].concat());
    assert_eq!(&read[end..], frames.concat());
    assert_eq!((site.server.closed.len(), site.engine().stats().held_bytes), (0, 0));
    drop(client);
    site.assert_empty();
    assert_eq!(site.server.closed, [id]);
}

/// Whatever else is decided on an upgrade, nothing that was sent meanwhile goes out, and its end is told once.
#[test]
fn an_upgrade_that_is_refused() {
    type Decision = (fn(&mut Engine, ConnId), &'static [u8]);
    let decisions: [Decision; 5] = [
        (|engine, id| engine.refuse(id, Refusal::Status(401)), b"HTTP/1.1 401 "),
        (
            |engine, id| {
                respond(engine, id, b"HTTP/1.1 302 Found\r\nConnection: close\r\n\r\n", true)
            },
            b"HTTP/1.1 302 Found\r\n",
        ),
        (|engine, id| engine.close(id, CloseCode::NORMAL, ""), b"HTTP/1.1 403 "),
        (|engine, id| engine.close_now(id), b""),
        (|engine, _| engine.stop(CloseCode::GOING_AWAY), b"HTTP/1.1 503 "),
    ];
    for (decide, expected) in decisions {
        let (mut site, mut client, id) = put_off(SITE, REQUEST);
        site.engine().send_to(id, MessageKind::Text, b"meanwhile").unwrap();
        decide(site.engine(), id);
        assert!(!site.engine().accept(id, None, b""));
        decide(site.engine(), id);
        let _ = client.stream.write(&text("hello"));
        site.pump();
        let read = client.read();
        assert!(read.starts_with(expected) && read.is_empty() == expected.is_empty());
        assert!(!read.windows(4).any(|it| it == b"mean"));
        assert!(client.is_at_end());
        assert_eq!((&site.server.closed[..], site.server.codes.len()), (&[id][..], 0));
        assert_stale(site.engine(), id);
        drop(client);
        site.assert_empty();
        assert_eq!((site.server.closed.len(), site.server.messages.len()), (1, 0));
    }
}

/// A request that is put off holds back no answer to one before it.
#[test]
fn answers_before_it() {
    let long = |target: &str| echo_of("GET", target, &[b'x'; 300_000]);
    for is_long in [false, true] {
        let mut site = Site::new(SITE);
        site.decide = Box::new(move |engine, asked| match &asked.target[..] {
            "/a" if is_long => respond(engine, asked.id, &long("/a"), true),
            "/a" => answer(engine, asked),
            _ => engine.defer(asked.id).unwrap(),
        });
        let mut client = site.client();
        client.write(&[GET, POST, GET].concat());
        let before = if is_long { long("/a") } else { echo_of("GET", "/a", b"") };
        let read = site.read(&mut client, before.len());
        assert!(read == before && site.asked.len() == 2);
        let id = site.last();
        answer_late(&mut site, id);
        let expected = [echo_of("POST", "/b", b"body"), before].concat();
        assert!(site.read(&mut client, expected.len()) == expected);
        drop(client);
        site.assert_empty();
    }
}

/// A site whose socket takes less than what is answered before a request that is put off, its client, and that answer.
fn blocked() -> (Site, Client, Vec<u8>) {
    let answer = echo_of("GET", "/a", &[b'x'; 3000]);
    let mut site = Site::new(SITE);
    let first = answer.clone();
    site.decide = Box::new(move |engine, asked| match &asked.target[..] {
        "/a" => respond(engine, asked.id, &first, true),
        _ => engine.defer(asked.id).unwrap(),
    });
    let (socket, ours) = pair(rustix::net::SocketType::STREAM);
    rustix::net::sockopt::set_socket_send_buffer_size(&socket, 4096).unwrap();
    site.engine().adopt(socket, &[&GET.repeat(10)[..], POST].concat()).unwrap();
    let stream = std::os::unix::net::UnixStream::from(ours);
    stream.set_nonblocking(true).unwrap();
    site.pump();
    assert!(site.asked.len() == 11 && site.engine().stats().queued_bytes > 0);
    (site, Client { stream }, answer.repeat(10))
}

/// Answers to requests before it that are not taken yet go on to be sent while the decision is awaited; or behind it,
/// where it comes first.
#[test]
fn an_answer_that_is_taken_slowly() {
    for is_first in [true, false] {
        let (mut site, mut client, before) = blocked();
        let (id, last) = (site.last(), echo_of("POST", "/b", b"body"));
        if is_first {
            answer_late(&mut site, id);
            assert!(site.read(&mut client, before.len() + last.len()) == [before, last].concat());
        } else {
            assert!(site.read(&mut client, before.len()) == before);
            answer_late(&mut site, id);
            site.pump();
            assert_eq!(client.read(), last);
        }
        assert_eq!(site.server.closed, [id]);
        client.write(GET);
        site.pump();
        assert_eq!(client.read(), echo_of("GET", "/a", &[b'x'; 3000]));
    }
}

/// Whose client has ended its side and takes nothing is known to be gone.
#[test]
fn gone_with_an_answer_that_is_not_taken() {
    for how in [Shutdown::Write, Shutdown::Both] {
        let (mut site, client, _) = blocked();
        client.stream.shutdown(how).unwrap();
        site.pump();
        assert_eq!(site.server.closed, [site.last()]);
        site.assert_empty();
    }
}

/// Put off and answered in the event, each of many in one write.
#[test]
fn one_behind_the_other() {
    let mut site = Site::new(SITE);
    site.decide = Box::new(|engine, asked| {
        engine.defer(asked.id).unwrap();
        answer(engine, asked);
    });
    let mut client = site.client();
    client.write(&[POST, GET].concat().repeat(500));
    let both = [echo_of("POST", "/b", b"body"), echo_of("GET", "/a", b"")].concat();
    let read = site.read(&mut client, 500 * both.len());
    assert!(read == both.repeat(500));
    let ids: Vec<_> = site.asked.iter().map(|asked| asked.id).collect();
    assert_eq!(site.server.closed, ids);
    drop(client);
    site.assert_empty();
}

/// Decided on from within another connection's event, many at once, in the reverse order.
#[test]
fn many_at_once() {
    const COUNT: usize = 10_000;
    let limits = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    rustix::process::setrlimit(
        rustix::process::Resource::Nofile,
        rustix::process::Rlimit { current: limits.maximum, ..limits },
    )
    .unwrap();
    let most = limits.maximum.map_or(COUNT, |most| most as usize / 2 - 50).min(COUNT);
    let mut site = Site::deferring(Config { max_connections: COUNT + 1, ..SITE });
    let mut clients = Vec::new();
    for number in 0..most {
        let mut client = site.client();
        client.write(if number % 2 == 0 { POST } else { REQUEST });
        clients.push(client);
        if number % 100 == 0 {
            site.pump_once();
        }
    }
    while site.asked.len() < most {
        site.pump();
    }
    let ids: Vec<_> = site.asked.iter().map(|asked| (asked.id, asked.plain.is_some())).collect();
    site.decide = Box::new(move |engine, asked| {
        for (id, is_plain) in ids.iter().rev() {
            match is_plain {
                true => respond(engine, *id, b"HTTP/1.1 204 No Content\r\n\r\n", true),
                false => assert!(engine.accept(*id, None, b"")),
            }
        }
        answer(engine, asked);
    });
    let mut other = site.client();
    other.write(GET);
    while site.server.closed.len() < most.div_ceil(2) || site.engine().stats().queued_bytes > 0 {
        site.pump();
    }
    assert_eq!(other.read(), echo_of("GET", "/a", b""));
    assert_eq!(site.server.closed.len(), most.div_ceil(2));
    for client in &mut clients {
        let read = client.read();
        assert!(read.starts_with(b"HTTP/1.1 204 ") || read.starts_with(b"HTTP/1.1 101 "));
    }
    drop((clients, other));
    while site.server.closed.len() < most {
        site.pump();
    }
    site.assert_empty();
}

/// Told when the time is over, once for each request, and not for one that comes later on the same connection.
#[test]
fn overdue() {
    const TIME: Duration = Duration::from_millis(200);
    let mut site = Site::deferring(Config { decision_timeout: TIME, ..SITE });
    let (mut client, mut others) = (site.client(), Vec::new());
    let mut go_on = |site: &mut Site, request: &[u8], pause: Duration| {
        // Another one, whose time is over just before.
        others.push(site.client());
        for client in [others.last_mut().unwrap(), &mut client] {
            client.write(request);
            site.pump();
        }
        let (id, asked_at) = (site.last(), Instant::now());
        while asked_at.elapsed() < pause {
            site.engine().wait(Some(Duration::from_millis(5))).unwrap();
            site.pump_once();
        }
        id
    };
    for request in [GET, POST] {
        let id = go_on(&mut site, request, TIME * 3 / 4);
        answer_late(&mut site, id);
        site.pump();
        assert!(site.server.closed.contains(&id));
    }
    let id = go_on(&mut site, REQUEST, TIME * 3 / 4);
    assert!(!site.overdue.contains(&id), "that was the time of an earlier one");
    let is_first = |(number, asked): (usize, &Asked)| (number % 2 == 0).then_some(asked.id);
    let overdue: Vec<_> = site.asked.iter().enumerate().filter_map(is_first).chain([id]).collect();
    let until = Instant::now() + TIME;
    while Instant::now() < until {
        site.engine().wait(Some(Duration::from_millis(5))).unwrap();
        site.pump_once();
    }
    assert_eq!(site.overdue, overdue);
    site.engine().refuse(id, Refusal::DecisionTimeout);
    site.pump();
    let read = client.read();
    assert!(read.windows(13).any(|it| it == b"HTTP/1.1 503 ") && client.is_at_end());
    assert_eq!(site.server.closed.len(), 3);
}
