//! c-examples/dorrit.hpp, the C++ class for a server, and c-examples/wrapper.cc, which is a program of it.

use std::path::{Path, PathBuf};

use super::{await_tick, launch, sleeps, stops, until_not_a_tick};
use crate::harness::{Client, Compiler, Need, Package, program_dir, root, skipped};

const COMPILER: &str = "g++";

/// A program of the header, compiled; `None` where the test must be skipped.
fn program(source: &str, more: &[&str]) -> Option<PathBuf> {
    if skipped(&[Need::Tool(COMPILER)]) {
        return None;
    }
    let examples = root().join("c-examples");
    let name = Path::new(source).file_stem().expect("a name");
    let dir = tempfile::tempdir_in(program_dir()).expect("a directory").keep();
    let program = dir.join(name);
    Compiler::named(COMPILER)
        .args(["-std=c++17", "-Wshadow", "-pthread", "-g", "-O1"])
        .args(more)
        .args([Path::new("-I"), &examples])
        .headers(Package::Dorrit)
        .args([root().join(source)])
        .shared(Package::Dorrit)
        .make(&program);
    Some(program)
}

/// Timers, watched descriptors, posts, exceptions, failing starts and the log, under AddressSanitizer.
#[test]
fn by_itself() {
    let Some(program) = program("tests/c/wrapped.cc", &["-fsanitize=address"]) else { return };
    let root = rustix::process::geteuid().is_root();
    // Leaks are looked for by a helper that may not look into a process whose user has changed.
    let user: &[&str] = if root { &["-u", "root", "-g", "root"] } else { &[] };
    let ended = launch(&program)
        .args(["-x"])
        .args(user.iter().copied())
        .env("ASAN_OPTIONS", "detect_leaks=1:exitcode=99")
        .run();
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let parts: Vec<_> = ended.stdout.lines().collect();
    let all = [
        "posts",
        "timers",
        "watches",
        "starts that fail",
        "exceptions",
        "one at a time",
        "left alone",
        "the log",
        "requests",
    ];
    assert_eq!(parts, all);
}

/// What the header shows of itself: the whole of a server.
#[test]
fn the_server_in_its_first_lines() {
    let header =
        std::fs::read_to_string(root().join("c-examples/dorrit.hpp")).expect("it is there");
    let comment = header.split("*/").next().expect("a comment");
    let lines = comment.lines().filter_map(|line| line.strip_prefix(" *     "));
    let lines = lines.filter(|line| !line.starts_with("c++ "));
    let text: String = lines.map(|line| format!("{line}\n")).collect();
    let dir = tempfile::tempdir().expect("a directory");
    let source = dir.path().join("first.cc");
    std::fs::write(&source, format!("#include <dorrit.hpp>\n{text}")).expect("a file");
    let Some(program) = program(source.to_str().expect("text"), &[]) else { return };
    let mut server = launch(&program).start();
    server.connect().echo("hello");
    server.stop();
}

fn expect(client: &mut Client, text: &str) {
    let frame = until_not_a_tick(client).expect("an answer");
    assert_eq!(frame.as_text(), text);
}

/// What std::stoull() throws leaves step(), and nobody notices; threads post what they have found.
#[test]
fn the_example() {
    let Some(program) = program("c-examples/wrapper.cc", &[]) else { return };
    let mut server = launch(&program).start();
    let (mut ann, mut bob) = (server.connect(), server.connect());
    ann.text("360");
    expect(&mut ann, "360 = 2 2 2 3 3 5");
    for text in ["no number", "", "99999999999999999999999"] {
        bob.text(text);
    }
    bob.text("97");
    expect(&mut bob, "97 = 97");
    ann.text("0x10");
    expect(&mut ann, "0 =");
    ann.text("1");
    expect(&mut ann, "1 =");
    let complaints = server.complaints();
    assert_eq!(complaints, ["a message was of no use: stoull"; 3]);
    // One leaves before it is answered: to factor this takes a moment.
    let mut eve = server.connect();
    eve.text("1000000016000000063");
    drop(eve);
    ann.text("6");
    expect(&mut ann, "6 = 2 3");
    await_tick(&mut ann, 2);
    sleeps(&server, &mut ann);
    stops(&mut server, &mut [&mut ann, &mut bob]);
}
