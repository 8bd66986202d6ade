//! The end of a client's stream is noticed once all that came before it was dealt with, and always
//! (CONTRACT S24): however much was read at a time, and whatever came between.

mod support;

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dorrit_engine::{Config, OverflowPolicy, QueueLimit};
use dorrit_proto::{Deflater, Fragments, MessageKind, OpCode, Rules};
use rustix::net::{SendFlags, send};
use support::*;

const LONG: Config = Config {
    rules: Rules { max_payload: 10_000_000, fragments: Fragments::Joined, ..CONFIG.rules },
    ..CONFIG
};

/// Much less than any deadline: whoever has to wait for one of them is too late.
const AT_ONCE: Duration = Duration::from_secs(3);

/// Goes on until that is so; what was sent over TCP may be on its way.
fn until(server: &mut Server, is_so: impl Fn(&Server) -> bool) -> bool {
    let start = Instant::now();
    while !is_so(server) {
        if start.elapsed() > AT_ONCE {
            return false;
        }
        server.pump();
    }
    true
}

fn ends(server: &mut Server) -> bool {
    until(server, |server| server.closed.len() == 1)
}

/// A server that listens on TCP too.
fn tcp(config: Config) -> (Server, SocketAddr) {
    let mut server = Server::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    server.engine.listen(Arc::new(listener.into())).unwrap();
    (server, address)
}

fn open_tcp(server: &mut Server, address: SocketAddr) -> TcpStream {
    let mut client = TcpStream::connect(address).unwrap();
    client.set_nodelay(true).unwrap();
    client.write_all(REQUEST).unwrap();
    assert!(until(server, |server| !server.opened.is_empty()));
    client
}

/// A client's fragment.
fn part(opcode: OpCode, is_last: bool, payload: &[u8]) -> Vec<u8> {
    let mut bytes = frame(opcode, payload);
    bytes[0] = if is_last { 0x80 } else { 0 } | opcode as u8;
    bytes
}

/// A client's binary frame of 64 KiB or more.
fn long(len: usize) -> Vec<u8> {
    let head = [&[0x82, 0xff][..], &(len as u64).to_be_bytes(), &[0; 4]].concat();
    [head, vec![b'l'; len]].concat()
}

/// What a client sends, and what the server has read of it before the rest and the end come at once.
fn cases() -> Vec<(&'static str, Vec<u8>, Vec<u8>, usize)> {
    let small = frame(OpCode::Binary, &[b'x'; 94]);
    let mut cases = Vec::new();
    for count in [0, 1, 2, 3, 5, 30, 64, 65, 200] {
        let rest = [&small[2..], &small.repeat(count)].concat();
        cases.push(("the start of a frame, then more", small[..2].to_vec(), rest, count + 1));
        cases.push(("whole messages", small.clone(), small.repeat(count), count + 1));
    }
    for len in [70_000, 300_000, 1_000_000] {
        let all = long(len);
        for cut in [20, 10_000, len - 500, len - 1] {
            let rest = [&all[cut..], &small].concat();
            cases.push(("a long message in parts, then a short one", all[..cut].to_vec(), rest, 2));
        }
    }
    let start = long(1_000_000);
    for (first, rest) in [(20, 10), (20, 5000), (20, 200_000), (400_000, 1), (400_000, 90_000)] {
        let (first, rest) = (start[..first].to_vec(), start[first..first + rest].to_vec());
        cases.push(("a long message that stays unfinished", first, rest, 0));
    }
    let parts = [
        part(OpCode::Text, false, b"one"),
        frame(OpCode::Ping, b"?"),
        part(OpCode::Continuation, false, &[b'p'; 3000]),
        part(OpCode::Continuation, true, b"three"),
        frame(OpCode::Ping, b"!"),
    ]
    .concat();
    for cut in [0, 1, 3, 9, 20, 3000, parts.len() - 1, parts.len()] {
        let (first, rest) = parts.split_at(cut);
        cases.push(("fragments and pings", first.to_vec(), rest.to_vec(), 1));
    }
    for len in [1, 5, 99] {
        let start = frame(OpCode::Binary, &[b's'; 94])[..len].to_vec();
        cases.push(("the start of a frame, and no more", start, Vec::new(), 0));
    }
    cases
}

/// Writes all, while the server reads.
fn write_all(server: &mut Server, client: &mut impl std::io::Write, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match client.write(bytes) {
            Ok(len) => bytes = &bytes[len..],
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
                server.pump();
            }
        }
    }
}

#[test]
fn on_a_unix_socket() {
    for (what, first, rest, count) in cases() {
        let mut server = Server::new(LONG);
        let (mut client, _) = server.open_client();
        write_all(&mut server, &mut client.stream, &first);
        server.pump();
        write_all(&mut server, &mut client.stream, &rest);
        drop(client);
        let has_ended = ends(&mut server);
        assert!(has_ended, "{what}: {} bytes, then {}", first.len(), rest.len());
        assert_eq!(server.messages.len(), count, "{what}: {} bytes first", first.len());
    }
}

#[test]
fn on_tcp() {
    for (what, first, rest, count) in cases() {
        let (mut server, address) = tcp(LONG);
        let mut client = open_tcp(&mut server, address);
        client.set_nonblocking(true).unwrap();
        write_all(&mut server, &mut client, &first);
        server.pump();
        write_all(&mut server, &mut client, &rest);
        client.shutdown(std::net::Shutdown::Write).unwrap();
        let has_ended = ends(&mut server);
        assert!(has_ended, "{what}: {} bytes, then {}", first.len(), rest.len());
        assert_eq!(server.messages.len(), count, "{what}: {} bytes first", first.len());
    }
}

/// A read stops before urgent data (tcp(7)), which says nothing of what comes behind it: with the end and
/// without one.
#[test]
fn urgent_data() {
    for (before, behind) in [(1, 1), (1, 40), (40, 1), (300, 300)] {
        for has_end in [true, false] {
            let (mut server, address) = tcp(LONG);
            let mut client = open_tcp(&mut server, address);
            client.write_all(&text("before").repeat(before)).unwrap();
            assert_eq!(send(&client, b"!", SendFlags::OOB), Ok(1));
            client.write_all(&text("behind").repeat(behind)).unwrap();
            if has_end {
                client.shutdown(std::net::Shutdown::Write).unwrap();
                assert!(ends(&mut server), "{before} before, {behind} behind");
            } else {
                let told = until(&mut server, |server| server.messages.len() == before + behind);
                assert!(told, "{} of {before} before, {behind} behind", server.messages.len());
                assert!(server.closed.is_empty());
            }
            assert_eq!(server.messages.len(), before + behind);
        }
    }
}

/// The same where it comes again and again, each time for a connection that was read to its end.
#[test]
fn urgent_data_again() {
    let (mut server, address) = tcp(LONG);
    let mut client = open_tcp(&mut server, address);
    for round in 1..=20 {
        client.write_all(&text("before")).unwrap();
        assert_eq!(send(&client, b"!", SendFlags::OOB), Ok(1));
        client.write_all(&text("behind")).unwrap();
        let told = until(&mut server, |server| server.messages.len() == 2 * round);
        assert!(told, "round {round}: {}", server.messages.len());
    }
    drop(client);
    assert!(ends(&mut server));
}

/// A client for which much is queued, whose input waits for that, and which goes.
#[test]
fn behind_a_long_queue() {
    let limit = QueueLimit { bytes: 4_000_000, policy: OverflowPolicy::Skip };
    let frames = Config { max_queued_frames: Some(200), ..CONFIG };
    for config in [Config { queue_limit: limit, ..CONFIG }, frames] {
        let mut server = Server::new(config);
        let (mut client, id) = server.open_client();
        for _ in 0..150 {
            // Classic programs have no more than 200 frames, others as many bytes.
            server.engine.send([id].into_iter(), MessageKind::Binary, &[7; 20_000]).unwrap();
        }
        server.pump();
        assert!(server.engine.queued_bytes(id) > 2_000_000);
        client.write(&text("the last"));
        drop(client);
        assert!(ends(&mut server), "it is still there");
        assert_eq!(server.payloads(), [b"the last"]);
    }
}

/// A message that takes many turns to decompress, and a short one, with the end behind them.
#[test]
fn behind_what_is_decompressed() {
    let mut deflated = Vec::new();
    let plain = vec![0; 8_000_000];
    Deflater::new(6, 15).unwrap().deflate(&plain, &mut deflated).unwrap();
    let mut message = frame(OpCode::Binary, &deflated);
    message[0] |= 0x40;
    for len in [message.len(), 1, 200] {
        let mut server = Server::new(Config { compression: 6, ..LONG });
        let mut client = server.client();
        let offer = "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
        client.write(&[&REQUEST[..REQUEST.len() - 4], offer.as_bytes()].concat());
        server.pump();
        assert!(client.read().starts_with(b"HTTP/1.1 101 "));
        client.write(&message[..len]);
        server.pump_once();
        client.write(&[&message[len..], &text("short")].concat());
        drop(client);
        assert!(ends(&mut server));
        assert!(server.payloads() == [&plain[..], b"short"], "cut at {len}");
    }
}
