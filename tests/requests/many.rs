//! Very many requests that wait for a decision, and how long they may.

use std::time::Instant;

use super::{OK, answer, command, count, doing, get, launch, opening};
use crate::harness::{Client, Launch, Need, Request, skipped, until};

/// Ten thousand wait at once, of either kind, and all are answered.
#[test]
fn ten_thousand_at_once() {
    const ALL: usize = 10_000;
    if skipped(&[Need::Descriptors(13_000)]) {
        return;
    }
    crate::counts::raise_our_own_limit();
    let mut server = launch().env("REQUESTS_QUIET", "yes").args(["-m", "12000"]).start();
    let mut control = server.connect();
    let requests = [doing("defer 0;return 0"), opening("defer 0").bytes()];
    let mut clients: Vec<Client> = (0..ALL)
        .map(|number| {
            let mut client = server.raw();
            client.send_bytes(&requests[number % 2]);
            client
        })
        .collect();
    let mut answered = 0;
    let done = until(|| {
        answered += command(&mut control, "answerall 0").parse::<usize>().expect("a number");
        (answered == ALL).then_some(())
    });
    assert!(done.is_some(), "{answered} of {ALL} were put off");
    for (number, client) in clients.iter_mut().enumerate() {
        let status = client.head().status;
        let expected = if number % 2 == 0 { OK } else { "HTTP/1.1 101 Switching Protocols" };
        assert_eq!(status, expected);
    }
    clients[1].echo("it is one as any other");
    drop(clients);
    drop(control);
    server.stop();
    assert_eq!(server.await_journal("exit "), format!("exit {}", ALL + 1));
}

/// `--defer-timeout`: 503 for both kinds, and one `ws_close_callback` each; not before its time.
#[test]
fn no_longer_than_they_may() {
    let mut server = launch().args(["--defer-timeout", "1"]).start();
    let start = Instant::now();
    let mut request = server.raw();
    request.send_bytes(&doing("defer 0;body 0 x;add 0 X-A=b;return 0"));
    let mut upgrade = server.raw();
    upgrade.send_bytes(&opening("defer 0;send 0 x").bytes());
    for client in [&mut request, &mut upgrade] {
        let head = client.response();
        assert_eq!(head.status, "HTTP/1.1 503 Service Unavailable");
        assert_eq!((head.header("X-A"), head.header("Connection")), (None, Some("close")));
        client.expect_end();
        assert!(start.elapsed().as_millis() >= 950, "{:?}", start.elapsed());
    }
    server.await_journal("close 1 ");
    server.await_journal("close 2 ");
    let mut control = server.connect();
    assert_eq!(command(&mut control, "respond 1 200"), "-1");
    assert!(command(&mut control, "stats 0").contains(" program=2 "));
    drop(control);
    server.stop();
    assert_eq!(count(&server, "close "), 3, "{}", server.journal());
    for wrong in ["x", "-1", ""] {
        let ended = launch().args(["-x", "--defer-timeout", wrong]).run();
        assert_eq!(ended.code, Some(1), "{wrong}: {}", ended.stderr);
        assert!(ended.stderr.contains("--defer-timeout"), "{}", ended.stderr);
    }
}

/// As many connections as there may be: one that waits is not accepted then, but refused 503, and told of.
#[test]
fn there_is_no_room_for_it_later() {
    let mut server = Launch::args(launch(), ["-m", "1"]).start();
    let mut waits = server.raw();
    waits.send_bytes(&opening("defer 0").bytes());
    server.await_journal("open defer 0: 0");
    let mut control = server.raw();
    control.send_bytes(&Request::new().bytes());
    assert_eq!(control.response().status, "HTTP/1.1 101 Switching Protocols");
    assert_eq!(command(&mut control, "accept 1"), "-1");
    assert_eq!(waits.response().status, "HTTP/1.1 503 Service Unavailable");
    waits.expect_end();
    server.await_journal("close 1 ");
    let mut plain = server.raw();
    plain.send_bytes(&get("/", ""));
    assert_eq!(answer(&mut plain).0.status, OK);
    drop(control);
    server.stop();
    assert_eq!(count(&server, "close "), 2);
}
