//! The origins whose pages may connect (RFC 6454, RFC 6455 10.2).

use std::net::Ipv6Addr;
use std::str::FromStr;

use dorrit_proto::Request;

/// Whose pages may connect: an item of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// Those of the host and port that the request is for.
    Same,
    /// Those of this origin.
    Origin(Origin),
}

/// An origin as browsers name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// "null": that of sandboxed pages and of files.
    Null,
    /// A scheme, and a server.
    Tuple(Vec<u8>, Authority),
}

/// A host, in lower case, and a port; `None` is the scheme's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authority {
    host: Vec<u8>,
    port: Option<u16>,
}

impl Allowed {
    /// The word `same`, or an origin.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        match text {
            b"same" => Some(Self::Same),
            origin => Origin::parse(origin).map(Self::Origin),
        }
    }

    fn is_that_of(&self, origin: &Origin, request: &Request) -> bool {
        match self {
            Self::Origin(allowed) => allowed == origin,
            Self::Same => {
                let Origin::Tuple(scheme, authority) = origin else { return false };
                let host = request.header("host").next().unwrap_or_default();
                Authority::parse(host, scheme).as_ref() == Some(authority)
            }
        }
    }
}

impl Origin {
    /// RFC 6454 7.1.
    fn parse(text: &[u8]) -> Option<Self> {
        if text.eq_ignore_ascii_case(b"null") {
            return Some(Self::Null);
        }
        let colon = text.windows(3).position(|three| three == b"://")?;
        let scheme = text[..colon].to_ascii_lowercase();
        let is_scheme = scheme.first().is_some_and(u8::is_ascii_alphabetic)
            && scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
        let authority = Authority::parse(&text[colon + 3..], &scheme).filter(|_| is_scheme)?;
        Some(Self::Tuple(scheme, authority))
    }
}

impl Authority {
    fn parse(text: &[u8], scheme: &[u8]) -> Option<Self> {
        let colon = text.iter().rposition(|byte| *byte == b':');
        // The colons of an IPv6 address stand in brackets.
        let (host, port) = match colon.filter(|at| !text[*at..].contains(&b']')) {
            Some(at) => (&text[..at], Some(parse_port(&text[at + 1..])?)),
            None => (text, None),
        };
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
        let is_host = match host {
            [b'[', address @ .., b']'] => parse_text::<Ipv6Addr>(address).is_some(),
            // Some browsers name no host for a file.
            [] => scheme == b"file",
            name => name.iter().all(is_part),
        };
        let default_port = match scheme {
            b"http" | b"ws" => Some(80),
            b"https" | b"wss" => Some(443),
            _ => None,
        };
        let port = port.filter(|port| Some(*port) != default_port);
        is_host.then(|| Self { host: host.to_ascii_lowercase(), port })
    }
}

fn parse_port(digits: &[u8]) -> Option<u16> {
    let is_number = digits.iter().all(u8::is_ascii_digit);
    parse_text(digits).filter(|port| is_number && *port > 0)
}

fn parse_text<T: FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The origin of the request, where that is none of these. A request that names none comes from no page.
pub(crate) fn find_foreign<'a>(allowed: &[Allowed], request: &'a Request) -> Option<&'a [u8]> {
    let is_allowed = |text: &[u8]| {
        let origin = Origin::parse(text);
        origin.is_some_and(|origin| allowed.iter().any(|it| it.is_that_of(&origin, request)))
    };
    if allowed.is_empty() {
        return None;
    }
    request.header("origin").find(|text| !is_allowed(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_an_origin() {
        for good in [
            "https://example.org",
            "HTTP://Example.ORG:8080",
            "https://[2001:db8::1]:8443",
            "http://127.0.0.1",
            "http://localhost:1",
            "https://xn--caf-dma.example",
            "chrome-extension://abcdefghij",
            "null",
            "file://",
            "same",
        ] {
            assert!(Allowed::parse(good.as_bytes()).is_some(), "{good}");
        }
        for bad in [
            "example.org",
            "foo",
            "*",
            "",
            "Same",
            "://example.org",
            "https:example.org",
            "https:/example.org",
            "https://",
            "https://:443",
            "https://example.org/",
            "https://example.org/chat",
            "https://example.org?a",
            "https://example.org#a",
            "https://user@example.org",
            "https://*.example.org",
            "https://example.org:",
            "https://example.org:0",
            "https://example.org:65536",
            "https://example.org:+1",
            "https://example.org:a",
            "https://two words",
            "https://caf\u{e9}.example",
            "https://[::1",
            "https://[1.2.3.4]",
            "https://2001:db8::1",
            "1https://example.org",
            "ht tp://example.org",
        ] {
            assert_eq!(Allowed::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    /// Whether a page of this origin may connect, by a request for that host.
    fn may(allowed: &str, origin: &str, host: &str) -> bool {
        let allowed: Vec<_> =
            allowed.split(' ').map(|it| Allowed::parse(it.as_bytes()).unwrap()).collect();
        let head = format!("GET / HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\n\r\n");
        let mut request = Request::new().unwrap();
        assert_eq!(request.receive(head.as_bytes(), 0), Ok(Some(head.len())));
        find_foreign(&allowed, &request).is_none()
    }

    #[test]
    fn the_same_is_origin_equal_to_host() {
        for (origin, host) in [
            ("https://example.org", "example.org"),
            ("https://Example.org", "EXAMPLE.org:443"),
            ("http://example.org:80", "example.org"),
            ("http://example.org:8080", "example.org:8080"),
            ("https://[::1]:8443", "[::1]:8443"),
            ("app://local", "local"),
        ] {
            assert!(may("same", origin, host), "{origin} {host}");
            assert!(may("https://other.example same", origin, host), "{origin} {host}");
        }
        for (origin, host) in [
            ("https://example.org", "www.example.org"),
            ("https://example.org", "example.org:80"),
            ("http://example.org", "example.org:8080"),
            ("http://example.org:8080", "example.org"),
            ("null", "null"),
            ("same", "same"),
            ("example.org", "example.org"),
            ("https://example.org/", "example.org"),
            ("https://example.org", "example.org/"),
        ] {
            assert!(!may("same", origin, host), "{origin} {host}");
        }
    }

    #[test]
    fn a_default_port_may_be_written() {
        assert!(may("https://a.example:443", "https://a.example", "b"));
        assert!(may("http://a.example", "http://a.example:80", "b"));
        assert!(!may("https://a.example:80", "https://a.example", "b"));
        assert!(!may("https://a.example", "http://a.example", "b"));
    }
}
