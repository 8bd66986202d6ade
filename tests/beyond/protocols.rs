//! Sub-protocols: offered by clients, chosen by the library or by the program.

use super::{ask, doing, nothing_set, open, returned, set};
use crate::harness::{Request, Server};

/// What the answer names for these offers, one for each header line.
fn chosen(server: &Server, offers: &[&str]) -> Option<String> {
    let offer = |it: Request, line: &&str| it.with("Sec-WebSocket-Protocol", line);
    let request = offers.iter().fold(Request::new(), offer);
    let mut client = server.raw();
    client.send_bytes(&request.bytes());
    let response = client.response();
    assert_eq!(response.status, "HTTP/1.1 101 Switching Protocols", "{offers:?}");
    let chosen = response.header("Sec-WebSocket-Protocol").map(str::to_owned);
    let told = ask(&mut client, "protocol 0");
    assert_eq!(told, format!("[{}]", chosen.as_deref().unwrap_or("")));
    chosen
}

/// USERS 35, 36: the first of ours that the client offers; none where it offers none of ours.
#[test]
fn the_first_of_ours() {
    let mut server = set("protocols chat, superchat").start();
    for (offers, expected) in [
        (&[][..], None),
        (&["chat"], Some("chat")),
        (&["superchat"], Some("superchat")),
        (&["superchat, chat"], Some("chat")),
        (&["superchat", "chat"], Some("chat")),
        (&["mqtt,\tsuperchat ,stomp"], Some("superchat")),
        (&["mqtt", "superchat"], Some("superchat")),
        (&["Chat, CHAT, chats, cha"], None),
        (&["mqtt"], None),
        (&[""], None),
    ] {
        assert_eq!(chosen(&server, offers).as_deref(), expected, "{offers:?}");
    }
    server.stop();
}

/// "*": whatever the client offers first.
#[test]
fn the_first_of_theirs() {
    let mut server = set("protocols *").start();
    for (offers, expected) in [
        (&[][..], None),
        (&["b, a"], Some("b")),
        (&[" , ,v1.chat.example"], Some("v1.chat.example")),
        (&["", "x"], Some("x")),
        (&["*"], Some("*")),
    ] {
        assert_eq!(chosen(&server, offers).as_deref(), expected, "{offers:?}");
    }
    server.stop();
}

/// T25, T27, T28: what is no token is passed over, whatever bytes it has, and at no cost.
#[test]
fn offers_that_are_none() {
    let mut server = set("protocols *").start();
    let before = server.process().ticks();
    let blanks = format!("{},x", " ".repeat(15_000));
    let commas = format!("{},x", ",".repeat(15_000));
    let offers: [(&[u8], Option<&str>); 7] = [
        (b"caf\xe9, x", Some("x")),
        (b"two words, x", Some("x")),
        (b"\"quoted\", x", Some("x")),
        (b"constructor", Some("constructor")),
        (b"\xff\xfe", None),
        (blanks.as_bytes(), Some("x")),
        (commas.as_bytes(), Some("x")),
    ];
    for (offer, expected) in offers {
        let mut client = server.raw();
        client.send_bytes(&Request::new().with("Sec-WebSocket-Protocol", offer).bytes());
        let response = client.response();
        assert_eq!(response.status, "HTTP/1.1 101 Switching Protocols");
        assert_eq!(response.header("Sec-WebSocket-Protocol"), expected);
        client.echo("hello");
    }
    let used = server.process().ticks() - before;
    assert!(used < 100, "{used} ticks");
    server.stop();
}

/// Who has set none speaks none: nothing is echoed, whatever is offered.
#[test]
fn nothing_is_echoed_by_itself() {
    let mut server = nothing_set().start();
    assert_eq!(chosen(&server, &["chat"]), None);
    assert_eq!(chosen(&server, &[]), None);
    server.stop();
}

/// `ws_choose_protocol`: 0 for what is offered, -1 for anything else, which changes nothing.
#[test]
fn the_program_chooses() {
    for setting in ["compression 0", "protocols superchat"] {
        let mut server = set(setting).start();
        let calls = [
            ("choose 0 mqtt", "-1"),
            ("choose 0 Chat", "-1"),
            ("choose 0 chat, superchat", "-1"),
            ("choose 0 ", "-1"),
            ("choose 0 NULL", "-1"),
            ("choose 999 chat", "-1"),
            ("choose 0 stomp", "0"),
            ("choose 0 chat", "0"),
            ("choose 0 nothing", "-1"),
        ];
        let list: Vec<&str> = calls.iter().map(|(call, _)| *call).collect();
        let request = doing(&format!("protocol 0;{};protocol 0", list.join(";")))
            .with("Sec-WebSocket-Protocol", "superchat, chat")
            .with("Sec-WebSocket-Protocol", "stomp");
        let mut client = server.raw();
        client.send_bytes(&request.bytes());
        assert_eq!(client.response().header("Sec-WebSocket-Protocol"), Some("chat"));
        for (call, result) in calls {
            assert_eq!(returned(&server, &format!("open {call}")), result, "{call}");
        }
        let first = if setting.starts_with('p') { "[superchat]" } else { "[]" };
        let journal = server.journal();
        let told: Vec<_> =
            journal.lines().filter_map(|line| line.strip_prefix("open protocol 0: ")).collect();
        assert_eq!(told, [first, "[chat]"]);
        client.echo("hello");
        server.stop();
    }
}

/// `ws_get_protocol` tells it as long as the connection lives, in `ws_close_callback` too, and to
/// each connection its own; then "".
#[test]
fn each_connection_has_its_own() {
    let mut server = set("protocols *").start();
    let offering = |name: &str| Request::new().with("Sec-WebSocket-Protocol", name);
    let mut commander = open(&server, &offering("first"));
    for number in 2..=100 {
        let name = format!("v{number}");
        let mut client = open(&server, &offering(&name));
        assert_eq!(ask(&mut commander, &format!("protocol {number}")), format!("[{name}]"));
        client.echo("hello");
        drop(client);
        let line = server.await_journal(&format!("close {number} "));
        assert!(line.contains(&format!(" protocol=[{name}] ")), "{line}");
        assert_eq!(ask(&mut commander, &format!("protocol {number}")), "[]", "it has ended");
    }
    assert_eq!(ask(&mut commander, "protocol 0"), "[first]");
    assert_eq!(ask(&mut commander, "protocol 999"), "[]");
    server.stop();
}

/// A client that is refused is named none, and leaves none behind for the next.
#[test]
fn a_refused_client_gets_none() {
    let mut server = set("protocols *").start();
    let mut refused = server.raw();
    let request = doing("choose 0 chat;return 1").with("Sec-WebSocket-Protocol", "chat");
    refused.send_bytes(&request.bytes());
    let response = refused.response();
    assert_eq!(response.status, "HTTP/1.1 403 Forbidden");
    assert!(response.header("Sec-WebSocket-Protocol").is_none());
    refused.expect_end();
    assert_eq!(chosen(&server, &[]), None);
    server.stop();
}
