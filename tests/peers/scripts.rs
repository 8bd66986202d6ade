//! The list of scenarios, by clients in other languages: each runs through all of it at one go.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::site::Site;
use crate::harness::{Need, root, skipped, until};

/// What a script must say that it has done.
const SCENARIOS: [&str; 14] = [
    "two_hundred",
    "text",
    "binary",
    "empty",
    "long",
    "too_long",
    "fragment",
    "in_parts",
    "pings",
    "client_closes",
    "server_closes",
    "server_cuts",
    "in_mid_message",
    "never_reads",
];

/// Python's `websockets`.
#[test]
fn python_websockets() {
    if let Some(mut command) = python("client.py") {
        play(&mut command);
    }
}

/// Node's `ws`.
#[test]
fn node_ws() {
    if let Some(mut command) = node("client.mjs") {
        play(&mut command);
    }
}

/// A script for Python's `websockets`, about to run; `None` where the test must be skipped.
pub(super) fn python(name: &str) -> Option<Command> {
    let python = peers().join("venv/bin/python");
    let there =
        succeeds(Command::new(&python).args(["-I", "-c", "import websockets.asyncio.client"]));
    if skipped(&[Need::Has(there, "websockets for Python is not installed")]) {
        return None;
    }
    let mut command = Command::new(python);
    // Nobody's settings may switch assertions off, and what Python compiles stays out of the sources.
    command.args(["-I", "-B"]).arg(script(name));
    Some(command)
}

/// A script for Node's `ws`, about to run; `None` where the test must be skipped.
pub(super) fn node(name: &str) -> Option<Command> {
    let node = peers().join("node");
    let there = succeeds(Command::new("node").args(["-e", "require('ws')"]).current_dir(&node));
    if skipped(&[Need::Has(there, "ws for Node is not installed")]) {
        return None;
    }
    let mut command = Command::new("node");
    command.arg(script(name)).arg(node);
    Some(command)
}

/// Where tests/setup puts the clients.
fn peers() -> PathBuf {
    root().join("target/peers")
}

pub(super) fn script(name: &str) -> PathBuf {
    root().join("tests/peers").join(name)
}

pub(super) fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// Runs the script against a site of its own; the site's address is the last argument.
fn play(command: &mut Command) {
    let Some(site) = Site::open() else {
        return;
    };
    let said = finish(command.arg(format!("ws://{}/ws", site.address())));
    let done: Vec<_> = said.lines().filter_map(|line| line.strip_prefix("ok: ")).collect();
    assert_eq!(done, SCENARIOS, "{said}");
    let connections = said.lines().find_map(|line| line.strip_prefix("connections: "));
    site.finish(connections.and_then(|it| it.parse().ok()).expect("how many there were"));
}

/// Runs the script to its end, which must be a good one: what it has said.
pub(super) fn finish(command: &mut Command) -> String {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("output");
    let output = File::create(&path).expect("a file");
    let errors = output.try_clone().expect("the same file");
    let child = command.stdin(Stdio::null()).stdout(output).stderr(errors).spawn();
    let mut script = Script(child.expect("it was there a moment ago"));
    // It has its own limits, which end it long before.
    let code = (0..10).find_map(|_| until(|| script.0.try_wait().expect("our child")));
    let said = read(&path);
    assert!(code.is_some_and(|it| it.success()), "the script ends with {code:?}:\n{said}");
    said
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).expect("the script's output")).into_owned()
}

/// A running script, which ends with the test.
struct Script(Child);

impl Drop for Script {
    fn drop(&mut self) {
        // It has ended, or it hangs; the status was looked at where it matters.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
