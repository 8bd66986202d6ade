//! What the program sends: `ws_write_conn`, its queue, and how connections share the loop.

use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;

use crate::harness::{Client, Frame, Launch, Need, Op, Server, Trace, Variant, skipped};

/// What probe.c writes: the alphabet, over and over.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|i| b'a' + (i % 26) as u8).collect()
}

/// CONTRACT D14: `binary` chooses the opcode; the frames are whole and unmasked, with the shortest
/// form of length.
#[test]
fn both_kinds_of_message() {
    let mut server = Launch::probe().start();
    let mut client = server.connect();
    for length in [1, 125, 126, 65535] {
        for (binary, op) in [(0, Op::TEXT), (1, Op::BINARY), (-1, Op::BINARY), (256, Op::BINARY)] {
            client.text(&format!("!write 0 {binary} {length} 1"));
            assert_eq!(client.receive(), Frame::new(op, pattern(length)).unmasked());
            client.expect_queued(1);
        }
    }
    drop(client);
    server.stop();
}

/// CONTRACT D15: what is longer than a frame may be goes out as fragments, none longer than that.
#[test]
fn long_messages_are_fragmented() {
    let mut server = Launch::probe().start();
    fragmented(&server, 65535);
    server.stop();
    let mut server = Launch::probe().args(["-b", "45"]).start();
    fragmented(&server, 40);
    server.stop();
}

fn fragmented(server: &Server, most: usize) {
    let mut client = server.connect();
    for length in [most, most + 1, 2 * most, 2 * most + 1, 10 * most + 7] {
        client.text(&format!("!write 0 1 {length} 1"));
        let frames = length.div_ceil(most);
        let mut payload = Vec::new();
        for number in 1..=frames {
            let frame = client.receive();
            let op = if number == 1 { Op::BINARY } else { Op::CONTINUATION };
            assert_eq!((frame.op, frame.fin, frame.rsv), (op, number == frames, 0), "{number}");
            let expected = if number == frames { length - most * (frames - 1) } else { most };
            assert_eq!(frame.payload.len(), expected);
            payload.extend(frame.payload);
        }
        assert!(payload == pattern(length), "{length}");
        // CONTRACT D11: each fragment counts.
        client.expect_queued(frames as u32);
    }
}

/// CONTRACT D15: the smallest buffer, with frames of five bytes.
#[test]
fn fragments_of_the_smallest_buffer() {
    let mut server = Launch::probe().args(["-b", "10"]).start();
    let mut client = server.connect();
    client.echo("abcde");
    client.text("!id");
    client.expect_text("1");
    // The command is too long for this server, the cookie is not.
    let mut client = server.connect_as("say=abcdefghijkl");
    let parts = [(Op::TEXT, "abcde"), (Op::CONTINUATION, "fghij"), (Op::CONTINUATION, "kl")];
    for (op, part) in parts {
        let frame = client.receive();
        assert_eq!((frame.op, frame.as_text(), frame.fin), (op, part, part == "kl"));
    }
    drop(client);
    server.stop();
}

/// CONTRACT D17: every misuse of `ws_write_conn` has its answer, and queues nothing.
#[test]
fn misuses_of_ws_write_conn() {
    let mut server = Launch::probe().start();
    let mut client = server.connect();
    client.text("!misuse");
    client.expect_text("abcde");
    client.expect_text("-2 -2 0 0 0 0");
    drop(client);
    server.stop();
}

/// CONTRACT D11, D14: frames are queued, not written, while the callback runs; none is left when
/// they have been sent.
#[test]
fn the_queues_length() {
    let mut server = Launch::probe().start();
    let mut client = server.connect();
    client.text("!write 0 0 5 7");
    for _ in 0..7 {
        client.expect_text("abcde");
    }
    client.expect_text("0 7");
    assert_eq!(client.ask("!qlen 0"), "0");
    let mut stuck = server.connect();
    stuck.text("!write 0 1 65535 100");
    // The answer to `stuck` is the 101st; the socket has taken a few of them.
    let queued = crate::harness::until(|| {
        client.ask("!qlen 2").parse::<u32>().ok().filter(|it| (1..=100).contains(it))
    });
    assert!(queued.is_some());
    drop((client, stuck));
    server.stop();
}

/// CONTRACT D14: one call, every connection, one order.
#[test]
fn a_broadcast_reaches_everyone_in_order() {
    let mut server = Launch::probe().start();
    let mut clients: Vec<_> = (0..200).map(|_| server.connect()).collect();
    for length in [1, 2, 3, 300, 70000] {
        clients[7].text(&format!("!broadcast 1 {length} 1"));
    }
    for (number, client) in clients.iter_mut().enumerate() {
        for length in [1, 2, 3, 300, 65535, 70000 - 65535] {
            assert_eq!(client.receive().payload.len(), length);
            if number == 7 && length != 65535 {
                client.expect_text("0 200");
            }
        }
    }
    drop(clients);
    server.stop();
}

/// CONTRACT D14: the queues of many share one copy.
#[test]
fn a_broadcast_is_kept_once() {
    let mut server = Launch::probe().start();
    let mut asker = server.connect();
    let stuck: Vec<_> = (0..100).map(|_| server.connect()).collect();
    let before = server.process().resident();
    // 8 MB to each of a hundred that do not read: 800 MB, if it were copied.
    asker.text("!broadcast 1 8000000 1");
    while asker.receive().op != Op::TEXT {}
    let grown = server.process().resident().saturating_sub(before);
    assert!(grown < 100 << 20, "{grown} bytes");
    drop(stuck);
    for number in 2..=101 {
        server.await_journal(&format!("close {number} "));
    }
    asker.echo("as ever");
    drop(asker);
    server.stop();
}

/// CONTRACT D16: a client that never reads, while ten thousand broadcasts go out, harms nobody, and
/// misses nothing.
#[test]
fn a_client_that_never_reads() {
    let mut server = Launch::probe().start();
    let mut asker = server.connect();
    let mut stuck = server.connect();
    let mut listener = server.connect();
    let listening = std::thread::spawn(move || receive_all(&mut listener));
    asker.text("!broadcast 1 100 10000");
    receive_all(&mut asker);
    asker.expect_text("0 3");
    listening.join().expect("everything came");
    assert_ne!(asker.ask("!qlen 2"), "0");
    asker.echo("as ever");
    receive_all(&mut stuck);
    stuck.echo("here again");
    assert_eq!(asker.ask("!qlen 2"), "0");
    drop((asker, stuck));
    server.stop();
}

fn receive_all(client: &mut Client) {
    let expected = Frame::new(Op::BINARY, pattern(100)).unmasked();
    (0..10000).for_each(|_| assert_eq!(client.receive(), expected));
}

/// CONTRACT D16: while one connection's long queue is being read, the others are answered between
/// any two of its frames.
#[test]
fn a_long_queue_holds_nobody_back() {
    let mut server = Launch::probe().start();
    let mut long = server.connect();
    let mut short = server.connect();
    long.text("!write 0 1 65535 100");
    for _ in 0..100 {
        assert_eq!(long.receive().payload.len(), 65535);
        short.echo("quick");
    }
    long.expect_queued(100);
    drop((long, short));
    server.stop();
}

/// CONTRACT D16, S20: the same of a turn, however many calls it makes: between two looks at the others a client
/// that pipelines, and reads all the time, is sent no more.
#[test]
fn no_turn_sends_more_by_many_calls() {
    if skipped(&[Need::Tool("strace")]) {
        return;
    }
    for length in [16_000, 25_000, 40_000] {
        let largest = largest_turn(length);
        assert!((32_008..=65_540).contains(&largest), "{largest} bytes in a turn of {length}");
    }
}

/// How many bytes go out between two looks at the poll at most, while messages of this length are echoed.
fn largest_turn(length: usize) -> u64 {
    const COUNT: usize = 150;
    const TRACED: &str = "trace=epoll_wait,epoll_pwait,recvfrom,sendto,sendmsg";
    let (launch, trace) = Trace::of(Launch::probe(), &["-e", TRACED]);
    let mut server = launch.start();
    let client = server.connect();
    let stream = client.stream().as_fd().try_clone_to_owned().expect("a descriptor");
    let reading = std::thread::spawn(move || {
        let mut reader = Client::on(UnixStream::from(stream));
        (0..COUNT).for_each(|_| assert_eq!(reader.receive().payload.len(), length));
    });
    let mut writer = client;
    writer.send_bytes(&Frame::new(Op::BINARY, vec![b'm'; length]).bytes().repeat(COUNT));
    reading.join().expect("all of them came");
    drop(writer);
    server.stop();
    let calls = trace.calls(&server);
    let turns = calls.split(|call| call.starts_with("epoll_"));
    let sent = |call: &String| {
        let is_send = call.starts_with("send") && call.contains("MSG_NOSIGNAL");
        is_send.then(|| call.rsplit_once(" = ")?.1.parse::<u64>().ok()).flatten()
    };
    let sums: Vec<u64> = turns.map(|turn| turn.iter().filter_map(sent).sum()).collect();
    assert!(sums.iter().sum::<u64>() >= (COUNT * (length + 4)) as u64, "it has sent all");
    sums.iter().max().copied().unwrap_or(0)
}

/// CONTRACT D16: one call sends one maximum-size frame's worth of bytes at most.
#[test]
fn no_call_sends_more_than_a_frames_worth() {
    if skipped(&[Need::Tool("strace")]) {
        return;
    }
    let (launch, trace) = Trace::of(Launch::probe(), &["-e", "trace=sendmsg,sendto,write,writev"]);
    let mut server = launch.start();
    let mut client = server.connect();
    for (length, count) in [(65535, 20), (100, 5000), (200_000, 5)] {
        client.text(&format!("!write 0 1 {length} {count}"));
        while client.receive().op != Op::TEXT {}
    }
    drop(client);
    server.stop();
    let calls = trace.calls(&server);
    let sizes = calls.iter().filter_map(|call| call.rsplit_once(" = ")?.1.parse::<u64>().ok());
    let largest = sizes.max().expect("it has sent");
    // The buffer of -b holds one such frame, its header and a terminator.
    assert!((1000..=65540).contains(&largest), "{largest} bytes at once");
}

/// CONTRACT D12: the queue is still there in `ws_close_callback`.
#[test]
fn the_queue_is_there_in_the_close_callback() {
    let mut server = Launch::of("probe.c", Variant::Default).start();
    let mut client = server.connect();
    client.text("!write 0 1 65535 100");
    assert_eq!(client.receive().op, Op::BINARY);
    drop(client);
    let line = server.await_journal("close 1 queued=");
    let (_, queued) = line.split_once('=').expect("a number");
    assert!(queued.parse::<u32>().is_ok_and(|it| (1..=101).contains(&it)), "{line}");
    server.stop();
}

/// CONTRACT D2, D16: a client that pings and never reads gets the last pong, and costs no memory.
#[test]
fn pings_of_a_client_that_never_reads() {
    let mut server = Launch::probe().start();
    let mut stuck = server.connect();
    stuck.text("!write 0 1 65535 20");
    assert_eq!(stuck.receive().op, Op::BINARY);
    let before = server.process().resident();
    let ping = Frame::new(Op::PING, [b'p'; 125]).bytes().repeat(1000);
    for _ in 0..300 {
        stuck.send_and_drain(&ping);
    }
    let grown = server.process().resident().saturating_sub(before);
    assert!(grown < 8 << 20, "{grown} bytes for pongs");
    stuck.send(&Frame::new(Op::PING, "the last"));
    let pongs = std::iter::from_fn(|| stuck.next().filter(|it| it.payload != b"the last"));
    assert!(pongs.filter(|it| it.op == Op::PONG).count() < 300_000);
    drop(stuck);
    server.stop();
}
