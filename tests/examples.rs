//! c-examples/ and README's server, as people copy them.

use std::path::{Path, PathBuf};

use crate::harness::{
    Client, Compiler, Frame, Launch, Op, Package, Request, Server, Variant, root,
};

/// Compiles a program as a newcomer would.
pub(crate) fn compile(source: &Path, program: &Path, more: &[&str]) {
    Compiler::named("cc")
        .args(["-std=c99"])
        .args(more)
        .headers(Package::Dorrit)
        .args([source])
        .shared(Package::Dorrit)
        .make(program);
}

fn start(source: &Path, more: &[&str]) -> (Server, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    let program = dir.path().join("program");
    compile(source, &program, more);
    (launch(&program).start(), dir)
}

/// Such a program, about to be started.
pub(crate) fn launch(program: &Path) -> Launch {
    Launch::of("parentheses.c", Variant::Default).with_program(program.to_owned())
}

fn example(name: &str) -> (Server, tempfile::TempDir) {
    start(&root().join("c-examples").join(name), &[])
}

/// A piece of a text, as a file to be compiled.
fn file(text: &str) -> (PathBuf, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("source.c");
    std::fs::write(&path, text).expect("a file");
    (path, dir)
}

#[test]
fn echo() {
    let (mut server, _dir) = example("echo.c");
    server.connect().echo("hello");
    server.stop();
}

fn visitor(server: &Server, name: &str) -> Client {
    let request = Request::new().with("Cookie", format!("theme=dark; name={name}"));
    Client::upgraded(server.socket(), &request)
}

/// Somebody has spoken: the number of it, and the fields behind that, which must be these.
fn heard(client: &mut Client, rest: &str) -> u64 {
    let message = whole(client);
    let fields = message.strip_prefix("said\t").and_then(|it| it.split_once('\t'));
    let (id, what) = fields.unwrap_or_else(|| panic!("{message:?} instead of {rest:?}"));
    assert!(what == rest, "{what:?} instead of {rest:?}");
    id.parse().expect("a number")
}

/// The next message, which may come in fragments.
fn whole(client: &mut Client) -> String {
    let mut bytes = Vec::new();
    loop {
        let frame = client.receive();
        assert_eq!(frame.op, if bytes.is_empty() { Op::TEXT } else { Op::CONTINUATION });
        bytes.extend(&frame.payload);
        if frame.fin {
            return String::from_utf8(bytes).expect("text");
        }
    }
}

/// USERS 4: one call tells everybody.
#[test]
fn chat() {
    let (mut server, _dir) = example("chat.c");
    let mut ann = visitor(&server, "ann");
    ann.expect_text("you\tann");
    ann.expect_text("here\t1\tann");
    let mut bob = visitor(&server, "bob");
    bob.expect_text("you\tbob");
    for client in [&mut ann, &mut bob] {
        client.expect_text("here\t2\tann\tbob");
    }
    // Tabs and lines are text; what would command a terminal is not.
    ann.text("hello\nall\tof \x1b[2Jyou\x7f");
    for client in [&mut ann, &mut bob] {
        heard(client, "ann\thello\nall\tof  [2Jyou ");
    }
    drop(ann);
    bob.expect_text("here\t1\tbob");
    server.stop();
}

/// A name has plain characters, and not too many; who gives none is a guest.
#[test]
fn names_in_the_chat() {
    let (mut server, _dir) = example("chat.c");
    let long = "x".repeat(30);
    for (cookie, name) in [
        ("name=ann", "ann"),
        ("nickname=eve; name=Zo\u{eb}_1.2-3;name=eve", "Zo_1.2-3"),
        ("name=a\tb<i>", "abi"),
        (&format!("name={long}"), &long[..24]),
        ("name=", "guest-1"),
        ("theme=dark", "guest-2"),
    ] {
        let mut client = server.connect_as(cookie);
        client.expect_text(&format!("you\t{name}"));
        client.expect_text(&format!("here\t1\t{name}"));
        client.send(&Frame::close(1000, ""));
        client.expect_close(1000);
    }
    server.stop();
}

/// Who comes hears what was said last, in its order and with the numbers that it had: 50 messages, or
/// fewer where they are long. Numbers grow over a new start.
#[test]
fn what_was_said_last_in_the_chat() {
    let (mut server, dir) = example("chat.c");
    let mut ann = visitor(&server, "ann");
    ann.expect_text("you\tann");
    ann.expect_text("here\t1\tann");
    let mut ids = Vec::new();
    for number in 0..60 {
        ann.text(&number.to_string());
        ids.push(heard(&mut ann, &format!("ann\t{number}")));
    }
    assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
    let mut bob = visitor(&server, "bob");
    bob.expect_text("you\tbob");
    for (number, id) in ids.iter().enumerate().skip(10) {
        assert_eq!(heard(&mut bob, &format!("ann\t{number}")), *id);
    }
    bob.expect_text("here\t2\tann\tbob");

    drop(bob);
    ann.expect_text("here\t2\tann\tbob");
    ann.expect_text("here\t1\tann");

    // The longest message that may be: four of these are more than what is kept.
    let longest = "\u{1f42d}".repeat(65535);
    for _ in 0..4 {
        ann.text(&longest);
        heard(&mut ann, &format!("ann\t{longest}"));
    }
    let mut carl = visitor(&server, "carl");
    carl.expect_text("you\tcarl");
    for _ in 0..3 {
        heard(&mut carl, &format!("ann\t{longest}"));
    }
    carl.expect_text("here\t2\tann\tcarl");
    // No message is longer.
    carl.text(&"x".repeat(4 * 65535 + 1));
    carl.expect_close(1009);
    server.stop();

    let mut server = launch(&dir.path().join("program")).start();
    let mut ann = visitor(&server, "ann");
    ann.expect_text("you\tann");
    ann.expect_text("here\t1\tann");
    ann.text("again");
    assert!(heard(&mut ann, "ann\tagain") > ids[59]);
    server.stop();
}

/// In a room of more than 200, all are told how many are here, not who; and again who, when there are fewer.
#[test]
fn a_large_room_in_the_chat() {
    let (mut server, _dir) = example("chat.c");
    let mut crowd: Vec<_> = (0..200).map(|_| visitor(&server, "n")).collect();
    let mut ann = visitor(&server, "ann");
    ann.expect_text("you\tann");
    ann.expect_text("here\t201");
    drop(crowd.pop());
    let names = "\tn".repeat(199);
    // She has moved to the place that became free, which was the last but one.
    ann.expect_text(&format!("here\t200{names}\tann"));
    server.stop();
}

/// CONTRACT D8: the time, again and again.
#[test]
fn clock() {
    let (mut server, _dir) = example("clock.c");
    let mut client = server.connect();
    for _ in 0..2 {
        let frame = client.receive();
        assert!(frame.op == Op::TEXT && !frame.as_text().is_empty());
    }
    client.text("how many are here?");
    while !client.receive().as_text().starts_with("1 here, 1 since the start, ") {}
    server.stop();
}

#[test]
fn the_server_in_readme() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README.md");
    let (_, from) = readme.split_once("```c\n").expect("a program");
    let (text, _) = from.split_once("```").expect("its end");
    assert!(text.lines().count() <= 15, "a whole server in 15 lines");
    let (source, _text) = file(text);
    let (mut server, _dir) = start(&source, &["-Wno-unused-parameter"]);
    server.connect().echo("hello");
    server.stop();
}

/// The function that README adds to it.
#[test]
fn the_health_check_in_readme() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README.md");
    let programs: Vec<_> = readme.split("```c\n").skip(1).collect();
    let [whole, more] = [0, 1].map(|at| programs[at].split("```").next().expect("its end"));
    let (source, _text) = file(&format!("#include <string.h>\n{whole}{more}"));
    let (mut server, _dir) = start(&source, &["-Wno-unused-parameter"]);
    server.connect().echo("hello");
    for (path, status) in [("/health", "200 OK"), ("/other", "404 Not Found")] {
        let mut client = server.raw();
        let request = Request::new().line(&format!("GET {path} HTTP/1.1"));
        client.send_bytes(&request.without("Upgrade").bytes());
        assert_eq!(client.response().status, format!("HTTP/1.1 {status}"));
    }
    server.stop();
}
