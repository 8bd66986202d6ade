//! `ws_adopt`: connections that a program accepts itself (tests/c/requests_adopt.c).

use std::os::unix::net::UnixStream;

use super::{OK, answer, ask, count, get, post};
use crate::harness::{Client, Frame, Launch, Need, Request, Server, Variant, skipped};
use crate::linking::valgrind;

/// The program, which reads so many bytes itself. Another user than root could not make the socket.
fn launch(read: usize) -> Launch {
    let root = rustix::process::geteuid().is_root();
    let user: &[&str] = if root { &["-u", "root", "-g", "root"] } else { &[] };
    Launch::of("requests_adopt.c", Variant::Default)
        .args(user.iter().copied())
        .env("ADOPT_READ", &read.to_string())
}

/// A connection to the program's own socket.
fn own(server: &Server) -> Client {
    Client::on(UnixStream::connect(server.run_dir().join("own")).expect("the program listens"))
}

/// Requests, kept alive, and upgrades, wherever what was read ends.
#[test]
fn read_in_part() {
    for read in [0, 1, 10, 60_000] {
        let mut server = launch(read).start();
        let mut client = own(&server);
        for _ in 0..3 {
            let (head, body) = ask(&mut client, &post(b"a\0b"));
            assert_eq!((&*head.status, &*body), (OK, &b"a\0b"[..]), "{read}");
        }
        let mut client = own(&server);
        client.send_bytes(
            &[get("/", ""), post(b"two"), Request::new().bytes(), Frame::text("hello").bytes()]
                .concat(),
        );
        assert_eq!(answer(&mut client).0.status, OK);
        assert_eq!(answer(&mut client).1, b"two");
        assert_eq!(client.response().status, "HTTP/1.1 101 Switching Protocols");
        client.expect_text("hello");
        client.echo("as any other");
        drop(client);
        server.await_journal("close");
        let mut bad = own(&server);
        bad.send_bytes(b"no HTTP at all, but a line\r\n\r\n");
        assert_eq!(bad.response().status, "HTTP/1.1 400 Bad Request");
        bad.expect_end();
        server.stop();
    }
}

/// A request cut at every byte between the program and the library.
#[test]
fn cut_at_every_byte() {
    let request = post(b"hello");
    for read in (1..=request.len()).step_by(7) {
        let mut server = launch(read).start();
        let mut client = own(&server);
        assert_eq!(ask(&mut client, &request).1, b"hello", "{read}");
        server.stop();
    }
}

/// What cannot be adopted remains the program's, open and usable; and so does all before the server and behind it.
#[test]
fn what_remains_the_programs() {
    let mut server = launch(10).start();
    let mut client = server.connect();
    client.echo("!try");
    for (name, state) in [
        ("negative", "closed"),
        ("none", "closed"),
        ("a device", "open"),
        ("a pipe", "open"),
        ("datagrams", "open"),
        ("unconnected", "open"),
        ("a listener", "open"),
        ("the loop", "open"),
        ("bytes that are not there", "open"),
    ] {
        assert_eq!(server.await_journal(&format!("{name}: ")), format!("{name}: -1 {state}"));
    }
    client.echo("as ever");
    drop(client);
    server.stop();
    for name in ["before the server", "behind the server"] {
        assert_eq!(server.await_journal(&format!("{name}: ")), format!("{name}: -1 open"));
    }
}

/// As many connections as there may be: the program is told, and answers itself.
#[test]
fn there_is_no_room() {
    let mut server = launch(10).args(["-m", "1"]).start();
    let mut clients: Vec<Client> = Vec::new();
    let full = (0..2000).find_map(|_| {
        let mut client = own(&server);
        client.send_bytes(b"GET / HTTP/1.1\r\n");
        clients.push(client);
        (count(&server, "not adopted") > 0).then_some(())
    });
    assert!(full.is_some(), "{} were adopted", clients.len());
    let refused = clients.iter_mut().any(|client| {
        client.hears_within(std::time::Duration::from_millis(1))
            && client.bytes(11) == b"not adopted"
    });
    assert!(refused, "nobody was told");
    drop(clients);
    server.stop();
}

/// CONTRACT S14: no memory is misused, and none is lost.
#[test]
fn under_valgrind() {
    if skipped(&[Need::Tool("valgrind")]) {
        return;
    }
    let mut server = valgrind(launch(10)).start();
    let mut client = server.connect();
    client.echo("!try");
    for _ in 0..3 {
        let mut adopted = own(&server);
        assert_eq!(ask(&mut adopted, &post(b"hello")).1, b"hello");
        let mut upgraded = own(&server).upgrade(&Request::new());
        upgraded.echo("hello");
        own(&server).send_bytes(b"GET / HT");
    }
    client.echo("as ever");
    server.stop();
}
