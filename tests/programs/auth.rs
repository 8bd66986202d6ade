//! c-examples/auth.c: tokens, the cookie of a login, and those who guess.

use std::path::PathBuf;
use std::sync::OnceLock;

use crate::examples::launch;
use crate::harness::{Client, Launch, Need, Request, Response, Server, skipped};
use crate::linking::valgrind;

use super::{compile, curl};

pub(super) const TOKEN: &str = "6a7fbd8e2f8d4c0b";

pub(super) fn program() -> PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| compile("auth", &["-pthread"])).clone()
}

/// The server, about to know these users.
pub(super) fn knowing(users: &str) -> Launch {
    let launch = launch(&program());
    std::fs::write(launch.run_dir().join("tokens"), users).expect("a file");
    launch.args(["-f", "tokens"])
}

fn fresh() -> Launch {
    knowing(&format!("ann {TOKEN}\nbob e4\n"))
}

/// What a client is answered that asks for a connection.
fn answered(server: &Server, request: &Request) -> (Client, Response) {
    let mut client = server.raw();
    client.send_bytes(&request.bytes());
    let response = client.response();
    (client, response)
}

fn status(response: &Response) -> &str {
    response.status.strip_prefix("HTTP/1.1 ").expect("a status line")
}

fn with_cookie(cookie: &str) -> Request {
    Request::new().with("Cookie", cookie)
}

/// Who has a token is welcome, by cookie or by query, and known by the name that is the token's.
#[test]
fn tokens() {
    let mut server = fresh().start();
    let path = |path: &str| Request::new().line(&format!("GET {path} HTTP/1.1"));
    for (request, name) in [
        (with_cookie(&format!("token={TOKEN}")), "ann"),
        (with_cookie("theme=dark; token=e4; a=b"), "bob"),
        (with_cookie("token=; a=b").line("GET /x?token=e4 HTTP/1.1"), "bob"),
        (with_cookie("nottoken=e4;token=e4"), "bob"),
        (path(&format!("/?a=b&token={TOKEN}&c")), "ann"),
        // The cookie comes first.
        (with_cookie("token=e4").line(&format!("GET /?token={TOKEN} HTTP/1.1")), "bob"),
    ] {
        let (mut client, response) = answered(&server, &request);
        assert_eq!(status(&response), "101 Switching Protocols");
        client.expect_text(&format!("welcome {name}"));
        client.echo("hello");
    }
    server.stop();
    assert_eq!(server.complaints(), [""; 0]);
}

/// RFC 9110 11.6.1, 15.5.2: who has none is answered 401, with how to ask again.
#[test]
fn no_tokens() {
    let mut server = fresh().args(["--forwarded", "1"]).start();
    let long = "x".repeat(128);
    for (number, cookie) in [
        "",
        "token=",
        "token=e",
        "token=e44",
        "token=E4",
        "nottoken=e4",
        "a=token=e4",
        &format!("token={long}"),
        &format!("token={}", &long[..127]),
        "token=ann",
    ]
    .into_iter()
    .enumerate()
    {
        let address = format!("192.0.2.{number}");
        let request = with_cookie(cookie).with("X-Forwarded-For", address);
        let (mut client, response) = answered(&server, &request);
        assert_eq!(status(&response), "401 Unauthorized", "{cookie}");
        assert_eq!(response.header("WWW-Authenticate"), Some("Bearer realm=\"auth\""));
        client.expect_end();
    }
    server.stop();
    assert_eq!(server.complaints(), [""; 0]);
}

/// A login leaves a cookie that opens the connection, and a logout takes it away.
#[test]
fn a_login() {
    if skipped(&[Need::Tool("curl")]) {
        return;
    }
    let mut server = fresh().start();
    let wrong = curl(&server, "/login", &["--data", "e5"]);
    assert_eq!(status(&wrong), "401 Unauthorized");
    assert!(wrong.header("WWW-Authenticate").is_some() && wrong.header("Set-Cookie").is_none());
    let right = curl(&server, "/login", &["--data", TOKEN]);
    assert_eq!(status(&right), "204 No Content");
    let cookie = right.header("Set-Cookie").expect("a cookie").to_owned();
    let parts: Vec<_> = cookie.split("; ").collect();
    assert_eq!(parts[1..], ["Path=/", "Max-Age=604800", "HttpOnly", "SameSite=Strict"]);
    let (mut client, _) = answered(&server, &with_cookie(parts[0]));
    client.expect_text("welcome ann");

    let out = curl(&server, "/logout", &["--request", "POST"]);
    assert!(
        out.header("Set-Cookie").is_some_and(|it| it.starts_with("token=; Path=/; Max-Age=0;"))
    );
    for path in ["/login", "/logout"] {
        let answer = curl(&server, path, &[]);
        assert_eq!(status(&answer), "405 Method Not Allowed");
        assert_eq!(answer.header("Allow"), Some("POST"));
    }
    assert_eq!(status(&curl(&server, "/other", &[])), "426 Upgrade Required");
    server.stop();
    assert_eq!(server.complaints(), [""; 0]);
}

/// A page of another site does not connect with the visitor's cookie.
#[test]
fn from_another_site() {
    let mut server = fresh().start();
    let request = with_cookie("token=e4").with("Origin", "https://example.org");
    assert_eq!(status(&answered(&server, &request).1), "403 Forbidden");
    server.stop();
}

/// Who has failed ten times is answered 429, also with the right token; others are not, and those who are right do not
/// use their attempts up. Of IPv6 half an address counts.
#[test]
fn guessing() {
    let mut server = fresh().args(["--forwarded", "1"]).start();
    let from = |address: &str, token: &str| {
        let request = with_cookie(&format!("token={token}")).with("X-Forwarded-For", address);
        answered(&server, &request).1
    };
    for (guesser, neighbour, other) in [
        ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
        ("2001:db8::1", "2001:db8:0:0:5::2", "2001:db8:0:1::1"),
    ] {
        for _ in 0..20 {
            assert_eq!(status(&from(guesser, "e4")), "101 Switching Protocols");
        }
        for _ in 0..10 {
            assert_eq!(status(&from(guesser, "e5")), "401 Unauthorized");
        }
        for address in [guesser, neighbour] {
            let refused = from(address, "e4");
            assert_eq!(status(&refused), "429 Too Many Requests");
            assert_eq!(refused.header("Retry-After"), Some("60"));
        }
        assert_eq!(status(&from(other, "e4")), "101 Switching Protocols");
    }
    server.stop();
}

/// Whoever asks a hundred times at once has no more attempts than one who waits.
#[test]
fn guessing_at_once() {
    let mut server = fresh().start();
    let login = "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\ne5";
    let mut clients: Vec<_> = (0..100).map(|_| server.raw()).collect();
    clients.iter_mut().for_each(|client| client.send_bytes(login.as_bytes()));
    let mut all: Vec<_> = clients.iter_mut().map(|client| client.response().status).collect();
    all.sort();
    assert_eq!(all.iter().filter(|it| it.ends_with("401 Unauthorized")).count(), 10);
    assert_eq!(all.iter().filter(|it| it.ends_with("429 Too Many Requests")).count(), 90);
    server.stop();
}

/// Clients who leave before they are answered, and a stop in the middle, leave no error and no leak.
#[test]
fn who_leaves_before_the_answer() {
    if skipped(&[Need::Tool("valgrind")]) {
        return;
    }
    let mut server = valgrind(fresh()).args(["--forwarded", "1"]).start();
    let from =
        |number: u8| with_cookie("token=e4").with("X-Forwarded-For", format!("192.0.2.{number}"));
    for number in 0..10 {
        // An attempt whose outcome nobody has waited for is used up.
        for _ in 0..9 {
            server.raw().send_bytes(&from(number).bytes());
        }
        let (mut client, _) = answered(&server, &from(number));
        client.expect_text("welcome bob");
    }
    let request = from(10);
    let mut asking: Vec<_> = (0..20).map(|_| server.raw()).collect();
    asking.iter_mut().for_each(|client| client.send_bytes(&request.bytes()));
    server.stop();
}

/// A file that cannot be, or is not what it must be, ends the start.
#[test]
fn bad_files() {
    let long = "x".repeat(200);
    for users in ["", "ann\n", "ann e4 e5\n", &format!("{long} e4\n"), &format!("ann {long}\n")] {
        let ended = knowing(users).args(["-x"]).run();
        assert_eq!(ended.code, Some(1), "{users}");
        assert!(ended.stderr.contains("auth: the option -f must name a file"), "{}", ended.stderr);
    }
    let ended = launch(&program()).args(["-x"]).run();
    assert!(ended.stderr.contains("auth: the option -f must name a file"), "{}", ended.stderr);
}
