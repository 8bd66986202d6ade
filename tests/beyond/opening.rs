//! What `ws_open_callback` may look at: the request's headers and its target.

use super::{ask, doing, nothing_set, open, returned};
use crate::harness::Request;

/// USERS 33, 34: `ws_get_header` finds a header by its name in any case; several lines are joined.
#[test]
fn headers() {
    let mut server = nothing_set().start();
    let calls = [
        ("header 0 Host", "localhost"),
        ("header 0 HOST", "localhost"),
        ("header 0 x-many", "a, b,c, "),
        ("header 0 X-Empty", ""),
        ("header 0 X-Blanks", "in the middle"),
        ("header 0 Cookie", "a=1, b=2"),
        ("header 0 X-Absent", "(null)"),
        ("header 0 Hos", "(null)"),
        ("header 0 ", "(null)"),
        ("header 0 X\u{e9}", "(null)"),
        ("header 0 NULL", "(null)"),
        ("header 999 Host", "(null)"),
    ];
    let list: Vec<&str> = calls.iter().map(|(call, _)| *call).collect();
    let request = doing(&list.join(";"))
        .with("X-Many", "a")
        .with("x-mANY", "b,c")
        .with("X-MANY", "")
        .with("X-Empty", "")
        .with("X-Blanks", " \t in the middle \t ")
        .with("Cookie", "a=1")
        .with("Cookie", "b=2");
    open(&server, &request).echo("hello");
    for (call, value) in calls {
        assert_eq!(returned(&server, &format!("open {call}")), value, "{call}");
    }
    server.stop();
}

/// T28: bytes that are no text come as they are, up to the largest request.
#[test]
fn headers_of_any_bytes() {
    let mut server = nothing_set().start();
    let long = "v".repeat(16000);
    let request = doing("header 0 X-Bytes").with("X-Bytes", b"caf\xe9 \xff\x80");
    open(&server, &request).echo("hello");
    // What the journal says is shown with the replacement character.
    assert_eq!(returned(&server, "open header 0 X-Bytes"), "caf\u{fffd} \u{fffd}\u{fffd}");
    open(&server, &doing("header 0 X-Long").with("X-Long", &long)).echo("hello");
    assert_eq!(returned(&server, "open header 0 X-Long"), long);
    server.stop();
}

/// USERS 33: the target, byte for byte as it was sent.
#[test]
fn the_target() {
    let mut server = nothing_set().start();
    let long = format!("/{}", "x".repeat(10_000));
    for (number, target) in
        ["/", "/a/b?c=d&e", "/%41%zz//../x?", "ws://localhost/x?y", "//", &long].iter().enumerate()
    {
        let request = doing("target 0").line(&format!("GET {target} HTTP/1.1"));
        open(&server, &request).echo("hello");
        let line = crate::harness::until(|| {
            let journal = server.journal();
            let lines = journal.lines().filter_map(|line| line.strip_prefix("open target 0: "));
            lines.clone().nth(number).map(str::to_owned)
        });
        assert_eq!(line.as_deref(), Some(*target));
    }
    server.stop();
}

/// What was returned before stays as it is until the callback returns: thousands of strings.
#[test]
fn many_strings_at_once() {
    let mut server = nothing_set().start();
    let calls = "header 0 Host;target 0;".repeat(500);
    let request = doing(&format!("{calls}header 0 X-Last")).with("X-Last", "the last");
    open(&server, &request).echo("hello");
    assert_eq!(returned(&server, "open header 0 X-Last"), "the last");
    assert_eq!(server.journal().matches("open target 0: /chat\n").count(), 500);
    server.stop();
}

/// Outside `ws_open_callback` there is no request: NULL for the connection itself, for another one,
/// and while another one is opened.
#[test]
fn outside_there_is_nothing() {
    let mut server = nothing_set().start();
    let mut first = server.connect();
    let _second = open(&server, &doing("header 1 Host;target 1;choose 1 chat;status 1 404"));
    for call in ["header 1 Host", "target 1"] {
        assert_eq!(returned(&server, &format!("open {call}")), "(null)");
    }
    for call in ["choose 1 chat", "status 1 404"] {
        assert_eq!(returned(&server, &format!("open {call}")), "-1");
    }
    for call in ["header 0 Host", "header 2 Host", "header 999 Host", "target 0", "target 999"] {
        assert_eq!(ask(&mut first, call), "(null)", "{call}");
    }
    for call in ["choose 0 chat", "choose 2 chat", "status 0 404", "status 999 404"] {
        assert_eq!(ask(&mut first, call), "-1", "{call}");
    }
    drop(first);
    assert!(server.await_journal("close 1 ").contains(" header=(null) "));
    server.stop();
}

/// A connection that is refused, or that is closed at once, can be asked as well.
#[test]
fn who_is_not_taken_can_be_asked() {
    let mut server = nothing_set().start();
    let mut refused = server.raw();
    refused.send_bytes(&doing("return 1;header 0 Host;send 0 0 5 1").bytes());
    assert_eq!(refused.response().status, "HTTP/1.1 403 Forbidden");
    refused.expect_end();
    assert_eq!(returned(&server, "open header 0 Host"), "localhost");
    let mut closed = open(&server, &doing("close 0 0;target 0;qbytes 0"));
    closed.expect_close(1000);
    assert_eq!(returned(&server, "open target 0"), "/chat");
    let mut cut = server.raw();
    cut.send_bytes(&Request::new().with("X-Do", "close 0 1;header 0 Upgrade").bytes());
    cut.expect_end();
    assert_eq!(returned(&server, "open header 0 Upgrade"), "websocket");
    server.stop();
    assert!(!server.journal().contains("close 1 "), "{}", server.journal());
}
