//! Clients that break the rules: each is dropped with the right code, says one line in the log at
//! most, and nobody else notices anything. T numbers are the advisories that a case comes from.

use crate::harness::{Client, Frame, Launch, Op, Server};

/// Sends the bytes on a connection of its own: a close frame with one of the codes must come back,
/// then the end.
fn dropped(server: &Server, bystander: &mut Client, bytes: &[u8], codes: &[u16]) {
    let lines = server.stderr().lines().count();
    let mut client = server.connect();
    client.send_bytes(bytes);
    let frame = client.receive();
    let code = frame.code().expect("a code");
    let start = &bytes[..bytes.len().min(40)];
    assert!(codes.contains(&code), "{code} instead of {codes:?} for {start:x?}");
    client.expect_end();
    let number: u32 = bystander.ask("!id").parse().expect("a number");
    assert_eq!(number, 1);
    drop(client);
    let more = server.stderr().lines().count() - lines;
    assert!(more <= 1, "{more} lines for {start:x?}");
}

fn all_dropped<'a>(cases: impl IntoIterator<Item = (&'a [u16], Vec<u8>)> + Clone) {
    all_dropped_from(Launch::probe().start(), cases.clone());
    all_dropped_from(Launch::probe().tcp().start(), cases);
}

fn all_dropped_from<'a>(mut server: Server, cases: impl IntoIterator<Item = (&'a [u16], Vec<u8>)>) {
    let mut bystander = server.connect();
    let mut count = 1;
    for (codes, bytes) in cases {
        dropped(&server, &mut bystander, &bytes, codes);
        count += 1;
        server.await_journal(&format!("close {count} "));
    }
    bystander.echo("undisturbed");
    drop(bystander);
    server.stop();
    assert_eq!(server.journal().matches("close ").count(), count);
}

const PROTOCOL: &[u16] = &[1002];
const FRAGMENT: &[u16] = &[1003];
const NO_UTF8: &[u16] = &[1007];
const TOO_LONG: &[u16] = &[1009];

/// CONTRACT D3, S8: a frame without a mask.
#[test]
fn unmasked_frames() {
    let frames = [
        Frame::text("x"),
        Frame::text(""),
        Frame::new(Op::BINARY, [0; 300]),
        Frame::new(Op::PING, "x"),
        Frame::new(Op::PONG, ""),
        Frame::close(1000, ""),
        Frame::new(Op::CLOSE, ""),
    ];
    all_dropped(frames.map(|frame| (PROTOCOL, frame.unmasked().bytes())));
}

/// CONTRACT S8, T22: reserved bits and opcodes.
#[test]
fn reserved_bits_and_opcodes() {
    let bits = (1..8).map(|bits| (PROTOCOL, Frame::text("x").reserved(bits).bytes()));
    let opcodes = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map(|op| Frame::new(Op(op), "x"));
    let close = Frame::close(1000, "").reserved(4).bytes();
    all_dropped(
        bits.chain(opcodes.map(|frame| (PROTOCOL, frame.bytes()))).chain([(PROTOCOL, close)]),
    );
}

/// CONTRACT D3, S8, T14: a fragment, of whatever kind.
#[test]
fn fragments() {
    let frames = [
        Frame::text("part").unfinished(),
        Frame::text("").unfinished(),
        Frame::new(Op::BINARY, "part").unfinished(),
        Frame::new(Op::CONTINUATION, "part"),
        Frame::new(Op::CONTINUATION, "part").unfinished(),
        Frame::new(Op::CONTINUATION, ""),
    ];
    all_dropped(frames.map(|frame| (FRAGMENT, frame.bytes())));
}

/// CONTRACT S8: control frames are whole and at most 125 bytes long.
#[test]
fn control_frames_that_are_long_or_fragmented() {
    all_dropped([Op::PING, Op::PONG, Op::CLOSE].into_iter().flat_map(|op| {
        [
            (PROTOCOL, Frame::new(op, [0; 126]).bytes()),
            (PROTOCOL, Frame::new(op, [0; 70000]).bytes()),
            (PROTOCOL, Frame::new(op, "").unfinished().bytes()),
            (PROTOCOL, Frame::new(op, "ab").unfinished().bytes()),
        ]
    }));
}

/// CONTRACT D3, S8: too long, judged by the header before a byte of the payload has come.
#[test]
fn frames_that_are_too_long() {
    let header = |length| Frame::new(Op::BINARY, "").declare64(length).bytes();
    let lengths = [65536, 65537, 1 << 20, 1 << 32, (1 << 63) - 1];
    let whole = Frame::new(Op::BINARY, vec![0; 65536]).bytes();
    all_dropped(
        lengths.map(|length| (TOO_LONG, header(length))).into_iter().chain([(TOO_LONG, whole)]),
    );
}

/// CONTRACT S8, S14, T1, T2, T3, T4, T5, T6, T7, T8, T9: lengths that overflow whatever is added to
/// them.
#[test]
fn lengths_that_overflow() {
    let either: &[u16] = &[1002, 1009];
    let lengths =
        [1 << 63, u64::MAX, u64::MAX - 1, u64::MAX - 4, u64::MAX - 13, 0xffff_ffff_ffff_ffeb];
    let ours = lengths.iter().map(|it| (either, Frame::new(Op::BINARY, "").declare64(*it).bytes()));
    let t3 = vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xeb, 0x0e, 0x8f];
    let control = Frame::new(Op::PING, "").declare64(u64::MAX).bytes();
    all_dropped(ours.chain([(&[1002, 1003, 1009][..], t3), (PROTOCOL, control)]));
}

/// CONTRACT S8: a length has one form, the shortest.
#[test]
fn lengths_that_are_not_minimal() {
    let short = |payload: &str| Frame::text(payload);
    all_dropped([
        (PROTOCOL, short("hello").declare16(5).bytes()),
        (PROTOCOL, short("").declare16(0).bytes()),
        (PROTOCOL, short(&"x".repeat(125)).declare16(125).bytes()),
        (PROTOCOL, short("hello").declare64(5).bytes()),
        (PROTOCOL, short(&"x".repeat(126)).declare64(126).bytes()),
        (PROTOCOL, short(&"x".repeat(65535)).declare64(65535).bytes()),
    ]);
}

/// CONTRACT S8: text that is no UTF-8, in a message and in a close frame's reason.
#[test]
fn text_that_is_no_utf8() {
    let texts: [&[u8]; 10] = [
        b"\xff",
        b"\x80",
        b"caf\xc3",
        b"\xc0\xaf",
        b"\xe0\x80\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"hello\xe2\x82",
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
    ];
    let messages = texts.iter().map(|text| (NO_UTF8, Frame::new(Op::TEXT, text).bytes()));
    let reasons = texts.iter().map(|text| {
        let payload = [&1000_u16.to_be_bytes(), *text].concat();
        (NO_UTF8, Frame::new(Op::CLOSE, payload).bytes())
    });
    let mut long = vec![b'a'; 60000];
    long[59999] = 0xc3;
    let long = (NO_UTF8, Frame::new(Op::TEXT, long).bytes());
    all_dropped(messages.chain(reasons).chain([long]));
}

/// CONTRACT S8: close frames whose code may not be sent, or is half there.
#[test]
fn close_frames_with_codes_that_may_not_be_sent() {
    let codes = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999];
    let wrong = codes.map(|code| (PROTOCOL, Frame::close(code, "").bytes()));
    let half = Frame::new(Op::CLOSE, [3]).bytes();
    all_dropped(wrong.into_iter().chain([(PROTOCOL, half)]));
}

/// CONTRACT S8: what was asked for before the fault is answered before the close frame.
#[test]
fn what_came_before_the_fault_is_served() {
    let mut server = Launch::probe().start();
    let mut client = server.connect();
    let asked = Frame::text("!write 0 1 65535 30").bytes();
    let frames = [Frame::text("one").bytes(), asked, Frame::text("x").unmasked().bytes()];
    client.send_bytes(&[&frames.concat()[..], &Frame::text("never").bytes()].concat());
    client.expect_text("one");
    for _ in 0..30 {
        assert_eq!(client.receive().op, Op::BINARY);
    }
    client.expect_queued(31);
    client.expect_close(1002);
    drop(client);
    server.await_journal("close 1 ");
    assert_eq!(server.connect().ask("!reads 1"), "2");
    server.stop();
}

/// CONTRACT D3, T17: the limit that -b sets is the one that counts.
#[test]
fn the_limit_is_the_one_that_was_set() {
    let mut server = Launch::probe().args(["-b", "105"]).start();
    let mut bystander = server.connect();
    bystander.echo(&"x".repeat(100));
    for length in [101, 125, 126, 1000, 65535] {
        dropped(&server, &mut bystander, &Frame::text(&"x".repeat(length)).bytes(), TOO_LONG);
    }
    drop(bystander);
    server.stop();
}

/// CONTRACT S14, T7: a length that is declared and does not come takes no memory.
#[test]
fn declared_lengths_take_no_memory() {
    let mut server = Launch::probe().start();
    let mut clients: Vec<_> = (0..1000).map(|_| server.connect()).collect();
    clients.iter_mut().for_each(|client| client.echo("warm"));
    let before = server.process().resident();
    let bytes = Frame::new(Op::BINARY, [0; 16]).declare16(65535).bytes();
    clients.iter_mut().for_each(|client| client.send_and_drain(&bytes));
    let grown = server.process().resident().saturating_sub(before);
    // Sixty-five megabytes, had they been taken at their word.
    assert!(grown < 12 << 20, "{grown} bytes");
    drop(clients);
    server.connect().echo("as ever");
    server.stop();
}

/// CONTRACT S14, T12, T13: many tiny messages and empty ones cost what they cost, and no more the
/// more they are.
#[test]
fn floods_of_tiny_frames() {
    let mut server = Launch::probe().start();
    let mut bystander = server.connect();
    let mut client = server.connect();
    let before = server.process().resident();
    let pongs = Frame::new(Op::PONG, "").bytes().repeat(10_000);
    for _ in 0..50 {
        client.send_bytes(&pongs);
        bystander.echo("still served");
    }
    client.echo("all of it was read");
    let grown = server.process().resident().saturating_sub(before);
    assert!(grown < 4 << 20, "{grown} bytes");
    drop((bystander, client));
    server.stop();
}

/// CONTRACT S14, T42: bytes without any sense, as a request and as frames: no answer is wrong but
/// the end of the server, and nothing in it panics.
#[test]
fn noise() {
    let mut server = Launch::probe().start();
    let mut bystander = server.connect();
    let mut noise = Noise(0x2545_f491_4f6c_dd1d);
    for round in 0..1000 {
        let bytes: Vec<u8> = (0..1 + noise.next() % 300).map(|_| noise.next() as u8).collect();
        let mut raw = server.raw();
        raw.send_bytes(&bytes);
        let mut client = server.connect();
        client.send_bytes(&bytes);
        // The same with a header that makes it further.
        let mut client = server.connect();
        let length = noise.next() as u8 & 0x7f;
        let first = [0x81, 0x82, 0x88, 0x89, 0x8a, 0x01, 0x80][noise.next() as usize % 7];
        client.send_bytes(&[&[first, 0x80 | length], &bytes[..]].concat());
        if round % 50 == 0 {
            bystander.echo("still served");
        }
    }
    bystander.echo("undisturbed");
    drop(bystander);
    server.stop();
    assert!(!server.stderr().contains("panicked"), "{}", server.stderr());
}

/// Numbers that look random and are the same every time (xorshift).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }
}

/// CONTRACT S2, T23, T25, T31: requests that are made to be expensive, and cost nothing.
#[test]
fn expensive_requests() {
    let mut server = Launch::probe().start();
    let mut bystander = server.connect();
    let before = server.process().ticks();
    let requests = [
        crate::harness::Request::new().with("Sec-WebSocket-Protocol", " ".repeat(15000)),
        crate::harness::Request::new().with("Sec-WebSocket-Extensions", "a;".repeat(7000)),
        crate::harness::Request::new().line(&format!("GET {} HTTP/1.1", "/".repeat(15000))),
        crate::harness::Request::new().with("Cookie", ";".repeat(15000)),
    ];
    for request in &requests {
        Client::upgraded(server.socket(), request).echo("hello");
    }
    // Byte by byte: whoever looks at everything again for each byte takes seconds for this.
    let mut client = server.raw();
    for byte in requests[0].bytes() {
        client.send_and_drain(&[byte]);
    }
    assert_eq!(client.response().status, "HTTP/1.1 101 Switching Protocols");
    let used = server.process().ticks() - before;
    assert!(used < 300, "{used} ticks");
    bystander.echo("undisturbed");
    drop((bystander, client));
    server.stop();
}
