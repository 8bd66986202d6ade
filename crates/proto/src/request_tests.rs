use super::*;

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// A request with these header lines behind the request line.
fn request(lines: &str) -> String {
    format!("GET /chat HTTP/1.1\r\n{lines}\r\n")
}

/// The lines of a good request, less those whose name starts with `without`.
fn lines(without: &str) -> String {
    let all = ["Host: a\r\n", "Upgrade: websocket\r\n", "Connection: Upgrade\r\n", KEY, VERSION];
    all.into_iter().filter(|line| without.is_empty() || !line.starts_with(without)).collect()
}
const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";

fn judge(text: &[u8]) -> Result<Option<usize>, Refusal> {
    let mut request = Request::new().unwrap();
    let len = request.receive(text, 0)?;
    if len.is_some() {
        request.judge()?;
    }
    Ok(len)
}

fn status(text: &str) -> u16 {
    match judge(text.as_bytes()) {
        Ok(Some(_)) => 101,
        Ok(None) => 0,
        Err(refusal) => refusal.status(),
    }
}

#[test]
fn a_good_one_cut_at_every_byte() {
    let whole = request(&lines(""));
    let mut request = Request::new().unwrap();
    for cut in 0..whole.len() {
        assert_eq!(request.receive(&whole.as_bytes()[..cut], cut.saturating_sub(1)), Ok(None));
    }
    let with_more = format!("{whole}\u{81}more");
    let len = request.receive(with_more.as_bytes(), whole.len() - 1);
    assert_eq!(len, Ok(Some(whole.len())));
    assert_eq!(request.judge(), Ok(()));
    assert_eq!(request.key(), b"dGhlIHNhbXBsZSBub25jZQ==");
    assert_eq!(request.target(), b"/chat");
}

/// CONTRACT S27: TLS on a plain port is known as such, in whatever pieces it comes, and nothing else is.
#[test]
fn tls_is_known_by_its_first_bytes() {
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n";
    assert_eq!(Refusal::Tls.status(), 400);
    for end in 2..=hello.len() {
        assert_eq!(judge(&hello[..end]), Err(Refusal::Tls), "{end}");
    }
    assert_eq!(judge(&hello[..1]), Ok(None));
    for other in [&b"\x16\x04\r\n\r\n"[..], b"\x15\x03\x01\r\n\r\n", b"GET \x16\x03\r\n\r\n"] {
        assert!(matches!(judge(other), Err(Refusal::Malformed(_))), "{other:?}");
    }
}

/// USERS 37, CONTRACT S2: token lists, in any case, over several lines.
#[test]
fn tokens_are_lists() {
    let rest = format!("Host: a\r\n{KEY}{VERSION}");
    for good in [
        "Upgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n",
        "UPGRADE: h2c , websocket\r\nconnection: upgrade\r\n",
        "Upgrade: h2c\r\nUpgrade: websocket\r\nConnection: keep-alive\r\nConnection: UPGRADE\r\n",
    ] {
        assert_eq!(status(&request(&format!("{good}{rest}"))), 101, "{good}");
    }
    for bad in [
        "Upgrade: websockets\r\nConnection: Upgrade\r\n",
        "Upgrade: websocket\r\nConnection: close\r\n",
        "Upgrade: websocket\r\n",
        "Connection: upgrade\r\n",
        "",
    ] {
        assert_eq!(status(&request(&format!("{bad}{rest}"))), 426, "{bad}");
    }
}

#[test]
fn what_must_stand_once() {
    assert_eq!(status(&request(&lines("Host"))), 400);
    assert_eq!(status(&request(&format!("{}Host: \r\n", lines("Host")))), 400);
    assert_eq!(status(&request(&format!("{}Host: b\r\n", lines("")))), 400);
    assert_eq!(status(&request(&lines("Sec-WebSocket-Version"))), 426);
    assert_eq!(status(&request(&format!("{}{VERSION}", lines("")))), 400);
    for version in ["8", "0", "", "13, 8", "013"] {
        let line = format!("Sec-WebSocket-Version: {version}\r\n");
        let text = request(&format!("{}{line}", lines("Sec-WebSocket-Version")));
        assert_eq!(status(&text), 426, "{version}");
    }
    assert_eq!(status(&request(&format!("{}{KEY}", lines("")))), 400);
    assert_eq!(status(&request(&lines("Sec-WebSocket-Key"))), 400);
    for key in ["", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25j", "!!!!", "\u{e9}"] {
        let line = format!("Sec-WebSocket-Key: {key}\r\n");
        let text = request(&format!("{}{line}", lines("Sec-WebSocket-Key")));
        assert_eq!(status(&text), 400, "{key}");
    }
    // ADVISORIES T29: a key of any length.
    let long = format!("Sec-WebSocket-Key: {}\r\n", "A".repeat(10_000));
    assert_eq!(status(&request(&format!("{}{long}", lines("Sec-WebSocket-Key")))), 400);
}

#[test]
fn methods_versions_and_targets() {
    let with_line = |line: &str| status(&format!("{line}\r\n{}\r\n", lines("")));
    for method in ["POST", "HEAD", "get", "OPTIONS", "CONNECT"] {
        assert_eq!(with_line(&format!("{method} / HTTP/1.1")), 405, "{method}");
    }
    assert_eq!(with_line("GET / HTTP/1.0"), 426);
    for good in ["/", "/a?b=c", "//////", "http://a/b", "WSS://a/", "/%2e%2e/"] {
        assert_eq!(with_line(&format!("GET {good} HTTP/1.1")), 101, "{good}");
    }
    for bad in ["GET * HTTP/1.1", "GET a HTTP/1.1", "GET file:///etc/passwd HTTP/1.1"] {
        assert_eq!(with_line(bad), 400, "{bad}");
    }
    for bad in ["GET / HTTP/2.0", "GET /", "GET  / HTTP/1.1 x", "\x16\x03\x01", "GET / HTTP/1.1\r"]
    {
        assert_eq!(with_line(bad), 400, "{bad:?}");
    }
}

/// ADVISORIES T26, T32: bodies, and forms of a request that two servers may read in two ways.
#[test]
fn smuggling_forms() {
    for bad in [
        "Content-Length: 5\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 0\r\nContent-Length: 7\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding:\r\n",
        "X : space before the colon\r\n",
        ": no name\r\n",
        "X: folded\r\n value\r\n",
        "X: bare\nY: line feed\r\n",
        "X: bare\rcarriage return\r\n",
        "X: nul\0\r\n",
        "X: bell\x07\r\n",
        "no colon\r\n",
    ] {
        assert_eq!(status(&request(&format!("{}{bad}", lines("")))), 400, "{bad:?}");
    }
    assert_eq!(status(&request(&format!("{}Content-Length: 0\r\n", lines("")))), 101);
}

/// ADVISORIES T23, T24: told at once, and by length alone.
#[test]
fn too_large() {
    let endless = format!("GET /{}", "a".repeat(MAX_HEAD - 5));
    assert_eq!(judge(endless.as_bytes()), Ok(None));
    assert_eq!(status(&format!("{endless}a")), 431);
    let fitting = |extra: usize| {
        let start = format!("{}X: ", lines(""));
        let spare = MAX_HEAD - request(&start).len() - "\r\n".len();
        request(&format!("{start}{}\r\n", "a".repeat(spare + extra)))
    };
    assert_eq!(fitting(0).len(), MAX_HEAD);
    assert_eq!(status(&fitting(0)), 101);
    assert_eq!(status(&fitting(1)), 431);
    let many = |count: usize| request(&format!("{}{}", lines(""), "X: y\r\n".repeat(count)));
    assert_eq!(status(&many(MAX_HEADERS - 5)), 101);
    assert_eq!(status(&many(MAX_HEADERS - 4)), 431);
}

/// USERS 39, ADVISORIES T28: bytes above 127 are bytes like others.
#[test]
fn headers_are_bytes() {
    let mut text = request("").into_bytes();
    text.truncate(text.len() - 2);
    text.extend_from_slice(lines("").as_bytes());
    text.extend_from_slice(b"Cookie: a=\xff\xfe\r\ncookie:   b \t\r\n\r\n");
    let mut request = Request::new().unwrap();
    assert_eq!(request.receive(&text, 0), Ok(Some(text.len())));
    assert!(request.judge().is_ok());
    let mut cookie = Vec::new();
    request.join_header("Cookie", b"; ", &mut cookie).unwrap();
    assert_eq!(cookie, b"a=\xff\xfe; b");
    assert_eq!(request.header("X-Absent").count(), 0);
}

fn received(extra: &str) -> Request {
    let mut request = Request::new().unwrap();
    let text = self::request(&format!("{}{extra}", lines("")));
    assert_eq!(request.receive(text.as_bytes(), 0), Ok(Some(text.len())));
    request
}

/// CONTRACT E3, USERS 35, ADVISORIES T25, T27.
#[test]
fn protocols_are_a_list_of_tokens() {
    let offers = |lines: &str| -> Vec<String> {
        let request = received(lines);
        request.protocols().map(|name| String::from_utf8(name.to_vec()).unwrap()).collect()
    };
    assert_eq!(offers(""), [""; 0]);
    assert_eq!(offers("Sec-WebSocket-Protocol: chat, superchat\r\n"), ["chat", "superchat"]);
    let two = "Sec-WebSocket-Protocol: a ,,\tb\r\nX: y\r\nsec-websocket-protocol: c\r\n";
    assert_eq!(offers(two), ["a", "b", "c"]);
    for bad in ["", " , ,", "a b", "\u{e9}", "a/b", "\"q\""] {
        assert_eq!(offers(&format!("Sec-WebSocket-Protocol: {bad}\r\n")), [""; 0], "{bad}");
    }
    let spaces = format!("Sec-WebSocket-Protocol: x{}y\r\n", " ".repeat(10_000));
    assert_eq!(offers(&spaces), [""; 0]);
}

/// CONTRACT E3.
#[test]
fn the_host_is_without_its_port() {
    for (line, host) in [
        ("example.org", "example.org"),
        ("example.org:8080", "example.org"),
        ("[::1]:80", "[::1]"),
        ("[2001:db8::1]", "[2001:db8::1]"),
        ("a:", "a"),
    ] {
        let mut request = Request::new().unwrap();
        let text = self::request(&format!("{}Host: {line}\r\n", lines("Host")));
        assert!(request.receive(text.as_bytes(), 0).is_ok());
        assert_eq!(request.host(), host.as_bytes());
    }
}

/// RFC 9112 2.2: a client may end a body with a CR LF too many.
#[test]
fn empty_lines_before_a_request() {
    let head = request(&lines(""));
    for count in 0..=MAX_EMPTY_LINES {
        let text = format!("{}{head}", "\r\n".repeat(count));
        let mut request = Request::new().unwrap();
        for cut in 0..text.len() {
            assert_eq!(request.receive(&text.as_bytes()[..cut], cut.saturating_sub(1)), Ok(None));
        }
        assert_eq!(request.receive(text.as_bytes(), text.len() - 1), Ok(Some(text.len())));
        assert_eq!((request.judge(), request.target()), (Ok(()), &b"/chat"[..]));
        assert_eq!(judge(text.as_bytes()), Ok(Some(text.len())));
    }
    let many = "\r\n".repeat(MAX_EMPTY_LINES + 1);
    for bad in [&many, "\n", "\r\n\n", "\r\r\n", " \r\n", "\r\n \r\n", "\r\n\r\n\0"] {
        assert_eq!(status(&format!("{bad}{head}")), 400, "{bad:?}");
    }
    assert_eq!(status(&many), 400);
}

/// RFC 9112 2.2, 2.3, 3, 5.1, 5.2, RFC 9110 5.5, 5.6.2, ADVISORIES T32, and what h1spec tries: forms that two
/// servers may read in two ways, of a request for a page as of one for an upgrade.
#[test]
fn no_head_has_two_readings() {
    let line = |line: &str| status(&format!("{line}\r\n{}\r\n", lines("")));
    for bad in [
        "GET / HTTP/1.2",
        "GET / HTTP/2.0",
        "GET / HTTP/0.9",
        "GET / HTTP/1.10",
        "GET / HTTP/01.1",
        "GET / http/1.1",
        "GET / HTTP /1.1",
        "GET / HTTP/1,1",
        "GET / HTTPS/1.1",
        "GET / ",
        "GET",
        "GET /",
        " GET / HTTP/1.1",
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET\t/ HTTP/1.1",
        "GET /\tHTTP/1.1",
        "GET /a b HTTP/1.1",
        "GET /\r HTTP/1.1",
        "GET /\0 HTTP/1.1",
        "GET /\x7f HTTP/1.1",
        "G ET / HTTP/1.1",
        "G\0T / HTTP/1.1",
        "G(T / HTTP/1.1",
        "G\u{e9}T / HTTP/1.1",
        "/ HTTP/1.1",
        " / HTTP/1.1",
    ] {
        assert_eq!(line(bad), 400, "{bad:?}");
    }
    let with = |more: &str| status(&request(&format!("{}{more}", lines(""))));
    for bad in [
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding\t: chunked\r\n",
        "Transfer Encoding: chunked\r\n",
        "\x0bTransfer-Encoding: chunked\r\n",
        " X: y\r\n",
        "\tX: y\r\n",
        "X:\r\n y\r\n",
        "X: y\r\n\tz\r\n",
        "X: y\r\n \r\n",
        ":\r\n",
        ":y\r\n",
        " : y\r\n",
        "X\r\n",
        "X\0: y\r\n",
        "X\u{e9}: y\r\n",
        "X(y): z\r\n",
        "X: y\n\r\n",
        "X: y\n\n",
        "X: y\rZ: a\r\n",
        "X: y\r\r\n",
        "X:\ry\r\n",
    ] {
        assert_eq!(with(bad), 400, "{bad:?}");
    }
    for byte in (0..=31).chain([127]).filter(|byte| *byte != b'\t') {
        let byte = char::from(byte);
        assert_eq!(with(&format!("X: a{byte}b\r\n")), 400, "{byte:?}");
        assert_eq!(with(&format!("X{byte}: ab\r\n")), 400, "{byte:?}");
        assert_eq!(with(&format!("X: {byte}\r\n")), 400, "{byte:?}");
    }
    assert_eq!(with("X: a\tb\r\nY:\r\nZ: \r\n"), 101);
}

/// RFC 9112 3.2: a Host that no URI has may be read as another one.
#[test]
fn a_host_that_is_none() {
    for host in ["a b", "a/b", "b@a", "a:x", "[::1", "a,\tb", "a\\b", "\u{e9}"] {
        let text = request(&format!("{}Host: {host}\r\n", lines("Host")));
        assert_eq!(status(&text), 400, "{host}");
    }
}

/// A request that is kept has what it needs, and goes on when its origin takes the next.
#[test]
fn a_request_is_kept() {
    let first = "POST /a?b HTTP/1.0\r\nHost: a\r\nX:  y \r\n\r\n";
    let mut request = Request::new().unwrap();
    assert_eq!(request.receive(first.as_bytes(), 0), Ok(Some(first.len())));
    let kept = request.keep().unwrap();
    let next = self::request(&lines(""));
    assert_eq!(request.receive(next.as_bytes(), 0), Ok(Some(next.len())));
    assert_eq!((kept.method(), kept.target()), (&b"POST"[..], &b"/a?b"[..]));
    assert!(!kept.is_current() && request.is_current());
    let headers = kept.headers().collect::<Vec<_>>();
    assert_eq!(headers, [(&b"Host"[..], &b"a"[..]), (b"X", b"y")]);
    assert!(kept.held() >= first.len() && kept.held() < 2 * first.len(), "{}", kept.held());
    assert!(request.held() >= MAX_HEAD);
}

/// What is left of a request says nothing of the next, which is none.
#[test]
fn a_bad_request_has_no_parts() {
    let mut request = received("");
    assert!(request.receive(b"?\r\n\r\n", 0).is_err());
    assert_eq!(
        (request.method(), request.target(), request.host()),
        (&b""[..], &b""[..], &b""[..])
    );
    assert_eq!(request.headers().count(), 0);
    assert_eq!(request.keep().unwrap().target(), b"");
}
