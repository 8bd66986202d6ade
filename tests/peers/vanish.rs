//! Clients that are gone from one moment to the next: what of a message is there is no message.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;

use super::site::Site;
use super::visitor::{Visitor, run, within};
use crate::harness::{Frame, Op};

/// How the stream ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// As the kernel ends it for a process that was killed.
    Closed,
    /// As it ends where the peer's data was not read, or its machine knows of no connection any more.
    Reset,
}

/// CONTRACT D12, S5: in the head of a frame, in its mask, in its payload: the connection is closed, once, the program
/// has seen no part of the message, and everyone else is served on.
#[test]
fn in_mid_message() {
    let Some(site) = Site::open() else {
        return;
    };
    let address = site.address();
    let frame = Frame::new(Op::BINARY, vec![7; 65535]).bytes();
    let cuts = [1, 3, 11, 13, 14, 15, 2000, 40_000, frame.len() - 1];
    let mut number = 1;
    run(async {
        let mut witness = Visitor::connect(address).await;
        for end in [End::Closed, End::Reset] {
            for cut in cuts {
                number += 1;
                let mut stream = Visitor::connect(address).await.into_stream();
                // With a whole message before it, whose answer tells that what came with it has arrived as well.
                let bytes = [&Frame::text("hello").bytes(), &frame[..cut]].concat();
                within(stream.write_all(&bytes)).await.expect("nginx reads");
                let mut answer = [0; 7];
                let answered = stream.read_exact(&mut answer);
                within(answered).await.expect("the echo");
                assert_eq!(&answer, b"\x81\x05hello");
                if let End::Reset = end {
                    stream.set_zero_linger().expect("an option of TCP");
                }
                drop(stream);
                site.server.await_journal(&format!("close {number} queued=0"));
                let reads = witness.ask(&format!("!reads {number}")).await;
                assert_eq!(reads, "1", "{end:?} after {cut} bytes");
                witness.echo(Message::text("as ever")).await;
            }
        }
        witness.leave().await;
    });
    site.finish(number);
}

/// CONTRACT D12, S5: in the middle of a message that it receives, or before what it has asked for.
#[test]
fn while_the_server_speaks() {
    let Some(site) = Site::open() else {
        return;
    };
    let address = site.address();
    run(async {
        let mut witness = Visitor::connect(address).await;
        for number in [2, 3] {
            let mut visitor = Visitor::connect(address).await;
            visitor.text("!write 0 1 65535 300").await;
            if number == 3 {
                visitor.next().await;
            }
            witness.echo(Message::text("as ever")).await;
            drop(visitor);
            site.server.await_journal(&format!("close {number} "));
        }
        witness.echo(Message::text("as ever")).await;
        witness.leave().await;
    });
    site.finish(3);
}
