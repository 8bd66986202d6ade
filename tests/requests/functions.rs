//! Each function in each state of a request: what it returns, and that a handle which names none is recognised
//! (CONTRACT F1, F6, F7).

use super::{ask, command, count, doing, get, launch, opening, returned, sees};
use crate::harness::{Frame, Launch, Need, Variant, skipped, until};
use crate::linking::valgrind;

/// What a thread and a child are told (CONTRACT F1, S23).
const FOREIGN: &str = "header=-3 body=-3 defer=-3 accept=-3 respond=-3 adopt=-3 address=[]";

/// In ws_request_callback, on its own handle.
#[test]
fn while_a_request_is_told() {
    let mut server = launch().tcp().start();
    sees(
        &server,
        doing,
        "request",
        &[
            ("get 0 Host", "localhost"),
            ("get 0 HOST", "localhost"),
            ("get 0 X-None", "(null)"),
            ("target 0", "/do"),
            ("address 0", "[127.0.0.1]"),
            ("protocol 0", "[]"),
            ("choose 0 chat", "-1"),
            ("status 0 404", "-1"),
            ("add 0 X-A=b", "0"),
            ("body 0 text", "0"),
            ("nobody 0", "-1 0"),
            ("keep 0 7", "7"),
            ("kept 0", "7"),
            ("send 0 hello", "0"),
            ("qlen 0", "0 0"),
            ("accept 0", "-1"),
            ("respond 0 200", "-1"),
        ],
    );
    server.stop();
    assert_eq!(count(&server, "close "), 0, "{}", server.journal());
}

/// In ws_open_callback, likewise.
#[test]
fn while_a_connection_is_asked_for() {
    let mut server = launch().tcp().start();
    let open = |calls: &str| opening(calls).with("Sec-WebSocket-Protocol", "chat").bytes();
    sees(
        &server,
        open,
        "open",
        &[
            ("get 0 Host", "localhost"),
            ("target 0", "/chat"),
            ("address 0", "[127.0.0.1]"),
            ("choose 0 other", "-1"),
            ("choose 0 chat", "0"),
            ("protocol 0", "[chat]"),
            ("add 0 X-A=b", "0"),
            ("body 0 text", "0"),
            ("keep 0 7", "7"),
            ("send 0 hello", "1"),
            ("status 0 299", "-1"),
            ("status 0 600", "-1"),
            ("accept 0", "-1"),
            ("respond 0 404", "-1"),
        ],
    );
    server.stop();
}

/// What is NULL, a timer's, or was never given names nothing, in either callback and outside.
#[test]
fn what_names_nothing() {
    let mut server = launch().start();
    let calls = ["999", "T"].map(|it| {
        [
            (format!("get {it} Host"), "(null)"),
            (format!("target {it}"), "(null)"),
            (format!("address {it}"), "[]"),
            (format!("protocol {it}"), "[]"),
            (format!("add {it} X-A=b"), "-1"),
            (format!("body {it} text"), "-1"),
            (format!("keep {it} 7"), "0"),
            (format!("defer {it}"), "-1"),
            (format!("accept {it}"), "-1"),
            (format!("respond {it} 200"), "-1"),
            (format!("close {it} 1"), "closed"),
        ]
    });
    let calls: Vec<(&str, &str)> =
        calls.iter().flatten().map(|(call, result)| (call.as_str(), *result)).collect();
    sees(&server, doing, "request", &calls);
    sees(&server, |calls| opening(calls).bytes(), "open", &calls);
    let mut client = server.connect();
    for (call, result) in calls {
        assert_eq!(command(&mut client, call), result, "{call}");
    }
    drop(client);
    server.stop();
}

/// An open connection is no request, nor is one that was answered, nor another client's: nothing is set, and nothing is
/// decided.
#[test]
fn outside_of_the_callback() {
    let mut server = launch().start();
    let mut client = server.connect();
    let mut asking = server.raw();
    // 2 is answered, and 3 is told while 1 and 2 are there.
    ask(&mut asking, &get("/", ""));
    let others = ["1", "2"].map(|it| {
        format!(
            "get {it} Host;target {it};add {it} X-A=b;body {it} x;defer {it};accept {it};respond {it} 404"
        )
    });
    ask(&mut asking, &doing(&others.join(";")));
    for number in [1, 2] {
        for (call, result) in [
            ("get", "(null)"),
            ("target", "(null)"),
            ("add", "-1"),
            ("body", "-1"),
            ("defer", "-1"),
            ("accept", "-1"),
            ("respond", "-1"),
        ] {
            let line = server.await_journal(&format!("request {call} {number}"));
            assert!(line.ends_with(&format!(": {result}")), "{line}");
            let argument = match call {
                "add" => " X-A=b",
                "body" | "get" => " x",
                "respond" => " 404",
                _ => "",
            };
            assert_eq!(command(&mut client, &format!("{call} {number}{argument}")), result);
        }
    }
    assert_eq!(command(&mut client, "kept 2"), "0");
    assert_eq!(command(&mut client, "keep 2 5"), "0");
    client.echo("as ever");
    client.send(&Frame::close(1000, ""));
    client.expect_close(1000);
    let line = server.await_journal("close 1 ");
    assert_eq!(line, "close 1 kept=0 get=(null) address=[] respond=-1 accept=-1");
    drop(asking);
    server.stop();
    assert_eq!(count(&server, "close "), 1);
}

/// The address of a connection stays as long as it, also when its close callback runs.
#[test]
fn the_address_stays() {
    let mut server = launch().tcp().start();
    let mut client = server.connect();
    assert_eq!(command(&mut client, "address 1"), "[127.0.0.1]");
    drop(client);
    assert!(server.await_journal("close 1 ").contains(" address=[127.0.0.1] "));
    assert_eq!(command(&mut server.connect(), "address 1"), "[]");
    server.stop();
}

/// CONTRACT F1, S7, S23: on another thread and in a child nothing is done; the log says so once.
#[test]
fn on_another_thread_and_in_a_child() {
    let mut server = launch().start();
    for (request, place) in
        [(doing("thread 0;fork 0"), "request"), (opening("thread 0;fork 0").bytes(), "open")]
    {
        let mut client = server.raw();
        client.send_bytes(&request);
        let head = client.head();
        assert!(head.header("X-Wrong").is_none() && head.length() == 0, "{head:?}");
        assert_eq!(returned(&server, &format!("{place} thread 0")), FOREIGN);
        assert_eq!(returned(&server, &format!("{place} fork 0")), FOREIGN);
    }
    let mut client = server.connect();
    let mut deferred = server.raw();
    deferred.send_bytes(&doing("defer 0;return 0"));
    server.await_journal("request return 0: 0");
    for call in ["thread 4", "fork 4"] {
        assert_eq!(command(&mut client, call), FOREIGN);
    }
    assert_eq!(command(&mut client, "respond 4 204"), "0");
    assert_eq!(deferred.head().status, "HTTP/1.1 204 No Content");
    let said = server.stderr();
    assert_eq!(said.matches("another thread than the server's").count(), 1, "{said}");
    drop(client);
    server.stop();
}

/// Two requests on one connection have different handles, and the first names nothing when the second is told; data that
/// was set for it is not the second's.
#[test]
fn each_request_has_a_handle_of_its_own() {
    let mut server = launch().start();
    let mut client = server.raw();
    let two = [doing("keep 0 7"), doing("kept 1;get 1 Host;kept 2;get 2 Host")].concat();
    client.send_bytes(&two);
    (0..2).for_each(|_| assert_eq!(client.head().status, super::OK));
    for (call, value) in
        [("kept 1", "0"), ("get 1 Host", "(null)"), ("kept 2", "0"), ("get 2 Host", "localhost")]
    {
        assert_eq!(returned(&server, &format!("request {call}")), value, "{call}");
    }
    drop(client);
    server.stop();
}

/// A connection's own callbacks follow on the one that has made requests before, under another handle.
#[test]
fn an_upgrade_behind_requests() {
    let mut server = launch().start();
    let mut client = server.raw();
    let all = [get("/1", ""), get("/2", ""), opening("kept 1;kept 2").bytes()].concat();
    client.send_bytes(&[all, Frame::text("hello").bytes()].concat());
    (0..2).for_each(|_| assert_eq!(client.head().status, super::OK));
    assert_eq!(client.head().status, "HTTP/1.1 101 Switching Protocols");
    client.expect_text("hello");
    assert_eq!(command(&mut client, "address 3"), "[]");
    drop(client);
    server.await_journal("close 3 ");
    server.stop();
}

/// All of it under a checker, with clients that leave where they are waited for.
fn checked(launch: Launch) {
    let mut server = launch.start();
    let mut control = server.connect();
    for calls in [
        "add 0 X-A=b;add 0 X-A%=b;body 0 text;long 0 100000;get 0 Host;target 0;address 0",
        "thread 0;fork 0;all 0",
        "return 17",
        "return 0",
        "long 0 3000000",
    ] {
        for number in 0..2 {
            let mut client = server.raw();
            client.send_bytes(&doing(calls));
            if number == 0 {
                client.head();
            }
        }
    }
    for round in 1..=3 {
        let mut kept = server.raw();
        kept.send_bytes(&[super::post(&[1; 5000]), doing("defer 0;keep 0 1;return 0")].concat());
        kept.head();
        let mut upgrade = server.raw();
        upgrade.send_bytes(&opening("defer 0;add 0 X-A=b;send 0 later").bytes());
        let told = until(|| (count(&server, "open send 0 later") == round).then_some(()));
        assert!(told.is_some(), "{}", server.journal());
        drop((kept, upgrade));
    }
    let mut last = server.raw();
    last.send_bytes(&doing("defer 0;after 0 201;return 0"));
    assert_eq!(last.head().status, "HTTP/1.1 201 Created");
    let mut cut = server.raw();
    cut.send_bytes(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab");
    drop(cut);
    control.echo("as ever");
    let mut waits = server.raw();
    waits.send_bytes(&doing("body 0 late;defer 0;return 0"));
    drop(control);
    server.stop();
}

/// CONTRACT S14: no memory is misused, and none is lost.
#[test]
fn under_valgrind() {
    if !skipped(&[Need::Tool("valgrind")]) {
        checked(valgrind(launch()));
    }
}

/// The same with the C side under AddressSanitizer.
#[test]
fn under_address_sanitizer() {
    let root = rustix::process::geteuid().is_root();
    let user: &[&str] = if root { &["-u", "root", "-g", "root"] } else { &[] };
    checked(
        Launch::of("requests.c", Variant::Asan)
            .args(user.iter().copied())
            .env("ASAN_OPTIONS", "detect_leaks=1:exitcode=99"),
    );
}
