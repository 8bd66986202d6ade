//! Descriptors: none is inherited, and the server lives where there are no more.

use std::time::Duration;

use crate::harness::{ACCEPT, Launch, Request, Server};

/// CONTRACT S9: a program that the server starts inherits the standard streams and nothing else.
#[test]
fn all_descriptors_are_close_on_exec() {
    for launch in [Launch::probe(), Launch::probe().tcp()] {
        close_on_exec(launch.start());
    }
}

fn close_on_exec(mut server: Server) {
    let mut clients: Vec<_> = (0..10).map(|_| server.connect()).collect();
    assert_eq!(clients[0].ask("!leaks"), "inherited:");
    drop(clients);
    server.stop();
}

/// CONTRACT S9: connections that are over leave no descriptor behind.
#[test]
fn no_descriptor_is_left_behind() {
    let mut server = Launch::probe().start();
    server.connect().echo("hello");
    server.await_journal("close 1 ");
    let before = server.process().descriptors();
    for number in 2..=100 {
        let mut client = server.connect();
        match number % 4 {
            0 => client.text("!close 0 1"),
            1 => client.send_bytes(&[0x81, 0x01]),
            2 => client.text("!last word"),
            _ => {}
        }
        drop(client);
        server.await_journal(&format!("close {number} "));
        server.raw().send_bytes(b"POST / HTTP/1.1\r\n\r\n");
        let mut refused = server.raw();
        refused.send_bytes(b"no HTTP\r\n\r\n");
        assert_eq!(refused.response().status, "HTTP/1.1 400 Bad Request");
        refused.expect_end();
    }
    let same = crate::harness::until(|| (server.process().descriptors() == before).then_some(()));
    assert!(same.is_some(), "{before:?} became {:?}", server.process().descriptors());
    server.stop();
}

/// CONTRACT S16: where descriptors run out, accepting pauses without a busy loop and with one line;
/// those who are there go on; and who waits is served when there are descriptors again.
#[test]
fn accepting_pauses_where_descriptors_run_out() {
    let mut server = Launch::probe().descriptors(256, 256).start();
    let mut client = server.connect();
    assert_eq!(client.ask("!eat"), "full");
    let lines_before = server.stderr().lines().count();
    let mut waiting: Vec<_> = (0..10).map(|_| server.raw()).collect();
    waiting.iter_mut().for_each(|it| it.send_bytes(&Request::new().bytes()));
    client.echo("still here");

    // How much processor time a while of waiting costs is what is measured: two seconds are 200
    // ticks.
    let before = server.process().ticks();
    assert!(!client.hears_within(Duration::from_secs(2)));
    let used = server.process().ticks() - before;
    assert!(used <= 5, "{used} ticks in two seconds: a busy loop");
    for _ in 0..100 {
        client.echo("still here");
    }
    assert_eq!(server.stderr().lines().count(), lines_before + 1, "{}", server.stderr());

    assert_eq!(client.ask("!spit"), "free");
    for waiting in &mut waiting {
        assert_eq!(waiting.response().header("Sec-WebSocket-Accept"), Some(ACCEPT));
        waiting.echo("at last");
    }
    drop((client, waiting));
    server.stop();
}

/// CONTRACT S16: a connection that leaves makes room as well.
#[test]
fn a_connection_that_leaves_makes_room() {
    let mut server = Launch::probe().descriptors(256, 256).start();
    let mut client = server.connect();
    let leaving = server.connect();
    assert_eq!(client.ask("!eat"), "full");
    let mut waiting = server.raw();
    waiting.send_bytes(&Request::new().bytes());
    client.echo("still here");
    drop(leaving);
    assert_eq!(waiting.response().header("Sec-WebSocket-Accept"), Some(ACCEPT));
    waiting.echo("at last");
    drop((client, waiting));
    server.stop();
}
