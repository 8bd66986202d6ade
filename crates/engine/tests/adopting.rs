//! Connections that somebody else has accepted.

mod support;

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use dorrit_engine::{Config, Key, Readiness};
use dorrit_proto::CloseCode;
use support::site::*;
use support::*;

const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &[u8] = b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";

/// A socket as its acceptor has it, which blocks, and its client.
fn accepted() -> (OwnedFd, Client) {
    let (socket, stream) = UnixStream::pair().unwrap();
    stream.set_nonblocking(true).unwrap();
    (socket.into(), Client { stream })
}

/// However much of what its client says was read before: all that is told and answered is the same.
#[test]
fn read_up_to_any_byte() {
    let all = [GET, POST, REQUEST, &text("hello"), &text("you")].concat();
    for cut in 0..=all.len() {
        let mut site = Site::new(SITE);
        site.server.on_message = echo;
        let (socket, mut client) = accepted();
        // Some of the rest has come, and some comes later.
        let later = cut + (all.len() - cut) / 2;
        client.write(&all[cut..later]);
        site.engine().adopt(socket, &all[..cut]).unwrap();
        site.pump();
        client.write(&all[later..]);
        site.pump();
        let read = client.read();
        let before = [echo_of("GET", "/a", b""), echo_of("POST", "/b", b"body")].concat();
        let behind = read.strip_prefix(&before[..]).unwrap();
        assert!(behind.starts_with(b"HTTP/1.1 101 "), "{cut}");
        assert!(behind.ends_with(b"\r\n\r\n\x81\x05hello\x81\x03you"), "{cut}");
        assert_eq!(site.targets(), ["/a", "/b", "/"]);
        drop(client);
        site.pump();
        assert_eq!(site.server.closed, [site.last()]);
    }
}

/// It blocks no more: a client that says nothing, and one that takes nothing, hold nobody up.
#[test]
fn a_socket_that_blocks() {
    let mut site = Site::new(SITE);
    site.decide = Box::new(|engine, asked| {
        let long = echo_of("GET", &asked.target, &[b'x'; 3_000_000]);
        respond(engine, asked.id, &long, true);
    });
    let (silent, _silent) = accepted();
    let (full, mut slow) = accepted();
    site.engine().adopt(silent, b"").unwrap();
    site.engine().adopt(full, GET).unwrap();
    site.pump();
    let mut other = site.client();
    other.write(GET);
    let long = echo_of("GET", "/a", &[b'x'; 3_000_000]);
    assert!(site.read(&mut other, long.len()) == long);
    assert!(site.read(&mut slow, long.len()) == long);
}

/// Its client has left: with its request, which is told, or before it.
#[test]
fn a_peer_that_has_left() {
    for read in [&b""[..], &GET[..9], GET, POST] {
        for is_half in [true, false] {
            let mut site = Site::new(SITE);
            let (socket, client) = accepted();
            client.stream.shutdown(Shutdown::Write).unwrap();
            let mut client = is_half.then_some(client);
            site.engine().adopt(socket, read).unwrap();
            site.pump();
            assert_eq!(site.asked.len(), usize::from(read.len() > 9));
            if let Some(client) = &mut client {
                let answers: Vec<_> = site.asked.iter().flat_map(answer_to).collect();
                assert_eq!(client.read(), answers);
                assert!(client.is_at_end());
            }
            drop(client);
            site.assert_empty();
        }
    }
}

/// Asserts that the socket is as it was: whoever has it goes on with it, as he has begun.
fn assert_usable(socket: OwnedFd, client: &mut Client) {
    let mut stream = UnixStream::from(socket);
    client.write(b"ask");
    let mut room = [0; 3];
    stream.read_exact(&mut room).unwrap();
    stream.write_all(b"told").unwrap();
    assert_eq!((&room, &client.read()[..]), (b"ask", &b"told"[..]));
    stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    let flags = rustix::fs::fcntl_getfl(&stream).unwrap();
    assert!(!flags.contains(rustix::fs::OFlags::NONBLOCK), "it blocks as before");
}

/// Where there is no room for it, it is given back.
#[test]
fn a_full_engine() {
    let mut site = Site::new(Config { max_connections: 1, ..SITE });
    let most = Config { max_connections: 1, ..SITE }.max_sockets();
    let mut clients = Vec::new();
    for number in 0..most {
        let (socket, client) = accepted();
        site.engine().adopt(socket, if number == 0 { REQUEST } else { b"GET" }).unwrap();
        clients.push(client);
    }
    site.pump();
    let (socket, mut client) = accepted();
    let fd = socket.as_raw_fd();
    let socket = site.engine().adopt(socket, GET).unwrap_err();
    assert!(!site.engine().owns(fd));
    let held = site.engine().stats().held_bytes;
    let socket = site.engine().adopt(socket, &[b'x'; 10_000]).unwrap_err();
    assert_eq!(site.engine().stats().held_bytes, held);
    assert_usable(socket, &mut client);
    // There is room for it, and no connection: that its client is told.
    clients.pop();
    site.pump();
    let (socket, mut client) = accepted();
    site.engine().adopt(socket, REQUEST).unwrap();
    site.pump();
    assert!(client.read().starts_with(b"HTTP/1.1 503 "));
}

/// A server that is to end takes none.
#[test]
fn an_engine_that_ends() {
    for is_drain in [true, false] {
        let mut site = Site::new(SITE);
        let mut kept = site.client();
        kept.write(REQUEST);
        site.pump();
        match is_drain {
            true => site.engine().drain(Duration::from_secs(60)),
            false => site.engine().stop(CloseCode::GOING_AWAY),
        }
        let (socket, mut client) = accepted();
        let socket = site.engine().adopt(socket, GET).unwrap_err();
        assert_usable(socket, &mut client);
        assert!(site.asked.len() == 1 && !site.server.is_stopped);
    }
}

/// What is no socket of a client's cannot be watched, or is cut at once; the engine goes on.
#[test]
fn what_is_no_socket() {
    let mut site = Site::new(SITE);
    let file = tempfile::tempfile().unwrap();
    assert!(site.engine().adopt(file.into(), GET).is_err());
    assert_eq!(site.engine().stats().held_bytes, 0);
    let (read, write) = std::io::pipe().unwrap();
    let _ = site.engine().adopt(read.into(), GET);
    let _ = site.engine().adopt(write.into(), b"GET");
    site.pump();
    let mut client = site.client();
    client.write(GET);
    site.pump();
    assert_eq!(client.read(), echo_of("GET", "/a", b""));
    drop(client);
    site.assert_empty();
}

/// A watch of it ends, whether something was told of it or is about to be.
#[test]
fn a_descriptor_that_is_watched() {
    let both = Readiness { read: true, write: true };
    for is_told in [true, false] {
        let mut site = Site::new(SITE);
        let (socket, mut client) = accepted();
        let fd = socket.as_raw_fd();
        site.engine().watch(fd, both, Key(7, 7)).unwrap();
        client.write(POST);
        if is_told {
            site.pump();
            assert!(!site.server.sources.is_empty());
        }
        site.server.sources.clear();
        site.engine().adopt(socket, GET).unwrap();
        assert!(site.engine().owns(fd));
        assert!(site.engine().watch(fd, both, Key(8, 8)).is_err());
        site.engine().unwatch(fd);
        site.pump();
        let answers = [echo_of("GET", "/a", b""), echo_of("POST", "/b", b"body")].concat();
        assert_eq!((client.read(), &site.server.sources[..]), (answers, &[][..]));
    }
}

/// From within the event of another connection, in the middle of its requests.
#[test]
fn within_an_event() {
    let mut site = Site::new(SITE);
    let (socket, mut adopted) = accepted();
    let mut socket = Some(socket);
    site.decide = Box::new(move |engine, asked| {
        if let Some(socket) = socket.take() {
            engine.adopt(socket, &[POST, GET].concat()).unwrap();
        }
        answer(engine, asked);
    });
    let mut client = site.client();
    client.write(&[GET, POST].concat());
    site.pump();
    let [get, post] = [echo_of("GET", "/a", b""), echo_of("POST", "/b", b"body")];
    assert_eq!(client.read(), [&get[..], &post].concat());
    assert_eq!(adopted.read(), [post, get].concat());
    drop((client, adopted));
    site.assert_empty();
}

/// Who its client is, where the socket says so; the next one in its place is another one.
#[test]
fn addresses() {
    let mut site = Site::new(SITE);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (socket, _) = listener.accept().unwrap();
    site.engine().adopt(socket.into(), GET).unwrap();
    let (seen, addresses) = shared(Vec::new());
    site.decide = Box::new(move |engine, asked| {
        seen.borrow_mut().push(engine.address(asked.id));
        answer(engine, asked);
        assert_eq!(engine.address(asked.id), None, "the request is over");
    });
    site.pump();
    let mut room = [0; 45];
    stream.read_exact(&mut room).unwrap();
    drop(stream);
    site.pump();
    let (socket, _client) = accepted();
    site.engine().adopt(socket, GET).unwrap();
    site.pump();
    assert_eq!(*addresses.borrow(), [Some(Ipv4Addr::LOCALHOST.into()), None]);
}
