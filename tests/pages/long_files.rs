//! Files that are longer than what is sent at a time, and clients that do not wait for their end.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use super::{OK, Site, get, request, site, stop, write};
use crate::harness::{Frame, Op, until};

/// CONTRACT D16: a file that is longer than all buffers arrives whole, and an echo meanwhile has to wait
/// for no more of it than a turn of each client.
#[test]
fn a_long_file_holds_nobody_up() {
    const LENGTH: u64 = 100_000_000;
    let Site { mut server, pages } = site();
    let file = File::create(pages.join("long")).expect("a file");
    file.set_len(LENGTH).expect("room");
    file.write_all_at(b"the end", LENGTH - 7).expect("room");
    let mut other = server.connect();
    let before = server.process().resident();
    let mut client = server.raw();
    client.send_bytes(&request("GET /long HTTP/1.1"));
    let head = client.head();
    assert_eq!((&*head.status, head.length()), (OK, LENGTH as usize));
    let mut read = 0;
    while read < LENGTH as usize {
        // The file stops where the sockets are full: an echo that waited for it would never come.
        other.echo("not held up");
        let part = client.bytes(10_000_000);
        assert_eq!(part.len(), 10_000_000);
        read += part.len();
        if read == LENGTH as usize {
            assert!(part.ends_with(b"the end"));
        }
    }
    let more = server.process().resident().saturating_sub(before);
    assert!(more < 10_000_000, "{more} bytes more");
    assert_eq!(get(&mut client, "/").0.status, OK, "the connection goes on");
    let files = || server.process().open_files().into_iter().filter(|it| it.ends_with("long"));
    assert_eq!(files().count(), 0, "the file is closed");
    drop((client, other));
    server.stop();
}

/// A client that leaves, or is reset, in the middle of a file: the file is closed.
#[test]
fn a_client_that_leaves() {
    let Site { server, pages } = site();
    File::create(pages.join("long")).expect("a file").set_len(50_000_000).expect("room");
    let files = || server.process().open_files().into_iter().filter(|it| it.ends_with("long"));
    for is_reset in [false, true] {
        let mut client = server.raw();
        client.send_bytes(&request("GET /long HTTP/1.1"));
        assert_eq!(client.head().status, OK);
        assert!(until(|| (files().count() == 1).then_some(())).is_some());
        if is_reset {
            let linger = Some(Duration::ZERO);
            rustix::net::sockopt::set_socket_linger(client.stream(), linger).expect("an option");
        }
        drop(client);
        assert!(until(|| (files().count() == 0).then_some(())).is_some(), "it is still open");
    }
    stop(server);
}

/// A file that becomes shorter while it is sent: the connection is cut before the end.
#[test]
fn a_file_that_is_truncated() {
    let Site { server, pages } = site();
    let file = File::create(pages.join("long")).expect("a file");
    file.set_len(50_000_000).expect("room");
    let mut client = server.raw();
    client.send_bytes(&request("GET /long HTTP/1.1"));
    let head = client.head();
    assert_eq!(head.length(), 50_000_000);
    file.set_len(0).expect("less room");
    assert!(client.bytes(50_000_000).len() < 50_000_000);
    client.expect_end();
    stop(server);
}

/// A client that takes nothing of a file is cut off after half a minute; the time is what is measured.
#[test]
fn a_client_that_takes_nothing() {
    let Site { mut server, pages } = site();
    File::create(pages.join("long")).expect("a file").set_len(50_000_000).expect("room");
    let files = || server.process().open_files().into_iter().filter(|it| it.ends_with("long"));
    let mut witness = server.connect();
    let mut client = server.raw();
    client.send_bytes(&request("GET /long HTTP/1.1"));
    assert!(until(|| (files().count() == 1).then_some(())).is_some());
    let start = std::time::Instant::now();
    while start.elapsed() < Duration::from_secs(25) {
        assert!(!witness.hears_within(Duration::from_millis(500)), "nobody talks to it");
        assert_eq!(files().count(), 1, "after {:?}", start.elapsed());
    }
    assert!(until(|| (files().count() == 0).then_some(())).is_some(), "it is never cut off");
    assert!(client.bytes(60_000_000).len() < 50_000_000);
    witness.echo("as ever");
    drop(witness);
    server.stop();
}

/// Messages and pages at once, from many clients, with nothing lost or mixed.
#[test]
fn messages_and_pages_at_once() {
    let Site { mut server, pages } = site();
    let content: Vec<u8> = (0..300_000).map(|i: u32| (i % 253) as u8).collect();
    write(pages.join("content"), &content);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = server.raw();
                for _ in 0..20 {
                    let (head, body) = get(&mut client, "/content");
                    assert_eq!(head.status, OK);
                    assert!(body == content);
                }
            });
            scope.spawn(|| {
                let mut client = server.connect();
                for length in 0..200 {
                    let message = Frame::new(Op::BINARY, vec![7; length * 300 + 1]);
                    client.send(&message);
                    assert_eq!(client.receive(), message.unmasked());
                }
            });
        }
    });
    server.stop();
}
