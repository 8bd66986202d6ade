//! The files of -w as pages, on the listeners that there are.

use std::fs::{File, FileTimes, Permissions, create_dir_all};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::bad_start::fails;
use crate::harness::{Client, Frame, Launch, Need, Op, Request, Response, Server, skipped, until};

/// Sun, 06 Nov 1994 08:49:37 GMT, the date that RFC 9110 writes in three ways.
const CHANGED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

fn changed() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(784_111_777)
}

/// A server with a directory of pages, and what is beside it.
struct Site {
    server: Server,
    pages: PathBuf,
}

fn write(path: PathBuf, content: impl AsRef<[u8]>) {
    create_dir_all(path.parent().expect("it is in a directory")).expect("directories");
    std::fs::write(&path, content).expect("a file");
    let file = File::options().write(true).open(path).expect("it is there");
    file.set_times(FileTimes::new().set_modified(changed())).expect("a time");
}

fn start(launch: Launch) -> Site {
    let pages = launch.run_dir().join("www");
    write(pages.join("index.html"), "<p>hello</p>");
    write(pages.join("sub/index.html"), "below");
    write(pages.join("sub/deep/a b.txt"), "blanks");
    write(pages.join("empty/none.bin"), "");
    write(pages.join(".hidden"), "secret");
    write(pages.join(".git/config"), "secret");
    write(pages.join("sub/.hidden"), "secret");
    write(launch.run_dir().join("secret"), "secret");
    write(launch.run_dir().join("www2/secret"), "secret");
    Site { server: launch.args(["-w", "www"]).start(), pages }
}

fn site() -> Site {
    start(Launch::probe().tcp())
}

fn request(line: &str) -> Vec<u8> {
    format!("{line}\r\nHost: localhost\r\n\r\n").into_bytes()
}

/// Asks on a connection that is kept.
fn ask(client: &mut Client, line: &str) -> (Response, Vec<u8>) {
    client.send_bytes(&request(line));
    let head = client.head();
    let length = if line.starts_with("HEAD") { 0 } else { head.length() };
    let body = client.bytes(length);
    (head, body)
}

fn get(client: &mut Client, target: &str) -> (Response, Vec<u8>) {
    ask(client, &format!("GET {target} HTTP/1.1"))
}

const OK: &str = "HTTP/1.1 200 OK";
const NOT_FOUND: &str = "HTTP/1.1 404 Not Found";

/// No page was a connection for the program.
fn stop(mut server: Server) {
    assert!(!server.journal().contains("open "), "{}", server.journal());
    server.connect().echo("as ever");
    server.stop();
}

/// Over the UNIX socket and TCP, on one connection: index.html, files below, and what the answer says.
#[test]
fn files_are_pages() {
    let Site { server, pages } = site();
    write(pages.join("all.bin"), (0..=255).collect::<Vec<u8>>());
    for mut client in [server.raw(), Client::raw(server.socket())] {
        let (head, body) = get(&mut client, "/");
        assert_eq!((&*head.status, &*body), (OK, &b"<p>hello</p>"[..]));
        assert_eq!(head.header("Content-Type"), Some("text/html; charset=utf-8"));
        assert_eq!(head.header("Last-Modified"), Some(CHANGED));
        assert_eq!(head.header("Cache-Control"), Some("no-cache"));
        assert_eq!(head.header("X-Content-Type-Options"), Some("nosniff"));
        assert!(head.header("Date").is_some_and(|date| date.ends_with(" GMT")));
        assert_eq!(head.header("Connection"), None);
        for (target, expected) in [
            ("/index.html?x=/../y", &b"<p>hello</p>"[..]),
            ("/sub/", b"below"),
            ("/sub/index.html", b"below"),
            ("/sub/deep/a%20b.txt", b"blanks"),
            ("/%73ub/index%2ehtml", b"below"),
            ("http://localhost:80/sub/", b"below"),
            ("/empty/none.bin", b""),
            ("/all.bin", &(0..=255).collect::<Vec<u8>>()),
        ] {
            let (head, body) = get(&mut client, target);
            assert_eq!((&*head.status, &*body), (OK, expected), "{target}");
        }
    }
    stop(server);
}

/// The type is that of the name's ending.
#[test]
fn types() {
    let Site { server, pages } = site();
    let mut client = server.raw();
    for (name, kind) in [
        ("a.css", "text/css; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.txt", "text/plain; charset=utf-8"),
        ("A.HTM", "text/html; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.svg", "image/svg+xml"),
        ("a.png", "image/png"),
        ("a.wasm", "application/wasm"),
        ("a.tar.gz", "application/gzip"),
        ("a", "application/octet-stream"),
        ("a.no-such-type", "application/octet-stream"),
    ] {
        write(pages.join(name), name);
        let (head, body) = get(&mut client, &format!("/{name}"));
        assert_eq!((head.header("Content-Type"), &*body), (Some(kind), name.as_bytes()));
    }
    drop(client);
    stop(server);
}

/// Nothing outside the directory, nothing behind a dot, and no name that could be read in two ways.
#[test]
fn there_is_no_way_out() {
    let Site { server, pages } = site();
    let secret = pages.parent().expect("it has one").join("secret");
    symlink(&secret, pages.join("link")).expect("a link");
    symlink("index.html", pages.join("near")).expect("a link");
    symlink(pages.parent().expect("it has one"), pages.join("up")).expect("a link");
    symlink("sub", pages.join("beside")).expect("a link");
    symlink("/", pages.join("root")).expect("a link");
    symlink("loop", pages.join("loop")).expect("a link");
    std::fs::create_dir(pages.join("linked")).expect("a directory");
    symlink(&secret, pages.join("linked/index.html")).expect("a link");
    write(pages.join("back\\slash"), "secret");
    let absolute = secret.display().to_string();
    let targets = [
        "/..",
        "/../",
        "/../secret",
        "/../../../../../../etc/passwd",
        "/sub/../../secret",
        "/sub/../index.html",
        "/./index.html",
        "/sub/./index.html",
        "/sub/..",
        "/sub/.",
        "/%2e%2e/secret",
        "/%2E%2E/secret",
        "/.%2e/secret",
        "/%2e./secret",
        "/%2e%2e%2fsecret",
        "/..%2fsecret",
        "/..%2Fsecret",
        "/sub%2findex.html",
        "/%2fetc/passwd",
        "/%2f%2fetc/passwd",
        "//etc/passwd",
        "//",
        "///",
        "/sub//index.html",
        "/sub//",
        "//index.html",
        "/..\\secret",
        "/..%5csecret",
        "/%5c..%5csecret",
        "/back\\slash",
        "/back%5cslash",
        "/index.html%00",
        "/index.html%00.png",
        "/%00",
        "/%",
        "/%2",
        "/%zz",
        "/%c0%ae%c0%ae/secret",
        "/%252e%252e/secret",
        "/..;/secret",
        "/.../secret",
        "/.hidden",
        "/%2ehidden",
        "/.git/config",
        "/.git/",
        "/sub/.hidden",
        "/link",
        "/near",
        "/up/secret",
        "/up/",
        "/beside/index.html",
        "/root/etc/passwd",
        "/loop",
        "/linked/",
        "/linked/index.html",
        "/index.html/",
        "/index.html/x",
        "/nothing",
        "/nothing/",
        "/sub/nothing/x",
        "/../www2/secret",
        "/../www/index.html",
        "/file:/etc/passwd",
        "http://localhost/../secret",
        "http://localhost//etc/passwd",
        "/~root",
        &absolute,
    ];
    let mut client = server.raw();
    for target in targets {
        let (head, body) = get(&mut client, target);
        assert_eq!(head.status, NOT_FOUND, "{target}");
        assert!(!body.windows(6).any(|it| it == b"secret") && body.ends_with(b"\n"), "{target}");
    }
    let names = ["x".repeat(255), "x".repeat(256), "x/".repeat(6000), "%41".repeat(4000)];
    for name in names {
        assert_eq!(get(&mut client, &format!("/{name}")).0.status, NOT_FOUND);
    }
    drop(client);
    stop(server);
}

/// What is no file is no page: a pipe, which must not be waited for nor be noticed by its writer, a
/// socket, and what may not be read.
#[test]
fn only_files_are_pages() {
    let Site { server, pages } = site();
    let pipe = pages.join("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o666),
        0,
    )
    .expect("a pipe");
    let _socket = std::os::unix::net::UnixListener::bind(pages.join("socket")).expect("a socket");
    write(pages.join("locked"), "secret");
    std::fs::set_permissions(pages.join("locked"), Permissions::from_mode(0o000)).expect("a mode");
    write(pages.join("closed/a"), "secret");
    std::fs::set_permissions(pages.join("closed"), Permissions::from_mode(0o000)).expect("a mode");
    let mut client = server.raw();
    for target in ["/pipe", "/socket", "/locked", "/closed/a", "/closed/", "/empty/"] {
        assert_eq!(get(&mut client, target).0.status, NOT_FOUND, "{target}");
    }
    std::fs::set_permissions(pages.join("closed"), Permissions::from_mode(0o755)).expect("a mode");
    drop(client);
    stop(server);
}

/// A directory is found with a slash at its end, and the query with it.
#[test]
fn directories() {
    let Site { server, .. } = site();
    let mut client = server.raw();
    for (target, location) in [
        ("/sub", "/sub/"),
        ("/sub?a=b", "/sub/?a=b"),
        ("/sub/deep", "/sub/deep/"),
        ("/%73ub", "/%73ub/"),
        ("http://elsewhere/sub", "/sub/"),
    ] {
        let (head, _) = get(&mut client, target);
        assert_eq!(head.status, "HTTP/1.1 301 Moved Permanently", "{target}");
        assert_eq!(head.header("Location"), Some(location));
    }
    drop(client);
    stop(server);
}

/// HEAD is answered as GET, without the body; on the same connection.
#[test]
fn heads() {
    let Site { server, .. } = site();
    let mut client = server.raw();
    for target in ["/", "/sub", "/nothing", "/sub/deep/a%20b.txt", "/empty/none.bin"] {
        let (head, _) = ask(&mut client, &format!("HEAD {target} HTTP/1.1"));
        let (whole, body) = get(&mut client, target);
        assert_eq!(head.status, whole.status, "{target}");
        assert_eq!(head.length(), body.len(), "{target}");
        let without_date = |it: &Response| {
            it.headers.iter().filter(|(name, _)| name != "Date").cloned().collect::<Vec<_>>()
        };
        assert_eq!(without_date(&head), without_date(&whole), "{target}");
    }
    drop(client);
    stop(server);
}

/// Other methods are refused, and nothing that follows is looked at.
#[test]
fn other_methods_get_405() {
    let Site { server, .. } = site();
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "get"] {
        let mut client = server.raw();
        client.send_bytes(
            &[request(&format!("{method} / HTTP/1.1")), request("GET / HTTP/1.1")].concat(),
        );
        let response = client.response();
        assert_eq!(response.status, "HTTP/1.1 405 Method Not Allowed", "{method}");
        assert_eq!(response.header("Allow"), Some("GET, HEAD"));
        client.expect_end();
    }
    stop(server);
}

/// 304 for what has not changed since the date that the client names, in any of its three forms.
#[test]
fn unchanged_pages() {
    let Site { server, .. } = site();
    let mut client = server.raw();
    let mut status = |headers: &str| {
        let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
        client.send_bytes(text.as_bytes());
        let head = client.head();
        if head.status != "HTTP/1.1 304 Not Modified" {
            assert_eq!(client.bytes(head.length()), b"<p>hello</p>");
        } else {
            assert_eq!(head.header("Last-Modified"), Some(CHANGED));
            assert_eq!(head.header("Content-Length"), None);
        }
        head.status.split(' ').nth(1).map(str::to_owned)
    };
    for same in [CHANGED, "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
        let header = format!("If-Modified-Since: {same}\r\n");
        assert_eq!(status(&header).as_deref(), Some("304"), "{same}");
        let twice = format!("{header}If-None-Match: \"x\"\r\n");
        assert_eq!(status(&twice).as_deref(), Some("200"), "RFC 9110 13.1.3");
    }
    for (date, expected) in [
        ("Sun, 06 Nov 1994 08:49:38 GMT", "304"),
        ("Fri, 31 Dec 9999 23:59:59 GMT", "304"),
        ("Sun, 06 Nov 1994 08:49:36 GMT", "200"),
        ("Thu, 01 Jan 1970 00:00:00 GMT", "200"),
        ("yesterday", "200"),
        ("", "200"),
        ("0", "200"),
        ("Sun, 99 Nov 99999 99:99:99 GMT", "200"),
    ] {
        let header = format!("If-Modified-Since: {date}\r\n");
        assert_eq!(status(&header).as_deref(), Some(expected), "{date}");
    }
    drop(client);
    stop(server);
}

/// Files from before 1970 and from the future are no trouble.
#[test]
fn odd_times() {
    let Site { server, pages } = site();
    let mut client = server.raw();
    let day = Duration::from_secs(86400);
    let times = [UNIX_EPOCH - day, UNIX_EPOCH, SystemTime::now() + day * 365_000];
    for (time, has_date) in times.into_iter().zip([false, true, true]) {
        let file = File::options().write(true).open(pages.join("index.html")).expect("a file");
        file.set_times(FileTimes::new().set_modified(time)).expect("a time");
        let (head, _) = get(&mut client, "/");
        assert_eq!(head.status, OK);
        assert_eq!(head.header("Last-Modified").is_some(), has_date, "{time:?}");
        if time > SystemTime::now() {
            assert_eq!(head.header("Last-Modified"), head.header("Date"));
        }
    }
    drop(client);
    stop(server);
}

/// Requests behind each other, in one packet, are answered in order; then an upgrade, on any path, and
/// messages.
#[test]
fn pipelined_requests() {
    let Site { mut server, .. } = site();
    let mut client = server.raw();
    let mut bytes = Vec::new();
    for target in ["/sub/", "/nothing", "/", "/sub"].repeat(50) {
        bytes.extend(request(&format!("GET {target} HTTP/1.1")));
    }
    bytes.extend(Request::new().line("GET /sub/index.html HTTP/1.1").bytes());
    bytes.extend(Frame::text("hello").bytes());
    client.send_bytes(&bytes);
    for (status, body) in [
        (OK, &b"below"[..]),
        (NOT_FOUND, b"there is no such page\n"),
        (OK, b"<p>hello</p>"),
        ("HTTP/1.1 301 Moved Permanently", b"it is a directory\n"),
    ]
    .repeat(50)
    {
        let head = client.head();
        assert_eq!(head.status, status);
        assert_eq!(client.bytes(head.length()), body);
    }
    assert_eq!(client.head().status, "HTTP/1.1 101 Switching Protocols");
    client.expect_text("hello");
    client.echo("it is a connection like any other");
    drop(client);
    server.stop();
    assert_eq!(server.journal().matches("open ").count(), 1);
}

/// The connection ends behind the answer where the client wants it, is of HTTP/1.0, or sends a body.
#[test]
fn the_last_answer() {
    let Site { server, .. } = site();
    for (line, headers) in [
        ("GET / HTTP/1.1", "Host: a\r\nConnection: close\r\n"),
        ("GET / HTTP/1.1", "Host: a\r\nConnection: TE, Close\r\nTE: trailers\r\n"),
        ("GET / HTTP/1.0", ""),
        ("GET / HTTP/1.0", "Connection: keep-alive\r\n"),
        ("GET / HTTP/1.1", "Host: a\r\nContent-Length: 40\r\n"),
        ("GET / HTTP/1.1", "Host: a\r\nTransfer-Encoding: chunked\r\n"),
    ] {
        let mut client = server.raw();
        let first = format!("{line}\r\n{headers}\r\n");
        client.send_bytes(&[first.into_bytes(), request("GET /sub/ HTTP/1.1")].concat());
        let head = client.head();
        assert_eq!((&*head.status, head.header("Connection")), (OK, Some("close")), "{headers}");
        assert_eq!(client.bytes(1000), b"<p>hello</p>", "{headers}");
        client.expect_end();
    }
    stop(server);
}

/// CONTRACT S2: requests that go wrong are refused, upgrades that go wrong as ever, and without -w all
/// plain ones.
#[test]
fn refusals() {
    let Site { server, .. } = site();
    for (bytes, status) in [
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "400 Bad Request"),
        (request("GET / HTTP/1.1\r\nHost: b"), "400 Bad Request"),
        (request("GET / HTTP/1.1\r\nContent-Length: x"), "400 Bad Request"),
        (request("GET index.html HTTP/1.1"), "400 Bad Request"),
        (request("GET / HTTP/3.0"), "400 Bad Request"),
        (
            request(&format!("GET /{} HTTP/1.1", "x".repeat(17000))),
            "431 Request Header Fields Too Large",
        ),
        (Request::new().without("Connection").bytes(), "426 Upgrade Required"),
        (Request::new().line("POST /chat HTTP/1.1").bytes(), "405 Method Not Allowed"),
    ] {
        let mut client = server.raw();
        // As the second request of a connection, too.
        for is_kept in [false, true] {
            if is_kept {
                client = server.raw();
                assert_eq!(get(&mut client, "/").0.status, OK);
            }
            client.send_bytes(&bytes);
            assert_eq!(client.response().status, format!("HTTP/1.1 {status}"));
            client.expect_end();
        }
    }
    stop(server);
    let server = Launch::probe().start();
    let mut client = server.raw();
    client.send_bytes(&request("GET / HTTP/1.1"));
    assert_eq!(client.response().status, "HTTP/1.1 426 Upgrade Required");
    client.expect_end();
    stop(server);
}

/// CONTRACT D16: a file that is longer than all buffers arrives whole, and an echo meanwhile has to wait
/// for no more of it than a turn of each client.
#[test]
fn a_long_file_holds_nobody_up() {
    const LENGTH: u64 = 100_000_000;
    let Site { mut server, pages } = site();
    let file = File::create(pages.join("long")).expect("a file");
    file.set_len(LENGTH).expect("room");
    file.write_all_at(b"the end", LENGTH - 7).expect("room");
    let mut other = server.connect();
    let before = server.process().resident();
    let mut client = server.raw();
    client.send_bytes(&request("GET /long HTTP/1.1"));
    let head = client.head();
    assert_eq!((&*head.status, head.length()), (OK, LENGTH as usize));
    let mut read = 0;
    while read < LENGTH as usize {
        // The file stops where the sockets are full: an echo that waited for it would never come.
        other.echo("not held up");
        let part = client.bytes(10_000_000);
        assert_eq!(part.len(), 10_000_000);
        read += part.len();
        if read == LENGTH as usize {
            assert!(part.ends_with(b"the end"));
        }
    }
    let more = server.process().resident().saturating_sub(before);
    assert!(more < 10_000_000, "{more} bytes more");
    assert_eq!(get(&mut client, "/").0.status, OK, "the connection goes on");
    let files = || server.process().open_files().into_iter().filter(|it| it.ends_with("long"));
    assert_eq!(files().count(), 0, "the file is closed");
    drop((client, other));
    server.stop();
}

/// A client that leaves, or is reset, in the middle of a file: the file is closed.
#[test]
fn a_client_that_leaves() {
    let Site { server, pages } = site();
    File::create(pages.join("long")).expect("a file").set_len(50_000_000).expect("room");
    let files = || server.process().open_files().into_iter().filter(|it| it.ends_with("long"));
    for is_reset in [false, true] {
        let mut client = server.raw();
        client.send_bytes(&request("GET /long HTTP/1.1"));
        assert_eq!(client.head().status, OK);
        assert!(until(|| (files().count() == 1).then_some(())).is_some());
        if is_reset {
            let linger = Some(Duration::ZERO);
            rustix::net::sockopt::set_socket_linger(client.stream(), linger).expect("an option");
        }
        drop(client);
        assert!(until(|| (files().count() == 0).then_some(())).is_some(), "it is still open");
    }
    stop(server);
}

/// A file that becomes shorter while it is sent: the connection is cut before the end.
#[test]
fn a_file_that_is_truncated() {
    let Site { server, pages } = site();
    let file = File::create(pages.join("long")).expect("a file");
    file.set_len(50_000_000).expect("room");
    let mut client = server.raw();
    client.send_bytes(&request("GET /long HTTP/1.1"));
    let head = client.head();
    assert_eq!(head.length(), 50_000_000);
    file.set_len(0).expect("less room");
    assert!(client.bytes(50_000_000).len() < 50_000_000);
    client.expect_end();
    stop(server);
}

/// A client that takes nothing of a file is cut off after half a minute; the time is what is measured.
#[test]
fn a_client_that_takes_nothing() {
    let Site { mut server, pages } = site();
    File::create(pages.join("long")).expect("a file").set_len(50_000_000).expect("room");
    let files = || server.process().open_files().into_iter().filter(|it| it.ends_with("long"));
    let mut witness = server.connect();
    let mut client = server.raw();
    client.send_bytes(&request("GET /long HTTP/1.1"));
    assert!(until(|| (files().count() == 1).then_some(())).is_some());
    let start = std::time::Instant::now();
    while start.elapsed() < Duration::from_secs(25) {
        assert!(!witness.hears_within(Duration::from_millis(500)), "nobody talks to it");
        assert_eq!(files().count(), 1, "after {:?}", start.elapsed());
    }
    assert!(until(|| (files().count() == 0).then_some(())).is_some(), "it is never cut off");
    assert!(client.bytes(60_000_000).len() < 50_000_000);
    witness.echo("as ever");
    drop(witness);
    server.stop();
}

/// CONTRACT S17: the ten seconds are for each request. One who has begun another is told; one who has
/// not is let go without a word. The time is what is measured.
#[test]
fn slow_requests_on_a_kept_connection() {
    let Site { server, .. } = site();
    let mut idle = server.raw();
    let mut slow = server.raw();
    let mut asking = server.raw();
    let start = std::time::Instant::now();
    for client in [&mut idle, &mut slow, &mut asking] {
        assert_eq!(get(client, "/").0.status, OK);
    }
    slow.send_bytes(b"GET / HT");
    // This one asks again half-way, and has ten seconds from then on.
    assert!(!asking.hears_within(Duration::from_secs(6)), "too early");
    assert_eq!(get(&mut asking, "/").0.status, OK);
    let again = std::time::Instant::now();
    assert_eq!(slow.response().status, "HTTP/1.1 408 Request Timeout");
    slow.expect_end();
    idle.expect_end();
    assert!(start.elapsed().as_millis() >= 9_500, "too early: {:?}", start.elapsed());
    asking.expect_end();
    assert!(again.elapsed().as_millis() >= 9_500, "too early: {:?}", again.elapsed());
    stop(server);
}

/// A request byte by byte behind another one.
#[test]
fn byte_by_byte() {
    let Site { server, .. } = site();
    let mut client = server.raw();
    for _ in 0..2 {
        for byte in request("GET /sub/ HTTP/1.1") {
            client.send_and_drain(&[byte]);
        }
        let head = client.head();
        assert_eq!((&*head.status, &*client.bytes(head.length())), (OK, &b"below"[..]));
    }
    drop(client);
    stop(server);
}

/// Connections for pages take no place of those that -m counts, and the other way round.
#[test]
fn beside_all_connections_that_there_may_be() {
    let Site { mut server, .. } = start(Launch::probe().tcp().args(["-m", "2"]));
    let mut kept = server.raw();
    assert_eq!(get(&mut kept, "/").0.header("Connection"), None);
    let mut all = [server.connect(), server.connect()];
    let mut client = server.raw();
    client.send_bytes(&Request::new().bytes());
    assert_eq!(client.response().status, "HTTP/1.1 503 Service Unavailable");
    // A full server answers, and keeps nobody.
    let (head, _) = get(&mut kept, "/");
    assert_eq!((&*head.status, head.header("Connection")), (OK, Some("close")));
    kept.expect_end();
    all.iter_mut().for_each(|client| client.echo("as ever"));
    drop(all);
    server.stop();
}

/// CONTRACT S10: a server stops while it sends a page.
#[test]
fn stopping() {
    let Site { mut server, pages } = site();
    File::create(pages.join("long")).expect("a file").set_len(50_000_000).expect("room");
    let mut kept = server.raw();
    assert_eq!(get(&mut kept, "/").0.status, OK);
    let mut stuck = server.raw();
    stuck.send_bytes(&request("GET /long HTTP/1.1"));
    assert_eq!(stuck.head().status, OK);
    server.stop();
    kept.expect_end();
}

/// The directory stays what it was, whatever becomes of its path.
#[test]
fn the_directory_is_kept() {
    let Site { server, pages } = site();
    std::fs::rename(&pages, pages.with_file_name("elsewhere")).expect("another name");
    write(pages.join("index.html"), "another");
    let mut client = server.raw();
    assert_eq!(get(&mut client, "/").1, b"<p>hello</p>");
    drop(client);
    stop(server);
}

/// Messages and pages at once, from many clients, with nothing lost or mixed.
#[test]
fn messages_and_pages_at_once() {
    let Site { mut server, pages } = site();
    let content: Vec<u8> = (0..300_000).map(|i: u32| (i % 253) as u8).collect();
    write(pages.join("content"), &content);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = server.raw();
                for _ in 0..20 {
                    let (head, body) = get(&mut client, "/content");
                    assert_eq!(head.status, OK);
                    assert!(body == content);
                }
            });
            scope.spawn(|| {
                let mut client = server.connect();
                for length in 0..200 {
                    let message = Frame::new(Op::BINARY, vec![7; length * 300 + 1]);
                    client.send(&message);
                    assert_eq!(client.receive(), message.unmasked());
                }
            });
        }
    });
    server.stop();
}

/// A directory that is none, is not there or may not be read: one line, and nothing is left.
#[test]
fn directories_that_cannot_be() {
    let prepare = |launch: &Launch| {
        std::fs::write(launch.run_dir().join("file"), "").expect("a file");
    };
    for (value, why) in [("nothing", "No such"), ("file", "Not a directory")] {
        for ended in fails(1, &["-p", "0", "-w", value], prepare) {
            let path = ended.run_dir().join(value);
            let beginning = format!("server: -w {}: {why}", path.display());
            assert!(ended.stderr.starts_with(&beginning), "{}", ended.stderr);
            assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        }
    }
    let empty = fails(1, &["-w", ""], |_| {});
    assert!(empty.iter().all(|ended| ended.stderr.starts_with("server: -w \"\": ")));
    if skipped(&[Need::Root]) {
        return;
    }
    // Root may, and the user that the server becomes may not.
    for mode in [0o700, 0o744] {
        let prepare = |launch: &Launch| {
            let path = launch.run_dir().join("roots");
            std::fs::create_dir(&path).expect("a directory");
            std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
        };
        for ended in fails(1, &["-w", "roots"], prepare) {
            assert!(ended.stderr.contains("roots: Permission denied"), "{}", ended.stderr);
            assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        }
    }
}
