//! libdorrit-classic(3): its examples compile and serve, it is sound mdoc, and it knows every name
//! of the header.

use std::process::Command;

use crate::harness::{
    Compiler, Launch, Need, Package, Variant, literal_blocks, names, root, skipped,
};

fn page(name: &str) -> String {
    std::fs::read_to_string(root().join("man").join(name)).expect("the manual page")
}

/// Every example is a whole server: it compiles without a warning, and echoes what the page says
/// that it echoes.
#[test]
fn its_examples_compile_and_serve() {
    let blocks = literal_blocks(&page("libdorrit-classic.3"), "EXAMPLES");
    assert!(!blocks.is_empty());
    for block in blocks {
        let dir = tempfile::tempdir().expect("a directory");
        let (source, program) = (dir.path().join("example.c"), dir.path().join("example"));
        std::fs::write(&source, &block).expect("a file");
        Compiler::named("cc")
            .args(["-std=c99"])
            .headers(Package::Classic)
            .args([&source])
            .shared(Package::Classic)
            .make(&program);
        let launch = Launch::of("classic/plain.c", Variant::Default).with_program(program);
        let mut server = launch.start();
        server.connect().echo("hello");
        server.stop();
    }
}

#[test]
fn it_is_sound_mdoc() {
    if skipped(&[Need::Tool("mandoc")]) {
        return;
    }
    let file = root().join("man/libdorrit-classic.3");
    let output = Command::new("mandoc").args(["-T", "lint", "-W", "warning"]).arg(file).output();
    let output = output.expect("mandoc runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

/// Every name that the header declares stands in NAME, and each page leads to the other.
#[test]
fn it_knows_every_name() {
    let page = page("libdorrit-classic.3");
    let names = names(&page);
    let callbacks = [
        "ws_init_func",
        "ws_exit_func",
        "ws_open_callback",
        "ws_read_callback",
        "ws_close_callback",
    ];
    for name in super::exports::NAMES.iter().chain(&callbacks).filter(|it| **it != "main") {
        assert!(names.contains(name), "{name}");
    }
    assert!(page.contains(".Xr libdorrit 3"));
    assert!(self::page("libdorrit.3").contains(".Xr libdorrit-classic 3"));
}
