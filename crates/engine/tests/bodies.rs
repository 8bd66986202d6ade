//! Plain requests with bodies, through real sockets on one thread.

mod support;

use dorrit_engine::Config;
use dorrit_proto::Refusal;
use support::site::*;

const KNOWN: &[u8] =
    b"POST /known HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\nhello\r\n\r\nyou";
const CHUNKED: &[u8] = b"PUT /chunks HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
    5;x=y\r\nhello\r\n0006\r\n\r\n\r\nyo\r\n0\r\nX: y\r\n\r\n";
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
const GET: &[u8] = b"GET /behind HTTP/1.1\r\nHost: a\r\n\r\n";

fn told(site: &Site) -> Vec<(&str, &str, &[u8])> {
    let asked = site.asked.iter();
    asked.map(|asked| (&asked.method[..], &asked.target[..], &asked.body[..])).collect()
}

/// Cut at every byte, another client's request between the pieces: what is told is what was sent.
#[test]
fn cut_at_every_byte() {
    for (request, method, target, body) in [
        (KNOWN, "POST", "/known", &b"hello\r\n\r\nyou"[..]),
        (CHUNKED, "PUT", "/chunks", b"hello\r\n\r\nyo"),
    ] {
        let mut site = Site::new(SITE);
        let (mut client, mut other) = (site.client(), site.client());
        for cut in 1..request.len() {
            client.write(&request[..cut]);
            site.pump();
            assert_eq!(client.read(), b"", "answered after {cut} bytes");
            other.write(GET);
            site.pump();
            assert_eq!(other.read(), echo_of("GET", "/behind", b""));
            client.write(&request[cut..]);
            site.pump();
            assert_eq!(client.read(), echo_of(method, target, body), "cut at {cut}");
        }
        assert_eq!(site.asked.len(), 2 * (request.len() - 1));
        drop((client, other));
        site.assert_empty();
    }
}

/// Byte by byte, two clients in turns.
#[test]
fn byte_by_byte() {
    let mut site = Site::new(SITE);
    let (mut known, mut chunked) = (site.client(), site.client());
    for i in 0..KNOWN.len().max(CHUNKED.len()) {
        for (client, request) in [(&mut known, KNOWN), (&mut chunked, CHUNKED)] {
            client.write(request.get(i..=i).unwrap_or_default());
        }
        site.pump_once();
    }
    site.pump();
    assert_eq!(known.read(), echo_of("POST", "/known", b"hello\r\n\r\nyou"));
    assert_eq!(chunked.read(), echo_of("PUT", "/chunks", b"hello\r\n\r\nyo"));
}

/// A body of the most bytes that are taken is told, of a byte more is 413, however it comes, and nothing behind it is
/// looked at.
#[test]
fn the_longest_body() {
    let known = |len: usize| {
        let head = format!("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: {len}\r\n\r\n");
        [head.into_bytes(), vec![b'b'; len]].concat()
    };
    let chunked = |len: usize, chunk: usize| {
        let mut request =
            b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for chunk in vec![b'b'; len].chunks(chunk) {
            request.extend(format!("{:x}\r\n", chunk.len()).bytes());
            request.extend([chunk, b"\r\n"].concat());
        }
        [&request[..], b"0\r\n\r\n"].concat()
    };
    let mut site = Site::new(SITE);
    for request in [known(MOST), chunked(MOST, 1)] {
        let mut client = site.client();
        client.write(&request);
        site.pump();
        assert_eq!(client.read(), echo_of("POST", "/a", &[b'b'; MOST]));
        assert_eq!(site.asked.pop().unwrap().body.len(), MOST);
    }
    for (request, is_cut) in [
        (known(MOST + 1), false),
        (known(MOST + 1), true),
        (chunked(MOST + 1, 1), false),
        (chunked(MOST + 14, 26), true),
    ] {
        let mut client = site.client();
        let cut = if is_cut { request.len() - 60 } else { request.len() };
        client.write(&request[..cut]);
        site.pump();
        client.write(&[&request[cut..], GET].concat());
        site.pump();
        let read = client.read();
        assert!(read.starts_with(b"HTTP/1.1 413 "), "{}", String::from_utf8_lossy(&read));
        assert!(client.is_at_end());
        assert_eq!(site.server.refused.pop(), Some(Refusal::BodyTooLarge));
    }
    assert_eq!(site.asked, []);
    site.assert_empty();
}

/// RFC 9112 7.1, ADVISORIES T32: what is no chunk is answered 400, and the connection is closed: what stands behind it
/// is no request.
#[test]
fn bad_chunks() {
    for bad in ["x\r\n", "-5\r\nhello\r\n", "5\r\nhelloX\r\n0\r\n\r\n", "5\nhello\r\n0\r\n\r\n"] {
        let head = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        for first in [&b""[..], GET] {
            let mut site = Site::new(SITE);
            let mut client = site.client();
            client.write(&[first, head.as_bytes(), bad.as_bytes(), GET].concat());
            site.pump();
            let read = client.read();
            let before = if first.is_empty() { Vec::new() } else { echo_of("GET", "/behind", b"") };
            let behind = read.strip_prefix(&before[..]).unwrap();
            assert!(behind.starts_with(b"HTTP/1.1 400 ") && client.is_at_end(), "{bad}");
            assert_eq!(site.asked.len(), usize::from(!first.is_empty()));
            drop(client);
            site.assert_empty();
        }
    }
}

/// RFC 9110 10.1.1: who waits is told to go on, once; who has sent its body, or a part of it, is not.
#[test]
fn expect_continue() {
    let head = b"POST /e HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    for cut in 0..=5 {
        let mut site = Site::new(SITE);
        let mut client = site.client();
        client.write(&[&head[..], &b"hello"[..cut]].concat());
        site.pump();
        let answer = echo_of("POST", "/e", b"hello");
        let expected = match cut {
            0 => CONTINUE,
            5 => &answer,
            _ => b"",
        };
        assert_eq!(client.read(), expected, "with {cut} bytes");
        let mut other = site.client();
        other.write(GET);
        site.pump();
        client.write(&b"hello"[cut..]);
        site.pump();
        if cut < 5 {
            assert_eq!(client.read(), answer);
        }
        assert_eq!(told(&site).iter().filter(|asked| asked.1 == "/e").count(), 1);
    }
}

/// The interim answer comes behind the answers to the requests before it.
#[test]
fn expect_continue_behind_another() {
    let mut site = Site::new(SITE);
    let mut client = site.client();
    let head = b"POST /e HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    client.write(&[GET, head].concat());
    site.pump();
    let before = echo_of("GET", "/behind", b"");
    assert_eq!(client.read(), [&before, CONTINUE].concat());
    client.write(&[b"ok", GET].concat());
    site.pump();
    assert_eq!(client.read(), [echo_of("POST", "/e", b"ok"), before].concat());
}

/// Several in one write are answered in order, with one call.
#[test]
fn pipelined_in_one_write() {
    let mut site = Site::new(SITE);
    let (socket, ours) = pair(rustix::net::SocketType::SEQPACKET);
    site.engine().adopt(socket, b"").unwrap();
    let all = [KNOWN, CHUNKED, GET, KNOWN, CHUNKED].concat();
    rustix::io::write(&ours, &all).unwrap();
    site.pump();
    let mut room = vec![0; 10_000];
    let len = rustix::io::read(&ours, &mut room).unwrap();
    let expected: Vec<u8> = site.asked.iter().flat_map(answer_to).collect();
    assert_eq!((&room[..len], site.asked.len()), (&expected[..], 5));
    assert!(told(&site)[3] == told(&site)[0] && told(&site)[4] == told(&site)[1]);
}

/// CONTRACT S22: bodies that come are counted, and whose body would be too much is answered 503.
#[test]
fn bodies_take_memory() {
    let config = Config {
        plain_requests: dorrit_engine::PlainRequests::ToldWithBody(1 << 20),
        max_memory: Some(320_000),
        ..SITE
    };
    let mut site = Site::new(config);
    let head = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n";
    let (mut first, mut second) = (site.client(), site.client());
    first.write(&[&head[..], &[b'x'; 150_000]].concat());
    site.pump();
    assert!(site.engine().stats().held_bytes >= 150_000);
    site.write(&mut second, &[&head[..], &[b'x'; 180_000]].concat());
    assert!(second.read().starts_with(b"HTTP/1.1 503 ") || !site.server.refused.is_empty());
    assert_eq!(site.server.refused, [Refusal::NoMemory]);
    assert!(site.asked.is_empty());
    first.write(&[b'x'; 50_000]);
    let answer = echo_of("POST", "/a", &[b'x'; 200_000]);
    assert!(site.read(&mut first, answer.len()) == answer);
    assert!(site.engine().stats().held_bytes < 1000, "the caller has taken the body");
    drop((first, second));
    site.assert_empty();
}

/// The client leaves in the middle of a body: nothing is told, nothing is left.
#[test]
fn gone_within_a_body() {
    let mut site = Site::new(SITE);
    for cut in [KNOWN.len() - 12, KNOWN.len() - 1] {
        let mut client = site.client();
        client.write(&KNOWN[..cut]);
        site.pump();
        assert!(site.engine().stats().held_bytes > 0);
        drop(client);
        site.assert_empty();
    }
    assert_eq!((site.asked.len(), site.server.closed.len()), (0, 0));
}
