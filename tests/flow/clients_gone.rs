//! Clients that go while they are held back: who is not there any more ends at once.

use std::net::Shutdown;

use rustix::net::sockopt::set_socket_linger;
use rustix::process::Signal;

use super::{ask, fill, launch, open, told};
use crate::harness::{Client, Frame};

/// Ends it as the kernel ends a process's that has not read everything, by a reset where it is TCP.
fn cut(client: Client) {
    if matches!(client.stream(), crate::harness::Stream::Tcp(_)) {
        set_socket_linger(&client, Some(std::time::Duration::ZERO)).expect("an option");
    }
    drop(client);
}

/// With nothing and with something unread, with a message under way, and with a queue that waits.
#[test]
fn at_once() {
    for launch in [launch(), launch().tcp()] {
        let mut server = launch.start();
        let mut commander = server.connect();
        let bytes: [&[u8]; 3] =
            [b"", &Frame::text("unread").bytes(), &Frame::text("part").bytes()[..5]];
        for (index, bytes) in bytes.into_iter().enumerate() {
            let mut client = open(&server, "pause 0");
            client.send_bytes(bytes);
            commander.echo("a round");
            cut(client);
            server.await_journal(&format!("close {} code=1006", index + 2));
        }
        let client = open(&server, "pause 0");
        fill(&mut commander, 5);
        cut(client);
        server.await_journal("close 5 code=1006");
        // The end of one side, and then of both.
        let client = open(&server, "pause 0");
        client.stream().shutdown(Shutdown::Write).expect("it is open");
        (0..3).for_each(|_| commander.echo("a round"));
        assert_eq!(ask(&mut commander, "open 6"), "1");
        cut(client);
        server.await_journal("close 6 code=1006");
        assert_eq!(ask(&mut commander, "count;resume 6"), "1 -1");
        assert!((2..=6).all(|number| told(&server, number).is_empty()));
        server.stop();
    }
}

/// Gone before the message was read that holds it back: it ends all the same.
#[test]
fn before_it_was_held_back() {
    for launch in [launch(), launch().tcp()] {
        let mut server = launch.start();
        let mut commander = server.connect();
        let mut client = server.connect();
        client.echo("hello");
        server.signal(Signal::STOP);
        client.send_bytes(
            &[Frame::text("!pause 0"), Frame::text("unread")].map(|it| it.bytes()).concat(),
        );
        client.stream().shutdown(Shutdown::Both).expect("it is open");
        drop(client);
        server.signal(Signal::CONT);
        // The answer to what is sent to it says over TCP that nobody is there.
        server.await_journal("close 2 code=1006");
        assert_eq!(told(&server, 2), ["5 hello"]);
        commander.echo("as ever");
        server.stop();
    }
}

/// Over TCP the end of a process that has read all is the end of its side alone: what is sent to it shows the rest.
#[test]
fn what_is_sent_shows_it() {
    let mut server = launch().tcp().start();
    let mut commander = server.connect();
    drop(open(&server, "pause 0"));
    (0..3).for_each(|_| commander.echo("a round"));
    assert_eq!(ask(&mut commander, "open 2;say 2 hello"), "1 1");
    server.await_journal("close 2 code=1006");
    server.stop();
}
