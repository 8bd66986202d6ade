//! The ways in which people compile and link: in each, the program serves, and all its callbacks
//! run.

use crate::harness::{Frame, Launch, Need, Op, Variant, program, skipped};
use std::process::Command;

/// CONTRACT D4, D5, D9, D12, D13: a short life in which everything is called that may be called.
fn serves(variant: Variant) {
    if skipped(&[Need::Tool(variant.compiler())]) {
        return;
    }
    let root = rustix::process::geteuid().is_root();
    // Leaks are looked for by a helper that may not look into a process whose user has changed.
    let user: &[&str] = if root { &["-u", "root", "-g", "root"] } else { &[] };
    let mut server = Launch::of("probe.c", variant)
        .args(user.iter().copied())
        .args(["-f", "/etc/dorrit.conf"])
        .env("ASAN_OPTIONS", "detect_leaks=1:exitcode=99:strict_string_checks=1")
        .env("PROBE_PERIODIC", "1")
        .start();
    assert!(server.await_journal("init ").ends_with(" file=/etc/dorrit.conf"));
    let mut client = server.connect_as("say=welcome");
    client.expect_text("welcome");
    client.echo("hello");
    client.send(&Frame::new(Op::BINARY, [0, 1, 2]));
    assert_eq!(client.receive().payload, [0, 1, 2]);
    assert_eq!(client.ask("!set 0"), "kept null kept");
    client.text("!write 0 1 70000 1");
    assert_eq!(client.receive().payload.len(), 65535);
    assert_eq!(client.receive().payload.len(), 70000 - 65535);
    client.expect_text("0 2");
    client.text("!misuse");
    client.expect_text("abcde");
    client.expect_text("-2 -2 0 0 0 0");
    assert_eq!(client.ask("!thread"), "write=-3 qlen=0 data=null kept=yes");
    server.await_journal("tick ");
    client.send(&Frame::close(1000, ""));
    client.expect_close(1000);
    server.await_journal("close 1 ");
    let mut forced = server.connect();
    forced.text("!close 0 1");
    forced.expect_end();
    let mut bad = server.connect();
    bad.send(&Frame::text("x").unmasked());
    bad.expect_close(1002);
    drop(bad);
    server.await_journal("close 3 ");
    let _still_there = server.connect();
    server.stop();
    assert!(server.await_journal("exit ").len() > 5);
    assert!(!server.stderr().contains("Sanitizer"), "{}", server.stderr());
}

#[test]
fn as_the_compiler_likes_it() {
    serves(Variant::Default);
}

/// CONTRACT D20: `ws_config_file` is copied into such a program, and is still one variable.
#[test]
fn not_position_independent() {
    serves(Variant::NoPie);
    if skipped(&[Need::Tool("readelf")]) {
        return;
    }
    let file = program("probe.c", Variant::NoPie);
    let output = Command::new("readelf").args(["-h", "-r", "-W"]).arg(file).output();
    let text = String::from_utf8_lossy(&output.expect("readelf runs").stdout).into_owned();
    assert!(text.contains("EXEC (Executable file)"), "{text:.500}");
    assert!(text.lines().any(|it| it.contains("_COPY") && it.contains("ws_config_file")));
}

#[test]
fn with_the_static_library() {
    serves(Variant::StaticLibrary);
}

#[test]
fn without_any_shared_library() {
    serves(Variant::FullyStatic);
}

#[test]
fn hidden_symbols_and_link_time_optimisation() {
    serves(Variant::HiddenLto);
}

#[test]
fn only_what_the_linker_sees_used() {
    serves(Variant::GcSections);
}

#[test]
fn by_clang() {
    serves(Variant::Clang);
}

#[test]
fn as_cxx17() {
    serves(Variant::Cxx);
}

#[test]
fn under_address_sanitizer() {
    serves(Variant::Asan);
}

/// CONTRACT D17, D20, S15: the manual's own spelling, with `()`, in every language that takes it.
#[test]
fn empty_parentheses_make_a_server() {
    for variant in [Variant::Default, Variant::Clang, Variant::Cxx] {
        if skipped(&[Need::Tool(variant.compiler())]) {
            continue;
        }
        let mut server = Launch::of("parentheses.c", variant).start();
        server.connect().echo("hello");
        server.stop();
    }
}

/// CONTRACT S14: under valgrind, a life that uses all of the API makes no error and leaks nothing.
#[test]
fn under_valgrind() {
    if skipped(&[Need::Tool("valgrind")]) {
        return;
    }
    let mut server = valgrind(Launch::probe()).env("PROBE_PERIODIC", "1").start();
    let mut client = server.connect_as("say=welcome");
    client.expect_text("welcome");
    for length in [1, 125, 126, 65535] {
        client.echo(&"x".repeat(length));
    }
    client.text("!write 0 1 200000 3");
    while client.receive().op != Op::TEXT {}
    assert_eq!(client.ask("!set 0"), "kept null kept");
    assert_eq!(client.ask("!thread"), "write=-3 qlen=0 data=null kept=yes");
    client.text("!misuse");
    client.expect_text("abcde");
    client.expect_text("-2 -2 0 0 0 0");
    let message = Frame::text("cut").bytes();
    for cut in 1..message.len() {
        client.send_and_drain(&message[..cut]);
        client.send_bytes(&message[cut..]);
        client.expect_text("cut");
    }
    for cookie in ["refuse", "close0", "close1"] {
        let mut raw = server.raw();
        raw.send_bytes(&crate::harness::Request::new().with("Cookie", cookie).bytes());
    }
    for bad in
        [Frame::text("x").unmasked(), Frame::text("x").unfinished(), Frame::new(Op::TEXT, [255])]
    {
        server.connect().send(&bad);
    }
    server.raw().send_bytes(b"no HTTP at all\r\n\r\n");
    let mut stuck = server.connect();
    stuck.text("!write 0 1 65535 30");
    assert_eq!(client.ask("!qlen 1"), "0");
    server.await_journal("tick ");
    client.send(&Frame::close(1000, ""));
    client.expect_close(1000);
    server.stop();
    assert!(server.stderr().contains("ERROR SUMMARY: 0 errors"), "{}", server.stderr());
}

/// Under valgrind, where an error or a leak is the exit status 99.
pub(crate) fn valgrind(launch: Launch) -> Launch {
    launch.under([
        "valgrind",
        "--vgdb=no",
        "--leak-check=full",
        "--errors-for-leak-kinds=definite,indirect,possible",
        "--show-leak-kinds=definite,indirect,possible",
        "--error-exitcode=99",
    ])
}
