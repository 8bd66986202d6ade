use super::*;

const XFF: &str = "X-Forwarded-For";
const RFC7239: &str = "Forwarded";

/// What is found in a request with these lines.
fn find(nth: usize, header: Option<Header>, lines: &[(&str, &str)]) -> Option<Found> {
    let lines: String = lines.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
    let mut request = Request::new().unwrap();
    assert_eq!(request.receive(head.as_bytes(), 0).unwrap(), Some(head.len()));
    Forwarded { nth, header }.address(&request)
}

/// What is found, as text: `?` is unknown, and empty that there is no header.
fn text(nth: usize, header: Option<Header>, lines: &[(&str, &str)]) -> String {
    match find(nth, header, lines) {
        Some(Found::Address(address)) => address.to_string(),
        Some(Found::Unknown) => "?".to_owned(),
        None => String::new(),
    }
}

fn xff(nth: usize, value: &str) -> String {
    text(nth, Some(Header::XForwardedFor), &[(XFF, value)])
}

fn rfc7239(nth: usize, value: &str) -> String {
    text(nth, Some(Header::Forwarded), &[(RFC7239, value)])
}

#[test]
fn an_address_is_written_in_many_ways() {
    for (value, address) in [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:4711", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:DB8:0::1]:4711", "2001:db8::1"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("[::ffff:c000:207]:1", "192.0.2.7"),
    ] {
        assert_eq!(xff(1, value), address);
        assert_eq!(rfc7239(1, &format!("for=\"{value}\"")), address);
        assert_eq!(rfc7239(1, &format!("for={value}")), address);
        assert_eq!(rfc7239(1, &format!("proto=https; FoR=\"\\{value}\" ;by=_a")), address);
    }
}

/// RFC 7239 6: what is no address is unknown.
#[test]
fn what_is_no_address_is_unknown() {
    for value in [
        "unknown",
        "_hidden",
        "localhost",
        "192.0.2",
        "192.0.2.256",
        "192.0.2.7.",
        "192.0.2.7:",
        "192.0.2.7:123456",
        "192.0.2.7:http",
        "192.0.2.7 192.0.2.8",
        "[192.0.2.7]",
        "[2001:db8::1",
        "[2001:db8::1]4711",
        "2001:db8::1]",
        "fe80::1%eth0",
        "\u{fc}",
        "'; drop table clients",
    ] {
        assert_eq!(xff(1, value), "?", "{value}");
        assert_eq!(rfc7239(1, &format!("for=\"{value}\"")), "?", "{value}");
    }
    assert_eq!(xff(1, &"1".repeat(10_000)), "?");
    assert_eq!(rfc7239(1, &format!("for=192.0.2.7{}", "0".repeat(1000))), "?");
    // Only so much of a value is looked at, and none of it passes for the whole.
    assert_eq!(rfc7239(1, &format!("for=\"192.0.2.7:_{}\"", "a".repeat(1000))), "192.0.2.7");
}

#[test]
fn entries_are_counted_from_the_right() {
    let list = "198.51.100.1, 198.51.100.2 ,192.0.2.3";
    for (nth, address) in
        [(1, "192.0.2.3"), (2, "198.51.100.2"), (3, "198.51.100.1"), (4, "198.51.100.1")]
    {
        assert_eq!(xff(nth, list), address);
        let lines: Vec<_> = list.split(',').map(|value| (XFF, value)).collect();
        assert_eq!(text(nth, None, &lines), address);
        let list = "for=198.51.100.1,for=198.51.100.2;proto=http, for=192.0.2.3";
        assert_eq!(rfc7239(nth, list), address);
        let lines: Vec<_> = list.split(',').map(|value| (RFC7239, value)).collect();
        assert_eq!(text(nth, None, &lines), address);
    }
}

/// RFC 9110 5.6.1.2: an empty entry is none.
#[test]
fn empty_entries_do_not_count() {
    assert_eq!(xff(2, "198.51.100.1,, , 192.0.2.3,"), "198.51.100.1");
    assert_eq!(rfc7239(2, ",for=198.51.100.1,, , for=192.0.2.3 ,"), "198.51.100.1");
    for value in ["", ",", " , ,"] {
        assert_eq!((xff(1, value), rfc7239(1, value)), ("?".to_owned(), "?".to_owned()));
    }
}

#[test]
fn without_a_header_the_connection_says_it() {
    assert_eq!(find(1, None, &[]), None);
    assert_eq!(find(1, None, &[("X-Real-IP", "192.0.2.7")]), None);
    assert_eq!(find(1, Some(Header::Forwarded), &[(XFF, "192.0.2.7")]), None);
    assert_eq!(find(1, Some(Header::XForwardedFor), &[(RFC7239, "for=192.0.2.7")]), None);
}

#[test]
fn two_headers_must_agree_unless_one_is_named() {
    let agree = [(XFF, "192.0.2.7"), (RFC7239, "for=\"192.0.2.7:80\"")];
    assert_eq!(text(1, None, &agree), "192.0.2.7");
    let differ = [(XFF, "192.0.2.7"), (RFC7239, "for=192.0.2.8")];
    assert_eq!(text(1, None, &differ), "?");
    assert_eq!(text(1, Some(Header::XForwardedFor), &differ), "192.0.2.7");
    assert_eq!(text(1, Some(Header::Forwarded), &differ), "192.0.2.8");
    assert_eq!(text(1, None, &[(XFF, "192.0.2.7"), (RFC7239, "for=_hidden")]), "?");
}

#[test]
fn an_element_says_for_whom_once_or_not_at_all() {
    assert_eq!(rfc7239(1, "proto=https;by=192.0.2.9"), "?");
    assert_eq!(rfc7239(2, "for=192.0.2.7, by=192.0.2.9"), "192.0.2.7");
    assert_eq!(rfc7239(1, "for=192.0.2.7;for=192.0.2.8"), "?");
    assert_eq!(rfc7239(1, "for=192.0.2.7;"), "192.0.2.7");
    for value in ["192.0.2.7", "for", "for =192.0.2.7", "for= 192.0.2.7", "=192.0.2.7", "for=\"\""]
    {
        assert_eq!(rfc7239(1, value), "?", "{value}");
    }
}

/// RFC 9110 5.6.4: in a quoted string commas, semicolons and escaped quotes part nothing.
#[test]
fn quoted_strings_are_whole() {
    let element = r#"host="a, for=6.6.6.6; \", for=6.6.6.6";for="192.0.2.7:1""#;
    assert_eq!(rfc7239(1, element), "192.0.2.7");
    assert_eq!(rfc7239(2, &format!("{element}, for=192.0.2.8")), "192.0.2.7");
    assert_eq!(rfc7239(2, &format!("for=192.0.2.8, {element}")), "192.0.2.8");
    assert_eq!(rfc7239(1, r#"for="192\.0.2.7""#), "192.0.2.7");
    assert_eq!(rfc7239(1, r#"host="\\";for=192.0.2.7"#), "192.0.2.7");
}

/// What a client writes before the entries of its proxies never becomes its address.
#[test]
fn what_stands_to_the_left_changes_nothing() {
    let lies = [
        "6.6.6.6",
        "for=6.6.6.6",
        "for=6.6.6.6,for=6.6.6.6;a=\"",
        "for=6.6.6.6;a=\"",
        "for=6.6.6.6, for=\"",
        "for=6.6.6.6;a=\"\\",
        "for=6.6.6.6, \"\\",
        "\"",
        "\"\"",
        ";;;=",
        "for=6.6.6.6;",
        "for=6.6.6.6, for=6.6.6.6;",
    ];
    let added =
        ["for=192.0.2.7", "for=\"[2001:db8::7]\"", "proto=https;for=\"192.0.2.7:80\";by=\"_a\""];
    for lie in lies {
        assert_eq!(xff(1, &format!("{lie}, 192.0.2.7")), "192.0.2.7");
        for (first, second) in added.iter().flat_map(|it| added.map(|other| (*it, other))) {
            for nth in [1, 2] {
                let found = rfc7239(nth, &format!("{lie}, {first}, {second}"));
                assert!(found.contains("2.7") || found.contains("::7") || found == "?", "{lie}");
                let lines = [(RFC7239, lie), (RFC7239, first), (RFC7239, second)];
                let found = text(nth, None, &lines);
                assert!(found.ends_with('7'), "{lie}: a line of its own is whole: {found}");
            }
        }
    }
}

#[test]
fn a_thousand_entries() {
    let entries: Vec<_> = (0..1000).map(|i| format!("1.2.{}.{}", i / 250, i % 250)).collect();
    for nth in [1, 7, 100, 1000] {
        assert_eq!(xff(nth, &entries.join(",")), entries[1000 - nth]);
    }
    let elements = entries.join(",for=");
    let lines = [(RFC7239, &*format!("for={elements}"))];
    assert_eq!(text(100, None, &lines), entries[900]);
}

#[test]
fn names_of_headers() {
    assert_eq!(Header::parse("X-FORWARDED-for"), Some(Header::XForwardedFor));
    assert_eq!(Header::parse("forwarded"), Some(Header::Forwarded));
    assert_eq!(Header::parse("x-real-ip"), None);
}
