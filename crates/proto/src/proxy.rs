//! What a proxy says before all else: whose connection it is (the PROXY protocol of HAProxy, versions 1 and 2).

// The addresses alone: core knows no socket.
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::response::Refusal;

/// The longest header of version 1, in bytes, its CR LF included.
const MAX_TEXT: usize = 107;
/// The most bytes behind the fixed part of a header of version 2.
const MAX_REST: usize = 4096;
/// How version 1 begins.
const TEXT: &[u8] = b"PROXY ";
/// How version 2 begins.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The fixed part of a header of version 2, in bytes.
const FIXED: usize = 16;

/// A header of the PROXY protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyHeader {
    /// The length of the header in bytes. The client's own bytes follow.
    pub len: usize,
    /// The client's address, where the proxy tells it: its own connections have none, nor do sockets of the
    /// UNIX domain. An IPv4 address is one, also where it comes as IPv6.
    pub source: Option<IpAddr>,
}

impl ProxyHeader {
    /// Takes a header from the start of `input`. `Ok(None)` while it is not whole; what cannot become one is
    /// refused at once.
    pub fn receive(input: &[u8]) -> Result<Option<Self>, Refusal> {
        let begins = |start: &[u8]| input.iter().zip(start).all(|(found, byte)| found == byte);
        let received = if begins(TEXT) {
            receive_text(input)
        } else if begins(SIGNATURE) {
            receive_binary(input)
        } else {
            None
        };
        match received {
            Some(Received::Whole(header)) => Ok(Some(header)),
            Some(Received::Partial) => Ok(None),
            None => Err(Refusal::NoProxyHeader),
        }
    }
}

/// What is there of a header that is good so far.
enum Received {
    Whole(ProxyHeader),
    Partial,
}

/// Takes a header of version 1; `None` where it is none.
fn receive_text(input: &[u8]) -> Option<Received> {
    let window = &input[..input.len().min(MAX_TEXT)];
    let Some(end) = window.iter().position(|byte| !matches!(byte, b' '..=b'~')) else {
        return (window.len() < MAX_TEXT).then_some(Received::Partial);
    };
    let line = str::from_utf8(&window[..end]).ok()?;
    match &window[end..] {
        [b'\r', b'\n', ..] => {}
        [b'\r'] if window.len() < MAX_TEXT => return Some(Received::Partial),
        _ => return None,
    }
    let len = end + 2;
    let mut words = line.split(' ').skip(1);
    let family = words.next()?;
    if family == "UNKNOWN" {
        // What follows is to be passed over.
        return Some(Received::Whole(ProxyHeader { len, source: None }));
    }
    let [source, destination] = [words.next()?, words.next()?];
    let ports = [words.next()?, words.next()?];
    let is_valid = words.next().is_none() && ports.into_iter().all(is_port);
    let source = match family {
        "TCP4" => both::<Ipv4Addr>(source, destination)?.into(),
        "TCP6" => both::<Ipv6Addr>(source, destination)?.into(),
        _ => return None,
    };
    is_valid.then_some(Received::Whole(ProxyHeader::of(len, source)))
}

/// The first of two addresses, where both are such.
fn both<A: std::str::FromStr>(source: &str, destination: &str) -> Option<A> {
    destination.parse::<A>().ok()?;
    source.parse().ok()
}

fn is_port(digits: &str) -> bool {
    let is_canonical = digits == "0" || !digits.starts_with(['0', '+']);
    is_canonical && digits.parse::<u16>().is_ok()
}

/// Takes a header of version 2; `None` where it is none.
fn receive_binary(input: &[u8]) -> Option<Received> {
    let mut rest = input.iter().skip(SIGNATURE.len());
    let Some(command) = rest.next() else { return Some(Received::Partial) };
    let is_local = match command {
        0x20 => true,
        0x21 => false,
        _ => return None,
    };
    let Some(family) = rest.next() else { return Some(Received::Partial) };
    let need = match family {
        _ if is_local => 0,
        0x00 | 0x31 | 0x32 => 0,
        0x11 | 0x12 => 12,
        0x21 | 0x22 => 36,
        _ => return None,
    };
    let (Some(high), Some(low)) = (rest.next(), rest.next()) else {
        return Some(Received::Partial);
    };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    if !(need..=MAX_REST).contains(&length) {
        return None;
    }
    let len = FIXED + length;
    let Some(rest) = input.get(FIXED..len) else { return Some(Received::Partial) };
    let source = match need {
        12 => IpAddr::from(*rest.first_chunk::<4>()?),
        36 => IpAddr::from(*rest.first_chunk::<16>()?),
        _ => return Some(Received::Whole(ProxyHeader { len, source: None })),
    };
    Some(Received::Whole(ProxyHeader::of(len, source)))
}

impl ProxyHeader {
    fn of(len: usize, source: IpAddr) -> Self {
        Self { len, source: Some(source.to_canonical()) }
    }
}

#[cfg(test)]
#[path = "proxy_tests.rs"]
mod tests;
