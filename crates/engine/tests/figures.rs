//! What an engine counts, and how it waits.

mod support;

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use dorrit_engine::{Engine, Event, Stats};
use dorrit_proto::{OpCode, Refusal};
use rustix::event::{PollFd, PollFlags};
use support::*;

/// Whatever way a message goes, it is counted once, and its bytes are those of the wire.
#[test]
fn messages_and_bytes() {
    for len in [0, 5, 125, 126, 65535] {
        let mut server = Server::new(CONFIG);
        server.on_message = echo;
        let (mut client, _) = server.open_client();
        let before = server.engine.stats();
        assert_eq!((before.connections, before.accepted), (1, 1));
        assert_eq!(before.bytes_in, REQUEST.len() as u64);
        let sent = frame(OpCode::Binary, &vec![b'x'; len]);
        let mut received = Vec::new();
        for _ in 0..3 {
            client.write(&sent);
            server.pump();
            received.extend(client.read());
        }
        let after = Stats {
            messages_in: 3,
            messages_out: 3,
            bytes_in: before.bytes_in + 3 * sent.len() as u64,
            bytes_out: before.bytes_out + received.len() as u64,
            ..before
        };
        assert_eq!(server.engine.stats(), after, "{len}");
    }
}

/// What a socket does not take waits, and is counted when it has gone.
#[test]
fn queued_bytes() {
    let mut server = Server::new(CONFIG);
    let (mut client, id) = server.open_client();
    let before = server.engine.stats();
    let payload = vec![b'x'; 60_000];
    for _ in 0..100 {
        let kind = dorrit_proto::MessageKind::Binary;
        server.engine.send([id].into_iter(), kind, &payload).unwrap();
    }
    server.pump();
    let waiting = server.engine.stats();
    let all = 100 * (60_000 + 4);
    assert_eq!(waiting.messages_out, 100);
    assert!(waiting.queued_bytes > 0);
    assert_eq!(waiting.bytes_out - before.bytes_out + waiting.queued_bytes, all);
    let mut received = 0;
    while received < all {
        received += client.read().len() as u64;
        server.pump();
    }
    let after = server.engine.stats();
    assert_eq!((after.queued_bytes, after.bytes_out - before.bytes_out), (0, all));
}

/// A message behind our close frame is passed over, and not counted.
#[test]
fn messages_that_nobody_is_told() {
    let mut server = Server::new(CONFIG);
    let (mut client, id) = server.open_client();
    server.engine.close(id, dorrit_proto::CloseCode::NORMAL, "");
    server.pump();
    client.write(&text("late"));
    server.pump();
    assert_eq!((server.engine.stats().messages_in, server.payloads().len()), (0, 0));
}

/// Each refusal is told, but for the caller's own, and counted by its cause.
#[test]
fn refusals() {
    let mut server = Server::new(dorrit_engine::Config { max_connections: 1, ..CONFIG });
    let ask = |server: &mut Server, request: &[u8]| {
        let mut client = server.client();
        client.write(request);
        server.pump();
        client.read();
        assert!(client.is_at_end());
    };
    server.on_open = |_, _| false;
    ask(&mut server, REQUEST);
    server.on_open = |_, _| true;
    ask(&mut server, b"POST / HTTP/1.1\r\n\r\n");
    let _client = server.open_client();
    ask(&mut server, REQUEST);
    assert_eq!(server.refused, [Refusal::MethodNotAllowed, Refusal::Full]);
    let Stats { refused_full, refused_bad, refused_slow, refused_caller, .. } =
        server.engine.stats();
    assert_eq!((refused_full, refused_bad, refused_slow, refused_caller), (1, 1, 0, 1));
}

/// Who waits is back at the time that it has named, where nothing else happens, and where something does before.
#[test]
fn a_wait_is_bounded() {
    let mut server = Server::new(CONFIG);
    server.pump();
    let start = Instant::now();
    assert!(server.engine.poll_event().is_none());
    server.engine.wait(Some(Duration::from_millis(10))).unwrap();
    assert!(start.elapsed() >= Duration::from_millis(10));
    assert!(server.engine.poll_event().is_none());
    server.engine.set_tick(Some(Duration::from_millis(10)));
    while !matches!(server.engine.poll_event(), Some(Event::Tick)) {
        server.engine.wait(Some(Duration::from_secs(3600))).unwrap();
    }
    server.engine.set_tick(None);
    server.pump();
    server.engine.set_tick(Some(Duration::ZERO));
    server.engine.wait(Some(Duration::from_secs(3600))).unwrap();
    assert!(matches!(server.engine.poll_event(), Some(Event::Tick)));
}

/// Somebody else may sleep: what the engine waits for shows at its descriptor, and in how long it would wait.
#[test]
fn somebody_else_sleeps() {
    let mut server = Server::new(CONFIG);
    let (mut client, id) = server.open_client();
    server.pump();
    while server.engine.poll_event().is_some() {}
    assert!(!sleep(&mut server.engine, Some(Duration::ZERO)), "nothing has happened");
    client.write(&text("hello"));
    assert!(sleep(&mut server.engine, None));
    server.engine.wait(Some(Duration::ZERO)).unwrap();
    assert!(
        matches!(server.next(), Event::Message(of, _, payload) if of == id && payload == b"hello")
    );
    server.pump();
    server.engine.set_tick(Some(Duration::from_millis(20)));
    let timeout = server.engine.timeout().unwrap();
    assert!(timeout <= Duration::from_millis(40), "{timeout:?}");
    assert!(!sleep(&mut server.engine, None), "only time has passed");
    while !matches!(server.engine.poll_event(), Some(Event::Tick)) {
        server.engine.wait(Some(Duration::ZERO)).unwrap();
    }
}

/// Sleeps as another loop would, for so long at most. Returns whether something has happened.
fn sleep(engine: &mut Engine, longest: Option<Duration>) -> bool {
    let timeout = [engine.timeout(), longest].into_iter().flatten().min();
    let timeout = timeout.map(|timeout| timeout.try_into().unwrap());
    // SAFETY: the engine has it.
    let fd = unsafe { BorrowedFd::borrow_raw(engine.fd()) };
    let mut fds = [PollFd::new(&fd, PollFlags::IN)];
    rustix::event::poll(&mut fds, timeout.as_ref()).unwrap() > 0
}
