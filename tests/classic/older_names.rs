//! E8: what the older manual does not know, and programs use by habit.

use crate::harness::{Launch, Variant};

/// CONTRACT E8: a program that knows the older manual alone needs no `ws_exit_func`, and ends in
/// order without one.
#[test]
fn without_an_exit_function() {
    for variant in [Variant::Default, Variant::StaticLibrary, Variant::Clang, Variant::Cxx] {
        if crate::harness::skipped(&[crate::harness::Need::Tool(variant.compiler())]) {
            continue;
        }
        let mut server = Launch::of("classic/plain.c", variant).start();
        let mut client = server.connect();
        client.echo("hello");
        client.text("");
        client.echo("an empty message has no answer");
        server.signal(rustix::process::Signal::TERM);
        assert_eq!(client.receive().code(), Some(1001));
        drop(client);
        server.stop();
        assert!(!server.socket().exists());
    }
}

/// CONTRACT E8, D5: where a program defines it, it is called once, behind the last close callback.
#[test]
fn with_an_exit_function() {
    let mut server = Launch::classic().start();
    let clients: Vec<_> = (0..3).map(|_| server.connect()).collect();
    server.stop();
    drop(clients);
    let journal = server.journal();
    let last = format!("exit {}", server.process().0);
    assert_eq!(journal.lines().last(), Some(&*last), "{journal}");
    assert_eq!(journal.matches("exit ").count(), 1, "{journal}");
    assert_eq!(journal.lines().filter(|line| line.starts_with("close ")).count(), 3);
}

/// CONTRACT E8, D10: a pointer for each connection, NULL before the first set (the probe looks at
/// each open callback).
#[test]
fn data_of_a_connection() {
    let mut server = Launch::classic().start();
    let (mut one, mut two) = (server.connect(), server.connect());
    assert_eq!(one.ask("!data 0"), "kept null kept");
    assert_eq!(one.ask("!data 2"), "kept null kept");
    two.echo("mine as before");
    assert_eq!(two.ask("!reads 1"), "2");
    server.stop();
}

/// CONTRACT E8, D11: the frames that wait.
#[test]
fn length_of_a_queue() {
    let mut server = Launch::classic().start();
    let (mut one, mut two) = (server.connect(), server.connect());
    assert_eq!(one.ask("!qlen 2"), "0");
    assert_eq!(one.ask("!write 2 70000 3"), "0 6");
    for _ in 0..3 {
        assert_eq!(two.receive().payload.len(), 65535);
        assert_eq!(two.receive().payload.len(), 70000 - 65535);
    }
    assert_eq!(one.ask("!qlen 2"), "0");
    server.stop();
}
