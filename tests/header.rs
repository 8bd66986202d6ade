//! `<dorrit.h>` as every compiler reads it.

use crate::harness::{Compiler, Launch, Need, Package, Variant, library, program, root, skipped};

/// long long, which C89 has not, cannot be avoided.
const C89: [&[&str]; 2] = [&["-std=c89", "-Wno-long-long"], &["-std=gnu89", "-Wno-long-long"]];
const STANDARDS: [(&str, &str, &[&str]); 14] = [
    ("gcc", "c", C89[0]),
    ("gcc", "c", C89[1]),
    ("clang", "c", C89[0]),
    ("clang", "c", C89[1]),
    ("gcc", "c", &["-std=c99"]),
    ("gcc", "c", &["-std=c11"]),
    ("gcc", "c", &["-std=c17"]),
    ("gcc", "c", &["-std=gnu17"]),
    ("g++", "c++", &["-std=c++17"]),
    ("clang", "c", &["-std=c99"]),
    ("clang", "c", &["-std=c11"]),
    ("clang", "c", &["-std=c17"]),
    ("clang", "c", &["-std=gnu17"]),
    ("clang++", "c++", &["-std=c++17"]),
];

/// Compiles a source of tests/c with every compiler that is there; no warning may come.
fn compiles(source: &str) {
    compiles_with(source, &[]);
}

fn compiles_with(source: &str, more: &[&str]) {
    let _built = library();
    for (compiler, language, standard) in STANDARDS {
        if skipped(&[Need::Tool(compiler)]) {
            continue;
        }
        Compiler::named(compiler)
            .args(["-x", language])
            .args(standard)
            .args(more)
            .headers(Package::Dorrit)
            .args([root().join("tests/c").join(source)])
            .check();
    }
}

/// CONTRACT part 1: every signature is the contract's, in C89, C99, C11, C17 and C++17, with gcc and
/// clang.
#[test]
fn every_signature_is_the_contracts() {
    compiles("prototypes.c");
}

/// CONTRACT part 1: a program that defines its callbacks with `()` compiles without a warning.
#[test]
fn callbacks_may_be_defined_with_empty_parentheses() {
    compiles("parentheses.c");
}

/// The header may be included twice, and needs no other before it.
#[test]
fn the_header_stands_alone() {
    compiles("twice.c");
}

/// The version has one source, Cargo.toml.
#[test]
fn the_version_is_cargos() {
    let header = std::fs::read_to_string(root().join("include/dorrit.h")).expect("the header");
    let version = env!("CARGO_PKG_VERSION");
    assert!(header.contains(&format!("#define DORRIT_VERSION \"{version}\"")), "{version}");
    let parts = ["MAJOR", "MINOR", "PATCH"];
    for (part, number) in parts.iter().zip(version.split('.')) {
        let line = format!("#define DORRIT_VERSION_{part} {number}");
        assert!(header.lines().any(|it| it == line), "{line}");
    }
}

/// CONTRACT D23: the header declares the contract's names, and no other that begins with `ws_`.
#[test]
fn no_other_name_begins_with_ws() {
    let header = std::fs::read_to_string(root().join("include/dorrit.h")).expect("the header");
    let mut names: Vec<&str> = without_comments(&header)
        .flat_map(|line| line.split(|it: char| !it.is_ascii_alphanumeric() && it != '_'))
        .filter(|word| word.starts_with("ws_"))
        .collect();
    names.sort_unstable();
    names.dedup();
    let callbacks = [
        "ws_close_callback",
        "ws_drain_callback",
        "ws_exit_func",
        "ws_init_func",
        "ws_log_callback",
        "ws_open_callback",
        "ws_read_callback",
        "ws_request_callback",
        "ws_shutdown_callback",
        "ws_start_callback",
    ];
    let mut expected: Vec<&str> = crate::exports::NAMES.into_iter().chain(callbacks).collect();
    // What a program carries that was compiled with this header, and not with the other library's.
    expected.push("ws_header_3");
    // Types, which the linker does not know.
    expected.extend(["ws_byte", "ws_callbacks", "ws_stats"]);
    expected.retain(|it| *it != "main");
    expected.sort_unstable();
    assert_eq!(names, expected);
}

fn without_comments(header: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    header.lines().filter(move |line| {
        let line = line.trim();
        let was_inside = inside;
        inside = (inside || line.starts_with("/*")) && !line.ends_with("*/");
        !was_inside && !line.starts_with("/*")
    })
}

/// Every prototype has its comment: who owns what, when it may be called, what it returns.
#[test]
fn every_prototype_is_documented() {
    let header = std::fs::read_to_string(root().join("include/dorrit.h")).expect("the header");
    let lines: Vec<&str> = header.lines().collect();
    let declares = |line: &str| {
        (line.contains(" ws_") || line.contains(" *ws_"))
            && !line.trim_start().starts_with(['*', '/', '_'])
            && !line.starts_with("typedef")
    };
    let mut count = 0;
    for (index, _) in lines.iter().enumerate().filter(|(_, line)| declares(line)) {
        let above = lines[..index].iter().rev().map(|line| line.trim());
        let mut above =
            above.skip_while(|line| !line.ends_with(['/', ';', '{', '}']) && !line.is_empty());
        assert_eq!(above.next(), Some("*/"), "{}", lines[index]);
        count += 1;
    }
    assert_eq!(count, 62);
}

/// CONTRACT D23: a program finds everything that the header promises.
#[test]
fn everything_that_is_declared_is_there() {
    let _it_links = program("matrix.c", Variant::StaticLibrary);
    let _this_too = program("matrix.c", Variant::Default);
}

/// A program of the manual between the two, whose buffers are plain char, is compiled with a flag and
/// serves as any other.
#[test]
fn buffers_may_be_plain_char() {
    compiles_with("char_buffers.c", &["-DDORRIT_CHAR_BUFFERS"]);
    let mut server = Launch::of("char_buffers.c", Variant::CharBuffers).start();
    server.connect().echo("hello");
    server.stop();
}
