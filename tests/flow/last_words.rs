//! `ws_shutdown_callback`: the last word before the close frame, where the server stops.

use rustix::process::Signal;

use super::{ask, fill, launch, open};
use crate::harness::{Client, Frame, Launch, Need, Op, Server, skipped};
use crate::linking::valgrind;

/// The server whose last word that is.
fn saying(calls: &str) -> Launch {
    launch().env("FLOW_LAST", calls)
}

/// How often it was said.
fn words(server: &Server) -> usize {
    server.journal().lines().filter(|line| line.starts_with("last ")).count()
}

/// Reads what was said, and the close frame behind it, and answers.
fn hears(client: &mut Client, text: &str, code: u16) {
    client.expect_text(text);
    assert_eq!(client.receive().code(), Some(code));
    client.send(&Frame::close(code, ""));
    client.expect_end();
}

/// SIGTERM, and `ws_stop`, in both of which everybody who is open is told once: also who is held back.
fn on_a_stop(launch: Launch) {
    let mut server = launch.start();
    let mut clients: Vec<_> = (0..5).map(|_| server.connect()).collect();
    let mut paused = open(&server, "pause 0");
    let mut closing = server.connect();
    assert_eq!(ask(&mut clients[0], "close 7 0;count"), "closed 6");
    assert_eq!(closing.receive().code(), Some(1000));
    let mut deferred = server.raw();
    deferred.send_bytes(&super::doing("defer").bytes());
    server.await_journal("open 8: 0");
    server.signal(Signal::TERM);
    for client in clients.iter_mut().chain([&mut paused]) {
        hears(client, "goodbye", 1001);
    }
    assert_eq!(deferred.response().status, "HTTP/1.1 503 Service Unavailable");
    drop(closing);
    assert_eq!(server.wait(), Some(0), "{}", server.stderr());
    assert_eq!(words(&server), 6, "{}", server.journal());
    assert!(!server.journal().contains("fault:"), "{}", server.journal());
    assert_eq!(server.journal().matches("shutdown ").count(), 6);
}

#[test]
fn before_the_close_frame() {
    on_a_stop(saying("say 0 goodbye"));
    on_a_stop(saying("say 0 goodbye").tcp());
}

#[test]
fn under_valgrind() {
    if !skipped(&[Need::Tool("valgrind")]) {
        on_a_stop(valgrind(saying("say 0 goodbye")));
    }
}

/// The program stops it: in the open callback, where the newcomer is not open yet, and in a message's.
#[test]
fn where_the_program_stops() {
    let mut server = saying("say 0 goodbye").start();
    let mut client = server.connect();
    assert_eq!(ask(&mut client, "stop"), "told");
    hears(&mut client, "goodbye", 1001);
    assert_eq!(server.wait(), Some(0));
    assert_eq!(words(&server), 1);

    let mut server = saying("say 0 goodbye").start();
    let mut client = open(&server, "stop");
    hears(&mut client, "goodbye", 1001);
    assert_eq!(server.wait(), Some(0));
    assert_eq!(words(&server), 1, "it was accepted before the server stopped");
}

/// All functions may be called in it: connections closed, held back, stopped once more, and looked at.
#[test]
fn what_may_be_done_in_it() {
    for (calls, code) in [
        ("each say 0 x;close 0 0", Some(1000)),
        ("pause 0;want 0;stop;after 1 number", Some(1001)),
        ("each close 0 1", None),
        ("close 0 1;count", None),
    ] {
        let mut server = saying(calls).start();
        let mut clients: Vec<_> = (0..3).map(|_| server.connect()).collect();
        clients.iter_mut().for_each(|client| client.echo("hello"));
        server.signal(Signal::TERM);
        for client in &mut clients {
            let last = loop {
                match client.next() {
                    Some(frame) if frame.op == Op::TEXT => {}
                    last => break last,
                }
            };
            assert_eq!(last.and_then(|frame| frame.code()), code, "{calls}");
            client.send(&Frame::close(1001, ""));
            client.expect_end();
        }
        assert_eq!(server.wait(), Some(0), "{calls}: {}", server.stderr());
        let told = if calls.starts_with("each close") { 1 } else { 3 };
        assert_eq!(words(&server), told, "{calls}: {}", server.journal());
        assert!(!server.journal().contains("fault:"), "{calls}: {}", server.journal());
    }
}

/// CONTRACT S10: a slow client is sent it behind its queue; who takes nothing holds the end up for two seconds at most.
#[test]
fn to_slow_clients() {
    let mut server = saying("say 0 goodbye").start();
    let mut commander = server.connect();
    let mut slow = server.connect();
    let stuck = server.connect();
    fill(&mut commander, 2);
    fill(&mut commander, 3);
    server.signal(Signal::TERM);
    hears(&mut commander, "goodbye", 1001);
    let last = loop {
        let frame = slow.receive();
        if frame.op != Op::BINARY {
            break frame;
        }
    };
    assert_eq!(last.as_text(), "goodbye");
    assert_eq!(slow.receive().code(), Some(1001));
    slow.send(&Frame::close(1001, ""));
    slow.expect_end();
    assert_eq!(server.wait(), Some(0));
    drop(stuck);
    assert_eq!(words(&server), 3);
    server.await_journal("close 3 code=1001");
}

/// Nobody is there: nothing is said. And a client may go before it was told.
#[test]
fn to_nobody() {
    let mut server = saying("say 0 goodbye").start();
    drop(server.connect());
    server.await_journal("close 1 ");
    server.stop();
    assert_eq!(words(&server), 0);
}
