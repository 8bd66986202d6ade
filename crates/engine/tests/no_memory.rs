//! Where memory cannot be had for one large thing (CONTRACT D17, S5). This process takes no more address space
//! than it has, so that nothing else may be tried here.
#![cfg(target_os = "linux")]

mod support;

use std::sync::Once;

use dorrit_engine::{Config, ConnId, Event, OverflowPolicy, QueueLimit, SendError};
use dorrit_proto::MessageKind;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use support::*;

/// It takes no memory while nobody writes to it.
static LARGE: [u8; 512 << 20] = [0; 512 << 20];

/// From now on there is none for a copy of it.
fn limit_memory() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap();
        let size: u64 = size.trim_end_matches(" kB").trim().parse().unwrap();
        let most = size * 1024 + (256 << 20);
        let limit = Rlimit { current: Some(most), ..getrlimit(Resource::As) };
        setrlimit(Resource::As, limit).unwrap();
    });
}

/// An answer that was queued before a message for which there is no memory reaches its client without
/// another word of it.
#[test]
fn an_answer_before_a_message_that_finds_none() {
    limit_memory();
    for count in [1, 2] {
        let queue_limit = QueueLimit { bytes: usize::MAX, policy: OverflowPolicy::Close };
        let mut server = Server::new(Config { queue_limit, ..CONFIG });
        server.on_message = |engine, id, kind, payload| {
            echo(engine, id, kind, payload);
            let array = vec![id; payload.len()];
            let sent = engine.send(array.into_iter(), MessageKind::Binary, &LARGE);
            assert_eq!(sent, Err(SendError::OutOfMemory));
        };
        let (mut client, id) = server.open_client();
        client.write(&text(&"a".repeat(count)));
        server.pump();
        assert_eq!(client.read(), [&[0x81, count as u8][..], &b"aa"[..count]].concat());
        assert_eq!(server.engine.queued_frames(id), 0);
    }
}

/// The same where the message is for others too: none has it, and what each had before is sent.
#[test]
fn a_message_for_many_that_finds_none() {
    limit_memory();
    let mut server = Server::new(CONFIG);
    let (mut clients, ids): (Vec<_>, Vec<_>) = (0..3).map(|_| server.open_client()).unzip();
    let send = |server: &mut Server, ids: &[ConnId], payload| {
        server.engine.send(ids.iter().copied(), MessageKind::Text, payload)
    };
    assert_eq!(send(&mut server, &ids[..2], b"before"), Ok(2));
    assert_eq!(send(&mut server, &ids, &LARGE), Err(SendError::OutOfMemory));
    assert_eq!(ids.iter().map(|id| server.engine.queued_frames(*id)).sum::<u32>(), 2);
    server.pump();
    let read: Vec<_> = clients.iter_mut().map(Client::read).collect();
    assert_eq!(read, [&b"\x81\x06before"[..], b"\x81\x06before", b""]);
    assert_eq!(send(&mut server, &ids, b"after"), Ok(3));
    server.pump();
    clients.iter_mut().for_each(|client| assert_eq!(client.read(), b"\x81\x05after"));
}

/// CONTRACT S5: who was accepted, and cannot be told so, has ended, and the caller is told once.
#[test]
fn an_acceptance_that_finds_none() {
    limit_memory();
    let mut server = Server::new(CONFIG);
    let mut client = server.client();
    client.write(REQUEST);
    let Event::Opened(id) = server.next() else { panic!("it asks for a connection") };
    server.engine.accept(id, Some(&LARGE), b"");
    server.pump();
    server.pump();
    assert_eq!(server.closed, [id]);
    assert!(client.is_at_end());
    let stats = server.engine.stats();
    assert_eq!((stats.accepted, stats.connections), (1, 0));
    let (mut other, _) = server.open_client();
    server.on_message = echo;
    other.write(&text("as ever"));
    server.pump();
    assert_eq!(other.read(), b"\x81\x07as ever");
}
