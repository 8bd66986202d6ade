//! What long messages and compression cost, and what is given back.

use super::{ask, set};
use crate::harness::{Client, Frame, Launch, Op, Request, Server, Variant, say, until};

const MIB: u64 = 1 << 20;

fn falls_below(server: &Server, most: u64) {
    let fell = until(|| (server.process().resident() < most).then_some(()));
    assert!(fell.is_some(), "{} bytes, {most} at most", server.process().resident());
}

/// USERS 9, T18: a large message's buffer is given back after its callback, whole or in fragments.
#[test]
fn a_large_message_leaves_nothing_behind() {
    let mut server = set("max_message 67108864").start();
    let mut client = server.connect();
    ask(&mut client, "quiet");
    let before = server.process().resident();
    let payload = vec![b'x'; 64 << 20];
    for round in 1..=3 {
        client.send(&Frame::new(Op::BINARY, &payload));
        until(|| (server.journal().matches("read 1 67108864").count() == round).then_some(()))
            .expect("the message is read");
        falls_below(&server, before + 4 * MIB);
    }
    for (index, chunk) in payload.chunks(1 << 20).enumerate() {
        let op = if index == 0 { Op::TEXT } else { Op::CONTINUATION };
        client.send(&Frame::new(op, chunk).unfinished());
    }
    client.send(&Frame::new(Op::CONTINUATION, ""));
    until(|| (server.journal().matches("read 1 67108864").count() == 4).then_some(()))
        .expect("the message is read");
    falls_below(&server, before + 4 * MIB);
    server.stop();
}

/// T18: nor does one that its client leaves unfinished, or an answer that was sent.
#[test]
fn what_is_not_finished_leaves_nothing_behind() {
    let mut server = set("max_message 67108864").start();
    let mut client = server.connect();
    let before = server.process().resident();
    let bytes = Frame::new(Op::BINARY, vec![b'x'; 32 << 20]).declare64(64 << 20).bytes();
    let mut leaving = server.connect();
    leaving.send_and_drain(&bytes);
    let grown = server.process().resident() - before;
    assert!((32 * MIB..80 * MIB).contains(&grown), "{grown} bytes for 32 MiB that have come");
    drop(leaving);
    server.await_journal("close 2 code=1006");
    falls_below(&server, before + 4 * MIB);
    let mut other = server.connect();
    assert_eq!(ask(&mut other, "send 1 1 16000000 1"), "1 1");
    let mut left = 16_000_000;
    while left > 0 {
        left -= client.receive().payload.len();
    }
    falls_below(&server, before + 4 * MIB);
    server.stop();
}

/// T7: a hundred long messages that were announced take the memory of what has come.
#[test]
fn what_is_announced_takes_nothing() {
    let mut server = set("max_message 67108864").start();
    let mut clients: Vec<_> = (0..100).map(|_| server.connect()).collect();
    clients.iter_mut().for_each(|client| client.echo("warm"));
    let before = server.process().resident();
    let start = Frame::new(Op::BINARY, [7; 1000]).declare64(64 << 20).bytes();
    clients.iter_mut().for_each(|client| client.send_and_drain(&start));
    let grown = server.process().resident().saturating_sub(before);
    assert!(grown < 2 * MIB, "{grown} bytes for a hundred thousand");
    drop(clients);
    server.connect().echo("as ever");
    server.stop();
}

/// T18, USERS 56: a connection that has agreed on compression, has sent and has been sent compressed
/// messages, costs no byte more while it is idle than one that has not.
#[test]
fn compression_keeps_nothing_for_a_connection() {
    let plain = cost(&Request::new());
    let compressed = cost(&offer());
    say(&format!(
        "1000 idle connections: {plain} bytes each without compression, {compressed} with it"
    ));
    assert_eq!(compressed, plain);
}

fn offer() -> Request {
    Request::new().with("Sec-WebSocket-Extensions", "permessage-deflate")
}

/// How many bytes each of a thousand such connections costs while it is idle.
fn cost(request: &Request) -> i64 {
    const COUNT: i64 = 1000;
    let mut server = Launch::of("counts.c", Variant::Default).args(["--compress"]).start();
    let mut asker = server.connect();
    // What the library keeps for all of them is there before anything is counted.
    let _kept = [used(&server, &offer()), used(&server, &Request::new())];
    let before = number(&mut asker);
    let idle: Vec<_> = (0..COUNT).map(|_| used(&server, request)).collect();
    let each = (number(&mut asker) - before) / COUNT;
    drop(idle);
    drop(asker);
    server.stop();
    each
}

/// A connection on which messages have gone both ways, compressed where that was agreed.
fn used(server: &Server, request: &Request) -> Client {
    let mut client = Client::upgraded(server.socket(), request);
    client.text(&"message ".repeat(20));
    let frame = client.receive();
    let is_agreed = request.bytes().windows(18).any(|it| it == b"permessage-deflate");
    assert_eq!(frame.rsv, if is_agreed { 4 } else { 0 });
    client
}

fn number(asker: &mut Client) -> i64 {
    asker.ask("!bytes").parse().expect("a number")
}
