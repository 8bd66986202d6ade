//! Every function of the library, called from within every callback, on its own connection, on
//! another, on a closed one and on NULL (tests/c/matrix.c): nothing may break, whatever the order
//! (CONTRACT S5, S6, S14).

use crate::harness::{Client, Frame, Launch, Need, Request, Server, Variant, skipped};
use crate::linking::valgrind;

const CALLS: [&str; 46] = [
    "name",
    "periodic",
    "set",
    "get",
    "qlen",
    "write",
    "maxmessage",
    "compression",
    "protocols",
    "origins",
    "ping",
    "limit",
    "header",
    "target",
    "choose",
    "status",
    "send",
    "protocol",
    "qbytes",
    "code",
    "post",
    "watch",
    "after",
    "cancel",
    "step",
    "begin",
    "main",
    "fd",
    "timeout",
    "callbacks",
    "option",
    "address",
    "setheader",
    "body",
    "defer",
    "accept",
    "respond",
    "adopt",
    "want",
    "pause",
    "resume",
    "isopen",
    "each",
    "close0",
    "close1",
    "closecode",
];
/// The callbacks without a connection of their own that run while others are there.
const ALONE: [&str; 5] = ["periodic", "post", "timer", "watch", "log"];
const TARGETS: [&str; 4] = ["own", "other", "closed", "null"];

/// CONTRACT S5, S6, S14, T41.
#[test]
fn the_matrix() {
    run(Launch::of("matrix.c", Variant::Default));
}

/// CONTRACT S5, S6, S14, T41: the same under valgrind.
#[test]
fn the_matrix_under_valgrind() {
    if !skipped(&[Need::Tool("valgrind")]) {
        run(valgrind(Launch::of("matrix.c", Variant::Default)));
    }
}

/// CONTRACT S5, S6, S14, T41: the same with the C side under AddressSanitizer.
#[test]
fn the_matrix_under_address_sanitizer() {
    let root = rustix::process::geteuid().is_root();
    let user: &[&str] = if root { &["-u", "root", "-g", "root"] } else { &[] };
    run(Launch::of("matrix.c", Variant::Asan)
        .args(user.iter().copied())
        .env("ASAN_OPTIONS", "detect_leaks=1:exitcode=99"));
}

/// CONTRACT S5, S10, S14: each callback may have the server stop, after which everything ends as it must: those who are
/// there are closed, each once.
#[test]
fn the_server_stops_from_within() {
    for callback in ["open", "read", "drain", "close", "request"].iter().chain(&ALONE) {
        let mut server = Launch::of("matrix.c", Variant::Default).start();
        let mut control = server.connect_as("control");
        let mut other = server.connect_as("other");
        assert_eq!(control.ask(&format!("arm {callback} stop null")), "armed");
        // What runs by itself may have stopped it already.
        let own = (!ALONE.contains(callback)).then(|| server.raw());
        let own = own.map(|mut own| {
            if *callback == "request" {
                own.send_bytes(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
                return own;
            }
            own.send_bytes(&Request::new().with("Cookie", "own").bytes());
            own.text("go");
            // Nothing drains where the connection is being closed.
            if *callback == "close" {
                own.send(&Frame::close(1000, ""));
            }
            own
        });
        assert_eq!(other.receive().code(), Some(1001), "{callback}");
        drop((control, other, own));
        assert_eq!(server.wait(), Some(0), "{callback}: {}", server.journal());
        has_ended(&server.journal(), callback);
    }
}

/// The same before anybody could come, and when it stops already.
#[test]
fn the_server_stops_at_its_start_and_its_end() {
    for callback in ["init", "start"] {
        let launch = Launch::of("matrix.c", Variant::Default).env("MATRIX_STOP", callback);
        let ended = launch.args(["-x"]).run();
        assert_eq!(ended.code, Some(0), "{callback}: {}", ended.stderr);
        has_ended(&ended.journal(), callback);
    }
    for callback in ["exit", "shutdown"] {
        let launch = Launch::of("matrix.c", Variant::Default).env("MATRIX_STOP", callback);
        let mut server = launch.start();
        let _control = server.connect_as("control");
        server.stop();
        has_ended(&server.journal(), callback);
    }
}

fn has_ended(journal: &str, callback: &str) {
    let did = format!("did {callback} stop null: done\n");
    assert_eq!(journal.matches(&did).count(), 1, "{journal}");
    let last = journal.lines().last().expect("a line");
    let (opened, closed) = last.split_once(" closed=").expect("both");
    assert_eq!(opened.strip_prefix("exit opened="), Some(closed), "every one was closed once");
    assert!(!journal.contains("fault:"), "{journal}");
}

fn run(launch: Launch) {
    let mut server = launch.start();
    without_a_connection(&server, "init", &["null", "closed"]);
    without_a_connection(&server, "start", &["null", "closed"]);
    drop(server.connect_as("gone"));
    server.await_journal("close gone");
    let mut cast =
        Cast { control: server.connect_as("control"), other: server.connect_as("other"), cells: 0 };
    for callback in ["open", "read", "drain", "close"] {
        for call in CALLS {
            for target in TARGETS {
                cast.cell(&server, callback, call, target);
            }
        }
    }
    for call in CALLS {
        for target in TARGETS {
            cast.request_cell(&server, call, target);
        }
    }
    for callback in ALONE {
        cast.arm(callback, "all", "all");
        without_a_connection(&server, callback, &["null", "closed", "other"]);
        cast.other = server.connect_as("other");
    }
    cast.control.echo("as ever");
    cast.arm("shutdown", "all", "all");
    server.stop();
    without_a_connection(&server, "shutdown", &["null", "closed", "other"]);
    without_a_connection(&server, "exit", &["null", "closed", "other"]);
    let last = server.await_journal("exit opened=");
    let (opened, closed) = last.split_once(" closed=").expect("both");
    assert_eq!(opened.strip_prefix("exit opened="), Some(closed), "every one was closed once");
}

/// A callback that has no connection of its own has called everything by itself.
fn without_a_connection(server: &Server, callback: &str, targets: &[&str]) {
    for call in CALLS {
        for target in targets {
            let line = server.await_journal(&format!("did {callback} {call} {target}: "));
            if callback == "log" && call != "post" {
                // It may call this one alone: what the others do depends on who logs.
                continue;
            }
            let alive = (ALONE.contains(&callback) || callback == "shutdown") && *target == "other";
            let result = match call {
                "set" if alive => "kept",
                "set" => "lost",
                "get" if alive => "some",
                "get" => "null",
                "want" | "pause" | "resume" if alive => "0",
                "isopen" if alive => "1",
                "qlen" | "qbytes" | "write" => "0",
                "send" if alive => "1",
                "send" => "0",
                other => {
                    looping(callback, other).unwrap_or_else(|| beyond(other, callback == "init"))
                }
            };
            // What was written to the other connection just before is in its queue, or is not any
            // more.
            let is_queue = call == "qlen" || call == "qbytes";
            assert!(line.ends_with(result) || (alive && is_queue), "{line}: {result}");
        }
    }
}

/// Who takes part: one who commands, and one to whom things are done.
struct Cast {
    control: Client,
    other: Client,
    cells: u32,
}

impl Cast {
    fn arm(&mut self, callback: &str, call: &str, target: &str) {
        assert_eq!(self.control.ask(&format!("arm {callback} {call} {target}")), "armed");
    }

    /// One cell: the callback, the call, the target, what came of it, and that everybody else
    /// noticed nothing.
    fn cell(&mut self, server: &Server, callback: &str, call: &str, target: &str) {
        self.cells += 1;
        self.arm(callback, call, target);
        let closed_before = count(server, "close own");
        let mut own = server.raw();
        let mut request = Request::new().with("Cookie", "own");
        if call == "choose" {
            request = request.with("Sec-WebSocket-Protocol", "superchat");
        }
        own.send_bytes(&request.bytes());
        let closes_own = target == "own" && call.starts_with("close");
        let cell = format!("did {callback} {call} {target}: ");
        match callback {
            "open" => {}
            "read" => {
                own.response();
                own.text("go");
            }
            "drain" => {
                own.response();
                own.text("go");
                own.expect_text("go");
            }
            _ => {
                own.response();
                own.echo("hello");
                own.send(&Frame::close(1000, ""));
            }
        }
        let line = server.await_journal(&cell);
        let result = expected(callback, call, target);
        assert!(line.ends_with(&format!(": {result}")), "{line}: {result}");
        if !closes_own && callback != "close" {
            self.own_goes_on(&mut own, callback, call, target);
        } else if callback == "close" {
            own.expect_close(1000);
        }
        drop(own);
        let gone =
            crate::harness::until(|| (count(server, "close own") > closed_before).then_some(()));
        assert!(gone.is_some(), "{cell}: no close callback");
        self.others_notice_nothing(server, call, target);
    }

    /// The same where the callback is that of a request, which is answered unless it closes itself.
    fn request_cell(&mut self, server: &Server, call: &str, target: &str) {
        self.arm("request", call, target);
        let mut own = server.raw();
        own.send_bytes(b"GET /chat HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let line = server.await_journal(&format!("did request {call} {target}: "));
        let result = match (call, target) {
            ("setheader" | "body" | "defer", "own") => "0",
            ("header", "own") => "localhost",
            ("target", "own") => "/chat",
            ("get", "own") => "null",
            ("send" | "isopen", "own") => "0",
            // It is no connection.
            ("want" | "pause" | "resume", "own") => "-1",
            _ => expected("request", call, target),
        };
        assert!(line.ends_with(&format!(": {result}")), "{line}: {result}");
        match (call, target) {
            ("close1", "own") => own.expect_end(),
            ("close0" | "closecode", "own") => assert!(own.head().status.contains(" 403 ")),
            _ => assert_eq!(own.head().status, "HTTP/1.1 200 OK", "{call} {target}"),
        }
        drop(own);
        self.others_notice_nothing(server, call, target);
    }

    /// The connection whose callback ran is served, and has been sent what was written to it.
    fn own_goes_on(&mut self, own: &mut Client, callback: &str, call: &str, target: &str) {
        if callback == "open" {
            own.response();
        }
        if (call == "write" || call == "send") && target == "own" {
            own.expect_text("from the matrix");
        }
        if callback == "read" {
            own.expect_text("go");
        }
        own.echo("hello");
        own.send(&Frame::close(1000, ""));
        own.expect_close(1000);
    }

    fn others_notice_nothing(&mut self, server: &Server, call: &str, target: &str) {
        self.control.echo("undisturbed");
        match (target, call) {
            ("other", "write" | "send") => self.other.expect_text("from the matrix"),
            ("other", "close0" | "closecode") => {
                let code = if call == "close0" { 1000 } else { 4000 };
                assert_eq!(self.other.receive().code(), Some(code));
                self.other.send(&Frame::close(code, ""));
            }
            _ => {}
        }
        if target == "other" && call.starts_with("close") {
            self.other.expect_end();
            self.other = server.connect_as("other");
        }
        self.other.echo("undisturbed");
    }
}

fn expected(callback: &str, call: &str, target: &str) -> &'static str {
    let alive = target == "own" || target == "other";
    match call {
        "set" if alive => "kept",
        "set" => "lost",
        // Matrix.c sets an own connection's data when its open callback has run the cell.
        "get" if alive && !(callback == "open" && target == "own") => "some",
        "get" => "null",
        "want" | "pause" | "resume" if alive && !(callback == "close" && target == "own") => "0",
        "isopen" if alive && !(["open", "close"].contains(&callback) && target == "own") => "1",
        "qlen" | "qbytes" | "write" => "0",
        "send" if alive && !(callback == "close" && target == "own") => "1",
        "send" => "0",
        "header" if callback == "open" && target == "own" => "localhost",
        "target" if callback == "open" && target == "own" => "/chat",
        "choose" | "status" if callback == "open" && target == "own" => "0",
        "setheader" | "body" | "defer" if callback == "open" && target == "own" => "0",
        "code" if callback == "close" && target == "own" => "1000",
        _ => looping(callback, call).unwrap_or_else(|| beyond(call, false)),
    }
}

/// What concerns the loop, where it is one of these calls.
fn looping(callback: &str, call: &str) -> Option<&'static str> {
    let listens = callback != "init" && callback != "exit";
    Some(match call {
        "post" if callback == "exit" => "-1",
        "post" => "0",
        "watch" if listens => "0",
        "watch" => "-1",
        "after" if listens => "set",
        "after" => "null",
        "fd" if callback != "init" => "some",
        "main" => "1",
        "timeout" => "0",
        "option" if callback == "init" => "0",
        "fd" | "step" | "begin" | "callbacks" | "option" => "-1",
        _ => return None,
    })
}

/// What goes beyond the manuals, where there is no request and no connection.
fn beyond(call: &str, in_init: bool) -> &'static str {
    match call {
        "maxmessage" | "compression" | "protocols" | "origins" | "ping" | "limit" if in_init => "0",
        "maxmessage" | "compression" | "protocols" | "origins" | "ping" | "limit" => "-1",
        "choose" | "status" => "-1",
        "setheader" | "body" | "defer" | "accept" | "respond" | "adopt" => "-1",
        "header" | "target" => "null",
        "protocol" | "address" => "[]",
        "code" => "1006",
        "want" | "pause" | "resume" => "-1",
        "isopen" => "0",
        "each" => "all",
        _ => "done",
    }
}

fn count(server: &Server, line: &str) -> usize {
    server.journal().lines().filter(|it| *it == line).count()
}
