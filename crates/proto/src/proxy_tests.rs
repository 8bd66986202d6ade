use super::*;

/// What is received of an input that comes byte by byte: it is whole, or refused, at one place.
fn receive(input: &[u8]) -> Result<Option<ProxyHeader>, Refusal> {
    let whole = ProxyHeader::receive(input);
    let steps = (0..=input.len()).map(|end| ProxyHeader::receive(&input[..end]));
    let stepped = steps.into_iter().find(|step| *step != Ok(None)).unwrap_or(Ok(None));
    assert_eq!(stepped, whole, "{input:?}");
    whole
}

/// Where a header is, of which every start is not whole, and the address that it tells.
#[track_caller]
fn source(header: &[u8]) -> Option<IpAddr> {
    let followed = [header, b"GET / HTTP/1.1\r\n"].concat();
    let received = receive(&followed).unwrap().unwrap();
    assert_eq!(received.len, header.len());
    assert_eq!(receive(&header[..header.len() - 1]), Ok(None));
    received.source
}

#[track_caller]
fn refused(input: &[u8]) {
    assert_eq!(receive(input), Err(Refusal::NoProxyHeader), "{}", input.escape_ascii());
}

fn ip(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

/// A header of version 2.
fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let len = (rest.len() as u16).to_be_bytes();
    [SIGNATURE, &[command, family], &len, rest].concat()
}

/// The addresses and ports of a header for INET.
const INET: [u8; 12] = [192, 0, 2, 7, 198, 51, 100, 1, 0, 80, 1, 187];

/// The addresses and ports of a header for INET6.
fn inet6(source: &str) -> [u8; 36] {
    let mut rest = [0; 36];
    rest[..16].copy_from_slice(&source.parse::<Ipv6Addr>().unwrap().octets());
    rest
}

/// Section 2.1 of the specification.
#[test]
fn version_1() {
    for (line, told) in [
        ("TCP4 192.0.2.7 198.51.100.1 56324 443", ip("192.0.2.7")),
        ("TCP4 255.255.255.255 255.255.255.255 65535 65535", ip("255.255.255.255")),
        ("TCP4 0.0.0.0 0.0.0.0 0 0", ip("0.0.0.0")),
        ("TCP6 2001:db8::1 ::1 1 2", ip("2001:db8::1")),
        ("TCP6 ::ffff:192.0.2.7 ::ffff:198.51.100.1 1 2", ip("192.0.2.7")),
        ("UNKNOWN", None),
        ("UNKNOWN ", None),
        ("UNKNOWN ffff::1 what ever 65536 follows", None),
    ] {
        assert_eq!(source(format!("PROXY {line}\r\n").as_bytes()), told, "{line}");
    }
}

#[test]
fn what_is_no_version_1() {
    for line in [
        "",
        "TCP4",
        "TCP4 192.0.2.7 198.51.100.1 56324",
        "TCP4 192.0.2.7 198.51.100.1 56324 443 ",
        "TCP4 192.0.2.7 198.51.100.1 56324 443 5",
        " TCP4 192.0.2.7 198.51.100.1 56324 443",
        "TCP4  192.0.2.7 198.51.100.1 56324 443",
        "TCP4\t192.0.2.7 198.51.100.1 56324 443",
        "TCP4 192.0.2 198.51.100.1 56324 443",
        "TCP4 192.0.2.256 198.51.100.1 56324 443",
        "TCP4 192.0.2.07 198.51.100.1 56324 443",
        "TCP4 192.0.2.7 198.51.100.x 56324 443",
        "TCP4 192.0.2.7 ::1 56324 443",
        "TCP4 ::1 192.0.2.7 56324 443",
        "TCP6 192.0.2.7 198.51.100.1 56324 443",
        "TCP6 ::1 192.0.2.7 56324 443",
        "TCP6 [::1] ::1 56324 443",
        "TCP6 fe80::1%lo ::1 56324 443",
        "TCP4 192.0.2.7 198.51.100.1 65536 443",
        "TCP4 192.0.2.7 198.51.100.1 56324 65536",
        "TCP4 192.0.2.7 198.51.100.1 -1 443",
        "TCP4 192.0.2.7 198.51.100.1 +1 443",
        "TCP4 192.0.2.7 198.51.100.1 01 443",
        "TCP4 192.0.2.7 198.51.100.1 00 443",
        "TCP4 192.0.2.7 198.51.100.1  443",
        "TCP4 192.0.2.7 198.51.100.1 1 0x50",
        "tcp4 192.0.2.7 198.51.100.1 56324 443",
        "TCP5 192.0.2.7 198.51.100.1 56324 443",
        "UDP4 192.0.2.7 198.51.100.1 56324 443",
        "UNKNOWNS",
        "unknown",
    ] {
        refused(format!("PROXY {line}\r\n").as_bytes());
    }
    for input in [
        &b"PROXY UNKNOWN\n"[..],
        b"PROXY UNKNOWN\r\r\n",
        b"PROXY UNKNOWN\rx",
        b"PROXY UNKNOWN \0\r\n",
        b"PROXY UNKNOWN \xff\r\n",
        b"proxy UNKNOWN\r\n",
        b"PROXYUNKNOWN\r\n",
        b"PROXY\r\n",
    ] {
        refused(input);
    }
}

/// Section 2.1 of the specification: 107 bytes are the most.
#[test]
fn version_1_is_bounded() {
    let line = |len: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(len - 16));
    assert_eq!(line(107).len(), 107);
    assert_eq!(source(line(107).as_bytes()), None);
    refused(line(108).as_bytes());
    refused(&[b"PROXY ", &[b'x'; 101][..]].concat());
    assert_eq!(receive(&[b"PROXY ", &[b'x'; 100][..]].concat()), Ok(None));
}

/// Section 2.2 of the specification.
#[test]
fn version_2() {
    for (command, family, rest, told) in [
        (0x21, 0x11, &INET[..], ip("192.0.2.7")),
        (0x21, 0x12, &INET, ip("192.0.2.7")),
        (0x21, 0x11, &[&INET[..], b"\x04\0\x01x"].concat(), ip("192.0.2.7")),
        (0x21, 0x21, &inet6("2001:db8::1"), ip("2001:db8::1")),
        (0x21, 0x22, &[&inet6("::1")[..], &[0; 4060]].concat(), ip("::1")),
        (0x21, 0x21, &inet6("::ffff:192.0.2.7"), ip("192.0.2.7")),
        (0x21, 0x31, &[0; 216], None),
        (0x21, 0x32, &[0; 216], None),
        (0x21, 0x00, &[], None),
        (0x21, 0x00, &INET, None),
        (0x20, 0x00, &[], None),
        (0x20, 0x11, &INET, None),
        (0x20, 0xff, b"x", None),
    ] {
        assert_eq!(source(&binary(command, family, rest)), told, "{command:x} {family:x}");
    }
}

#[test]
fn what_is_no_version_2() {
    for (command, family, rest) in [
        (0x22, 0x11, &INET[..]),
        (0x2f, 0x11, &INET),
        (0x11, 0x11, &INET),
        (0x31, 0x11, &INET),
        (0x01, 0x11, &INET),
        (0x21, 0x10, &INET),
        (0x21, 0x13, &INET),
        (0x21, 0x41, &INET),
        (0x21, 0x01, &INET),
        (0x21, 0x11, &INET[..11]),
        (0x21, 0x11, &[]),
        (0x21, 0x21, &inet6("::1")[..35]),
        (0x21, 0x00, &[0; 4097]),
        (0x20, 0x00, &[0; 4097]),
    ] {
        refused(&binary(command, family, rest));
    }
}

/// What cannot become a header is known by the byte that says so.
#[test]
fn anything_else_is_refused_at_once() {
    assert_eq!(receive(b""), Ok(None));
    for first in 0..=255 {
        let is_start = matches!(first, b'P' | b'\r');
        assert_eq!(receive(&[first]).is_ok(), is_start, "{first}");
    }
    for input in [&b"POST / HTTP/1.1\r\n"[..], b"PR\r\n", b"\r\n\r\nGET", b"\r\n\r\n\0\r\nQUIT\r"] {
        refused(input);
    }
    assert_eq!(receive(b"PROX"), Ok(None));
    let header = binary(0x21, 0x11, &INET);
    for (end, byte) in [(12, 0x22), (13, 0x41), (14, 0x11)] {
        let mut start = header[..=end].to_vec();
        start[end] = byte;
        let is_refused = receive(&start).is_err();
        assert_eq!(is_refused, end < 14, "{end}");
    }
    // Its length is too large, whatever follows.
    refused(&[&header[..14], b"\x10\x01"].concat());
}
