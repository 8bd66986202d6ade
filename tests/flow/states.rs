//! What each function returns in each state of a connection, and where it may not be called.

use super::{ask, doing, launch, open, returned};
use crate::harness::{Client, Frame, Op, Request, Server};

/// What all functions return where nothing is open.
fn nothing(count: u32) -> String {
    format!("-1 -1 -1 open=0 count={count} each={count}")
}

/// What they return for an open one, of so many.
fn open_one(count: u32) -> String {
    format!("0 0 0 open=1 count={count} each={count}")
}

/// CONTRACT F6, F7: open, being closed, closed, none, and a timer.
#[test]
fn each_state() {
    let mut server = launch().start();
    let mut client = server.connect();
    assert_eq!(ask(&mut client, "all 0"), open_one(1));
    let mut other = server.connect();
    assert_eq!(ask(&mut client, "all 2"), open_one(2));
    // It is being closed from then on, and its client has not answered.
    assert_eq!(ask(&mut client, "close 2 0;all 2"), format!("closed {}", nothing(1)));
    assert_eq!(ask(&mut client, "all 2"), nothing(1));
    other.expect_close_frame(1000);
    assert_eq!(ask(&mut client, "all 2"), nothing(1));
    other.send(&Frame::close(1000, ""));
    other.expect_end();
    assert_eq!(returned(&server, "closed", 2), nothing(1));
    for handle in ["2", "500", "timer", "-1"] {
        assert_eq!(ask(&mut client, &format!("all {handle}")), nothing(1), "{handle}");
    }
    let _cut = server.connect();
    let cut = format!("closed {}", nothing(1));
    assert_eq!(ask(&mut client, "close 3 1;all 3"), cut);
    assert_eq!(ask(&mut client, "each_of_none"), "none");
    client.echo("as ever");
    drop(client);
    assert_eq!(returned(&server, "closed", 1), nothing(0));
    server.stop();
    assert_eq!(server.journal().matches("count=0 each=0\n").count(), 2, "exit, and the last one");
}

/// In `ws_open_callback` it is not open yet: a pause and a drain hold from the acceptance on, where there is one.
#[test]
fn before_the_acceptance() {
    let mut server = launch().start();
    let mut first = open(&server, "all 0;open 0;count");
    let early = "0 0 0 open=0 count=0 each=0";
    assert_eq!(returned(&server, "open", 1), format!("{early} 0 0"));
    server.await_journal("drain 1 ");
    // One that is closed there is accepted, and is open never.
    let mut closing = open(&server, "close 0 0;all 0");
    closing.expect_close_frame(1000);
    assert_eq!(returned(&server, "open", 2), format!("closed {}", nothing(1)));
    assert_eq!(ask(&mut first, "all 2;count"), format!("{} 1", nothing(1)));
    closing.send(&Frame::close(1000, ""));
    closing.expect_end();
    let mut refused = server.raw();
    refused.send_bytes(&doing("want 0;pause 0;return 1").bytes());
    assert_eq!(refused.response().status, "HTTP/1.1 403 Forbidden");
    refused.expect_end();
    // Nor is the next one held back for that.
    open(&server, "count").echo("at once");
    assert_eq!(ask(&mut first, "all 3"), nothing(1));
    first.echo("as ever");
    server.stop();
    let journal = server.journal();
    assert!(!journal.contains("drain 3") && !journal.contains("close 3"), "{journal}");
}

/// After `ws_defer` as in the callback; what was said there holds from `ws_accept` on.
#[test]
fn while_deferred() {
    let mut server = launch().start();
    let mut commander = server.connect();
    let mut client = server.raw();
    client.send_bytes(&doing("defer;all 0;pause 0").bytes());
    let early = "0 0 0 open=0 count=1 each=1";
    assert_eq!(returned(&server, "open", 2), format!("0 {early} 0"));
    client.text("it waits");
    assert_eq!(ask(&mut commander, "all 2;pause 2;accept 2"), format!("{early} 0 0"));
    assert_eq!(client.response().status, "HTTP/1.1 101 Switching Protocols");
    server.await_journal("drain 2 ");
    assert_eq!(ask(&mut commander, "open 2;count;qbytes 2"), "1 2 0");
    assert!(!server.journal().contains("read 2 "));
    assert_eq!(ask(&mut commander, "resume 2"), "0");
    client.expect_text("it waits");

    // One that is accepted while its callback is running.
    let mut client = open(&server, "defer;accept 0;pause 0;want 0;say 0 hello");
    assert_eq!(returned(&server, "open", 3), "0 0 0 0 1");
    client.expect_text("hello");
    client.text("it waits");
    commander.echo("a round");
    assert!(!server.journal().contains("read 3 "));
    assert_eq!(ask(&mut commander, "resume 3"), "0");
    client.expect_text("it waits");
    drop(client);
    server.await_journal("close 3 ");

    // One that is refused in the end, or at once.
    let mut refused = server.raw();
    refused.send_bytes(&doing("defer;pause 0;want 0").bytes());
    assert_eq!(returned(&server, "open", 4), "0 0 0");
    assert_eq!(ask(&mut commander, "respond 4 404"), "0");
    assert_eq!(refused.response().status, "HTTP/1.1 404 Not Found");
    assert_eq!(returned(&server, "closed", 4), nothing(2));
    let mut refused = server.raw();
    refused.send_bytes(&doing("defer;respond 0 404;pause 0;resume 0").bytes());
    assert_eq!(returned(&server, "open", 5), "0 0 -1 -1");
    assert_eq!(refused.response().status, "HTTP/1.1 404 Not Found");
    server.stop();
    assert!(!server.journal().contains("drain 4"));
}

/// A request that asks for no upgrade is nobody to be held back: -1, in its callback and while it is deferred.
#[test]
fn plain_requests() {
    let mut server = launch().start();
    let mut commander = server.connect();
    let plain = |calls: &str| {
        let mut client = server.raw();
        let request = Request::new().without("Upgrade").change("Connection", "close");
        client.send_bytes(&request.with("X-Do", calls).bytes());
        client
    };
    let mut client = plain("all 0;say 0 hello;return 200");
    assert_eq!(client.response().status, "HTTP/1.1 200 OK");
    assert_eq!(returned(&server, "request", 2), format!("{} 0 200", nothing(1)));
    let mut client = plain("defer;all 0;return 0");
    assert_eq!(returned(&server, "request", 3), format!("0 {} 0", nothing(1)));
    assert_eq!(ask(&mut commander, "all 3;respond 3 200"), format!("{} 0", nothing(1)));
    assert_eq!(client.response().status, "HTTP/1.1 200 OK");
    assert_eq!(returned(&server, "closed", 3), nothing(1));
    commander.echo("as ever");
    server.stop();
}

/// CONTRACT F1, S7, S23: on another thread, and in a child of the program's: -3, or 0, and nothing is done.
#[test]
fn where_they_may_not_be_called() {
    let mut server = launch().start();
    let mut client = server.connect();
    let nothing = "-3 -3 -3 open=0 count=0 each=0";
    for _ in 0..3 {
        assert_eq!(ask(&mut client, "thread"), nothing);
        assert_eq!(ask(&mut client, "fork"), "forked");
    }
    assert_eq!(server.journal().matches(&format!("child: {nothing}\n")).count(), 3);
    assert_eq!(server.stderr().matches("another thread than the server's").count(), 1);
    client.echo("neither held back nor closed");
    assert_eq!(ask(&mut client, "all 0"), open_one(1));
    server.stop();
}

/// Whoever closes it, it is not open from then on.
#[test]
fn who_is_being_closed() {
    let mut server = launch().start();
    let mut commander = server.connect();
    let client = |bytes: &[u8]| {
        let mut client = server.connect();
        client.send_bytes(bytes);
        client
    };
    // A close frame, an error, and nothing more.
    for (index, bytes) in
        [Frame::close(1000, "").bytes(), Frame::new(Op(5), "").bytes()].into_iter().enumerate()
    {
        let mut ended: Client = client(&bytes);
        assert!(ended.receive().code().is_some());
        assert_eq!(ask(&mut commander, &format!("all {}", index + 2)), nothing(1));
    }
    drop(server.connect());
    assert_eq!(returned(&server, "closed", 4), nothing(1));
    assert_eq!(count_of(&server), 3);
    server.stop();
}

fn count_of(server: &Server) -> usize {
    server.journal().matches("closed ").count()
}

impl Client {
    /// A close frame with that code must come next, and is not answered.
    fn expect_close_frame(&mut self, code: u16) {
        let frame = self.receive();
        assert_eq!(frame.code(), Some(code), "{frame:?}");
    }
}
