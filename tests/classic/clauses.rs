//! CONTRACT part 3, seen through the classic library.

use crate::harness::{Frame, Launch, Request, Variant, snapshot};

/// CONTRACT S15: one line names every function that is missing; `ws_exit_func` may be.
#[test]
fn missing_callbacks_are_named() {
    let all = "ws_init_func, ws_open_callback, ws_read_callback, ws_close_callback";
    let two = "ws_open_callback, ws_read_callback";
    for (source, missing) in [("classic/missing_all.c", all), ("classic/missing_two.c", two)] {
        for variant in [Variant::Default, Variant::StaticLibrary] {
            for way in [&["-x"][..], &[]] {
                let ended = Launch::of(source, variant).args(way.iter().copied()).run();
                assert_eq!(ended.code, Some(1), "{}", ended.stderr);
                assert!(
                    ended.stderr.ends_with(&format!(": missing: {missing}\n")),
                    "{}",
                    ended.stderr
                );
                assert_eq!((ended.stderr.lines().count(), &*ended.stdout), (1, ""));
                assert!(snapshot(&ended.run_dir()).is_empty());
            }
        }
    }
}

/// CONTRACT S1, S11: a daemon's parent leaves when the daemon listens, or says on stderr why it
/// does not.
#[test]
fn the_start_of_a_daemon() {
    let launch = Launch::classic();
    let name = launch.unique_name();
    let mut server = launch.name(&name).start_daemon();
    server.connect().echo("hello");
    let socket = server.socket().to_owned();
    let second = Launch::classic().socket(Some(socket.clone())).run();
    assert_eq!(second.code, Some(1));
    assert!(
        second.stderr.starts_with(&format!("server: -l {}: ", socket.display())),
        "{}",
        second.stderr
    );
    server.connect().echo("as ever");
    server.stop();
    assert!(!socket.exists());
}

/// CONTRACT S2: what is no upgrade is answered as by the newer library.
#[test]
fn what_is_no_upgrade() {
    let mut server = Launch::classic().start();
    let cases = [
        (Request::new().line("POST / HTTP/1.1"), "405 Method Not Allowed"),
        (Request::new().without("Upgrade"), "426 Upgrade Required"),
        (Request::new().change("Sec-WebSocket-Version", "8"), "426 Upgrade Required"),
        (Request::new().without("Host"), "400 Bad Request"),
        (Request::new().with("Host", "another"), "400 Bad Request"),
        (Request::new().with("X", "x".repeat(20000)), "431 Request Header Fields Too Large"),
    ];
    for (request, status) in cases {
        let mut client = server.raw();
        let request = request.with("Sec-WebSocket-Protocol", "chat");
        client.send_bytes(&request.bytes());
        let response = client.response();
        assert_eq!(response.status, format!("HTTP/1.1 {status}"));
        assert_eq!(response.header("Sec-WebSocket-Protocol"), None);
        client.expect_end();
    }
    server.stop();
    assert!(!server.journal().contains("open "), "{}", server.journal());
}

/// CONTRACT S5, D18: closed in the open callback or in the read callback, politely or at once: one
/// close callback, later.
#[test]
fn closing_from_within() {
    let mut server = Launch::classic().start();
    let mut polite = super::connect_for(&server, "close0");
    polite.expect_close(1000);
    server.await_journal("close 1 ");
    let mut forced = server.raw();
    forced.send_bytes(&Request::new().change("Host", "close1").bytes());
    while forced.next().is_some() {}
    server.await_journal("close 2 ");

    let mut client = server.connect();
    client.text("!last goodbye");
    client.expect_text("goodbye");
    assert_eq!(client.receive().code(), Some(1000));
    client.send(&Frame::close(1000, ""));
    client.expect_end();
    server.await_journal("close 3 ");

    let mut client = server.connect();
    let mut other = server.connect();
    assert_eq!(other.ask("!close 4 1"), "closed");
    client.expect_end();
    server.await_journal("close 4 ");
    drop(other);
    server.stop();
    let journal = server.journal();
    assert_eq!(journal.lines().filter(|line| line.starts_with("close ")).count(), 5, "{journal}");
}

/// CONTRACT S6, E4: the handle of a connection that has ended is recognised in every call.
#[test]
fn handles_of_connections_that_have_ended() {
    let mut server = Launch::classic().start();
    drop(server.connect());
    server.await_journal("close 1 ");
    // Its place is taken by somebody else.
    let mut others: Vec<_> = (0..3).map(|_| server.connect()).collect();
    let client = &mut others[0];
    assert_eq!(client.ask("!write 1 5 1"), "0 0");
    assert_eq!(client.ask("!write 1 5 300"), "0 0");
    assert_eq!(client.ask("!qlen 1"), "0");
    assert_eq!(client.ask("!data 1"), "lost null lost");
    assert_eq!(client.ask("!close 1 1"), "closed");
    assert_eq!(client.ask("!close 1 0"), "closed");
    others.iter_mut().for_each(|client| client.echo("undisturbed"));
    drop(others);
    server.stop();
}

/// CONTRACT S7: another thread's calls change nothing; the first is told once in the log.
#[test]
fn calls_from_another_thread() {
    let mut server = Launch::classic().start();
    let mut client = server.connect();
    for _ in 0..3 {
        assert_eq!(client.ask("!thread"), "nothing kept");
    }
    server.stop();
    assert_eq!(server.stderr().matches("thread").count(), 1, "{}", server.stderr());
}

/// CONTRACT S4: a refused client gets nothing that was queued, and no close callback.
#[test]
fn a_refusal() {
    let mut server = Launch::classic().args(["-h"]).start();
    let mut client = server.raw();
    client.send_bytes(&Request::new().with("Cookie", "refuse").bytes());
    assert_eq!(client.response().status, "HTTP/1.1 403 Forbidden");
    client.expect_end();
    server.stop();
    assert!(!server.journal().contains("close "), "{}", server.journal());
}

/// CONTRACT D6, S10: the default socket is named after the server, and goes with it.
#[test]
fn the_default_socket() {
    if crate::harness::skipped(&[crate::harness::Need::Root]) {
        return;
    }
    let launch = Launch::classic();
    let name = launch.unique_name();
    let mut server = launch.name(&name).socket(None).start();
    assert_eq!(server.socket(), std::path::Path::new(&format!("/var/run/{name}.socket")));
    server.connect().echo("hello");
    server.stop();
    assert!(!server.socket().exists());
}
