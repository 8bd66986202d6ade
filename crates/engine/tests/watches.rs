//! Descriptors of the caller's: it is told of each as long as it is ready, once a round.

mod support;

use std::fs::File;
use std::io::{PipeReader, PipeWriter, Read as _, Write as _, pipe};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::thread::sleep;
use std::time::Duration;

use dorrit_engine::{Engine, Event, Key, Readiness};
use dorrit_proto::CloseCode;
use mio::unix::SourceFd;
use support::*;

const NOW: Duration = Duration::ZERO;
const READ: Readiness = Readiness { read: true, write: false };
const WRITE: Readiness = Readiness { read: false, write: true };
const BOTH: Readiness = Readiness { read: true, write: true };
const NONE: Readiness = Readiness { read: false, write: false };
/// What has ended is told as both where the poll tells it so.
const ENDED: Readiness =
    if cfg!(any(target_os = "linux", target_os = "android")) { BOTH } else { READ };

/// A server that has nothing left to do.
fn server() -> Server {
    let mut server = Server::new(CONFIG);
    server.pump();
    server
}

/// A pipe that is watched, of which this byte can be read.
fn ready_pipe(server: &mut Server, number: usize) -> (PipeReader, PipeWriter) {
    let (read, mut write) = pipe().unwrap();
    write.write_all(b"r").unwrap();
    server.engine.watch(read.as_raw_fd(), READ, Key(number, 0)).unwrap();
    (read, write)
}

/// Two ends of a stream, of which the first is watched.
fn stream(server: &mut Server, readiness: Readiness) -> (UnixStream, UnixStream) {
    let (here, there) = UnixStream::pair().unwrap();
    here.set_nonblocking(true).unwrap();
    there.set_nonblocking(true).unwrap();
    server.engine.watch(here.as_raw_fd(), readiness, Key(0, 0)).unwrap();
    (here, there)
}

fn told(server: &mut Server) -> Vec<(RawFd, Readiness, usize)> {
    round(server, NOW, |_, _| {}).into_iter().map(ready).collect()
}

fn ready(source: Source) -> (RawFd, Readiness, usize) {
    match source {
        Source::Ready(fd, readiness, Key(number, 0)) => (fd, readiness, number),
        other => panic!("{other:?}"),
    }
}

/// Whether somebody else's poll tells that the engine has something to do.
fn is_readable(engine: &Engine) -> bool {
    let mut poll = mio::Poll::new().unwrap();
    let mut events = mio::Events::with_capacity(1);
    let mut source = SourceFd(&engine.fd());
    poll.registry().register(&mut source, mio::Token(0), mio::Interest::READABLE).unwrap();
    poll.poll(&mut events, Some(NOW)).unwrap();
    !events.is_empty()
}

/// What is not read is told again, once a round, and between two rounds to somebody else's poll.
#[test]
fn as_long_as_it_is_ready() {
    let mut server = server();
    let (mut read, mut write) = ready_pipe(&mut server, 7);
    write.write_all(b"s").unwrap();
    for byte in *b"rs" {
        for _ in 0..3 {
            assert!(is_readable(&server.engine));
            assert_eq!(told(&mut server), [(read.as_raw_fd(), READ, 7)]);
        }
        let mut first = [0];
        read.read_exact(&mut first).unwrap();
        assert_eq!(first, [byte]);
    }
    assert_eq!(told(&mut server), []);
    assert!(!is_readable(&server.engine));
    assert_eq!((told(&mut server), server.engine.timeout()), (vec![], None));
    write.write_all(b"t").unwrap();
    assert!(is_readable(&server.engine));
    assert_eq!(told(&mut server), [(read.as_raw_fd(), READ, 7)]);
}

/// What was told is told again also where no other event is asked for in between, as when an exception has left the
/// callback.
#[test]
fn looks_without_a_next_event() {
    let mut server = server();
    let (read, _write) = ready_pipe(&mut server, 1);
    for _ in 0..3 {
        let mut event = None;
        while event.is_none() {
            server.engine.wait(Some(Duration::from_secs(60))).unwrap();
            event = server.engine.poll_event().map(|event| event.map(drop));
        }
        assert!(matches!(event, Some(Event::Ready(fd, READ, _)) if fd == read.as_raw_fd()));
        assert!(is_readable(&server.engine), "whoever sleeps elsewhere is woken");
    }
}

/// Who sleeps in the engine is woken.
#[test]
fn the_loop_wakes() {
    let mut server = server();
    let (read, mut write) = pipe().unwrap();
    server.engine.watch(read.as_raw_fd(), READ, Key(1, 0)).unwrap();
    let writing = std::thread::spawn(move || {
        sleep(Duration::from_millis(20));
        write.write_all(b"r").unwrap();
        write
    });
    let mut told = Vec::new();
    while told.is_empty() {
        told = round(&mut server, Duration::from_secs(60), |_, _| {});
    }
    assert_eq!(told, [Source::Ready(read.as_raw_fd(), READ, Key(1, 0))]);
    drop(writing.join().unwrap());
}

#[test]
fn room_to_write() {
    let mut server = server();
    let (mut here, mut there) = stream(&mut server, WRITE);
    let fd = here.as_raw_fd();
    there.write_all(b"not asked for").unwrap();
    for _ in 0..3 {
        assert_eq!(told(&mut server), [(fd, WRITE, 0)]);
    }
    while here.write(&[7; 4096]).is_ok() {}
    told(&mut server);
    assert_eq!((told(&mut server), server.engine.timeout()), (vec![], None));
    while there.read(&mut [0; 4096]).is_ok() {}
    assert_eq!(told(&mut server), [(fd, WRITE, 0)]);
    server.engine.watch(fd, BOTH, Key(0, 0)).unwrap();
    assert_eq!(told(&mut server), [(fd, BOTH, 0)]);
}

/// The end of a stream, and an error, are both, whatever was asked for; the end of what the peer sends is not.
#[test]
fn ends() {
    let mut server = server();
    for asked in [READ, WRITE] {
        let (here, there) = stream(&mut server, asked);
        there.shutdown(Shutdown::Write).unwrap();
        for _ in 0..2 {
            assert_eq!(told(&mut server), [(here.as_raw_fd(), asked, 0)], "half of it");
        }
        drop(there);
        let expected = if asked == READ { ENDED } else { BOTH };
        for _ in 0..2 {
            assert_eq!(told(&mut server), [(here.as_raw_fd(), expected, 0)], "all of it");
        }
        server.engine.unwatch(here.as_raw_fd());
    }
    let (read, write) = pipe().unwrap();
    server.engine.watch(read.as_raw_fd(), READ, Key(1, 0)).unwrap();
    assert_eq!(told(&mut server), []);
    drop(write);
    assert_eq!(told(&mut server), [(read.as_raw_fd(), ENDED, 1)], "nobody writes");
    server.engine.unwatch(read.as_raw_fd());
    let (read, write) = pipe().unwrap();
    server.engine.watch(write.as_raw_fd(), WRITE, Key(2, 0)).unwrap();
    assert_eq!(told(&mut server), [(write.as_raw_fd(), WRITE, 2)]);
    drop(read);
    for _ in 0..2 {
        assert_eq!(told(&mut server), [(write.as_raw_fd(), BOTH, 2)], "nobody reads");
    }
}

/// The last call for a descriptor counts, also from its own event, and for nothing it ends it.
#[test]
fn the_last_call_counts() {
    let mut server = server();
    let (here, mut there) = stream(&mut server, READ);
    let fd = here.as_raw_fd();
    there.write_all(b"r").unwrap();
    server.engine.watch(fd, WRITE, Key(1, 0)).unwrap();
    assert_eq!(told(&mut server), [(fd, WRITE, 1)]);
    let changed = round(&mut server, NOW, |engine, _| {
        engine.watch(fd, READ, Key(2, 0)).unwrap();
    });
    assert_eq!(changed.len(), 1);
    assert_eq!(told(&mut server), [(fd, READ, 2)]);
    let ended = round(&mut server, NOW, |engine, _| engine.watch(fd, NONE, Key(3, 0)).unwrap());
    assert_eq!(ended, [Source::Ready(fd, READ, Key(2, 0))]);
    assert_eq!((told(&mut server), server.engine.timeout()), (vec![], None));
    server.engine.watch(fd, READ, Key(4, 0)).unwrap();
    assert_eq!(told(&mut server), [(fd, READ, 4)]);
    for _ in 0..2 {
        server.engine.unwatch(fd);
        assert_eq!(told(&mut server), []);
    }
}

/// One that was ready, and that the event of another one has ended or changed, is not told as it was.
#[test]
fn ended_within_the_same_round() {
    let mut server = server();
    let pipes: Vec<_> = (0..9).map(|number| ready_pipe(&mut server, number)).collect();
    let fds: Vec<_> = pipes.iter().map(|(read, _)| read.as_raw_fd()).collect();
    let numbers: Vec<_> = round(&mut server, NOW, |engine, source| {
        let (_, _, number) = ready(source);
        if number == 3 {
            (0..4).for_each(|number| engine.unwatch(fds[number]));
        }
        for other in (number % 3 == 0).then_some([number + 1, number + 2]).into_iter().flatten() {
            engine.unwatch(fds[other]);
            if other % 3 == 2 {
                engine.watch(fds[other], READ, Key(other + 10, 0)).unwrap();
            }
        }
    })
    .into_iter()
    .map(|source| ready(source).2)
    .collect();
    assert_eq!(numbers, [0, 3, 6]);
    let mut told: Vec<_> = told(&mut server).iter().map(|(_, _, number)| *number).collect();
    told.sort_unstable();
    assert_eq!(told, [6, 15, 18]);
}

#[test]
fn what_cannot_be_watched() {
    let mut server = server();
    for fd in [-1, RawFd::MIN, RawFd::MAX, 900_000] {
        server.engine.watch(fd, READ, Key(0, 0)).unwrap_err();
        server.engine.unwatch(fd);
        assert!(!server.engine.owns(fd));
    }
    // A kqueue tells that there is more of a file.
    if cfg!(any(target_os = "linux", target_os = "android")) {
        for file in [File::open("/proc/self/exe").unwrap(), File::open("/").unwrap()] {
            let error = server.engine.watch(file.as_raw_fd(), READ, Key(0, 0)).unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
        }
    }
    assert_eq!((told(&mut server), server.engine.timeout()), (vec![], None));
}

fn owned(engine: &Engine) -> Vec<RawFd> {
    (0..20_000).filter(|fd| engine.owns(*fd)).collect()
}

/// The engine's own descriptors are refused, and go on; they are nobody's when they are closed.
#[test]
fn the_own_ones() {
    let mut server = server();
    server.on_message = echo;
    let before = owned(&server.engine);
    let listener = server.listener.upgrade().unwrap();
    let mut expected = [
        server.engine.fd(),
        std::os::fd::AsFd::as_fd(&*listener).as_raw_fd(),
        server.controlled().as_raw_fd(),
    ];
    expected.sort_unstable();
    assert_eq!(before, expected);
    drop(listener);
    let (mut client, id) = server.open_client();
    let all = owned(&server.engine);
    assert_eq!(all.len(), before.len() + 1);
    for fd in &all {
        server.engine.watch(*fd, BOTH, Key(0, 0)).unwrap_err();
        server.engine.watch(*fd, NONE, Key(0, 0)).unwrap_err();
        server.engine.unwatch(*fd);
    }
    client.write(&text("hello"));
    server.pump();
    assert_eq!(client.read(), b"\x81\x05hello");
    let (other, _) = server.open_client();
    assert_eq!(server.sources, []);
    // From the moment at which it is closed for its client.
    let open = owned(&server.engine);
    server.engine.close_now(id);
    assert_eq!(owned(&server.engine).len(), open.len() - 1);
    drop((client, other));
    server.pump();
    assert_eq!(owned(&server.engine), before);
    let control = server.controlled().try_clone().unwrap();
    server.engine.watch_control(&control).unwrap();
    assert!(server.engine.owns(control.as_raw_fd()));
    server.engine.unwatch_control(&control).unwrap();
    assert!(!server.engine.owns(control.as_raw_fd()));
    server.engine.drain(Duration::from_secs(60));
    assert_eq!(owned(&server.engine).len(), 2);
}

/// Descriptors that are always ready each have one turn a round, and so have connections.
#[test]
fn many_that_are_always_ready() {
    const COUNT: usize = 200;
    let mut server = server();
    server.on_message = echo;
    let (mut client, _) = server.open_client();
    let (read, _write) = ready_pipe(&mut server, 0);
    let more: Vec<_> = (1..COUNT).map(|_| read.try_clone().unwrap()).collect();
    for (i, read) in more.iter().enumerate() {
        server.engine.watch(read.as_raw_fd(), READ, Key(i + 1, 0)).unwrap();
    }
    for round in 0..10 {
        client.write(&text("hello"));
        let mut told = Vec::new();
        while told.len() < COUNT {
            server.pump_once();
            told.extend(server.sources.drain(..).map(|source| ready(source).2));
        }
        // A slow machine may need several rounds, for some of them.
        let count = |number| told.iter().filter(|told| **told == number).count();
        let counts = (0..COUNT).map(count);
        let (least, most) = (counts.clone().min().unwrap(), counts.max().unwrap());
        assert!(least >= 1 && most <= least + 1, "{least} to {most} in round {round}");
        server.pump();
        server.sources.clear();
        assert_eq!(client.read(), b"\x81\x05hello");
    }
}

/// Neither descriptors nor timers, calls and connections that each take all the time of a look keep the others from
/// their turns.
#[test]
fn all_that_takes_long() {
    let mut server = server();
    let (_read, _write) = ready_pipe(&mut server, 1);
    let (mut client, _) = server.open_client();
    client.write(&text("hello").repeat(200));
    server.on_message = |_, _, _, _| sleep(Duration::from_millis(12));
    server.on_source = |engine, source| {
        sleep(Duration::from_millis(12));
        match source {
            Source::Timer(key) => _ = engine.set_timer(NOW, key).unwrap(),
            Source::Call => engine.request_call(),
            Source::Ready(..) => {}
        }
    };
    for number in 0..3 {
        server.engine.set_timer(NOW, Key(number, 0)).unwrap();
    }
    server.engine.request_call();
    for round in 0..6 {
        server.messages.clear();
        server.sources.clear();
        (0..5).for_each(|_| server.pump_once());
        let has = |is: fn(&Source) -> bool| server.sources.iter().any(is);
        assert!(has(|it| matches!(it, Source::Timer(_))), "no timer in round {round}");
        assert!(has(|it| matches!(it, Source::Ready(..))), "no descriptor in round {round}");
        assert!(has(|it| matches!(it, Source::Call)), "no call in round {round}");
        assert!(!server.messages.is_empty(), "no message in round {round}");
    }
}

/// Descriptors are watched until the server has ended.
#[test]
fn while_the_server_stops() {
    let mut server = server();
    let (_client, id) = server.open_client();
    server.engine.stop(CloseCode::GOING_AWAY);
    let (_read, _write) = ready_pipe(&mut server, 1);
    while server.sources.len() < 3 {
        server.step_once();
    }
    server.engine.close_now(id);
    while !server.is_stopped {
        server.step_once();
    }
}
