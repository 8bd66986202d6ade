//! Turns are bounded (CONTRACT S20): whatever one client sends, the others have theirs.

mod support;

use std::time::{Duration, Instant};

use dorrit_engine::{Config, ConnId, Engine, OverflowPolicy, QueueLimit};
use dorrit_proto::{Coding, Fragments, MessageKind, Rules, fragments};
use support::{CONFIG, Client, Server, echo, text};

/// Goes on until the client has read so many bytes.
fn read(server: &mut Server, client: &mut Client, least: usize) -> usize {
    let mut len = 0;
    while len < least {
        server.pump();
        len += client.read().len();
        assert!(server.dropped.is_empty(), "{:?}", server.dropped);
    }
    len
}

/// How many messages of a burst are told before the one message of another client that is as early.
fn told_before(server: &mut Server, burst: &[u8]) -> usize {
    let (mut flooder, _) = server.open_client();
    let (mut other, other_id) = server.open_client();
    flooder.write(burst);
    other.write(&text("other"));
    server.pump();
    let position = server.messages.iter().position(|(id, _, _)| *id == other_id);
    server.messages.drain(..).len();
    position.expect("the other one was told")
}

/// A turn ends after 64 messages.
#[test]
fn messages() {
    let mut server = Server::new(CONFIG);
    assert_eq!(told_before(&mut server, &text("m").repeat(10_000)), 64);
    // What is no message counts, too: whole turns of it come before.
    let mut server = Server::new(CONFIG);
    let pings = support::frame(dorrit_proto::OpCode::Ping, b"").repeat(640);
    assert_eq!(told_before(&mut server, &[pings, text("m").repeat(100)].concat()), 0);
}

/// Who had a turn comes behind those who have waited since, also where more of it arrives before they do.
#[test]
fn no_second_turn_before_the_first_of_others() {
    let mut server = Server::new(CONFIG);
    let (mut flooder, _) = server.open_client();
    let (mut other, other_id) = server.open_client();
    flooder.write(&text("m").repeat(200));
    while server.messages.len() < 64 {
        server.step_once();
    }
    flooder.write(&text("m").repeat(200));
    other.write(&text("other"));
    server.pump();
    assert_eq!(server.messages.iter().position(|(id, _, _)| *id == other_id), Some(64));
    while server.messages.len() < 401 {
        server.pump();
    }
}

/// A turn ends when its output has reached what one turn sends (CONTRACT D16), and what one turn sends is no
/// more than the longest frame.
#[test]
fn output() {
    for (payload, most) in [(1000, 64), (5000, 13), (8000, 8), (20_000, 3), (65_535, 1)] {
        let mut server = Server::new(CONFIG);
        server.on_message = echo;
        let burst = support::frame(dorrit_proto::OpCode::Binary, &vec![7; payload]);
        let count = (200_000 / burst.len()).max(1);
        let told = told_before(&mut server, &burst.repeat(count));
        assert!((1..=most).contains(&told), "{told} of {payload} bytes");
        assert!(told * payload <= 65_540, "{told} of {payload} bytes");
    }
}

/// CONTRACT D16: between two turns of another client, who pipelines is sent no more than one turn's worth, also
/// where an answer finds no room in what its turn still sends.
#[test]
fn answers_behind_a_full_output() {
    for payload in [1000, 9000, 16_000, 25_000, 40_000, 65_535] {
        let mut server = Server::new(CONFIG);
        let (mut flooder, flooder_id) = server.open_client();
        let (mut other, _) = server.open_client();
        server.on_message = |engine, id, kind, payload| {
            if payload.len() > 1 {
                answer(engine, id, kind, payload.len());
            }
        };
        let burst = support::frame(dorrit_proto::OpCode::Binary, &vec![7; payload]);
        let (mut largest, mut told) = (0, 0);
        for _ in 0..10 {
            flooder.write(&burst.repeat(150_000 / burst.len()));
            other.write(&text("m").repeat(64 * 4));
            let mut before = server.engine.stats().bytes_out;
            while told < 64 * 4 {
                server.step_once();
                flooder.read();
                for (id, _, _) in server.messages.drain(..) {
                    if id != flooder_id {
                        let sent = server.engine.stats().bytes_out;
                        largest = largest.max(sent - std::mem::replace(&mut before, sent));
                        told += 1;
                    }
                }
            }
            told = 0;
        }
        assert!(largest > 32_000, "{largest} bytes: it answers in between");
        assert!(largest <= 65_540, "{largest} bytes in answers of {payload}");
    }
}

fn work(duration: Duration) {
    let start = Instant::now();
    while start.elapsed() < duration {
        std::hint::spin_loop();
    }
}

/// A turn ends when 10 ms have gone: the clock is read after each 16th callback.
#[test]
fn time() {
    let mut server = Server::new(CONFIG);
    server.on_message = |_, _, _, _| work(Duration::from_millis(1));
    let told = told_before(&mut server, &text("m").repeat(200));
    assert!(told <= 32, "{told} callbacks of 1 ms");
    let mut server = Server::new(CONFIG);
    server.on_message = |_, _, _, _| work(Duration::from_millis(11));
    let told = told_before(&mut server, &text("m").repeat(40));
    assert!(told <= 16, "{told} callbacks of 11 ms");
}

/// Signals are looked at between the turns of many who are ready, not when all of them had theirs.
#[test]
fn between_the_turns_of_many() {
    let mut server = Server::new(Config { max_connections: 400, ..CONFIG });
    let mut clients: Vec<_> = (0..300).map(|_| server.open_client().0).collect();
    server.on_message = |_, _, _, _| work(Duration::from_millis(1));
    for client in &mut clients {
        client.write(&text("m"));
    }
    // The wire to the loop has something from the start, too.
    server.pump_once();
    let told = server.messages.len();
    assert!(told <= 32, "{told} callbacks of 1 ms before a signal was looked at");
    while server.messages.len() < 300 {
        server.pump();
    }
}

/// Who pipelines and reads all the time gets all its answers, however small the limit of the queue is.
#[test]
fn no_answer_is_too_much_for_who_reads() {
    let frames = Config { max_queued_frames: Some(200), ..CONFIG };
    let bytes = |bytes| QueueLimit { bytes, policy: OverflowPolicy::Close };
    let tiny = Config { queue_limit: bytes(1000), ..CONFIG };
    let small = Config { queue_limit: bytes(100_000), ..CONFIG };
    for (config, payload, count) in [(frames, 5, 500), (tiny, 100, 1000), (small, 5000, 40)] {
        let mut server = Server::new(config);
        server.on_message = echo;
        let (mut client, _) = server.open_client();
        let burst = text(&"a".repeat(payload)).repeat(count);
        let mut left = burst.len() - 4 * count;
        for part in burst.chunks(50_000) {
            client.write(part);
            left -= read(&mut server, &mut client, part.len() / 2);
        }
        read(&mut server, &mut client, left);
        assert_eq!((server.messages.len(), server.dropped.len()), (count, 0));
    }
}

/// The same where the answers are far more than the socket takes: the input waits for the queue.
#[test]
fn input_waits_for_a_long_queue() {
    const ANSWER: usize = 16_384;
    const COUNT: usize = 500;
    let limit = QueueLimit { bytes: 2_000_000, policy: OverflowPolicy::Close };
    let mut server = Server::new(Config { queue_limit: limit, ..CONFIG });
    server.on_message = |engine, id, kind, _| {
        answer(engine, id, kind, ANSWER);
        assert!(engine.queued_bytes(id) < 1_200_000, "{}", engine.queued_bytes(id));
    };
    let (mut client, _) = server.open_client();
    client.write(&text("more").repeat(COUNT));
    let mut left = COUNT * (ANSWER + 4);
    while left > 0 {
        server.pump();
        left -= client.read_some(100_000);
    }
    assert_eq!((server.messages.len(), server.dropped.len()), (COUNT, 0));
}

/// A client that asks for more and more, and reads nothing, is dropped all the same.
#[test]
fn a_client_that_reads_nothing_is_dropped() {
    let limit = QueueLimit { bytes: 1_000_000, policy: OverflowPolicy::Close };
    let mut server = Server::new(Config { queue_limit: limit, ..CONFIG });
    server.on_message = |engine, id, kind, _| {
        answer(engine, id, kind, 16_384);
    };
    let (mut client, _) = server.open_client();
    client.write(&text("more").repeat(500));
    while server.dropped.is_empty() {
        server.step_once();
    }
    assert_eq!(server.dropped, [dorrit_engine::DropCause::QueueFull]);
}

/// A producer that goes on whenever its queue is empty keeps nobody waiting: once a round it is told so.
#[test]
fn a_producer_and_others() {
    let mut server = Server::new(CONFIG);
    let (mut reader, _) = server.open_client();
    let (mut other, other_id) = server.open_client();
    server.on_message = |engine, id, kind, _| produce(engine, id, kind);
    server.on_drain = |engine, id| produce(engine, id, MessageKind::Binary);
    reader.write(&text("go"));
    server.pump();
    other.write(&text("other"));
    let before = server.drained.len();
    while !server.messages.iter().any(|(id, _, _)| *id == other_id) {
        server.step_once();
        reader.read();
        assert!(server.drained.len() < before + 3, "the producer is told again and again");
    }
    assert!(server.drained.len() > 2, "{:?}", server.drained);
}

fn produce(engine: &mut Engine, id: ConnId, kind: MessageKind) {
    while engine.queued_bytes(id) < 20_000 {
        answer(engine, id, kind, 1000);
    }
}

/// Answers as a C program's call does.
fn answer(engine: &mut Engine, id: ConnId, kind: MessageKind, len: usize) {
    let payload = vec![b'a'; len];
    engine.send_to(id, kind, &payload).unwrap();
}

/// A loop that was held up for a second is told of it.
#[test]
fn a_slow_callback_is_told() {
    let mut server = Server::new(CONFIG);
    server.on_message = |_, _, _, _| work(Duration::from_millis(1100));
    let (mut client, _) = server.open_client();
    client.write(&text("slow"));
    server.pump();
    let held_up = server.held_up.pop().expect("it is told");
    assert!((1.0..60.0).contains(&held_up.as_secs_f32()), "{held_up:?}");
    assert!(server.held_up.is_empty());
}

/// A message of several frames that finds no room in what the turn sends goes out whole behind it: none of
/// its frames is sent before.
#[test]
fn fragments_behind_a_full_output() {
    const COUNT: usize = 12;
    const LEN: usize = 7500;
    let rules = Rules { max_payload: 200_000, fragments: Fragments::Joined, ..CONFIG.rules };
    let mut server = Server::new(Config { rules, max_fragment: 1000, ..CONFIG });
    server.on_message = |engine, id, kind, _| {
        (0..COUNT).for_each(|_| answer(engine, id, kind, LEN));
    };
    let (mut client, _) = server.open_client();
    client.write(&text("go"));
    server.pump();
    let whole: Vec<u8> = fragments(MessageKind::Text, Coding::Plain, LEN, 1000)
        .flat_map(|(head, part)| [head.as_bytes(), &vec![b'a'; part.len()]].concat())
        .collect();
    assert!(client.read() == whole.repeat(COUNT));
}
