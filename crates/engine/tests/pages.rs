//! Plain requests through real sockets, on one thread: the clock stands still but for what a test waits for.

mod support;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::FileExt as _;

use dorrit_engine::{Config, PlainRequests};
use dorrit_proto::CloseCode;
use support::*;

const PAGES: Config = Config { plain_requests: PlainRequests::Told, ..CONFIG };
const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
const EMPTY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

fn server() -> Server {
    Server::new(PAGES)
}

/// A server whose page has so many bytes, no two near ones alike.
fn server_with(len: usize) -> (Server, Vec<u8>) {
    let mut server = server();
    let bytes: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
    let file = tempfile::tempfile().unwrap();
    file.write_all_at(&bytes, 0).unwrap();
    server.page = Some((file, len as u64));
    (server, bytes)
}

fn head(len: usize) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n").into_bytes()
}

/// Cut at every byte, and one behind the other on one connection.
#[test]
fn requests_in_pieces() {
    let mut server = server();
    let mut client = server.client();
    for cut in 0..GET.len() {
        client.write(&GET[..cut]);
        server.pump();
        assert_eq!(client.read(), b"", "answered after {cut} bytes");
        client.write(&GET[cut..]);
        server.pump();
        assert_eq!(client.read(), EMPTY, "cut at {cut}");
    }
    assert_eq!(server.targets.len(), GET.len());
}

/// Pipelined requests are answered in order, however many come at once, and an upgrade behind them
/// is one.
#[test]
fn requests_behind_each_other() {
    let mut server = server();
    server.on_message = echo;
    let mut client = server.client();
    let number = |i: usize| format!("GET /{i} HTTP/1.1\r\nHost: a\r\n\r\n");
    let requests: String = (0..5000).map(number).collect();
    let bytes = [requests.as_bytes(), REQUEST, &text("hello")].concat();
    let mut sent = 0;
    let mut read = Vec::new();
    while sent < bytes.len() {
        sent += client.stream.write(&bytes[sent..]).unwrap_or(0);
        server.pump();
        read.extend(client.read());
    }
    while !read.ends_with(b"\x81\x05hello") {
        server.pump();
        let more = client.read();
        assert!(!more.is_empty(), "after {} bytes", read.len());
        read.extend(more);
    }
    let targets: Vec<_> = (0..5000).map(|i| format!("/{i}").into_bytes()).collect();
    assert_eq!(server.targets, targets);
    assert!(read.starts_with(&EMPTY.repeat(5000)));
    assert!(read[EMPTY.len() * 5000..].starts_with(b"HTTP/1.1 101 "));
    assert_eq!(server.payloads(), [b"hello"]);
}

/// A file longer than any buffer, and the next request behind it.
#[test]
fn a_long_file_and_the_next() {
    let (mut server, bytes) = server_with(3_000_001);
    let mut client = server.client();
    client.write(&GET.repeat(2));
    let expected = [head(bytes.len()), bytes].concat().repeat(2);
    let mut read = Vec::new();
    while read.len() < expected.len() {
        server.pump();
        let more = client.read();
        assert!(!more.is_empty(), "after {} bytes", read.len());
        read.extend(more);
    }
    assert!(read == expected);
}

/// CONTRACT D16: between two parts of a file the others have their turns; a client that does not
/// read takes none.
#[test]
fn a_long_file_holds_nobody_up() {
    let (mut server, _) = server_with(100_000_000);
    server.on_message = echo;
    let (mut other, _) = server.open_client();
    let mut reading = server.client();
    let mut silent = server.client();
    reading.write(GET);
    silent.write(GET);
    server.pump();
    let mut rounds = 0;
    let mut read = 0;
    while read < 100_000_000 {
        other.write(&text("hello"));
        // One message and as many parts as the socket had room for.
        server.pump();
        assert_eq!(other.read(), b"\x81\x05hello");
        let more = reading.read().len();
        assert!(more > 0 && more < 4_000_000, "{more} bytes before an echo");
        read += more;
        rounds += 1;
    }
    assert!(rounds > 25, "{rounds} rounds");
    assert!(!silent.read().is_empty());
}

/// The body of an answer to HEAD is not sent, and HTTP/1.0 or "close" is the end.
#[test]
fn the_last_request() {
    let (mut server, bytes) = server_with(10);
    for (request, expected) in [
        ("HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", EMPTY.to_vec()),
        ("GET / HTTP/1.0\r\n\r\n", [head(10), bytes.clone()].concat()),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 60\r\n\r\n", [head(10), bytes].concat()),
    ] {
        let mut client = server.client();
        client.write(&[request.as_bytes(), GET].concat());
        server.pump();
        assert_eq!(client.read(), expected, "{request}");
        drop(client);
        server.pump();
    }
    assert_eq!(server.targets.len(), 3, "what comes behind is not looked at");
}

/// A file that has become shorter: the connection is cut, so that nobody takes the part for the whole.
#[test]
fn a_file_that_is_truncated() {
    let (mut server, bytes) = server_with(5_000_000);
    let mut client = server.client();
    client.write(GET);
    server.pump();
    let mut read = client.read();
    assert!(read.len() < bytes.len());
    server.page.as_ref().unwrap().0.set_len(4_000_000).unwrap();
    loop {
        server.pump();
        let mut part = vec![0; 100_000];
        match client.stream.read(&mut part) {
            Ok(0) => break,
            Ok(len) => read.extend(&part[..len]),
            Err(error) => panic!("{error} after {} bytes", read.len()),
        }
    }
    let whole = [head(bytes.len()), bytes].concat();
    assert!(read.len() < whole.len() && whole.starts_with(&read), "{}", read.len());
}

/// What cannot be read at all is cut at once.
#[test]
fn a_directory_is_no_file() {
    let mut server = server();
    server.page = Some((File::open("/").unwrap(), 10));
    let mut client = server.client();
    client.write(GET);
    server.pump();
    assert_eq!(client.read(), head(10));
    assert!(client.is_at_end());
}

/// A server that is nearly full keeps no connection: the places are for those that are to stay.
#[test]
fn a_full_server_keeps_no_connection() {
    let mut server = Server::new(Config { max_connections: 2, ..PAGES });
    let mut first = server.client();
    first.write(GET);
    server.pump();
    assert_eq!(first.read(), EMPTY);
    let (_a, _) = server.open_client();
    let (_b, _) = server.open_client();
    first.write(GET);
    server.pump();
    assert_eq!(first.read(), EMPTY);
    assert!(first.is_at_end());
}

/// CONTRACT S10: a connection that is kept is closed at the end, and one that is served gets its answer.
#[test]
fn the_end() {
    let (mut server, bytes) = server_with(1_000_000);
    let mut kept = server.client();
    kept.write(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut served = server.client();
    served.write(GET);
    server.pump();
    server.engine.stop(CloseCode::GOING_AWAY);
    server.pump();
    assert_eq!(kept.read(), EMPTY);
    assert!(kept.is_at_end());
    let mut read = Vec::new();
    while read.len() < head(bytes.len()).len() + bytes.len() {
        let more = served.read();
        assert!(!more.is_empty(), "after {} bytes", read.len());
        read.extend(more);
        server.pump();
    }
    drop(served);
    server.pump();
    assert!(server.is_stopped);
}

/// Requests that are no upgrade and no page are refused as ever.
#[test]
fn what_is_refused() {
    let mut server = server();
    for (request, status) in [
        ("POST / HTTP/1.1\r\nHost: a\r\n\r\n", "405"),
        ("GET / HTTP/1.1\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", "426"),
        ("nonsense\r\n\r\n", "400"),
    ] {
        let mut client = server.client();
        client.write(GET);
        server.pump();
        assert_eq!(client.read(), EMPTY);
        client.write(request.as_bytes());
        server.pump();
        let read = client.read();
        assert!(read.starts_with(format!("HTTP/1.1 {status} ").as_bytes()), "{request}");
        assert!(client.is_at_end());
    }
}
