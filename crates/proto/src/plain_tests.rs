use super::*;

/// What [`Request::judge_plain`] says of a request.
fn judge(text: &str) -> Result<Option<Plain>, Refusal> {
    let mut request = Request::new().unwrap();
    assert_eq!(request.receive(text.as_bytes(), 0), Ok(Some(text.len())), "{text}");
    request.judge_plain()
}

/// What it says of one with this request line and these lines behind Host.
fn with(line: &str, more: &str) -> Result<Plain, u16> {
    let judged = judge(&format!("{line}\r\nHost: a\r\n{more}\r\n"));
    judged.map(|plain| plain.unwrap()).map_err(Refusal::status)
}

fn post(more: &str) -> Result<Plain, u16> {
    with("POST / HTTP/1.1", more)
}

const GET: Plain = Plain {
    is_head: false,
    keeps_alive: true,
    is_current: true,
    body: BodyLength::None,
    expects_continue: false,
};

/// RFC 9110 9.1: a method is a token, and its case matters.
#[test]
fn any_method_is_taken() {
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get", "head", "A!~"] {
        assert_eq!(with(&format!("{method} / HTTP/1.1"), ""), Ok(GET), "{method}");
    }
    assert_eq!(with("HEAD / HTTP/1.1", ""), Ok(Plain { is_head: true, ..GET }));
    assert_eq!(with("CONNECT a:80 HTTP/1.1", ""), Err(501));
    assert_eq!(with("CONNECT / HTTP/1.1", ""), Err(501));
}

#[test]
fn a_page_is_asked_for_with_get_or_head() {
    for (method, judged) in [
        ("GET", Ok(())),
        ("HEAD", Ok(())),
        ("POST", Err(Refusal::PageMethod)),
        ("OPTIONS", Err(Refusal::PageMethod)),
        ("get", Err(Refusal::PageMethod)),
    ] {
        let mut request = Request::new().unwrap();
        let text = format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(request.receive(text.as_bytes(), 0), Ok(Some(text.len())));
        assert_eq!(request.judge_page(), judged, "{method}");
    }
}

/// RFC 9112 3.2: the origin form, the absolute form, and the asterisk for OPTIONS.
#[test]
fn targets_have_a_form() {
    for line in ["GET /a?b HTTP/1.1", "POST http://a/ HTTP/1.1", "OPTIONS * HTTP/1.1"] {
        assert_eq!(with(line, ""), Ok(GET), "{line}");
    }
    for line in [
        "GET * HTTP/1.1",
        "OPTIONS ** HTTP/1.1",
        "options * HTTP/1.1",
        "GET a HTTP/1.1",
        "HEAD ftp://a/ HTTP/1.1",
        "GET a:80 HTTP/1.1",
    ] {
        assert_eq!(with(line, ""), Err(400), "{line}");
    }
}

/// RFC 9112 9.3.
#[test]
fn what_keeps_the_connection() {
    let kept = |version: &str, more: &str| {
        let plain = with(&format!("GET / HTTP/{version}"), more).unwrap();
        assert_eq!(plain.is_current, version == "1.1");
        plain.keeps_alive
    };
    for more in ["", "Connection: keep-alive\r\n", "Upgrade: h2c\r\nConnection: Upgrade\r\n"] {
        assert!(kept("1.1", more), "{more}");
    }
    assert!(kept("1.0", "Connection: x, Keep-Alive\r\n"));
    for more in ["", "Connection: upgrade\r\n", "Keep-Alive: timeout=5\r\n"] {
        assert!(!kept("1.0", more), "{more}");
    }
    for close in [
        "Connection: Close\r\n",
        "Connection: x\r\nConnection: y , close\r\n",
        "Connection: keep-alive, close\r\n",
        "Connection: close\r\nConnection: keep-alive\r\n",
    ] {
        assert!(!kept("1.1", close) && !kept("1.0", close), "{close}");
    }
}

#[test]
fn nothing_follows_a_body_that_is_not_read() {
    for body in ["Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"] {
        let plain = post(body).unwrap();
        assert!(plain.keeps_alive && !plain.without_body().keeps_alive, "{body}");
    }
    assert_eq!(GET.without_body(), GET);
}

/// RFC 9112 6.3.
#[test]
fn the_length_of_a_body() {
    let body = |more: &str| post(more).map(|plain| plain.body);
    for none in ["", "Content-Length: 0\r\n", "Content-Length: 000\r\n"] {
        assert_eq!(body(none), Ok(BodyLength::None), "{none}");
    }
    for (digits, len) in [
        ("1", 1),
        ("007", 7),
        ("18446744073709551615", u64::MAX),
        ("00000000000000000000000000000000018446744073709551615", u64::MAX),
    ] {
        let known = body(&format!("Content-Length: {digits}\r\n"));
        assert_eq!(known, Ok(BodyLength::Known(len)), "{digits}");
    }
    for chunked in ["Transfer-Encoding: chunked\r\n", "TRANSFER-ENCODING:CHUNKED \t\r\n"] {
        assert_eq!(body(chunked), Ok(BodyLength::Chunked), "{chunked}");
    }
    let in_old = with("POST / HTTP/1.0", "Content-Length: 5\r\n").map(|plain| plain.body);
    assert_eq!(in_old, Ok(BodyLength::Known(5)));
    for huge in ["18446744073709551616", "99999999999999999999", &"9".repeat(1000)] {
        assert_eq!(body(&format!("Content-Length: {huge}\r\n")), Err(413), "{huge}");
    }
}

/// RFC 9112 6.1, 6.3, 11.2, ADVISORIES T32: what two servers may read in two ways.
#[test]
fn an_unclear_length_is_refused() {
    for length in [
        "", "-1", "+1", "1 1", "1,1", "0, 0", "1,", "0x1", "1.0", "1e1", "\u{661}", "a", "1;",
        "\"1\"",
    ] {
        assert_eq!(post(&format!("Content-Length: {length}\r\n")), Err(400), "{length}");
    }
    for lines in [
        "Content-Length: 0\r\nContent-Length: 0\r\n",
        "Content-Length: 5\r\ncontent-length: 5\r\n",
        "Content-Length: 5\r\nX: y\r\nContent-Length: 6\r\n",
        "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: gzip\r\nContent-Length: 5\r\n",
    ] {
        assert_eq!(post(lines), Err(400), "{lines}");
    }
    for codings in [
        "",
        ",",
        "chunked,",
        ",chunked",
        "chunked, chunked",
        "chunked, gzip",
        "chunked, identity",
        "gzip",
        "identity",
        "xchunked",
        "chunked;a=b",
        "\"chunked\"",
        "chunked chunked",
        "gzip, chunked, chunked",
        "gzip, chunked, gzip",
        "gzip,,chunked",
    ] {
        assert_eq!(post(&format!("Transfer-Encoding: {codings}\r\n")), Err(400), "{codings}");
    }
    let twice = "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n";
    assert_eq!(post(twice), Err(400));
    let turned = "Transfer-Encoding: chunked\r\nX: y\r\nTransfer-Encoding: gzip\r\n";
    assert_eq!(post(turned), Err(400));
    for codings in ["chunked", "gzip, chunked", "gzip"] {
        let in_old = with("POST / HTTP/1.0", &format!("Transfer-Encoding: {codings}\r\n"));
        assert_eq!(in_old, Err(400), "{codings}");
    }
}

/// RFC 9112 6.1: the end of such a body is clear, but it cannot be decoded.
#[test]
fn an_unknown_coding_is_told() {
    for lines in [
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: a;b=c , d, Chunked\r\n",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
    ] {
        assert_eq!(post(lines), Err(501), "{lines}");
    }
}

/// RFC 9112 3.2.
#[test]
fn there_is_one_host() {
    let status = |text: &str| judge(text).map(|_| 200).unwrap_or_else(Refusal::status);
    assert_eq!(status("GET / HTTP/1.1\r\n\r\n"), 400);
    assert_eq!(status("GET / HTTP/1.0\r\n\r\n"), 200);
    for version in ["1.0", "1.1"] {
        let with = |lines: &str| status(&format!("GET / HTTP/{version}\r\n{lines}\r\n"));
        for good in ["Host: a\r\n", "Host:\r\n", "host: [::1]:80\r\n"] {
            assert_eq!(with(good), 200, "{good}");
        }
        for bad in [
            "Host: a\r\nHost: a\r\n",
            "Host: a\r\nX: y\r\nHOST: b\r\n",
            "Host: a b\r\n",
            "Host: a/b\r\n",
            "Host: user@a\r\n",
            "Host: a:b\r\n",
            "Host: \u{e9}\r\n",
        ] {
            assert_eq!(with(bad), 400, "{bad}");
        }
    }
}

/// RFC 9110 10.1.1.
#[test]
fn what_is_expected() {
    let body = "Content-Length: 5\r\n";
    let expects = |line: &str, lines: &str| {
        with(line, &format!("{body}{lines}")).map(|plain| plain.expects_continue)
    };
    for good in ["Expect: 100-continue\r\n", "expect: 100-CONTINUE, \r\n"] {
        assert_eq!(expects("POST / HTTP/1.1", good), Ok(true), "{good}");
        assert_eq!(expects("POST / HTTP/1.0", good), Ok(false), "{good}");
        assert_eq!(post(good), Ok(GET), "{good}");
    }
    for bad in ["100", "100-continue, x", "x=y", "100-continue;a"] {
        assert_eq!(expects("POST / HTTP/1.1", &format!("Expect: {bad}\r\n")), Err(417), "{bad}");
    }
    let two = "Expect: 100-continue\r\nExpect: other\r\n";
    assert_eq!(expects("POST / HTTP/1.1", two), Err(417));
    assert_eq!(expects("POST / HTTP/1.1", "Expect:\r\n"), Ok(false));
}

/// Whoever asks for an upgrade, however wrongly, asks for no page.
#[test]
fn upgrades_are_not_plain() {
    for line in ["GET / HTTP/1.1", "GET / HTTP/1.0", "POST / HTTP/1.1"] {
        for more in ["", "Connection: upgrade\r\n", "Upgrade: h2c\r\n", "Content-Length: x\r\n"] {
            let text = format!("{line}\r\nUpgrade: WebSocket\r\n{more}\r\n");
            assert_eq!(judge(&text), Ok(None), "{text}");
        }
    }
}
