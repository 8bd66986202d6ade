//! Calls from another thread than the server's (CONTRACT S7).

use super::{ask, nothing_set, set};
use crate::harness::Frame;

/// USERS 1: every function fails as its manual says, and nothing changes; one line in the log.
#[test]
fn every_function_on_another_thread() {
    let mut server = nothing_set().start();
    let mut client = server.connect();
    let before = server.stderr().lines().count();
    for _ in 0..3 {
        assert_eq!(
            ask(&mut client, "thread"),
            "send=-3 sum=-8 header=(null) target=(null) protocol=[] qbytes=0 code=1006"
        );
    }
    client.echo("neither closed nor written to");
    server.await_stderr("thread");
    assert_eq!(server.stderr().lines().count(), before + 1, "{}", server.stderr());
    server.stop();
}

/// T40: one thread serves all, however many messages there are.
#[test]
fn one_thread_for_all() {
    let mut server = set("max_message 1048576;compression 6;ping 1 5").start();
    let mut clients: Vec<_> = (0..50).map(|_| server.connect()).collect();
    let burst = Frame::text("hello").bytes().repeat(200);
    clients.iter_mut().for_each(|client| client.send_bytes(&burst));
    assert_eq!(server.process().status().threads, 1);
    for client in &mut clients {
        (0..200).for_each(|_| client.expect_text("hello"));
    }
    assert_eq!(server.process().status().threads, 1);
    server.stop();
}
