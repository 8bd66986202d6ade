use super::*;

const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

fn encode(status: u16, headers: &str, content: Content, connection: Connection) -> String {
    let mut out = b"before".to_vec();
    let head =
        AnswerHead { status, date: DATE, headers: [headers.as_bytes(), b""], content, connection };
    head.encode(&mut out).unwrap();
    String::from_utf8(out).unwrap().strip_prefix("before").unwrap().to_owned()
}

#[test]
fn a_head_is_whole() {
    let headers = "Content-Type: text/plain\r\nX: y\r\n";
    assert_eq!(
        encode(200, headers, Content::Length(12), Connection::KeepAlive),
        format!(
            "HTTP/1.1 200 OK\r\nDate: {DATE}\r\nContent-Type: text/plain\r\nX: y\r\n\
             Content-Length: 12\r\n\r\n"
        )
    );
    assert_eq!(
        encode(404, "", Content::None, Connection::Close),
        format!(
            "HTTP/1.1 404 Not Found\r\nDate: {DATE}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
    );
}

/// RFC 9110 8.6: neither 1xx nor 204 has one, and 304 has that of the page.
#[test]
fn a_length_is_said_where_it_is_due() {
    for status in [100, 103, 204] {
        for content in [Content::None, Content::Length(0), Content::Length(5)] {
            let head = encode(status, "", content, Connection::KeepAlive);
            assert!(!head.contains("Content-Length"), "{head}");
        }
    }
    let head = encode(304, "", Content::None, Connection::KeepAlive);
    assert!(!head.contains("Content-Length"), "{head}");
    for (status, content, len) in [
        (304, Content::Length(7), "7"),
        (200, Content::None, "0"),
        (205, Content::None, "0"),
        (500, Content::Length(0), "0"),
        (200, Content::Length(9), "9"),
        (200, Content::Length(10), "10"),
        (200, Content::Length(1_234_567_890), "1234567890"),
        (200, Content::Length(u64::MAX), "18446744073709551615"),
    ] {
        let head = encode(status, "", content, Connection::KeepAlive);
        assert!(head.ends_with(&format!("\r\nContent-Length: {len}\r\n\r\n")), "{head}");
    }
}

/// RFC 9112 9.3: HTTP/1.1 stays where nothing is said, HTTP/1.0 where it is said.
#[test]
fn the_connection_is_named_where_it_is_due() {
    let head = |connection| encode(200, "", Content::None, connection);
    assert!(!head(Connection::KeepAlive).contains("Connection"));
    assert!(head(Connection::SayKeepAlive).ends_with("\r\nConnection: keep-alive\r\n\r\n"));
    assert!(head(Connection::Close).ends_with("\r\nConnection: close\r\n\r\n"));
}

/// RFC 9110 15.2: an interim answer says nothing of the one that follows.
#[test]
fn an_interim_answer_is_bare() {
    let head = encode(100, "", Content::None, Connection::Close);
    assert_eq!(head, "HTTP/1.1 100 Continue\r\n\r\n");
    let head = encode(103, "Link: </a>\r\n", Content::None, Connection::SayKeepAlive);
    assert_eq!(head, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
}

/// Whatever the program says, the status line stays one.
#[test]
fn a_status_has_three_digits() {
    for (status, line) in [
        (0, "HTTP/1.1 100 Continue\r\n"),
        (299, "HTTP/1.1 299 Successful\r\n"),
        (399, "HTTP/1.1 399 Redirected\r\n"),
        (499, "HTTP/1.1 499 Refused\r\n"),
        (599, "HTTP/1.1 599 Failed\r\n"),
        (u16::MAX, "HTTP/1.1 999 Failed\r\n"),
    ] {
        let head = encode(status, "", Content::None, Connection::KeepAlive);
        assert!(head.starts_with(line), "{head}");
    }
}

/// An answer takes its memory at once.
#[test]
fn no_head_is_longer_than_what_is_reserved() {
    let longest = (100..=999).max_by_key(|status| phrase(*status).len()).unwrap();
    let mut out = Vec::new();
    let head = AnswerHead {
        status: longest,
        date: DATE,
        headers: [b""; 2],
        content: Content::Length(u64::MAX),
        connection: Connection::SayKeepAlive,
    };
    head.encode(&mut out).unwrap();
    assert!(out.len() <= FIXED + phrase(longest).len() + DATE.len());
}
