//! `--access-log`: a line for each request, as log tools read them.

use rustix::process::Signal;

use super::{OK, ask, command, doing, get, launch, opening, post};
use crate::harness::{Frame, Launch, Need, Request, Server, Syslog, skipped, until};

/// The lines, once there are so many.
fn lines(server: &Server, name: &str, count: usize) -> Vec<String> {
    let path = server.run_dir().join(name);
    let found = until(|| {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
        (lines.len() >= count && text.ends_with('\n')).then_some(lines)
    });
    let all = || std::fs::read_to_string(&path).unwrap_or_default();
    let found = found.unwrap_or_else(|| panic!("not {count} lines:\n{}", all()));
    assert_eq!(found.len(), count, "{found:?}");
    found.into_iter().map(|line| line.trim_end_matches('\n').to_owned()).collect()
}

/// What stands before the time of a line in the combined format, and behind it. The time has the format's form.
fn parts(line: &str) -> (String, String) {
    let (before, rest) = line.split_once(" [").unwrap_or_else(|| panic!("no time: {line}"));
    let (time, behind) = rest.split_once("] ").unwrap_or_else(|| panic!("no end: {line}"));
    let shape: String = time
        .chars()
        .map(|it| match it {
            '0'..='9' => '9',
            'a'..='z' | 'A'..='Z' => 'a',
            other => other,
        })
        .collect();
    assert!(
        ["99/aaa/9999:99:99:99 +9999", "99/aaa/9999:99:99:99 -9999"].contains(&&*shape),
        "{line}"
    );
    (before.to_owned(), behind.to_owned())
}

fn expect(line: &str, address: &str, behind: &str) {
    assert_eq!(parts(line), (format!("{address} - -"), behind.to_owned()), "{line}");
}

/// Another user than the one who reads it writes it, in the directory of the start.
fn logging(launch: Launch) -> Launch {
    let root = rustix::process::geteuid().is_root();
    let user: &[&str] = if root { &["-u", "root", "-g", "root"] } else { &[] };
    launch.args(user.iter().copied()).args(["--access-log", "access.log"])
}

/// Answers, connections, pages, refusals, what is late, and what is no request.
#[test]
fn a_line_for_each() {
    let launch = logging(launch()).tcp().args(["-w", "www", "--defer-timeout", "1"]);
    std::fs::create_dir(launch.run_dir().join("www")).expect("a directory");
    std::fs::write(launch.run_dir().join("www/page"), "a page").expect("a file");
    let mut server = launch.start();
    let mut client = server.raw();
    ask(&mut client, &get("/a?b=c", "Referer: http://r/\r\nUser-Agent: agent/1 (x)\r\n"));
    ask(&mut client, &post(b"hello"));
    ask(&mut client, &get("/page", "X-Do: return 0\r\n"));
    ask(&mut client, &doing("return 204"));
    client.send_bytes(b"HEAD / HTTP/1.1\r\nHost: a\r\nX-Do: body 0 12345\r\n\r\n");
    client.head();
    ask(&mut client, &doing("body 0 x;defer 0;after 0 202;return 0"));
    drop(client);
    let mut open = server.raw().upgrade(&Request::new());
    open.echo("is no request");
    open.send(&Frame::close(1000, ""));
    open.expect_close(1000);
    for request in [
        opening("return 1").bytes(),
        opening("defer 0").bytes(),
        doing("return 17"),
        b"no HTTP\r\n\r\n".to_vec(),
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n".to_vec(),
    ] {
        let mut client = server.raw();
        client.send_bytes(&request);
        client.response();
    }
    let lines = lines(&server, "access.log", 12);
    for (line, behind) in lines.iter().zip([
        "\"GET /a?b=c HTTP/1.1\" 200 0 \"http://r/\" \"agent/1 (x)\"",
        "\"POST /post HTTP/1.1\" 200 5 \"-\" \"-\"",
        "\"GET /page HTTP/1.1\" 200 6 \"-\" \"-\"",
        "\"GET /do HTTP/1.1\" 204 0 \"-\" \"-\"",
        "\"HEAD / HTTP/1.1\" 200 0 \"-\" \"-\"",
        "\"GET /do HTTP/1.1\" 202 1 \"-\" \"-\"",
        "\"GET /chat HTTP/1.1\" 101 0 \"-\" \"-\"",
    ]) {
        expect(line, "127.0.0.1", behind);
    }
    for (line, part) in lines[7..].iter().zip([
        "\"GET /chat HTTP/1.1\" 403 ",
        "\"GET /chat HTTP/1.1\" 503 ",
        "\"GET /do HTTP/1.1\" 500 ",
        "\"-\" 400 ",
        "\"POST / HTTP/1.1\" 413 ",
    ]) {
        let (before, behind) = parts(line);
        assert_eq!(before, "127.0.0.1 - -");
        assert!(behind.starts_with(part), "{line}");
    }
    server.stop();
    assert!(!server.stderr().contains("GET "), "{}", server.stderr());
}

/// No client can write a line of its own, nor end a quoted part; on a UNIX socket the address is not known.
#[test]
fn what_clients_write_is_escaped() {
    let mut server = logging(launch()).start();
    let mut client = server.raw();
    let request = [
        &b"GET /\"\\x HTTP/1.1\r\nHost: a\r\nUser-Agent: a\"b\\c\t\xff\xe9\r\nReferer: \"\r\n\r\n"
            [..],
    ]
    .concat();
    client.send_bytes(&request);
    client.head();
    client.send_bytes(&get("/2", "User-Agent: plain\r\n"));
    client.head();
    let lines = lines(&server, "access.log", 2);
    let (before, behind) = parts(&lines[0]);
    assert_eq!(before, "- - -");
    assert!(lines[0].bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{}", lines[0]);
    let unescaped = behind.replace("\\\\", "").replace("\\\"", "");
    assert_eq!(unescaped.matches('"').count(), 6, "{behind}");
    expect(&lines[1], "-", "\"GET /2 HTTP/1.1\" 200 0 \"-\" \"plain\"");
    drop(client);
    server.stop();
}

/// The address is the one that the program is told.
#[test]
fn the_address_that_a_proxy_says() {
    let mut server = logging(launch()).args(["--forwarded", "1"]).start();
    let mut client = server.raw();
    client.send_bytes(&get("/", "X-Forwarded-For: 203.0.113.9, 192.0.2.7\r\n"));
    client.head();
    let request = Request::new().with("X-Forwarded-For", "2001:db8::7");
    server.raw().upgrade(&request).echo("hello");
    let lines = lines(&server, "access.log", 2);
    assert_eq!(parts(&lines[0]).0, "192.0.2.7 - -");
    assert_eq!(parts(&lines[1]).0, "2001:db8::7 - -");
    drop(client);
    server.stop();
}

/// Rotation: the file is renamed, and SIGHUP has the next server write a new one.
#[test]
fn rotation() {
    let launch = logging(launch().everybodys()).args(["--log-stderr"]);
    let mut chain = crate::handover::Chain::start(launch);
    let mut client = chain.server.raw();
    ask(&mut client, &get("/1", ""));
    lines(&chain.server, "access.log", 1);
    let dir = chain.server.run_dir();
    std::fs::rename(dir.join("access.log"), dir.join("access.log.1")).expect("it is there");
    chain.hand_over();
    let mut client = chain.server.raw();
    assert_eq!(ask(&mut client, &get("/2", "")).0.status, OK);
    assert!(lines(&chain.server, "access.log", 1)[0].contains("\"GET /2 "));
    assert!(lines(&chain.server, "access.log.1", 1)[0].contains("\"GET /1 "));
}

/// A file that cannot be written ends the start, in one line that names it.
#[test]
fn a_file_that_cannot_be_written() {
    for path in ["none/access.log", "/proc/access.log", "."] {
        let ended = launch().args(["-x", "--access-log", path]).run();
        assert_eq!(ended.code, Some(1), "{path}: {}", ended.stderr);
        let line = ended.stderr.lines().last().unwrap_or("");
        assert!(line.contains("--access-log") && line.contains(path), "{path}: {}", ended.stderr);
    }
}

/// Whoever the server becomes writes it: a directory of root's is none of that user's.
#[test]
fn whoever_the_server_is_writes_it() {
    if skipped(&[Need::Root]) {
        return;
    }
    let launch = launch().args(["-u", "nobody", "--access-log", "access.log"]);
    let ended = launch.args(["-x"]).run();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("Permission denied"), "{}", ended.stderr);
}

/// To syslogd, each with the name of the server.
#[test]
fn to_syslog() {
    let Some(syslog) = Syslog::listen() else { return };
    let launch = launch();
    let name = launch.unique_name();
    let mut server = launch.env("PROBE_NAME", &name).args(["--access-log", "syslog"]).start();
    let mut client = server.raw();
    ask(&mut client, &get("/to-syslog", "User-Agent: agent\r\n"));
    let line = syslog.await_line(&name, "\"GET /to-syslog HTTP/1.1\" 200 ");
    assert!(line.contains(&name) && line.ends_with(" \"-\" \"agent\""), "{line}");
    drop(client);
    server.stop();
}

/// The figures: plain requests have their own, and those that are refused are told apart.
#[test]
fn figures() {
    let mut server = launch().start();
    let mut control = server.connect();
    assert!(
        command(&mut control, "stats 0").starts_with("requests=0 connections=1 accepted=1 bad=0 ")
    );
    let mut client = server.raw();
    for calls in ["return 200", "return 404", "defer 0;respond 0 200;return 0"] {
        ask(&mut client, &doing(calls));
    }
    ask(&mut client, &doing("return 0"));
    server.raw().upgrade(&Request::new()).echo("no plain one");
    let mut bad = server.raw();
    ask(&mut bad, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n");
    let said = command(&mut control, "stats 0");
    assert!(said.starts_with("requests=4 "), "{said}");
    assert!(said.contains(" accepted=2 bad="), "{said}");
    server.signal(Signal::USR1);
    assert!(server.await_stderr("connections=").contains(" requests=4"));
    drop(control);
    server.stop();
}
