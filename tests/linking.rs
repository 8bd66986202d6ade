//! The ways in which people compile and link: in each, the program serves, and all its callbacks
//! run.

use std::process::Command;

use crate::harness::{Frame, Launch, Need, Op, Variant, output, program, skipped};

/// A program that is linked like that, about to be started; `None` where the test must be skipped.
pub(crate) fn linked(source: &'static str, variant: Variant) -> Option<Launch> {
    if skipped(&[Need::Tool(variant.compiler())]) {
        return None;
    }
    let root = rustix::process::geteuid().is_root();
    // Leaks are looked for by a helper that may not look into a process whose user has changed.
    let user: &[&str] = if root { &["-u", "root", "-g", "root"] } else { &[] };
    let launch = Launch::of(source, variant)
        .args(user.iter().copied())
        .args(["-f", "/etc/dorrit.conf"])
        .env("ASAN_OPTIONS", "detect_leaks=1:exitcode=99:strict_string_checks=1")
        .env("PROBE_PERIODIC", "1");
    Some(launch)
}

/// Tests of that function, one for each way of linking.
macro_rules! each_way {
    ($serves:ident) => {
        $crate::linking::each_way! { $serves:
            as_the_compiler_likes_it Default
            not_position_independent NoPie
            with_the_static_library StaticLibrary
            without_any_shared_library FullyStatic
            hidden_symbols_and_link_time_optimisation HiddenLto
            only_what_the_linker_sees_used GcSections
            by_clang Clang
            as_cxx17 Cxx
            under_address_sanitizer Asan
        }
    };
    ($serves:ident: $($test:ident $variant:ident)+) => {$(
        #[test]
        fn $test() {
            $serves(Variant::$variant);
        }
    )+};
}
pub(crate) use each_way;

each_way!(serves);

/// CONTRACT D4, D5, D9, D12, D13: a short life in which everything is called that may be called.
fn serves(variant: Variant) {
    let Some(launch) = linked("probe.c", variant) else { return };
    let mut server = launch.start();
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

/// CONTRACT D20: `ws_config_file` is copied into a program that is not position-independent, and is still
/// one variable.
#[test]
fn the_variable_is_copied() {
    if skipped(&[Need::Tool("readelf"), Need::Tool(Variant::NoPie.compiler())]) {
        return;
    }
    let file = program("probe.c", Variant::NoPie);
    let text = output(Command::new("readelf").args(["-h", "-r", "-W"]).arg(file));
    assert!(text.contains("EXEC (Executable file)"), "{text:.500}");
    assert!(text.lines().any(|it| it.contains("_COPY") && it.contains("ws_config_file")));
}

/// A program that has a `main` of its own links with the static and the shared library, and runs it.
pub(crate) fn runs_its_own_main(source: &'static str, variant: Variant) {
    if skipped(&[Need::Tool(variant.compiler())]) {
        return;
    }
    let ended = Command::new(program(source, variant)).output().expect("the program runs");
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "own main: 0\n");
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
    assert_eq!(ended.status.code(), Some(3));
}

mod own_main {
    use super::{Variant, runs_its_own_main};

    each_way!(runs);

    fn runs(variant: Variant) {
        runs_its_own_main("own_main.c", variant);
    }
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
