//! The programs of c-examples that do something else beside WebSockets, each with what is its real
//! counterpart there.

mod auth;
mod database;
mod request_pages;
mod rest;
mod terminal;
mod terminal_page;
mod udp;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::examples::launch;
use crate::harness::{
    Client, Compiler, Launch, Need, Op, Package, Response, Server, copied_examples, make_examples,
    output, program_dir, root, skipped,
};

/// Compiles one of them as its head says: with what its other libraries are called.
fn compile(name: &str, libraries: &[&str]) -> PathBuf {
    let program = program_dir().join(name);
    let compiler = Compiler::named("cc").args(["-std=c99", "-O2"]).headers(Package::Dorrit);
    let source = root().join("c-examples").join(name).with_extension("c");
    compiler.args([source]).shared(Package::Dorrit).args(libraries).make(&program);
    program
}

/// The program, about to be started with these words behind "--".
fn with_operands(program: &Path, operands: &[&str]) -> Launch {
    let quoted = operands.iter().map(|word| format!(" '{}'", word.replace('\'', "'\\''")));
    let script = format!("exec \"$0\" \"$@\" --{}", quoted.collect::<String>());
    launch(program).under(["sh", "-c", &script])
}

/// The payload of the next message, which must be binary.
fn binary(client: &mut Client) -> Vec<u8> {
    let frame = client.receive();
    assert!(frame.op == Op::BINARY && frame.fin, "{frame:?}");
    frame.payload
}

/// What curl is answered, on the server's UNIX socket.
fn curl(server: &Server, path: &str, options: &[&str]) -> Response {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--include", "--max-time", "60", "--unix-socket"]);
    command.arg(server.socket()).args(options).arg(format!("http://localhost{path}"));
    let said = output(&mut command);
    let is_head = options.contains(&"--head");
    let parse = if is_head { Response::parse_head } else { Response::parse };
    let (response, length) = parse(said.as_bytes()).expect("an answer");
    assert_eq!(length, said.len(), "{said}");
    response
}

/// Whether pkg-config knows a library.
fn has_library(name: &str) -> bool {
    Command::new("pkg-config").args(["--exists", name]).status().is_ok_and(|it| it.success())
}

/// The Makefile that people copy builds them, with either make, and leaves out what it has no library for.
#[test]
fn by_the_makefile() {
    if skipped(&[Need::Tool("pkg-config")]) {
        return;
    }
    for make in ["make", "bmake"] {
        if skipped(&[Need::Tool(make)]) {
            continue;
        }
        let dir = copied_examples();
        make_examples(make, dir.path(), ["all"]);
        let is_built = |name: &str| dir.path().join("bin").join(name).exists();
        assert!(["rest", "auth", "udp", "terminal"].into_iter().all(is_built));
        assert_eq!(is_built("database"), has_library("sqlite3"));
    }
}
