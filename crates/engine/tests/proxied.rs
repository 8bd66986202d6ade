//! Connections that begin with a header of the PROXY protocol.

mod support;

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;

use dorrit_engine::Config;
use dorrit_proto::Refusal;
use support::site::*;
use support::*;

const PROXIED: Config = Config { is_proxied: true, ..SITE };
const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &[u8] = b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";

/// A header of version 2 with this command, family and rest.
fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let len = (rest.len() as u16).to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n", &[command, family][..], &len, rest].concat()
}

/// Headers, and the addresses that they say.
fn headers() -> Vec<(Vec<u8>, Option<IpAddr>)> {
    let address = |text: &str| Some(text.parse().unwrap());
    let six: [u8; 16] = "2001:db8::5".parse::<std::net::Ipv6Addr>().unwrap().octets();
    let tcp6 = [&six[..], &six, &[0, 80, 1, 187], &[4, 0, 1, 7]].concat();
    vec![
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 1 65535\r\n".to_vec(), address("192.0.2.7")),
        (b"PROXY TCP6 2001:db8::1 ::1 4000 443\r\n".to_vec(), address("2001:db8::1")),
        (b"PROXY UNKNOWN\r\n".to_vec(), None),
        (binary(0x21, 0x11, &[192, 0, 2, 8, 10, 0, 0, 1, 0, 80, 1, 187]), address("192.0.2.8")),
        (binary(0x21, 0x21, &tcp6), address("2001:db8::5")),
        (binary(0x20, 0, b""), None),
    ]
}

/// Cut at every byte, and byte by byte, with requests and an upgrade behind it: each sees the address.
#[test]
fn cut_at_every_byte() {
    for (header, address) in headers() {
        let all = [&header[..], GET, POST, REQUEST, &text("hello")].concat();
        for cut in (0..=header.len() + GET.len()).chain([all.len()]) {
            let mut site = Site::new(PROXIED);
            site.server.on_message = echo;
            let (seen, addresses) = shared(Vec::new());
            site.decide = Box::new(move |engine, asked| {
                seen.borrow_mut().push(engine.address(asked.id));
                match asked.plain {
                    Some(_) => answer(engine, asked),
                    None => assert!(engine.accept(asked.id, None, b"")),
                }
            });
            let mut client = site.client();
            if cut == all.len() {
                for byte in all.chunks(1) {
                    client.write(byte);
                    site.pump_once();
                }
            } else {
                client.write(&all[..cut]);
                site.pump();
                client.write(&all[cut..]);
            }
            site.pump();
            let read = client.read();
            let before = [echo_of("GET", "/a", b""), echo_of("POST", "/b", b"body")].concat();
            let behind = read.strip_prefix(&before[..]).unwrap();
            assert!(behind.starts_with(b"HTTP/1.1 101 ") && behind.ends_with(b"\x81\x05hello"));
            assert_eq!(*addresses.borrow(), [address; 3], "cut at {cut}");
            let id = site.last();
            assert_eq!(site.engine().address(id), address, "as long as the connection");
            drop(client);
            site.pump();
            assert_eq!((site.engine().address(id), &site.server.closed[..]), (None, &[id][..]));
        }
    }
}

/// Without a header, with a bad one, or with a second one, the answer is 400, and nobody is told of a request.
#[test]
fn no_header() {
    let second =
        [&headers()[0].0[..], b"PROXY TCP4 192.0.2.7 198.51.100.1 1 65535\r\n", GET].concat();
    for (bad, refusal) in [
        (GET, Some(Refusal::NoProxyHeader)),
        (b"PROXY TCP4 192.0.2.7\r\n", Some(Refusal::NoProxyHeader)),
        (b"\r\n\r\nGET / HTTP/1.1\r\n\r\n", Some(Refusal::NoProxyHeader)),
        (&second, None),
    ] {
        let mut site = Site::new(PROXIED);
        let mut client = site.client();
        client.write(bad);
        site.pump();
        assert!(client.read().starts_with(b"HTTP/1.1 400 ") && client.is_at_end());
        assert!(site.asked.is_empty() && site.server.refused.len() == 1);
        assert!(refusal.is_none_or(|refusal| site.server.refused == [refusal]));
        drop(client);
        site.assert_empty();
    }
}

/// Bytes that a header may begin with, and no more: who leaves then is not told of, and nothing is kept.
#[test]
fn half_a_header() {
    for (header, _) in headers() {
        for len in 1..header.len() {
            let mut site = Site::new(PROXIED);
            let mut client = site.client();
            client.write(&header[..len]);
            site.pump();
            assert_eq!((client.read(), site.server.refused.len()), (vec![], 0));
            drop(client);
            site.assert_empty();
        }
    }
}

/// Without a proxy the address is the socket's; with one that speaks for itself, too. A client that is adopted has been
/// read already.
#[test]
fn addresses_of_sockets() {
    let local = binary(0x20, 0, b"");
    for (config, header) in [(SITE, &b""[..]), (PROXIED, &local), (PROXIED, b"PROXY UNKNOWN\r\n")] {
        let mut site = Site::deferring(config);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let place = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        site.engine().listen(Arc::new(listener.into())).unwrap();
        let mut stream = TcpStream::connect(place).unwrap();
        stream.write_all(&[header, GET].concat()).unwrap();
        while site.asked.is_empty() {
            site.pump_once();
        }
        let id = site.last();
        let address = Some(Ipv4Addr::LOCALHOST.into());
        assert_eq!(site.engine().address(id), address);
        let asked = site.asked[0].clone();
        answer(site.engine(), &asked);
        site.pump();
        let mut room = [0; 45];
        stream.read_exact(&mut room).unwrap();
        assert_eq!(room[..], echo_of("GET", "/a", b""));
        let (socket, _) = std::os::unix::net::UnixStream::pair().unwrap();
        site.engine().adopt(socket.into(), GET).unwrap();
        site.pump();
        let id = site.last();
        assert_eq!((site.asked.len(), site.engine().address(id)), (2, None));
    }
}
