//! c-examples/, README's server and the manual's examples, as people copy them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Client, Launch, Op, Request, Server, Variant, library, root};

/// Compiles a program as a newcomer would; no warning may come.
fn compile(source: &Path, program: &Path, more: &[&str]) {
    let lib = library().dir.display().to_string();
    let output = Command::new("cc")
        .args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"])
        .args(more)
        .arg(format!("-I{}", root().join("include").display()))
        .arg("-o")
        .args([program, source])
        .args([format!("-L{lib}"), "-ldorrit".to_owned(), format!("-Wl,-rpath,{lib}")])
        .output()
        .expect("cc runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn start(source: &Path, more: &[&str]) -> (Server, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    let program = dir.path().join("program");
    compile(source, &program, more);
    (Launch::of("parentheses.c", Variant::Default).with_program(program).start(), dir)
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

/// USERS 4: one call tells everybody.
#[test]
fn chat() {
    let (mut server, _dir) = example("chat.c");
    let mut ann = visitor(&server, "ann");
    ann.expect_text("* ann has joined (1 here)");
    let mut bob = visitor(&server, "bob");
    for client in [&mut ann, &mut bob] {
        client.expect_text("* bob has joined (2 here)");
    }
    ann.text("hello\nall");
    for client in [&mut ann, &mut bob] {
        client.expect_text("ann: hello all");
    }
    drop(ann);
    bob.expect_text("* ann has left (1 here)");
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

/// Every example of libdorrit(3) is a whole server: it compiles without a warning, takes a client with the
/// cookie that one of them asks for, and answers its first message.
#[test]
fn the_servers_in_the_manual() {
    let page = std::fs::read_to_string(root().join("man/libdorrit.3")).expect("the page");
    let (_, from) = page.split_once(".Sh EXAMPLES\n").expect("the section");
    let section = from.split("\n.Sh ").next().expect("its text");
    let mut count = 0;
    for block in section.split(".Bd -literal").skip(1) {
        let (_, text) = block.split_once('\n').expect("the macro's line");
        let text = text.split("\n.Ed").next().expect("the end").to_owned() + "\n";
        let (source, _text) = file(&text.replace("\\&", "").replace("\\e", "\\"));
        let (mut server, _dir) = start(&source, &[]);
        let request = Request::new().with("Cookie", "ticket=open-sesame");
        let answer = Client::upgraded(server.socket(), &request).ask("1");
        assert_eq!(answer, "1", "the echo, and the count");
        server.stop();
        count += 1;
    }
    assert_eq!(count, 2);
}
