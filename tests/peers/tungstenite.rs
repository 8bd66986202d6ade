//! The list of scenarios, by tokio-tungstenite. The ends without a word are in [`super::vanish`].

use std::net::SocketAddr;

use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::site::Site;
use super::visitor::{Visitor, each, run};

/// The longest message that the server takes.
const LONGEST: usize = 65535;

fn scenario(connections: usize, play: impl AsyncFnOnce(SocketAddr)) {
    let Some(site) = Site::open() else {
        return;
    };
    run(play(site.address()));
    site.finish(connections);
}

/// CONTRACT D13, D14: texts come back as they were.
#[test]
fn text() {
    scenario(1, async |address| {
        let mut visitor = Visitor::connect(address).await;
        for text in ["hello", "a", "Grüße, \u{1f42d}!", "\0 and \u{10ffff}"] {
            visitor.echo(Message::text(text)).await;
        }
        visitor.leave().await;
    });
}

/// CONTRACT D13, D14: every byte comes back as it was, as a binary message.
#[test]
fn binary() {
    scenario(1, async |address| {
        let mut visitor = Visitor::connect(address).await;
        visitor.echo(Message::binary((0..=255).collect::<Vec<u8>>())).await;
        // What would be no text, and what would be a command.
        visitor.echo(Message::binary(b"\xff\xfe".as_slice())).await;
        visitor.leave().await;
    });
}

/// CONTRACT D13: an empty message reaches the program, of either kind.
#[test]
fn empty() {
    scenario(1, async |address| {
        let mut visitor = Visitor::connect(address).await;
        visitor.send(Message::text("")).await;
        visitor.expect_text("empty 0").await;
        visitor.send(Message::binary(b"".as_slice())).await;
        visitor.expect_text("empty 1").await;
        visitor.leave().await;
    });
}

/// CONTRACT D20: the longest message by default, and those where the form of its length changes.
#[test]
fn long() {
    scenario(1, async |address| {
        let mut visitor = Visitor::connect(address).await;
        for length in [125, 126, 127, LONGEST - 1, LONGEST] {
            visitor.echo(Message::text("x".repeat(length))).await;
            let bytes: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
            visitor.echo(Message::binary(bytes)).await;
        }
        visitor.leave().await;
    });
}

/// CONTRACT D3, S8: one byte more, and the client is dropped, and told why; another notices nothing.
#[test]
fn too_long() {
    scenario(2, async |address| {
        let mut witness = Visitor::connect(address).await;
        let mut visitor = Visitor::connect(address).await;
        visitor.send(Message::binary(vec![7; LONGEST + 1])).await;
        visitor.expect_close(1009).await;
        witness.echo(Message::text("as ever")).await;
        witness.leave().await;
    });
}

/// CONTRACT D3, S8: as for a fragment.
#[test]
fn fragment() {
    scenario(2, async |address| {
        let mut witness = Visitor::connect(address).await;
        let mut visitor = Visitor::connect(address).await;
        let part = Frame::message("part", OpCode::Data(Data::Text), false);
        visitor.send(Message::Frame(part)).await;
        visitor.expect_close(1003).await;
        witness.echo(Message::text("as ever")).await;
        witness.leave().await;
    });
}

/// CONTRACT D15: a message that the server sends in several frames is one message.
#[test]
fn in_parts() {
    scenario(1, async |address| {
        let mut visitor = Visitor::connect(address).await;
        for length in [LONGEST + 1, 200_000] {
            let pattern: Vec<u8> = (b'a'..=b'z').cycle().take(length).collect();
            visitor.text(&format!("!write 0 1 {length} 1")).await;
            visitor.expect(Message::binary(pattern)).await;
            // The command tells how many frames it has queued.
            let frames = length.div_ceil(LONGEST);
            visitor.expect_text(&format!("0 {frames}")).await;
        }
        visitor.leave().await;
    });
}

/// CONTRACT D2: each ping has its pong, with its payload, also between messages and in a burst.
#[test]
fn pings() {
    scenario(1, async |address| {
        let mut visitor = Visitor::connect(address).await;
        let payloads = ["", "p", &"x".repeat(125)].map(str::to_owned);
        for payload in payloads {
            visitor.send(Message::Ping(payload.clone().into())).await;
            visitor.expect(Message::Pong(payload.into())).await;
        }
        for number in 0..5_u8 {
            visitor.send(Message::Ping(vec![number].into())).await;
        }
        for number in 0..5_u8 {
            visitor.expect(Message::Pong(vec![number].into())).await;
        }
        visitor.echo(Message::text("as ever")).await;
        // One that nobody has asked for.
        visitor.send(Message::Pong("unasked".into())).await;
        visitor.echo(Message::text("as ever")).await;
        assert_eq!(visitor.ask("!reads 0").await, "3", "pings are no messages");
        visitor.leave().await;
    });
}

/// CONTRACT S8: the client's own code comes back.
#[test]
fn client_closes() {
    scenario(3, async |address| {
        for (code, reason) in [(1000, ""), (3001, "bye"), (4999, "Grüße")] {
            let mut visitor = Visitor::connect(address).await;
            visitor.echo(Message::text("hello")).await;
            visitor.close(code, reason).await;
        }
    });
}

/// CONTRACT D18: the server closes when all is said, with 1000; what it would say later is not sent.
#[test]
fn server_closes() {
    scenario(1, async |address| {
        let mut visitor = Visitor::connect(address).await;
        assert_eq!(visitor.ask("!last goodbye").await, "goodbye");
        visitor.expect_close(1000).await;
    });
}

/// CONTRACT D18: the server closes at once, without a word.
#[test]
fn server_cuts() {
    scenario(1, async |address| {
        let mut visitor = Visitor::connect(address).await;
        visitor.text("!close 0 1").await;
        visitor.expect_cut().await;
    });
}

/// CONTRACT D14, D16: 200 at once: each has its own, all have what is for all, and all leave at once.
#[test]
fn two_hundred() {
    const COUNT: usize = 200;
    scenario(COUNT, async |address| {
        let visitors = each(0..COUNT, move |index| async move {
            let mut visitor = Visitor::connect(address).await;
            for round in 0..5 {
                visitor.echo(Message::text(format!("{index} in round {round}"))).await;
            }
            visitor
        });
        let mut visitors = visitors.await;
        visitors[0].text("!broadcast 0 3 1").await;
        for visitor in &mut visitors {
            visitor.expect_text("abc").await;
        }
        visitors[0].expect_text(&format!("0 {COUNT}")).await;
        each(visitors, Visitor::leave).await;
    });
}
