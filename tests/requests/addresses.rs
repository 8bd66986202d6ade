//! Who the client is: `ws_get_address`, and the options that say whom to believe.

use super::{doing, get, launch, returned};
use crate::harness::{Client, Launch, Server, until};
use crate::proxies::{HAPROXY, NGINX, Proxy, behind, missing};

/// The address in the last of the requests, the `number`-th that was told.
fn told(server: &Server, number: usize) -> String {
    let found = until(|| {
        let journal = server.journal();
        let lines = journal.lines().filter_map(|line| line.strip_prefix("request address 0: "));
        lines.clone().nth(number).map(str::to_owned)
    });
    found.unwrap_or_else(|| panic!("no address: {}", server.journal()))
}

/// Tells the address for each of these lines of a head.
fn each(launch: Launch, rows: &[(&str, &str)]) {
    let mut server = launch.start();
    for (number, (lines, address)) in rows.iter().enumerate() {
        let mut client = server.raw();
        client.send_bytes(&get("/", &format!("{lines}X-Do: address 0\r\n")));
        client.head();
        assert_eq!(told(&server, number), format!("[{address}]"), "{lines}");
    }
    server.stop();
}

const SPOOFED: &str = "X-Forwarded-For: 203.0.113.9, 192.0.2.7\r\n";

/// Without an option the socket says it, whatever a client writes.
#[test]
fn the_sockets_own() {
    let both =
        [(SPOOFED, "127.0.0.1"), ("Forwarded: for=192.0.2.7\r\n", "127.0.0.1"), ("", "127.0.0.1")];
    each(launch().tcp(), &both);
    each(launch(), &both.map(|(lines, _)| (lines, "")));
    let mut server = launch().args(["-i", "::1", "-p", "0"]).socket(None).start_tcp();
    let mut client = server.raw();
    client.send_bytes(&doing("address 0"));
    client.head();
    assert_eq!(returned(&server, "request address 0"), "[::1]");
    server.stop();
}

/// `--forwarded N`: the N-th from the right, in either header, over TCP and UNIX sockets. What a client has written
/// left of it does not count.
#[test]
fn as_proxies_forward_it() {
    for is_tcp in [true, false] {
        let start = |option: &str| {
            let launch = launch().args(["--forwarded", option]);
            if is_tcp { launch.tcp() } else { launch }
        };
        let own = if is_tcp { "127.0.0.1" } else { "" };
        each(
            start("1"),
            &[
                (SPOOFED, "192.0.2.7"),
                ("X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 192.0.2.7\r\n", "192.0.2.7"),
                ("X-Forwarded-For: 2001:DB8::7\r\n", "2001:db8::7"),
                ("X-Forwarded-For: [2001:db8::7]:80\r\n", "2001:db8::7"),
                ("X-Forwarded-For: 192.0.2.7:8080\r\n", "192.0.2.7"),
                ("X-Forwarded-For: ::ffff:192.0.2.7\r\n", "192.0.2.7"),
                ("Forwarded: for=203.0.113.9, for=192.0.2.7;proto=https\r\n", "192.0.2.7"),
                ("Forwarded: proto=http;For=\"[2001:db8::7]:4711\"\r\n", "2001:db8::7"),
                ("X-Forwarded-For: 192.0.2.7\r\nForwarded: for=192.0.2.7\r\n", "192.0.2.7"),
                // Which of them the proxy has let pass is not known.
                ("X-Forwarded-For: 192.0.2.7\r\nForwarded: for=192.0.2.8\r\n", ""),
                ("Forwarded: for=unknown\r\n", ""),
                ("Forwarded: for=_hidden\r\n", ""),
                ("X-Forwarded-For: nonsense\r\n", ""),
                ("X-Forwarded-For:\r\n", ""),
                ("", own),
            ],
        );
        each(
            start("2"),
            &[
                ("X-Forwarded-For: 203.0.113.9, 192.0.2.7, 192.0.2.8\r\n", "192.0.2.7"),
                ("X-Forwarded-For: 192.0.2.7\r\n", "192.0.2.7"),
            ],
        );
        each(
            start("1,forwarded"),
            &[
                (SPOOFED, own),
                ("X-Forwarded-For: 203.0.113.9\r\nForwarded: for=192.0.2.7\r\n", "192.0.2.7"),
            ],
        );
        each(
            start("1,x-forwarded-for"),
            &[("X-Forwarded-For: 192.0.2.7\r\nForwarded: for=203.0.113.9\r\n", "192.0.2.7")],
        );
    }
    for wrong in ["0", "x", "", "1,x-real-ip", "-1"] {
        let ended = launch().args(["-x", "--forwarded", wrong]).run();
        assert_eq!(ended.code, Some(1), "{wrong}: {}", ended.stderr);
        assert!(ended.stderr.contains("--forwarded"), "{}", ended.stderr);
    }
}

/// A connection keeps the address that its request has said.
#[test]
fn of_a_connection() {
    let mut server = launch().args(["--forwarded", "1"]).start();
    let request = crate::harness::Request::new().with("X-Forwarded-For", "192.0.2.7");
    let mut client = server.raw().upgrade(&request);
    assert_eq!(super::command(&mut client, "address 1"), "[192.0.2.7]");
    drop(client);
    assert!(server.await_journal("close 1 ").contains(" address=[192.0.2.7] "));
    server.stop();
}

/// A header of the PROXY protocol's second version.
fn version_2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
    let len = (addresses.len() as u16).to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n", &[0x20 | command, family][..], &len, addresses].concat()
}

/// `--proxy-protocol`: both versions, over TCP and UNIX sockets, cut at every byte; then it is required.
#[test]
fn as_the_proxy_protocol_says() {
    let v4 = [192, 0, 2, 7, 198, 51, 100, 1, 0x30, 0x39, 0, 80];
    let mut v6 = [0; 36];
    (v6[0], v6[1], v6[2], v6[3], v6[15]) = (0x20, 0x01, 0x0d, 0xb8, 7);
    for is_tcp in [true, false] {
        let own = if is_tcp { "127.0.0.1" } else { "" };
        let rows = [
            (b"PROXY TCP4 192.0.2.7 198.51.100.1 12345 80\r\n".to_vec(), "192.0.2.7"),
            (b"PROXY TCP6 2001:db8::7 2001:db8::1 12345 80\r\n".to_vec(), "2001:db8::7"),
            (b"PROXY UNKNOWN\r\n".to_vec(), own),
            (version_2(1, 0x11, &v4), "192.0.2.7"),
            (version_2(1, 0x21, &v6), "2001:db8::7"),
            (version_2(0, 0, &[]), own),
        ];
        let launch = launch().args(["--proxy-protocol"]);
        let mut server = if is_tcp { launch.tcp() } else { launch }.start();
        for (number, (header, address)) in rows.iter().enumerate() {
            let mut client: Client = server.raw();
            client.send_bytes(&[&header[..], &doing("address 0")].concat());
            client.head();
            assert_eq!(told(&server, number), format!("[{address}]"));
            // It stands once, before the first request.
            client.send_bytes(&get("/next", ""));
            assert_eq!(client.head().status, super::OK);
        }
        for (header, _) in &rows {
            let mut client = server.raw();
            for byte in header {
                client.send_and_drain(&[*byte]);
            }
            client.send_bytes(&get("/", ""));
            assert_eq!(client.head().status, super::OK);
        }
        for bad in [
            get("/", ""),
            b"PROXY TCP4 192.0.2.7\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.999 198.51.100.1 1 2\r\n".to_vec(),
            version_2(2, 0x11, &v4),
        ] {
            let mut client = server.raw();
            client.send_bytes(&[&bad[..], &get("/", "")].concat());
            assert_eq!(client.response().status, "HTTP/1.1 400 Bad Request", "{bad:?}");
            client.expect_end();
        }
        server.stop();
    }
}

/// Behind nginx and HAProxy with the shipped files: the visitor's address is told, and what a visitor has made up is not.
#[test]
fn behind_web_servers() {
    const SENDS_PROXY: &[(&str, &str)] =
        &[("\tserver echo unix@/var/run/echo.socket\n", ""), ("\t#server echo", "\tserver echo")];
    for (kind, changes, option) in [
        (&NGINX, &[][..], &["--forwarded", "1"][..]),
        (&HAPROXY, &[], &["--forwarded", "1"]),
        (&HAPROXY, SENDS_PROXY, &["--proxy-protocol"]),
    ] {
        if missing(kind) {
            continue;
        }
        let mut server = behind(launch()).args(option.iter().copied()).start();
        let proxy = Proxy::start_with(kind, &server, changes);
        let mut client = Client::raw_tcp(proxy.address());
        let lines = format!("{SPOOFED}Forwarded: for=203.0.113.8\r\nX-Do: address 0\r\n");
        client.send_bytes(&get("/ws", &lines));
        assert_eq!(client.head().status, super::OK);
        assert_eq!(told(&server, 0), "[127.0.0.1]", "{option:?}");
        drop(proxy);
        server.stop();
    }
}
