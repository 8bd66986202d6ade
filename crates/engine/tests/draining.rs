//! An engine that leaves its listening socket to somebody else, and serves those who are there.

mod support;

use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::time::Duration;

use dorrit_engine::{Config, Event, PlainRequests};
use dorrit_proto::{CloseCode, OpCode};
use support::*;

const LONG: Duration = Duration::from_secs(3600);

/// Those who are there are served until they leave: who has just begun to ask, too.
#[test]
fn clients_are_served_until_they_leave() {
    let mut server = Server::new(CONFIG);
    server.on_message = echo;
    let (mut first, _) = server.open_client();
    let mut asking = server.client();
    asking.write(&REQUEST[..20]);
    server.pump();
    server.engine.drain(LONG);
    server.engine.drain(Duration::ZERO);
    server.pump();
    assert!(server.listener.upgrade().is_none(), "it has let go of it");
    asking.write(&REQUEST[20..]);
    server.pump();
    assert!(asking.read().starts_with(b"HTTP/1.1 101 "));
    for client in [&mut first, &mut asking] {
        client.write(&text("hello"));
        server.pump();
        assert_eq!(client.read(), b"\x81\x05hello");
    }
    assert_eq!(server.payloads(), [b"hello", b"hello"]);
    drop(first);
    server.pump();
    assert!(!server.is_stopped);
    asking.write(&frame(OpCode::Close, b"\x03\xe8"));
    server.pump();
    assert!(server.is_stopped && !server.is_drain_expired);
    assert_eq!(server.codes, [CloseCode::ABNORMAL, CloseCode::NORMAL]);
}

/// Who connects now is left to whoever has the socket too.
#[test]
fn the_listening_socket_is_somebody_elses() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    let other = listener.try_clone().unwrap();
    let mut server = Server::new(CONFIG);
    server.engine.listen(Arc::new(listener.into())).unwrap();
    let (_client, _) = server.open_client();
    server.engine.drain(LONG);
    let waiting = UnixStream::connect(&path).unwrap();
    server.pump();
    other.set_nonblocking(true).unwrap();
    assert!(other.accept().is_ok() && other.accept().is_err());
    drop(waiting);
}

/// When the time is over the caller is told so once, and stops with a code of its choice.
#[test]
fn the_time_is_over() {
    let mut server = Server::new(CONFIG);
    let (mut client, id) = server.open_client();
    server.engine.set_tick(Some(Duration::from_millis(1)));
    server.engine.drain(Duration::from_millis(20));
    let mut ticks = 0;
    loop {
        match server.next() {
            Event::Tick => ticks += 1,
            Event::DrainExpired => break,
            event => panic!("{event:?}"),
        }
    }
    assert!(ticks > 0, "the period goes on meanwhile");
    server.pump();
    assert!(!server.is_drain_expired && !server.is_stopped && client.read().is_empty());
    server.engine.stop(CloseCode::SERVICE_RESTART);
    server.pump();
    assert_eq!(client.read(), b"\x88\x02\x03\xf4");
    client.write(&frame(OpCode::Close, b"\x03\xf4"));
    server.pump();
    assert_eq!(server.closed, [id]);
    assert!(server.is_stopped);
}

/// Nobody is there.
#[test]
fn an_engine_without_clients_has_ended() {
    let mut server = Server::new(CONFIG);
    server.engine.drain(Duration::ZERO);
    server.pump();
    assert!(server.is_stopped && !server.is_drain_expired);
}

/// It can be stopped meanwhile.
#[test]
fn a_stop_meanwhile() {
    let mut server = Server::new(CONFIG);
    let (mut client, _) = server.open_client();
    server.engine.drain(Duration::ZERO);
    server.engine.stop(CloseCode::GOING_AWAY);
    server.pump();
    assert_eq!(client.read(), b"\x88\x02\x03\xe9");
    drop(client);
    server.pump();
    assert!(server.is_stopped && !server.is_drain_expired);
}

/// A connection that waits for another request gets its answer, and is not kept for one more.
#[test]
fn no_connection_is_kept_for_pages() {
    let mut server = Server::new(Config { plain_requests: PlainRequests::Told, ..CONFIG });
    let mut client = server.client();
    client.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    server.pump();
    assert!(!client.read().is_empty());
    server.engine.drain(LONG);
    server.pump();
    assert!(!server.is_stopped);
    client.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    server.pump();
    assert!(!client.read().is_empty());
    assert!(client.is_at_end());
    drop(client);
    server.pump();
    assert!(server.is_stopped);
}
