//! `ws_defer`: decisions that are put off, and what may happen until they come.

use std::net::Shutdown;

use super::{OK, answer, ask, command, count, doing, get, launch, opening, returned, sees};
use crate::harness::{ACCEPT, Client, Frame, Server, until};

/// The calls end with a return of 0, in either callback.
fn put_off(calls: &str) -> Vec<u8> {
    doing(&format!("defer 0;{calls};return 0"))
}

/// Waits until that callback has made its last call.
fn await_call(server: &Server, line: &str) {
    server.await_journal(line);
}

/// A timer and another thread decide, on either kind.
#[test]
fn by_a_timer_and_by_a_thread() {
    let mut server = launch().tcp().start();
    for how in ["after", "post"] {
        let mut client = server.raw();
        client.send_bytes(&put_off(&format!("add 0 X-A=b;body 0 late;{how} 0 201")));
        let (head, body) = answer(&mut client);
        assert_eq!((&*head.status, &*body), ("HTTP/1.1 201 Created", &b"late"[..]));
        assert_eq!((head.header("X-A"), head.header("Connection")), (Some("b"), None));
        assert_eq!(ask(&mut client, &get("/next", "")).0.status, OK, "the connection stays");
        let mut client = server.raw();
        let calls = format!("defer 0;choose 0 chat;add 0 X-A=b;{how} 0 101");
        client.send_bytes(&opening(&calls).with("Sec-WebSocket-Protocol", "chat").bytes());
        let head = client.response();
        assert_eq!(head.status, "HTTP/1.1 101 Switching Protocols");
        assert_eq!(head.header("Sec-WebSocket-Accept"), Some(ACCEPT));
        assert_eq!(head.header("Sec-WebSocket-Protocol"), Some("chat"));
        assert_eq!(head.header("X-A"), Some("b"));
        client.echo("hello");
        let mut client = server.raw();
        let calls = format!("defer 0;body 0 no;{how} 0 302;add 0 Location=/there");
        client.send_bytes(&opening(&calls).bytes());
        let head = client.response();
        assert_eq!((&*head.status, &*head.body), ("HTTP/1.1 302 Found", "no"));
        assert_eq!(
            (head.header("Location"), head.header("Connection")),
            (Some("/there"), Some("close"))
        );
        client.expect_end();
    }
    let closed = until(|| (count(&server, "close ") == 6).then_some(()));
    assert!(closed.is_some(), "{}", server.journal());
    server.stop();
    assert_eq!(count(&server, "close "), 6, "{}", server.journal());
}

/// Until the decision all works that is promised; behind it the handle is stale once `ws_close_callback` has returned.
#[test]
fn until_the_decision() {
    let mut server = launch().tcp().start();
    let mut control = server.connect();
    let mut client = server.raw();
    client.send_bytes(&put_off("keep 0 7"));
    await_call(&server, "request return 0");
    for (call, value) in [
        ("get 2 host", "localhost"),
        ("target 2", "/do"),
        ("address 2", "[127.0.0.1]"),
        ("add 2 X-A=b", "0"),
        ("add 2 X-A=%", "-1"),
        ("add 2 Date=x", "-1"),
        ("body 2 first", "0"),
        ("body 2 second", "0"),
        ("nobody 2", "-1 0"),
        ("body 2 third", "0"),
        ("kept 2", "7"),
        ("keep 2 8", "8"),
        ("send 2 x", "0"),
        ("choose 2 chat", "-1"),
        ("defer 2", "-1"),
        ("status 2 404", "-1"),
        ("accept 2", "-1"),
        ("respond 2 199", "-1"),
        ("respond 2 600", "-1"),
        ("respond 2 0", "-1"),
        ("respond 2 -200", "-1"),
        ("respond 2 203", "0"),
    ] {
        assert_eq!(command(&mut control, call), value, "{call}");
    }
    let (head, body) = answer(&mut client);
    assert!(head.status.starts_with("HTTP/1.1 203 "), "{head:?}");
    assert_eq!((head.header("X-A"), &*body), (Some("b"), &b"third"[..]));
    let line = server.await_journal("close 2 ");
    assert_eq!(line, "close 2 kept=8 get=(null) address=[127.0.0.1] respond=-1 accept=-1");
    for (call, value) in [
        ("get 2 host", "(null)"),
        ("target 2", "(null)"),
        ("address 2", "[]"),
        ("kept 2", "0"),
        ("add 2 X-A=b", "-1"),
        ("body 2 x", "-1"),
        ("respond 2 200", "-1"),
        ("accept 2", "-1"),
    ] {
        assert_eq!(command(&mut control, call), value, "{call}");
    }
    drop(control);
    server.stop();
    assert_eq!(count(&server, "close 2 "), 1);
}

/// An upgrade, likewise. What was sent meanwhile follows the 101, and the client's own words are taken then.
#[test]
fn until_an_upgrade_is_accepted() {
    let mut server = launch().start();
    let mut control = server.connect();
    let mut client = server.raw();
    let request = opening("defer 0;send 0 first").with("Sec-WebSocket-Protocol", "a, b");
    client.send_bytes(&[request.bytes(), Frame::text("early").bytes()].concat());
    await_call(&server, "open send 0 first");
    for (call, value) in [
        ("get 2 Sec-WebSocket-Protocol", "a, b"),
        ("target 2", "/chat"),
        ("protocol 2", "[]"),
        ("choose 2 c", "-1"),
        ("status 2 404", "-1"),
        ("choose 2 a", "0"),
        ("choose 2 b", "0"),
        ("protocol 2", "[b]"),
        ("add 2 X-A=b", "0"),
        ("body 2 unsent", "0"),
        ("keep 2 7", "7"),
        ("send 2 second", "1"),
        ("respond 2 200", "-1"),
        ("respond 2 299", "-1"),
        ("accept 2", "0"),
        ("accept 2", "-1"),
        ("respond 2 404", "-1"),
        ("get 2 Host", "(null)"),
        ("add 2 X-A=b", "-1"),
        ("protocol 2", "[b]"),
        ("kept 2", "7"),
    ] {
        assert_eq!(command(&mut control, call), value, "{call}");
    }
    let head = client.response();
    assert_eq!(head.status, "HTTP/1.1 101 Switching Protocols");
    assert_eq!((head.header("X-A"), head.header("Sec-WebSocket-Protocol")), (Some("b"), Some("b")));
    for text in ["first", "second", "early"] {
        client.expect_text(text);
    }
    client.echo("hello");
    assert_eq!(count(&server, "close 2 "), 0);
    drop(client);
    assert!(server.await_journal("close 2 ").starts_with("close 2 kept=7 "));
    drop(control);
    server.stop();
}

/// A decision within the callback itself is one that was put off.
#[test]
fn at_once() {
    let mut server = launch().start();
    let mut client = server.raw();
    let (head, body) =
        ask(&mut client, &put_off("body 0 now;respond 0 202;respond 0 203;add 0 X-A=b"));
    assert_eq!(
        (&*head.status, &*body, head.header("X-A")),
        ("HTTP/1.1 202 Accepted", &b"now"[..], None)
    );
    server.await_journal("close 1 ");
    assert_eq!(returned(&server, "request respond 0 203"), "-1");
    let mut client = server.raw();
    client.send_bytes(&opening("defer 0;accept 0;send 0 hello").bytes());
    assert_eq!(client.response().status, "HTTP/1.1 101 Switching Protocols");
    client.expect_text("hello");
    drop(client);
    server.await_journal("close 2 ");
    let mut client = server.raw();
    client.send_bytes(&opening("defer 0;respond 0 404;accept 0").bytes());
    assert_eq!(client.response().status, "HTTP/1.1 404 Not Found");
    client.expect_end();
    server.await_journal("close 3 ");
    server.stop();
    assert_eq!(count(&server, "close "), 3);
}

/// CONTRACT S4: something else than 0 undoes it: that is the answer, and no `ws_close_callback` follows.
#[test]
fn a_return_undoes_it() {
    let mut server = launch().start();
    sees(&server, doing, "request", &[("defer 0", "0"), ("defer 0", "0"), ("return 204", "204")]);
    let mut client = server.raw();
    for (calls, status) in [
        ("defer 0;body 0 x;return 404", "HTTP/1.1 404 Not Found"),
        ("defer 0;respond 0 202;return 201", "HTTP/1.1 201 Created"),
        ("defer 0;after 0 202;return 203", "HTTP/1.1 203 Non-Authoritative Information"),
        ("defer 0;return 17", "HTTP/1.1 500 Internal Server Error"),
    ] {
        assert_eq!(ask(&mut client, &doing(calls)).0.status, status, "{calls}");
    }
    client.expect_end();
    for (calls, status) in [
        ("defer 0;return 1", "HTTP/1.1 403 Forbidden"),
        ("defer 0;status 0 404;send 0 x;return -1", "HTTP/1.1 404 Not Found"),
        ("defer 0;accept 0;return 1", "HTTP/1.1 403 Forbidden"),
        ("defer 0;post 0 101;return 2", "HTTP/1.1 403 Forbidden"),
    ] {
        let mut client = server.raw();
        client.send_bytes(&opening(calls).bytes());
        assert_eq!(client.response().status, status, "{calls}");
        client.expect_end();
    }
    server.await_journal("decided 202: -1");
    server.await_journal("decided 101: -1");
    server.stop();
    assert_eq!(count(&server, "close "), 0, "{}", server.journal());
}

/// A client that leaves, or ends its side of the stream, is told once; then the handle is stale.
#[test]
fn clients_that_leave() {
    let mut server = launch().tcp().start();
    let mut control = server.connect();
    let mut number = 1;
    for request in [put_off("keep 0 7"), opening("defer 0;keep 0 7").bytes()] {
        for leaves in ["closes", "ends its side", "resets"] {
            number += 1;
            let mut client = server.raw();
            client.send_bytes(&request);
            let told =
                until(|| (command(&mut control, &format!("kept {number}")) == "7").then_some(()));
            assert!(told.is_some(), "{}", server.journal());
            match leaves {
                "closes" => drop(client),
                "ends its side" => {
                    client.stream().shutdown(Shutdown::Write).expect("it is open");
                    client.expect_end();
                }
                _ => {
                    rustix::net::sockopt::set_socket_linger(
                        &client,
                        Some(std::time::Duration::ZERO),
                    )
                    .expect("an option");
                    drop(client);
                }
            }
            let line = server.await_journal(&format!("close {number} "));
            assert!(line.starts_with(&format!("close {number} kept=7 get=(null) ")), "{line}");
            assert!(line.ends_with("respond=-1 accept=-1"), "{line}");
            for call in ["respond", "accept"] {
                assert_eq!(
                    command(&mut control, &format!("{call} {number} 200")),
                    "-1",
                    "{leaves}"
                );
            }
            assert_eq!(command(&mut control, &format!("kept {number}")), "0");
        }
    }
    drop(control);
    server.stop();
    assert_eq!(count(&server, "close "), 7, "{}", server.journal());
}

/// What stands behind a request that was put off waits for its answer.
#[test]
fn requests_behind_it() {
    let mut server = launch().start();
    let mut control = server.connect();
    let mut client = server.raw();
    client.send_bytes(&[put_off("keep 0 7"), get("/second", ""), put_off("keep 0 8")].concat());
    until(|| (command(&mut control, "kept 2") == "7").then_some(()));
    assert_eq!(server.journal().matches("/second").count(), 0);
    assert_eq!(command(&mut control, "respond 2 404"), "0");
    assert_eq!(answer(&mut client).0.status, "HTTP/1.1 404 Not Found");
    assert_eq!(answer(&mut client).0.status, OK);
    until(|| (command(&mut control, "kept 4") == "8").then_some(()));
    assert_eq!(command(&mut control, "respond 4 404"), "0");
    assert_eq!(answer(&mut client).0.status, "HTTP/1.1 404 Not Found");
    drop((client, control));
    server.stop();
}

/// Answers that are given already do not wait for the decision on a request behind them, however long they are.
#[test]
fn answers_before_it() {
    let mut server = launch().start();
    let mut control = server.connect();
    let mut client = server.raw();
    client.send_bytes(&[get("/", ""), doing("long 0 5000000"), put_off("keep 0 7")].concat());
    assert_eq!(answer(&mut client).0.status, OK);
    assert_eq!(answer(&mut client).1.len(), 5_000_000);
    let told = until(|| (command(&mut control, "kept 4") == "7").then_some(()));
    assert!(told.is_some(), "{}", server.journal());
    assert_eq!(command(&mut control, "respond 4 202"), "0");
    assert_eq!(answer(&mut client).0.status, "HTTP/1.1 202 Accepted");
    drop((client, control));
    server.stop();
}

/// The program closes what it has put off: it is refused, or cut, and told of once.
#[test]
fn the_program_closes_it() {
    let mut server = launch().start();
    let mut control = server.connect();
    let mut number = 1;
    for request in [put_off("keep 0 7"), opening("defer 0;send 0 x;keep 0 7").bytes()] {
        for force in ["0", "1"] {
            number += 1;
            let mut client: Client = server.raw();
            client.send_bytes(&request);
            until(|| (command(&mut control, &format!("kept {number}")) == "7").then_some(()));
            command(&mut control, &format!("close {number} {force}"));
            if force == "0" {
                assert_eq!(client.response().status, "HTTP/1.1 403 Forbidden");
            }
            client.expect_end();
            assert!(server.await_journal(&format!("close {number} ")).contains("kept=7"));
        }
    }
    drop(control);
    server.stop();
    assert_eq!(count(&server, "close "), 5, "{}", server.journal());
}
