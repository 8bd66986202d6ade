//! A deadline runs from the moment at which it is set, however long a callback took before; nobody is late because
//! the loop was (CONTRACT S21). Times are what is measured here.

mod support;

use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use dorrit_engine::{Config, DropCause, Keepalive};
use dorrit_proto::{CloseCode, OpCode};
use support::*;

/// A callback that is longer than the time a request, or the answer to a close frame, may take. Who connects
/// meanwhile, who has begun to ask before, and who is closed at its end have their time all the same.
#[test]
fn after_a_long_callback() {
    let mut server = Server::new(CONFIG);
    server.on_message = |engine, id, _, _| {
        sleep(Duration::from_millis(10_500));
        engine.close(id, CloseCode::NORMAL, "");
    };
    let mut asking = server.client();
    asking.write(&REQUEST[..20]);
    let (mut closing, id) = server.open_client();
    closing.write(&text("close me"));
    asking.write(&REQUEST[20..40]);
    let path = server.path();
    let connecting = std::thread::spawn(move || {
        sleep(Duration::from_secs(1));
        UnixStream::connect(path).unwrap()
    });
    server.pump();
    let stream = connecting.join().unwrap();
    stream.set_nonblocking(true).unwrap();
    let mut late = Client { stream };
    for _ in 0..20 {
        sleep(Duration::from_millis(10));
        server.pump();
    }
    assert_eq!(closing.read(), b"\x88\x02\x03\xe8");
    assert!(server.closed.is_empty() && !closing.is_at_end(), "the close frame may be answered");
    closing.write(&frame(OpCode::Close, b"\x03\xe8"));
    late.write(REQUEST);
    asking.write(&REQUEST[40..]);
    server.pump();
    assert_eq!(server.closed, [id]);
    for client in [&mut late, &mut asking] {
        let answer = client.read();
        assert!(answer.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&answer));
    }
    assert_eq!((server.held_up.len(), server.refused.len()), (1, 0));
}

const SOON: Config = Config {
    keepalive: Some(Keepalive {
        idle: Duration::from_millis(300),
        timeout: Duration::from_millis(300),
    }),
    ..CONFIG
};

/// Callbacks that are longer than the ping's time-out, one behind the other, or with looks at the poll between
/// them: who is asked meanwhile can still answer. Who does not, is dropped, and not before its time.
#[test]
fn a_ping_across_long_callbacks() {
    for at_once in [true, false] {
        let mut server = Server::new(SOON);
        server.on_message = |_, _, _, _| sleep(Duration::from_millis(700));
        let (mut silent, _) = server.open_client();
        let (mut busy, _) = server.open_client();
        for round in 0..2 {
            let count = if at_once { 3 } else { 1 };
            for _ in 0..4 - count {
                busy.write(&text("busy").repeat(count));
                server.pump();
                assert_eq!(server.dropped, [], "round {round}: it had no chance to answer");
            }
            let start = Instant::now();
            while silent.read().is_empty() && start.elapsed() < Duration::from_secs(5) {
                server.pump();
            }
            silent.write(&frame(OpCode::Pong, b""));
            busy.write(&frame(OpCode::Pong, b""));
            server.pump();
        }
        let (heard, start) = (server.messages.len(), Instant::now());
        while server.dropped.len() < 2 {
            assert!(start.elapsed() < Duration::from_secs(20), "nobody is dropped");
            sleep(Duration::from_millis(1));
            server.pump();
        }
        assert!(start.elapsed() >= Duration::from_millis(590), "{:?}", start.elapsed());
        assert_eq!((server.dropped[0], server.messages.len()), (DropCause::Silent, heard));
    }
}

/// What has arrived and is not read counts as heard: here the answer comes while a callback runs.
#[test]
fn an_answer_that_is_not_read_yet() {
    let mut server = Server::new(SOON);
    let (mut client, _) = server.open_client();
    let (mut busy, _) = server.open_client();
    server.on_message = |_, _, _, _| sleep(Duration::from_millis(20));
    for _ in 0..100 {
        // Its own callbacks, and those of the other, are shorter than what counts as being held up.
        if !client.read().is_empty() {
            client.write(&frame(OpCode::Pong, b""));
        }
        busy.read();
        busy.write(&text("busy").repeat(3));
        server.pump();
        assert_eq!(server.dropped, []);
    }
}

/// Writes these bytes again and again from another thread, so many at a time, until nobody takes them.
fn write_without_end(client: &Client, bytes: Vec<u8>, pause: Duration) {
    let stream = client.stream.try_clone().unwrap();
    std::thread::spawn(move || {
        stream.set_nonblocking(false).unwrap();
        while (&stream).write_all(&bytes).is_ok() {
            sleep(pause);
        }
    });
}

/// CONTRACT S8: a peer that is being closed, or dropped, has five seconds, whatever it sends meanwhile, and
/// however much.
#[test]
fn who_sends_without_end_is_cut_off() {
    let mut server = Server::new(CONFIG);
    let (mut closing, closing_id) = server.open_client();
    let (mut failing, failing_id) = server.open_client();
    server.engine.close(closing_id, CloseCode::NORMAL, "");
    failing.write(b"\x81\x01a");
    server.pump();
    assert_eq!((closing.read(), failing.read()[0]), (b"\x88\x02\x03\xe8".to_vec(), 0x88));
    for client in [&closing, &failing] {
        write_without_end(client, text("more").repeat(1000), Duration::ZERO);
    }
    let start = Instant::now();
    while server.closed.len() < 2 {
        let elapsed = start.elapsed();
        assert!(
            elapsed < Duration::from_secs(9),
            "{:?} are there after {elapsed:?}",
            server.closed
        );
        server.pump();
    }
    assert!(start.elapsed() >= Duration::from_millis(4_900), "{:?}", start.elapsed());
    assert!(server.closed.contains(&closing_id) && server.closed.contains(&failing_id));
}

/// CONTRACT S17: so has who asks, byte by byte, however fast.
#[test]
fn who_asks_without_end_is_refused() {
    let mut server = Server::new(CONFIG);
    let mut client = server.client();
    client.write(b"GET / HTTP/1.1\r\nX: ");
    write_without_end(&client, b"x".to_vec(), Duration::from_micros(700));
    let start = Instant::now();
    while server.refused.is_empty() {
        assert!(start.elapsed() < Duration::from_secs(14), "it still asks");
        server.pump();
    }
    assert_eq!(server.refused, [dorrit_proto::Refusal::TooSlow]);
    assert!(start.elapsed() >= Duration::from_millis(9_900), "{:?}", start.elapsed());
}
