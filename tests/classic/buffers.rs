//! E5: each connection has its own read buffer.

use crate::harness::{Client, Frame, Launch, Op, Server};

/// The probe keeps where each message was given, and what the program left there.
fn kept(asker: &mut Client, number: usize) -> String {
    asker.ask(&format!("!kept {number}"))
}

fn three(server: &Server) -> (Client, Client, Client) {
    let (mut one, mut two, three) = (server.connect(), server.connect(), server.connect());
    one.echo("the first one's");
    two.echo("the second one's");
    (one, two, three)
}

/// CONTRACT E5: the buffer of one connection is untouched by another's message, whatever its length
/// and its way.
#[test]
fn messages_of_others_do_not_touch_it() {
    let mut server = Launch::classic().start();
    let (one, mut two, mut asker) = three(&server);
    for length in [1, 14, 15, 16, 100, 125, 126, 4096, 16384, 65000, 65535, 1] {
        two.echo(&"x".repeat(length));
        assert_eq!(kept(&mut asker, 1), "same", "{length}");
    }
    // In pieces, and in fragments.
    let whole = Frame::text(&"y".repeat(60_000)).bytes();
    for piece in whole.chunks(7_000) {
        two.send_and_drain(piece);
        assert_eq!(kept(&mut asker, 1), "same");
    }
    assert_eq!(two.receive().payload.len(), 60_000);
    two.send(&Frame::text(&"z".repeat(30_000)).unfinished());
    assert_eq!(kept(&mut asker, 1), "same");
    two.send(&Frame::new(Op::CONTINUATION, "z".repeat(30_000)));
    assert_eq!(two.receive().payload.len(), 60_000);
    assert_eq!((kept(&mut asker, 1), kept(&mut asker, 2)), ("same".into(), "same".into()));
    drop((one, two));
    server.stop();
}

/// CONTRACT E5: nor by frames of its own that are no message.
#[test]
fn control_frames_do_not_touch_it() {
    let mut server = Launch::classic().start();
    let (mut one, _two, mut asker) = three(&server);
    for _ in 0..10 {
        one.send(&Frame::new(Op::PING, "p".repeat(125)));
        assert_eq!(one.receive().op, Op::PONG);
        one.send(&Frame::new(Op::PONG, "q".repeat(125)));
    }
    assert_eq!(kept(&mut asker, 1), "same");
    // It is there until the close callback has returned.
    one.send(&Frame::close(1000, "a reason that would fit"));
    one.expect_close(1000);
    let line = server.await_journal("close 1 ");
    assert!(line.ends_with("buffer=same"), "{line}");
    server.stop();
}

/// CONTRACT E5: its own next message overwrites it: the buffer is one and the same where the
/// message is not longer.
#[test]
fn its_next_message_overwrites_it() {
    let mut server = Launch::classic().start();
    let (mut one, _two, mut asker) = three(&server);
    one.echo("another");
    assert_eq!(kept(&mut asker, 1), "same", "what is there is the last message");
    one.send_and_drain(&Frame::text("part of the next").unfinished().bytes());
    let after = kept(&mut asker, 1);
    assert!(["same", "changed"].contains(&&*after), "{after}");
    one.send(&Frame::new(Op::CONTINUATION, ", and its end"));
    one.expect_text("part of the next, and its end");
    assert_eq!(kept(&mut asker, 1), "same");
    server.stop();
}

/// CONTRACT E5: so for many connections, while others come and go.
#[test]
fn many_connections() {
    const MANY: usize = 300;
    let mut server = Launch::classic().start();
    let mut asker = server.connect();
    let mut clients: Vec<_> = (0..MANY).map(|_| server.connect()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.echo(&format!("{number} ").repeat(number + 1));
        drop(server.connect());
    }
    let all_the_same =
        |asker: &mut Client| (2..2 + MANY).all(|number| kept(asker, number) == "same");
    assert!(all_the_same(&mut asker));
    // Half of them leave; what they had may be used again, what the others have may not.
    for number in (2..2 + MANY).rev().filter(|it| it % 2 == 1) {
        drop(clients.remove(number - 2));
        let line = server.await_journal(&format!("close {number} "));
        assert!(line.ends_with("buffer=same"), "{line}");
    }
    for _ in 0..50 {
        server.connect().echo(&"new".repeat(1000));
    }
    for number in (2..2 + MANY).filter(|it| it % 2 == 0) {
        assert_eq!(kept(&mut asker, number), "same", "{number}");
    }
    drop(clients);
    server.stop();
}

/// CONTRACT E5, S14: the same under valgrind, which sees every byte that is not the program's.
#[test]
fn under_valgrind() {
    if crate::harness::skipped(&[crate::harness::Need::Tool("valgrind")]) {
        return;
    }
    let mut server = crate::linking::valgrind(Launch::classic()).start();
    let (mut one, mut two, mut asker) = three(&server);
    for length in [1, 126, 65535, 3] {
        two.echo(&"x".repeat(length));
        assert_eq!(kept(&mut asker, 1), "same");
    }
    one.send(&Frame::text("a ").unfinished());
    one.send(&Frame::new(Op::CONTINUATION, "whole"));
    one.expect_text("a whole");
    assert_eq!(asker.ask("!data 1"), "kept null kept");
    assert_eq!(asker.ask("!thread"), "nothing kept");
    assert_eq!(asker.ask("!fill 1 10"), "200 -1 200");
    for _ in 0..200 {
        one.expect_text("aaaaaaaaaa");
    }
    for bad in [Frame::new(Op::BINARY, "x"), Frame::new(Op::CONTINUATION, "x")] {
        let mut client = server.connect();
        client.send(&bad);
        assert!(client.receive().code().is_some());
    }
    drop((one, two, asker));
    server.stop();
    assert!(server.stderr().contains("ERROR SUMMARY: 0 errors"), "{}", server.stderr());
}
