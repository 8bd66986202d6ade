//! The ways in which people compile and link: in each, a classic program serves, and all its
//! callbacks run.

use crate::harness::{Frame, Launch, Need, Op, Variant, skipped};

fn serves(variant: Variant) {
    if skipped(&[Need::Tool(variant.compiler())]) {
        return;
    }
    let root = rustix::process::geteuid().is_root();
    // Leaks are looked for by a helper that may not look into a process whose user has changed.
    let user: &[&str] = if root { &["-u", "root", "-g", "root"] } else { &[] };
    let mut server = Launch::of("classic/probe.c", variant)
        .args(user.iter().copied())
        .args(["-f", "/etc/dorrit.conf"])
        .env("ASAN_OPTIONS", "detect_leaks=1:exitcode=99:strict_string_checks=1")
        .env("PROBE_PERIODIC", "1")
        .start();
    assert!(super::last_start(&server).ends_with(" file=/etc/dorrit.conf"));
    let mut client = super::connect_for(&server, "say=welcome");
    client.expect_text("welcome");
    client.echo("hello");
    client.send(&Frame::text("in two ").unfinished());
    client.send(&Frame::new(Op::CONTINUATION, "parts"));
    client.expect_text("in two parts");
    assert_eq!(client.ask("!data 0"), "kept null kept");
    client.text("!misuse");
    client.expect_text("aaaaa");
    client.expect_text("-2 -2 -2 -2 0 0 0");
    assert_eq!(client.ask("!thread"), "nothing kept");
    server.await_journal("tick");
    client.send(&Frame::close(1000, ""));
    client.expect_close(1000);
    let line = server.await_journal("close 1 ");
    assert!(line.ends_with("buffer=same"), "{line}");
    let _still_there = server.connect();
    server.stop();
    server.await_journal("exit ");
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
