//! The long options: they have the last word, and a value that cannot be stops the start.

use super::queue_limits::over_the_limit;
use super::{ask, set};
use crate::harness::{Frame, Launch, Op, Request, snapshot};

fn fails(code: i32, arguments: &[&str]) -> String {
    let launch = Launch::probe().args(["-x"]).args(arguments.iter().copied());
    let before = snapshot(&launch.run_dir());
    let ended = launch.run();
    assert_eq!(ended.code, Some(code), "{arguments:?}: {}", ended.stderr);
    assert_eq!(snapshot(&ended.run_dir()), before, "{arguments:?}");
    assert_eq!((ended.left_behind, &*ended.journal()), (0, ""), "{arguments:?}");
    ended.stderr
}

/// One line that names the option and the value; status 1; the program does not get to run.
#[test]
fn values_that_cannot_be() {
    let cases: [(&str, &[&str]); 6] = [
        ("--max-message", &["0", "1073741825", "-1", "1e6", "", "1M", "18446744073709551616"]),
        ("--compress", &["10", "-1", "fast", "", "6 ", "18446744073709551616"]),
        (
            "--origin",
            &["", ",", "a,,b", "https://two words", "example.org", "https://a.example/", "*"],
        ),
        ("--max-queue", &["", "0", "-1", "1k", "64M,drop", ",skip", "99999999999G"]),
        ("--max-memory", &["", "0", "1023K", "1T", "1M,skip"]),
        ("--ping", &["", "5,0", "5,", ",5", "5,5,5", "-1", "x", "4294967296", "1, 1"]),
    ];
    for (option, values) in cases {
        for value in values {
            let said = fails(1, &[&format!("{option}={value}")]);
            assert!(said.starts_with(&format!("server: {option} {value}: ")), "{said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
    }
    // The value may stand by itself, where the option cannot be without one.
    for (option, value) in [("--max-message", "0"), ("--origin", ""), ("--ping", "5,0")] {
        let said = fails(1, &[option, value]);
        assert!(said.starts_with(&format!("server: {option} {value}: ")), "{said}");
    }
}

/// The last one counts, so the first is not even looked at.
#[test]
fn what_is_no_option() {
    for arguments in [
        &["--max-message"][..],
        &["--origin"],
        &["--ping"],
        &["--compress", "fast"],
        &["--compress=6", "6"],
        &["--max-memory"],
        &["--max-messages=5"],
        &["--pin=5"],
        &["--drain"],
    ] {
        let said = fails(2, arguments);
        assert_eq!(said.lines().count(), 2, "a reason and the usage: {said}");
    }
}

/// `--max-message` over `ws_set_max_message`; the last one given counts.
#[test]
fn max_message_has_the_last_word() {
    for arguments in [&["--max-message=200"][..], &["--max-message", "5", "--max-message=200"]] {
        let mut server = set("max_message 100").args(arguments.iter().copied()).start();
        let mut client = server.connect();
        client.echo(&"x".repeat(200));
        client.send(&Frame::text("joined").unfinished());
        client.send(&Frame::new(Op::CONTINUATION, "!"));
        client.expect_text("joined!");
        client.text(&"x".repeat(201));
        client.expect_close(1009);
        server.stop();
    }
}

/// `--compress` over `ws_set_compression`, both ways; without a level it is 6.
#[test]
fn compress_has_the_last_word() {
    for (program, option, is_on) in [
        ("compression 0", "--compress", true),
        ("compression 0", "--compress=1", true),
        ("compression 0", "--compress 9", true),
        ("compression 9", "--compress=0", false),
        ("compression 9", "--compress 0", false),
    ] {
        let mut server = set(program).args(option.split(' ')).start();
        let mut client = server.raw();
        let offer = Request::new().with("Sec-WebSocket-Extensions", "permessage-deflate");
        client.send_bytes(&offer.bytes());
        let answer = client.response();
        assert_eq!(answer.header("Sec-WebSocket-Extensions").is_some(), is_on, "{option}");
        client.echo("hello");
        server.stop();
    }
}

/// `--origin` over `ws_set_origins`, once for each or as a list.
#[test]
fn origin_has_the_last_word() {
    let arguments = ["--origin", "https://a.example", "--origin=https://b.example,null"];
    let mut server = set("origins https://c.example").args(arguments).start();
    for (origin, status) in [
        ("https://a.example", "101 Switching Protocols"),
        ("https://b.example", "101 Switching Protocols"),
        ("null", "101 Switching Protocols"),
        ("https://c.example", "403 Forbidden"),
    ] {
        let mut client = server.raw();
        client.send_bytes(&Request::new().with("Origin", origin).bytes());
        assert_eq!(client.response().status, format!("HTTP/1.1 {status}"), "{origin}");
    }
    server.stop();
}

/// All of them at once, beside the short ones.
#[test]
fn all_of_them() {
    let arguments = ["-m3", "--compress", "--ping=30", "-b", "1000", "--max-message=5000"];
    let mut server = set("ping 0 0").args(arguments).start();
    let mut client = server.connect();
    client.text(&"x".repeat(5000));
    let mut length = 0;
    for index in 0..6 {
        let frame = client.receive();
        assert_eq!(frame.fin, index == 5, "fragments of 995 bytes, as -b says");
        length += frame.payload.len();
    }
    assert_eq!(length, 5000);
    server.stop();
}

/// `--max-queue` over `ws_set_queue_limit`, in bytes and in policy.
#[test]
fn max_queue_has_the_last_word() {
    for (program, option, is_skipped) in
        [("limit 1000000000 0", "1,skip", true), ("limit 1000000000 1", "1K", false)]
    {
        let mut server = set(program).args(["--max-queue", option]).start();
        let (mut stuck, mut commander) = over_the_limit(&server);
        if is_skipped {
            assert_eq!(ask(&mut commander, "send 1 1 1 1"), "1 1");
            assert_eq!(stuck.receive().payload, b"a");
        } else {
            assert_eq!(stuck.receive().code(), Some(1008));
        }
        server.stop();
    }
}

/// A server with a budget serves as one without, while there is room.
#[test]
fn max_memory_is_taken() {
    let mut server = Launch::probe().args(["--max-memory", "64M", "--max-queue=1M"]).start();
    server.connect().echo("hello");
    server.stop();
}
