//! Who the client is, as the proxies before the server say: `X-Forwarded-For`, and `Forwarded` (RFC 7239).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use dorrit_proto::Request;

/// Which entry of a request's forwarding headers is the client's address: `--forwarded`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forwarded {
    /// The entry, from the right, counted from 1.
    pub(crate) nth: usize,
    /// The header; `None`: the one that is there.
    pub(crate) header: Option<Header>,
}

/// A header in which proxies say for whom they send a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Header {
    /// `X-Forwarded-For`.
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// What a request's forwarding headers say of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The client's address. One of IPv4 is never written as one of IPv6.
    Address(IpAddr),
    /// The proxies do not say the address, or not clearly.
    Unknown,
}

impl Forwarded {
    /// The client of this request; `None` where the request has no such header, and the client is who is at the other end
    /// of the connection.
    pub(crate) fn address(&self, request: &Request) -> Option<Found> {
        let find = |header: Header| header.find(request, self.nth);
        let Some(header) = self.header else {
            return match (find(Header::XForwardedFor), find(Header::Forwarded)) {
                // One of them the proxies may only have let pass, and which is not known here.
                (Some(one), Some(other)) if one != other => Some(Found::Unknown),
                (one, other) => one.or(other),
            };
        };
        find(header)
    }
}

impl Header {
    /// The header of this name, in any case.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let all = [Self::XForwardedFor, Self::Forwarded];
        all.into_iter().find(|header| header.name().eq_ignore_ascii_case(name))
    }

    fn name(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        }
    }

    /// What the `nth` entry from the right says, or the leftmost where there are fewer; `None` where there is no such
    /// header.
    fn find(self, request: &Request, nth: usize) -> Option<Found> {
        let lines = request.header(self.name());
        lines.clone().next()?;
        Some(match self {
            Self::XForwardedFor => {
                let entries = || lines.clone().flat_map(|line| line.split(|&byte| byte == b','));
                // RFC 9110 5.6.1.2: an empty one is none.
                let entries = || entries().map(<[u8]>::trim_ascii).filter(|it| !it.is_empty());
                let left = entries().count().saturating_sub(nth);
                entries().nth(left).map_or(Found::Unknown, node)
            }
            Self::Forwarded => {
                let elements = || lines.clone().flat_map(Elements);
                let left = elements().count().saturating_sub(nth);
                // A quote that a client has opened swallows what the proxies have added behind it. What is right of the
                // entry is theirs, and whole unless that has happened.
                let mut last = elements().skip(left);
                match last.next() {
                    Some(Ok(found)) if last.all(|element| element.is_ok()) => found,
                    _ => Found::Unknown,
                }
            }
        })
    }
}

/// An element of a list that is none of RFC 7239's.
#[derive(Debug)]
struct Malformed;

/// The elements of a line of `Forwarded`, each as what its `for` says. Quotes end with the line.
struct Elements<'a>(&'a [u8]);

impl Iterator for Elements<'_> {
    type Item = Result<Found, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let is_between = |byte: u8| byte == b',' || byte.is_ascii_whitespace();
        let start = self.0.iter().position(|&byte| !is_between(byte))?;
        let line = &self.0[start..];
        let (element, rest) = line.split_at(unquoted(line, b',').unwrap_or(line.len()));
        self.0 = rest;
        Some(read_element(element))
    }
}

/// Where the first such byte stands outside quoted strings.
fn unquoted(text: &[u8], wanted: u8) -> Option<usize> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.iter().position(|&byte| {
        let is_found = byte == wanted && !is_quoted;
        is_quoted ^= byte == b'"' && !is_escaped;
        is_escaped = is_quoted && byte == b'\\' && !is_escaped;
        is_found
    })
}

/// What the `for` of an element says: `for=192.0.2.7;proto=https`.
fn read_element(element: &[u8]) -> Result<Found, Malformed> {
    let mut found = None;
    let mut rest = Some(element);
    while let Some(text) = rest {
        let (pair, more) = match unquoted(text, b';') {
            Some(end) => (&text[..end], Some(&text[end + 1..])),
            None => (text, None),
        };
        rest = more;
        let pair = pair.trim_ascii();
        if pair.is_empty() {
            continue;
        }
        let equals = pair.iter().position(|&byte| byte == b'=').ok_or(Malformed)?;
        let (name, value) = (&pair[..equals], &pair[equals + 1..]);
        if !dorrit_proto::is_token(name) {
            return Err(Malformed);
        }
        let mut buffer = [0; LONGEST];
        let value = read_value(value, &mut buffer)?;
        if name.eq_ignore_ascii_case(b"for") && found.replace(node(value)).is_some() {
            return Err(Malformed);
        }
    }
    Ok(found.unwrap_or(Found::Unknown))
}

/// The longest value that can be an address, and more.
const LONGEST: usize = 64;

/// The text of a value: quoted, or as it is. Of a quoted one that is too long for an address only the beginning is there.
fn read_value<'a>(value: &'a [u8], buffer: &'a mut [u8; LONGEST]) -> Result<&'a [u8], Malformed> {
    let Some(quoted) = value.strip_prefix(b"\"") else {
        // Proxies leave out the quotes that an address with colons wants.
        let is_plain = |byte: &u8| byte.is_ascii_graphic() && !b"\"\\".contains(byte);
        return if value.iter().all(is_plain) { Ok(value) } else { Err(Malformed) };
    };
    let mut len = 0;
    let mut bytes = quoted.iter();
    loop {
        let byte = match bytes.next().ok_or(Malformed)? {
            b'"' if bytes.as_slice().is_empty() => return Ok(&buffer[..len]),
            b'"' => return Err(Malformed),
            b'\\' => bytes.next().ok_or(Malformed)?,
            byte => byte,
        };
        if len < LONGEST {
            buffer[len] = *byte;
            len += 1;
        }
    }
}

/// What a node is (RFC 7239 6): an address, perhaps with a port, or else unknown.
fn node(text: &[u8]) -> Found {
    let text = std::str::from_utf8(text).unwrap_or_default();
    let address = match text.strip_prefix('[') {
        Some(text) => text.split_once(']').and_then(|(address, port)| {
            let address = address.parse::<Ipv6Addr>().ok()?;
            (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
                .then_some(IpAddr::V6(address))
        }),
        None => text.parse().ok().or_else(|| {
            let (address, port) = text.split_once(':')?;
            let address = address.parse::<Ipv4Addr>().ok()?;
            is_port(port).then_some(IpAddr::V4(address))
        }),
    };
    address.map_or(Found::Unknown, |address| Found::Address(address.to_canonical()))
}

/// Whether this is a port, or what stands for one that is not told.
fn is_port(text: &str) -> bool {
    let is_number = text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    !text.is_empty() && (is_number || text.starts_with('_'))
}

#[cfg(test)]
#[path = "forwarded_tests.rs"]
mod tests;
