//! The `void *conn`: what a program may keep in it, and what becomes of it when its connection is
//! gone.

use crate::harness::{Frame, Launch, Op};

/// CONTRACT D10: one pointer for each connection, NULL before the first set (probe.c looks in the
/// open callback).
#[test]
fn each_connection_has_a_pointer_of_its_own() {
    let mut server = Launch::probe().start();
    let mut clients: Vec<_> = (0..20).map(|_| server.connect()).collect();
    for (index, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.ask("!set 0"), "kept null kept");
        assert_eq!(client.ask("!id"), (index + 1).to_string());
    }
    assert_eq!(clients[3].ask("!set 17"), "kept null kept", "another's as well");
    assert_eq!(clients[16].ask("!id"), "17");
    drop(clients);
    server.stop();
}

/// CONTRACT S6: a handle whose connection is gone is recognised, in every call.
#[test]
fn stale_handles_do_nothing() {
    let mut server = Launch::probe().start();
    let mut client = server.connect();
    drop(server.connect());
    server.await_journal("close 2 ");
    for _ in 0..3 {
        assert_eq!(client.ask("!qlen 2"), "0");
        assert_eq!(client.ask("!set 2"), "lost null lost");
        assert_eq!(client.ask("!write 2 0 5 3"), "0 0");
        assert_eq!(client.ask("!close 2 0"), "closed");
        assert_eq!(client.ask("!close 2 1"), "closed");
    }
    client.echo("as ever");
    drop(client);
    server.stop();
    assert_eq!(server.journal().matches("close 2 ").count(), 1);
}

/// CONTRACT S6: NULL, and what never was a handle.
#[test]
fn null_and_nonsense_do_nothing() {
    let mut server = Launch::probe().start();
    let mut client = server.connect();
    // No connection has had this number: its handle is NULL.
    assert_eq!(client.ask("!qlen 999"), "0");
    assert_eq!(client.ask("!set 999"), "lost null lost");
    assert_eq!(client.ask("!write 999 0 5 1"), "0 0");
    assert_eq!(client.ask("!close 999 0"), "closed");
    assert_eq!(client.ask("!close 999 1"), "closed");
    client.text("!misuse");
    client.expect_text("abcde");
    client.expect_text("-2 -2 0 0 0 0");
    drop(client);
    server.stop();
}

/// CONTRACT S6: nobody inherits a handle: what is done to the old one does nothing to whoever has
/// its place now.
#[test]
fn a_stale_handle_is_not_the_next_connection() {
    let mut server = Launch::probe().start();
    let mut client = server.connect();
    for number in 2..=300 {
        let mut next = server.connect();
        next.echo("hello");
        if number > 2 {
            let old = number - 1;
            assert_eq!(client.ask(&format!("!write {old} 0 5 1")), "0 0");
            assert_eq!(client.ask(&format!("!set {old}")), "lost null lost");
            assert_eq!(client.ask(&format!("!close {old} 1")), "closed");
            assert_eq!(client.ask("!close 2 0"), "closed");
        }
        assert_eq!(next.ask("!id"), number.to_string(), "undisturbed");
        drop(next);
        server.await_journal(&format!("close {number} "));
    }
    drop(client);
    server.stop();
}

/// CONTRACT S6, S5: a connection that is closing keeps its handle until its callback has returned;
/// messages to it are taken and not sent, and its queue can still be looked at.
#[test]
fn a_closing_connections_handle() {
    let mut server = Launch::probe().start();
    let mut asker = server.connect();
    let mut closing = server.connect();
    closing.text("!write 0 1 65535 100");
    assert_eq!(closing.receive().op, Op::BINARY);
    assert_eq!(asker.ask("!close 2 0"), "closed");
    let before: u32 = asker.ask("!qlen 2").parse().expect("a number");
    assert!(before > 0);
    let after = asker.ask("!write 2 0 5 10");
    let (result, queued) = after.split_once(' ').expect("two numbers");
    assert_eq!(result, "0");
    assert!(queued.parse::<u32>().is_ok_and(|it| it <= before), "{after}, {before} before");
    assert_eq!(asker.ask("!set 2"), "kept null kept");
    while closing.receive().op == Op::BINARY {}
    assert_eq!(closing.receive().code(), Some(1000), "none of the ten messages");
    closing.send(&Frame::close(1000, ""));
    closing.expect_end();
    server.await_journal("close 2 ");
    assert_eq!(asker.ask("!set 2"), "lost null lost");
    drop((asker, closing));
    server.stop();
}
