//! What goes beyond the manuals, by clients in other languages, on the UNIX socket itself.

use std::process::Command;

use super::scripts::{finish, node, python, script, succeeds};
use crate::harness::{Launch, Need, Server, Variant, skipped};

/// The longest message that the server takes: four mebibytes.
pub(super) const LIMIT: usize = 4 << 20;

/// The server that they visit.
pub(super) fn server() -> Launch {
    let limit = format!("--max-message={LIMIT}");
    Launch::of("beyond.c", Variant::Default)
        .args([&*limit, "--compress"])
        .env("BEYOND_INIT", "protocols chat.v2, chat.v1")
}

fn does(server: &mut Server, command: &mut Command, scenarios: &[&str]) {
    let said = finish(command);
    let done: Vec<_> = said.lines().filter_map(|line| line.strip_prefix("ok: ")).collect();
    assert_eq!(done, scenarios, "{said}");
    server.connect().echo("as ever");
    server.stop();
    assert!(!server.stderr().contains("panicked"), "{}", server.stderr());
}

/// T19, T20, T21: what zlib says of our messages and we of zlib's, with every window, bombs and damage;
/// a bomb takes no more memory than a message may have.
#[test]
fn zlib() {
    let there = succeeds(Command::new("python3").args(["-c", "import zlib"]));
    if skipped(&[Need::Has(there, "python3 is not installed")]) {
        return;
    }
    let mut server = server().start();
    let peak =
        |server: &Server| server.process().status().vmhwm.expect("it has memory") as usize * 1024;
    let before = peak(&server);
    let mut command = Command::new("python3");
    command.arg("-I").arg("-B").arg(script("deflate.py")).arg(server.socket());
    let said = finish(command.arg(LIMIT.to_string()));
    let grown = peak(&server) - before;
    let done: Vec<_> = said.lines().filter_map(|line| line.strip_prefix("ok: ")).collect();
    let scenarios = [
        "windows_of_ours",
        "windows_of_theirs",
        "every_way_to_compress",
        "several_blocks",
        "fragments",
        "no_takeover",
        "the_limit",
        "bombs",
        "damage",
    ];
    assert_eq!(done, scenarios, "{said}");
    assert!(grown < 8 * LIMIT, "{grown} bytes at the peak");
    server.stop();
    assert!(!server.stderr().contains("panicked"), "{}", server.stderr());
}

const SCENARIOS: [&str; 6] = ["compression", "none", "protocols", "long", "fragments", "reasons"];

/// Python's `websockets`.
#[test]
fn python_websockets() {
    let Some(mut command) = python("full.py") else { return };
    let mut server = server().start();
    command.arg(server.socket());
    does(&mut server, &mut command, &SCENARIOS);
}

/// Node's `ws`.
#[test]
fn node_ws() {
    let Some(mut command) = node("full.mjs") else { return };
    let mut server = server().start();
    command.arg(server.socket());
    does(&mut server, &mut command, &SCENARIOS);
}
