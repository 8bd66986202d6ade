//! All that clients and operators ask of a server that runs.

use std::net::Shutdown;

use rustix::process::Signal;

use super::{Bystander, launch, stop};
use crate::harness::{Faults, Frame, Op, Request, Server, skipped};

/// CONTRACT S14, D17, S5: whichever allocation it is that fails, of all that a server makes after its
/// start, nothing ends it, and the client that is not concerned loses nothing.
#[test]
fn each_allocation_may_fail() {
    if skipped(&[Faults::NEED]) {
        return;
    }
    scan(1, 1);
}

/// The same where several fail, one behind the other.
#[test]
fn several_in_a_row_may_fail() {
    if skipped(&[Faults::NEED]) {
        return;
    }
    scan(2, 7);
    scan(10, 11);
    scan(50, 29);
}

/// The same where there is no memory for a while: who is there is served on as far as no memory is needed,
/// and who comes meanwhile is served when there is some again.
#[test]
fn memory_may_be_away_for_a_while() {
    if skipped(&[Faults::NEED]) {
        return;
    }
    let (launch, faults) = launch();
    let mut server = launch.start();
    let mut bystanders = [Bystander::of(&server), Bystander::of(&server)];
    faults.fail(0, u64::MAX);
    let mut late = server.raw();
    late.send_bytes(&Request::new().bytes());
    for _ in 0..3 {
        bystanders.iter_mut().for_each(Bystander::echo);
        bystanders[0].0.text("!all");
        server.signal(Signal::USR1);
    }
    faults.heal();
    bystanders.iter_mut().for_each(Bystander::echo);
    server.await_stderr("there is not enough memory");
    drop(late);
    drop(bystanders);
    stop(&mut server);
}

/// Has `many` allocations fail in a row, in a server of its own for every `step`th place where that can
/// begin.
fn scan(many: u64, step: u64) {
    let mut after = 0;
    loop {
        let (launch, faults) = launch();
        let mut server = launch.start();
        let mut bystander = Bystander::of(&server);
        faults.fail(after, many);
        ask_everything(&server);
        let has_failed = faults.failed() > 0;
        faults.heal();
        bystander.echo();
        let mut last = Bystander::of(&server);
        last.echo();
        drop((bystander, last));
        stop(&mut server);
        if !has_failed {
            assert!(after > 50, "{after} allocations are not all of them");
            return;
        }
        after += step;
    }
}

/// Every way to talk to the server. What is answered is not looked at: memory may lack for it.
fn ask_everything(server: &Server) {
    let frames = |frames: &[Frame]| -> Vec<u8> { frames.iter().flat_map(Frame::bytes).collect() };
    let long = "l".repeat(20_000);
    let close = Frame::close(1000, "");
    let deflate = ("Sec-WebSocket-Extensions", "permessage-deflate");
    let upgrade = Request::new();
    let chat = upgrade.clone().with("Sec-WebSocket-Protocol", "chat, other");
    let chat = chat.with("Cookie", "a".repeat(5000)).with("X-Long", "x".repeat(5000));
    let page = |target: &str| upgrade.clone().without("Upgrade").line(target);
    talk(server, &chat, &frames(&[Frame::text("short"), Frame::text(&long), close.clone()]));
    let compressed = Frame::new(Op::TEXT, *b"\xf2\x48\xcd\xc9\xc9\x07\x00").reserved(4);
    let messages = frames(&[compressed, Frame::text(&"d".repeat(300)), close.clone()]);
    talk(server, &upgrade.clone().with(deflate.0, deflate.1), &messages);
    let parts = [Frame::text(&long).unfinished(), Frame::new(Op::CONTINUATION, &long)];
    let more = [Frame::new(Op::PING, "?"), close.clone()];
    talk(server, &upgrade, &frames(&[&parts[..], &more].concat()));
    talk(server, &upgrade, &frames(&[Frame::text("!all"), Frame::text("!close"), close]));
    talk(server, &upgrade, &frames(&[Frame::text("no mask").unmasked()]));
    for request in [
        upgrade.clone().with("Cookie", "refuse"),
        upgrade.clone().without("Sec-WebSocket-Key"),
        upgrade.clone().line("POST / HTTP/1.1"),
        upgrade.clone().change("Sec-WebSocket-Version", "12"),
        upgrade.clone().with("X-Large", "x".repeat(17_000)),
        page("GET / HTTP/1.1"),
        page("GET /below HTTP/1.1"),
        page("GET /nowhere/at/all HTTP/1.1"),
    ] {
        talk(server, &request, b"");
    }
    let many: Vec<_> = (0..4).map(|_| server.raw()).collect();
    many.into_iter().for_each(|mut client| client.send_bytes(&upgrade.bytes()));
    talk(server, &upgrade, b"");
    server.signal(Signal::USR1);
}

/// Sends a request in two parts and what follows it, and reads to the end of the stream.
fn talk(server: &Server, request: &Request, rest: &[u8]) {
    let mut client = server.raw();
    let bytes = [&request.bytes(), rest].concat();
    let (start, rest) = bytes.split_at(40);
    client.send_and_drain(start);
    client.send_bytes(rest);
    // A server that has cut it already has nothing to be told.
    let _ = client.stream().shutdown(Shutdown::Write);
    while !client.bytes(4096).is_empty() {}
}
