//! What a target names, and what the answer says of it.

use std::fs::{File, FileTimes, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{CHANGED, NOT_FOUND, OK, Site, ask, get, site, stop, write};
use crate::bad_start::fails;
use crate::harness::{Client, Launch, Need, Response, skipped};

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
    symlink("/", pages.join("whole")).expect("a link");
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
        "/whole/etc/passwd",
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
