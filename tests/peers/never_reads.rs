//! A client that never reads while 10,000 broadcasts go out: the others have them all, and the server its memory back.

use std::io::{ErrorKind, Read};
use std::net::TcpStream;

use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

use super::site::Site;
use super::visitor::{Visitor, run};

/// How many messages go to everyone.
const COUNT: usize = 10_000;
/// How many commands are under way at a time.
const WINDOW: usize = 100;
/// How many receive what the one does not read, besides the one who commands.
const READERS: usize = 3;
/// More than half of the messages: so many at least must be in the queue of one who reads none.
const MOST: u64 = COUNT as u64 / 2;
/// Bytes by which a process may grow without a reason.
const NOISE: u64 = 4 << 20;

/// The length of each message, by which it is known: a thousand go by before the same length comes again.
fn length(index: usize) -> usize {
    1024 + index % 997
}

/// CONTRACT D14, D16, D18: until the client is closed, and the queue with it; three of them, one after the other.
#[test]
fn until_it_is_cut() {
    let Some(site) = Site::open() else {
        return;
    };
    let address = site.address();
    let resident = || site.server.process().resident();
    run(async {
        let mut commander = Visitor::connect(address).await;
        let mut readers = connect(&site).await;
        let mut most = u64::MAX;
        for round in 0..3 {
            let before = resident();
            let (stuck, number) = site.unread();
            readers = broadcast(&mut commander, readers, 2 + READERS).await;
            let queued: u64 = ask_number(&mut commander, &format!("!qlen {number}")).await;
            assert!(queued > MOST, "the rest is in sockets: {queued}");
            if round == 0 {
                let grown = resident() - before;
                assert!(grown >= queued * 1024, "{queued} messages cannot lie in {grown} bytes");
                most = resident() + NOISE;
            }
            // The first has freed what the next takes.
            assert!(resident() < most, "{} bytes in round {round}", resident());
            for reader in &mut readers {
                reader.echo(Message::text("as ever")).await;
            }
            assert_eq!(commander.ask(&format!("!close {number} 1")).await, "closed");
            assert_eq!(commander.ask(&format!("!qlen {number}")).await, "0");
            site.server.await_journal(&format!("close {number} queued=0"));
            assert!(rest(stuck) < (0..COUNT).map(length).sum(), "the queue was not discarded");
        }
        for reader in readers {
            reader.leave().await;
        }
        commander.leave().await;
    });
    site.finish(1 + READERS + 3);
}

/// CONTRACT D16, D18: until it is closed politely; it reads at last, and has all of it, in order, and then the close.
#[test]
fn until_it_is_told_to_leave() {
    let Some(site) = Site::open() else {
        return;
    };
    let address = site.address();
    run(async {
        let mut commander = Visitor::connect(address).await;
        let readers = connect(&site).await;
        let mut late = Visitor::connect(address).await;
        let number: usize = ask_number(&mut late, "!id").await;
        let readers = broadcast(&mut commander, readers, 2 + READERS).await;
        let queued: u64 = ask_number(&mut commander, &format!("!qlen {number}")).await;
        assert!(queued > MOST, "the rest is in sockets: {queued}");
        assert_eq!(commander.ask(&format!("!close {number} 0")).await, "closed");
        read_all(&mut late).await;
        late.expect_close(1000).await;
        for reader in readers {
            reader.leave().await;
        }
        commander.leave().await;
    });
    site.finish(2 + READERS);
}

async fn connect(site: &Site) -> Vec<Visitor> {
    let mut visitors = Vec::new();
    for _ in 0..READERS {
        visitors.push(Visitor::connect(site.address()).await);
    }
    visitors
}

/// Has every message sent to everyone, of whom there are so many, and sees that the readers, and the commander, have
/// them all in order.
async fn broadcast(
    commander: &mut Visitor,
    readers: Vec<Visitor>,
    everyone: usize,
) -> Vec<Visitor> {
    let read = |mut reader: Visitor| async {
        read_all(&mut reader).await;
        reader
    };
    let readers: JoinSet<_> = readers.into_iter().map(read).collect();
    for start in (0..COUNT).step_by(WINDOW) {
        for index in start..start + WINDOW {
            commander.text(&format!("!broadcast 0 {} 1", length(index))).await;
        }
        for index in start..start + WINDOW {
            commander.expect_text(pattern(length(index))).await;
            commander.expect_text(&format!("0 {everyone}")).await;
        }
    }
    readers.join_all().await
}

async fn read_all(reader: &mut Visitor) {
    for index in 0..COUNT {
        reader.expect_text(pattern(length(index))).await;
    }
}

async fn ask_number<T: std::str::FromStr>(visitor: &mut Visitor, question: &str) -> T {
    let answer = visitor.ask(question).await;
    answer.parse().ok().unwrap_or_else(|| panic!("{answer:?} is no number"))
}

/// What the program sends as a message of that length.
fn pattern(length: usize) -> &'static str {
    static PATTERN: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    &PATTERN.get_or_init(|| ('a'..='z').cycle().take(2048).collect())[..length]
}

/// Reads to the end, which may be rough: how many bytes there were.
fn rest(mut stream: TcpStream) -> usize {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(e) if e.kind() == ErrorKind::ConnectionReset => {}
        Err(e) => panic!("no end: {e}"),
    }
    bytes.len()
}
