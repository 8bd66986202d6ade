//! What may be asked for in `ws_init_func`, and only there.

use super::{ask, doing, nothing_set, open, returned, set};
use crate::harness::Frame;

/// Calls, and what each returns in `ws_init_func`.
const CALLS: [(&str, &str); 52] = [
    ("max_message 0", "-1"),
    ("max_message 1", "0"),
    ("max_message 1073741824", "0"),
    ("max_message 1073741825", "-1"),
    ("max_message 4294967295", "-1"),
    ("compression -1", "-1"),
    ("compression 0", "0"),
    ("compression 1", "0"),
    ("compression 9", "0"),
    ("compression 10", "-1"),
    ("compression 2147483647", "-1"),
    ("protocols chat", "0"),
    ("protocols chat, superchat", "0"),
    ("protocols chat,superchat", "0"),
    ("protocols  v1.chat ,\tv2!#$%&'*+-.^_`|~", "0"),
    ("protocols *", "0"),
    ("protocols  * ", "0"),
    ("protocols ", "-1"),
    ("protocols ,", "-1"),
    ("protocols chat,", "-1"),
    ("protocols a,,b", "-1"),
    ("protocols two words", "-1"),
    ("protocols caf\u{e9}", "-1"),
    ("protocols a/b", "-1"),
    ("protocols NULL", "-1"),
    ("origins https://example.org", "0"),
    ("origins https://example.org, https://www.example.org:8443", "0"),
    ("origins null", "0"),
    ("origins same", "0"),
    ("origins same, https://example.org", "0"),
    ("origins example.org", "-1"),
    ("origins https://example.org/", "-1"),
    ("origins *", "-1"),
    ("origins foo", "-1"),
    ("origins https://example.org, foo", "-1"),
    ("origins ", "-1"),
    ("origins a,,b", "-1"),
    ("origins https://two words", "-1"),
    ("origins https://caf\u{e9}", "-1"),
    ("origins NULL", "-1"),
    ("ping 0 0", "0"),
    ("ping 0 7", "0"),
    ("ping 1 1", "0"),
    ("ping 5 0", "-1"),
    ("ping 4294967295 4294967295", "0"),
    ("limit 0 0", "-1"),
    ("limit 1 0", "0"),
    ("limit 1 1", "0"),
    ("limit 1 2", "-1"),
    ("limit 1 -1", "-1"),
    ("limit 18446744073709551615 1", "0"),
    ("limit 67108864 0", "0"),
];

/// Each setter in `ws_init_func`: 0, or -1 where the value cannot be.
#[test]
fn what_a_value_may_be() {
    let list: Vec<&str> = CALLS.iter().map(|(call, _)| *call).collect();
    let mut server = set(&list.join(";")).start();
    for (call, result) in CALLS {
        // Blanks in front of a command are not part of it.
        assert_eq!(returned(&server, &format!("init {call}")), result, "{call}");
    }
    server.connect().echo("hello");
    server.stop();
}

/// What cannot be leaves what was set before.
#[test]
fn a_value_that_cannot_be_changes_nothing() {
    let calls = "max_message 100;max_message 0;compression 1;compression 10;protocols chat;\
                 protocols a b;origins null;origins ,;limit 100 1;limit 0 0;ping 1 3;ping 1 0";
    let mut server = set(calls).start();
    let request = doing("protocol 0")
        .with("Origin", "null")
        .with("Sec-WebSocket-Protocol", "chat")
        .with("Sec-WebSocket-Extensions", "permessage-deflate");
    let mut client = server.raw();
    client.send_bytes(&request.bytes());
    let response = client.response();
    assert_eq!(response.header("Sec-WebSocket-Protocol"), Some("chat"));
    assert!(response.header("Sec-WebSocket-Extensions").is_some());
    let foreign = doing("protocol 0").with("Origin", "https://example.org");
    let mut refused = server.raw();
    refused.send_bytes(&foreign.bytes());
    assert_eq!(refused.response().status, "HTTP/1.1 403 Forbidden");
    let mut plain = server.connect();
    plain.echo(&"x".repeat(40));
    plain.text(&"x".repeat(101));
    plain.expect_close(1009);
    server.stop();
}

/// After `ws_init_func` the setters return -1, wherever they are called, and change nothing.
#[test]
fn only_ws_init_func_may_set() {
    let calls =
        ["max_message 10", "compression 1", "protocols *", "origins null", "ping 1 1", "limit 1 1"];
    let mut server = nothing_set().start();
    let mut client = open(&server, &doing(&calls.join(";")));
    for call in calls {
        assert_eq!(returned(&server, &format!("open {call}")), "-1");
        assert_eq!(ask(&mut client, call), "-1");
    }
    let request = doing("protocol 0")
        .with("Origin", "https://example.org")
        .with("Sec-WebSocket-Protocol", "chat")
        .with("Sec-WebSocket-Extensions", "permessage-deflate");
    let mut other = server.raw();
    other.send_bytes(&request.bytes());
    let response = other.response();
    assert_eq!(response.status, "HTTP/1.1 101 Switching Protocols");
    assert!(response.header("Sec-WebSocket-Protocol").is_none());
    assert!(response.header("Sec-WebSocket-Extensions").is_none());
    other.echo(&"x".repeat(65535));
    server.stop();
}

/// Who asks for nothing gets the manual's server: no fragments, no compression, no sub-protocol.
/// T15: and its limits, none of which is "none".
#[test]
fn who_asks_for_nothing() {
    let mut server = nothing_set().start();
    let mut client = server.connect();
    client.echo(&"x".repeat(65535));
    client.send(&Frame::text("part").unfinished());
    client.expect_close(1003);
    let mut client = server.connect();
    client.send_bytes(&Frame::text("").declare64(65536).bytes());
    client.expect_close(1009);
    server.stop();
}
