//! Programs that answer requests alone, and how their functions are found.

use super::{OK, answer, ask, doing, get};
use crate::harness::{Client, Launch, Need, Request, Server, Variant, skipped};
use crate::linking::linked;

fn is_upgrade_refused(server: &Server) {
    let mut client = server.raw();
    client.send_bytes(&Request::new().bytes());
    let head = client.response();
    assert_eq!(head.status, "HTTP/1.1 426 Upgrade Required");
    client.expect_end();
}

/// The three functions for connections are left out: the server starts, upgrades are answered 426, requests as ever. A
/// decision that was put off ends without a callback.
#[test]
fn without_the_functions_for_connections() {
    for variant in [Variant::Default, Variant::StaticLibrary, Variant::HiddenLto, Variant::Cxx] {
        let Some(launch) = linked("requests_alone.c", variant) else { continue };
        let mut server = launch.start();
        is_upgrade_refused(&server);
        let mut client = server.raw();
        let (head, body) = ask(&mut client, &doing("body 0 alone;return 201"));
        assert_eq!((&*head.status, &*body), ("HTTP/1.1 201 Created", &b"alone"[..]));
        client.send_bytes(&doing("defer 0;after 0 202;return 0"));
        assert_eq!(answer(&mut client).0.status, "HTTP/1.1 202 Accepted");
        assert_eq!(ask(&mut client, &get("/", "")).0.status, OK);
        drop(client);
        server.stop();
    }
}

/// CONTRACT S15: one of the three alone is no program.
#[test]
fn one_of_them_is_missing() {
    let ended = Launch::of("requests_missing.c", Variant::Default).args(["-x"]).run();
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("missing: ws_read_callback\n"), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    let check = Launch::of("requests_missing.c", Variant::Default).args(["--check"]).run();
    assert_eq!(check.code, Some(1), "{}", check.stderr);
}

/// `ws_set_callbacks`: `request` is one of them, and alone as well.
#[test]
fn functions_that_are_set() {
    if skipped(&[Need::Tool("gcc")]) {
        return;
    }
    let mut server = Launch::of("requests_set.c", Variant::Default).start();
    is_upgrade_refused(&server);
    let mut client: Client = server.raw();
    let (head, body) = ask(&mut client, &get("/set?a", ""));
    assert_eq!((&*head.status, &*body), ("HTTP/1.1 201 Created", &b"set"[..]));
    server.await_journal("request GET /set?a");
    drop(client);
    server.stop();
}

/// A program without `ws_request_callback` is what it was (CONTRACT F4): plain requests are refused unread.
#[test]
fn without_the_function_for_requests() {
    let mut server = Launch::probe().start();
    for request in [get("/", ""), super::post(b"body")] {
        let mut client = server.raw();
        client.send_bytes(&request);
        let status = client.response().status;
        assert!(status.contains(" 426 ") || status.contains(" 405 "), "{status}");
        client.expect_end();
    }
    server.connect().echo("as ever");
    server.stop();
}
