//! Descriptors that were watched for the caller and closed before that was ended: whatever has their number then is
//! left in peace. Here alone a number is taken again as soon as it is free: one test at a time.

mod support;

use std::io::{PipeReader, PipeWriter, Read as _, Write as _, pipe};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dorrit_engine::{Key, Readiness};
use rustix::io::dup2;
use support::*;

const NOW: Duration = Duration::ZERO;
const READ: Readiness = Readiness { read: true, write: false };

static NUMBERS: Mutex<()> = Mutex::new(());

/// A server that has nothing left to do, while no other test takes or frees a number.
fn server() -> (MutexGuard<'static, ()>, Server) {
    let guard = NUMBERS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut server = Server::new(CONFIG);
    server.on_message = echo;
    server.pump();
    (guard, server)
}

/// A pipe of which this byte can be read.
fn ready_pipe() -> (OwnedFd, PipeWriter) {
    let (read, mut write) = pipe().unwrap();
    write.write_all(b"r").unwrap();
    (read.into(), write)
}

/// Closes a descriptor and gives its number to another one.
fn replace(old: &mut OwnedFd, new: &OwnedFd) {
    dup2(new, old).unwrap();
}

fn watch(server: &mut Server, fd: RawFd, number: usize) {
    server.engine.watch(fd, READ, Key(number, 0)).unwrap();
}

fn told(server: &mut Server) -> Vec<Source> {
    round(server, NOW, |_, _| {})
}

fn ready(fd: RawFd, number: usize) -> Source {
    Source::Ready(fd, READ, Key(number, 0))
}

/// Nothing is left to do, and nothing is told.
fn assert_idle(server: &mut Server) {
    for _ in 0..3 {
        assert_eq!((told(server), server.engine.timeout()), (vec![], None));
    }
}

fn assert_echo(server: &mut Server, client: &mut Client) {
    client.write(&text("hello"));
    server.pump();
    assert_eq!(client.read(), b"\x81\x05hello");
}

/// The file that has the number now is the caller's, and is not watched before it is asked for.
#[test]
fn by_the_caller() {
    let (_guard, mut server) = server();
    let ((mut old, _writer), (new, _other_writer)) = (ready_pipe(), ready_pipe());
    let fd = old.as_raw_fd();
    watch(&mut server, fd, 1);
    assert_eq!(told(&mut server), [ready(fd, 1)]);
    replace(&mut old, &new);
    assert_idle(&mut server);
    watch(&mut server, fd, 2);
    assert_eq!(told(&mut server), [ready(fd, 2)]);
    assert_eq!(told(&mut server), [ready(fd, 2)]);
    // The same within its own event, and by the call that ends what it was before.
    let (third, _third_writer) = ready_pipe();
    let replaced = round(&mut server, NOW, |_, _| replace(&mut old, &third));
    assert_eq!(replaced, [ready(fd, 2)]);
    assert_idle(&mut server);
    server.engine.unwatch(fd);
    watch(&mut server, fd, 3);
    assert_eq!(told(&mut server), [ready(fd, 3)]);
}

/// One that is closed, and nothing else, is forgotten.
#[test]
fn by_nobody() {
    let (_guard, mut server) = server();
    for is_told in [true, false] {
        let (read, write) = ready_pipe();
        let fd = read.as_raw_fd();
        watch(&mut server, fd, 1);
        let mut read = Some(read);
        if is_told {
            assert_eq!(round(&mut server, NOW, |_, _| drop(read.take())), [ready(fd, 1)]);
        }
        drop((read, write));
        assert_idle(&mut server);
        server.engine.unwatch(fd);
        server.engine.watch(fd, READ, Key(2, 0)).unwrap_err();
        assert_idle(&mut server);
    }
}

/// Somebody else has the old file open, so that the poll still tells of it: that is ignored, and does not keep the loop
/// busy.
#[test]
fn while_a_child_has_the_old_one() {
    let (_guard, mut server) = server();
    let (mut old, mut write) = ready_pipe();
    let mut childs = PipeReader::from(old.try_clone().unwrap());
    let (new, mut new_write) = pipe().unwrap();
    let fd = old.as_raw_fd();
    watch(&mut server, fd, 1);
    replace(&mut old, &new.into());
    watch(&mut server, fd, 2);
    assert_idle(&mut server);
    childs.read_exact(&mut [0]).unwrap();
    write.write_all(b"s").unwrap();
    assert_idle(&mut server);
    new_write.write_all(b"n").unwrap();
    assert_eq!(told(&mut server), [ready(fd, 2)]);
    write.write_all(b"t").unwrap();
    assert_eq!(told(&mut server), [ready(fd, 2)]);
    server.engine.unwatch(fd);
    write.write_all(b"u").unwrap();
    assert_idle(&mut server);
}

/// What the poll tells of the old file is not told as the number's.
#[test]
fn while_a_child_has_the_only_one() {
    let (_guard, mut server) = server();
    let ((mut old, mut write), (new, _new_write)) = (ready_pipe(), pipe().unwrap());
    let _childs = old.try_clone().unwrap();
    let fd = old.as_raw_fd();
    watch(&mut server, fd, 1);
    replace(&mut old, &new.into());
    assert_idle(&mut server);
    write.write_all(b"s").unwrap();
    assert_idle(&mut server);
}

/// A connection gets the number that was watched: nothing of it is told, and nothing that the caller does for the number
/// reaches it, whether somebody else has the old file or not.
#[test]
fn by_a_connection() {
    for has_child in [true, false] {
        let (_guard, mut server) = server();
        let (old, mut write) = ready_pipe();
        let fd = old.as_raw_fd();
        let childs = has_child.then(|| old.try_clone().unwrap());
        watch(&mut server, fd, 1);
        assert_eq!(told(&mut server), [ready(fd, 1)]);
        // The client's own descriptor is there before the number is free.
        let mut client = server.client();
        drop(old);
        client.write(REQUEST);
        server.pump();
        assert!(client.read().starts_with(b"HTTP/1.1 101 "));
        assert!(server.engine.owns(fd), "the number was not given anew");
        // It may have been told once more before the connection had the number.
        assert!(server.sources.len() <= usize::from(has_child), "{:?}", server.sources);
        server.sources.clear();
        if childs.is_some() {
            write.write_all(b"s").unwrap();
        }
        assert_echo(&mut server, &mut client);
        server.engine.unwatch(fd);
        server.engine.watch(fd, READ, Key(2, 0)).unwrap_err();
        assert_echo(&mut server, &mut client);
        assert_eq!((&server.sources[..], server.engine.owns(fd)), (&[][..], true));
        // The old file is given the number that it had, and that its registration has.
        server.engine.close_now(server.opened[0]);
        server.pump();
        assert!(!server.engine.owns(fd));
        let again = childs.map_or_else(|| ready_pipe().0, |childs| childs.try_clone().unwrap());
        assert_eq!(again.as_raw_fd(), fd);
        watch(&mut server, fd, 3);
        let told = told(&mut server);
        assert!(matches!(told[..], [Source::Ready(it, _, Key(3, 0))] if it == fd), "{told:?}");
    }
}

/// A pipe that the engine is given has the number.
#[test]
fn by_a_pipe_of_the_engines() {
    let (_guard, mut server) = server();
    let (mut old, _write) = ready_pipe();
    let (new, mut new_write) = pipe().unwrap();
    let fd = old.as_raw_fd();
    watch(&mut server, fd, 1);
    replace(&mut old, &new.into());
    server.engine.watch_control(&old).unwrap();
    server.engine.unwatch(fd);
    server.engine.watch(fd, READ, Key(2, 0)).unwrap_err();
    assert_idle(&mut server);
    new_write.write_all(b"c").unwrap();
    assert!(matches!(server.next(), dorrit_engine::Event::Control));
    server.engine.unwatch_control(&old).unwrap();
    watch(&mut server, fd, 3);
    assert_eq!(told(&mut server), [ready(fd, 3)]);
}
