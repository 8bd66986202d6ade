//! Calls that the caller has asked for have a fair turn (CONTRACT S20).

mod support;

use std::time::Duration;

use dorrit_engine::Key;
use dorrit_proto::CloseCode;
use support::*;

const NOW: Duration = Duration::ZERO;

/// A server that has nothing left to do.
fn server() -> Server {
    let mut server = Server::new(CONFIG);
    server.pump();
    server
}

/// A call is told once, however often it was asked for before, and the loop does not sleep until then.
#[test]
fn once() {
    let mut server = server();
    assert_eq!(server.engine.timeout(), None);
    for _ in 0..3 {
        server.engine.request_call();
    }
    assert_eq!(server.engine.timeout(), Some(NOW));
    // It would sleep for ever.
    assert_eq!(round(&mut server, Duration::MAX, |_, _| {}), [Source::Call]);
    assert_eq!(server.engine.timeout(), None);
    assert_eq!(round(&mut server, NOW, |_, _| {}), []);
}

/// One that is asked for while one is told follows it, but for those of more than 64, which have to wait for others.
#[test]
fn one_after_the_other() {
    let mut server = server();
    server.engine.request_call();
    let mut left = 1000;
    while left > 0 {
        let told = round(&mut server, Duration::MAX, |engine, _| {
            left -= 1;
            if left > 0 {
                engine.request_call();
            }
        });
        assert!((1..=64).contains(&told.len()), "{} calls", told.len());
        assert_eq!(server.engine.timeout(), (left > 0).then_some(NOW));
    }
}

/// Calls that always come leave connections their turns, timers and descriptors theirs.
#[test]
fn others_beside_them() {
    let mut server = server();
    server.on_message = echo;
    server.on_source = |engine, source| {
        if source == Source::Call {
            engine.request_call();
        }
    };
    let (mut client, _) = server.open_client();
    server.engine.request_call();
    server.pump();
    for number in 0..20 {
        server.sources.clear();
        server.engine.set_timer(NOW, Key(number, 0)).unwrap();
        client.write(&text("hello"));
        server.pump();
        assert_eq!(client.read(), b"\x81\x05hello");
        assert!(server.sources.contains(&Source::Timer(Key(number, 0))));
        assert!(server.sources.contains(&Source::Call));
    }
}

/// A connection that always has something leaves calls theirs.
#[test]
fn beside_a_busy_connection() {
    let mut server = server();
    let (mut flooder, _) = server.open_client();
    server.on_message = |engine, _, _, _| engine.request_call();
    flooder.write(&text("m").repeat(1000));
    while server.messages.len() < 1000 {
        let (calls, messages) = (server.sources.len(), server.messages.len());
        server.pump();
        assert!(server.messages.len() > messages, "no message behind {messages}");
        assert!(server.sources.len() > calls, "no call behind {messages} messages");
    }
}

/// Calls are told until the server has ended, and put nothing off.
#[test]
fn until_the_end() {
    let mut server = server();
    let (_client, _) = server.open_client();
    server.on_source = |engine, _| engine.request_call();
    server.engine.stop(CloseCode::GOING_AWAY);
    server.engine.request_call();
    while !server.is_stopped {
        server.step_once();
    }
    let told = server.sources.len();
    assert!(told > 0);
    server.step_once();
    assert_eq!(server.sources.len(), told);
}
