//! The origins whose pages may connect (RFC 6454, RFC 6455 10.2).

use std::net::Ipv6Addr;
use std::str::FromStr;

use dorrit_proto::Request;

use super::list::items;

/// Whose pages may connect: a list of origins, with commas between them. It is kept as it was written: that
/// is one piece of memory, and can fail.
#[derive(Debug)]
pub(crate) struct Origins(Vec<u8>);

/// An item of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Allowed<'a> {
    /// The pages of the host and port that the request is for.
    Same,
    /// The pages of this origin.
    Origin(Origin<'a>),
}

/// An origin as browsers name it.
#[derive(Clone, Copy, Debug, Eq)]
enum Origin<'a> {
    /// The origin "null", of sandboxed pages and of files.
    Null,
    /// The origin of a scheme and a server.
    Tuple(&'a [u8], Authority<'a>),
}

/// A host and a port; a port of `None` is the scheme's own.
#[derive(Clone, Copy, Debug, Eq)]
struct Authority<'a> {
    host: &'a [u8],
    port: Option<u16>,
}

impl Origins {
    /// The pages of all origins.
    pub(crate) const ANY: Self = Self(Vec::new());

    /// Reads a list of origins. `None` where an item is none, and without memory.
    pub(crate) fn parse(list: &[u8]) -> Option<Self> {
        let mut origins = Self::ANY;
        origins.add(list).map(|()| origins)
    }

    /// Adds the origins of another list. `None`, and all as it was, where an item is none, and without
    /// memory.
    pub(crate) fn add(&mut self, list: &[u8]) -> Option<()> {
        let is_list = items(list).all(|item| Allowed::parse(item).is_some());
        self.0.try_reserve_exact(list.len() + 1).ok().filter(|()| is_list)?;
        if !self.is_any() {
            self.0.push(b',');
        }
        self.0.extend_from_slice(list);
        Some(())
    }

    /// Whether all pages may connect.
    pub(crate) fn is_any(&self) -> bool {
        self.0.is_empty()
    }

    /// The origin of the request, where it is not among these. A request that names none comes from no
    /// page.
    pub(crate) fn find_foreign<'a>(&self, request: &'a Request) -> Option<&'a [u8]> {
        let is_allowed = |text: &[u8]| {
            let mut allowed = items(&self.0).filter_map(Allowed::parse);
            Origin::parse(text)
                .is_some_and(|origin| allowed.any(|it| it.is_that_of(origin, request)))
        };
        if self.is_any() {
            return None;
        }
        request.header("origin").find(|text| !is_allowed(text))
    }
}

impl<'a> Allowed<'a> {
    /// Reads an item: the word `same`, or an origin.
    fn parse(text: &'a [u8]) -> Option<Self> {
        match text {
            b"same" => Some(Self::Same),
            origin => Origin::parse(origin).map(Self::Origin),
        }
    }

    fn is_that_of(self, origin: Origin<'_>, request: &Request) -> bool {
        match self {
            Self::Origin(allowed) => allowed == origin,
            Self::Same => {
                let Origin::Tuple(scheme, authority) = origin else { return false };
                let host = request.header("host").next().unwrap_or_default();
                Authority::parse(host, scheme) == Some(authority)
            }
        }
    }
}

impl PartialEq for Origin<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Tuple(scheme, server), Self::Tuple(others, other)) => {
                scheme.eq_ignore_ascii_case(others) && server == other
            }
            _ => false,
        }
    }
}

impl PartialEq for Authority<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.host.eq_ignore_ascii_case(other.host) && self.port == other.port
    }
}

impl<'a> Origin<'a> {
    /// Reads an origin (RFC 6454 7.1).
    fn parse(text: &'a [u8]) -> Option<Self> {
        if text.eq_ignore_ascii_case(b"null") {
            return Some(Self::Null);
        }
        let colon = text.windows(3).position(|three| three == b"://")?;
        let scheme = &text[..colon];
        let is_scheme = scheme.first().is_some_and(u8::is_ascii_alphabetic)
            && scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
        let authority = Authority::parse(&text[colon + 3..], scheme).filter(|_| is_scheme)?;
        Some(Self::Tuple(scheme, authority))
    }
}

impl<'a> Authority<'a> {
    fn parse(text: &'a [u8], scheme: &[u8]) -> Option<Self> {
        let colon = text.iter().rposition(|byte| *byte == b':');
        // The colons of an IPv6 address stand in brackets.
        let (host, port) = match colon.filter(|at| !text[*at..].contains(&b']')) {
            Some(at) => (&text[..at], Some(parse_port(&text[at + 1..])?)),
            None => (text, None),
        };
        let is_scheme = |name: &[u8]| scheme.eq_ignore_ascii_case(name);
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
        let is_host = match host {
            [b'[', address @ .., b']'] => parse_text::<Ipv6Addr>(address).is_some(),
            // Some browsers name no host for a file.
            [] => is_scheme(b"file"),
            name => name.iter().all(is_part),
        };
        let default_port = match () {
            () if is_scheme(b"http") || is_scheme(b"ws") => Some(80),
            () if is_scheme(b"https") || is_scheme(b"wss") => Some(443),
            () => None,
        };
        let port = port.filter(|port| Some(*port) != default_port);
        is_host.then_some(Self { host, port })
    }
}

fn parse_port(digits: &[u8]) -> Option<u16> {
    let is_number = digits.iter().all(u8::is_ascii_digit);
    parse_text(digits).filter(|port| is_number && *port > 0)
}

fn parse_text<T: FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
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
        let allowed = Origins::parse(allowed.as_bytes()).unwrap();
        let head = format!("GET / HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\n\r\n");
        let mut request = Request::new().unwrap();
        assert_eq!(request.receive(head.as_bytes(), 0), Ok(Some(head.len())));
        allowed.find_foreign(&request).is_none()
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
            assert!(may("https://other.example, same", origin, host), "{origin} {host}");
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

    #[test]
    fn lists() {
        assert!(Origins::parse(b"https://a.example, null").is_some());
        for bad in [&b"https://a example"[..], b"", b"https://a.example,", b"same, foo", b"*"] {
            assert!(Origins::parse(bad).is_none(), "{bad:?}");
        }
    }
}
