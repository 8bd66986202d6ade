//! The classic `<dorrit.h>` as every compiler reads it.

use crate::harness::{Compiler, Need, Package, root, skipped};

/// CONTRACT part 2: every signature is the contract's, without a warning, from C89 to C++17.
#[test]
fn every_signature_is_the_contracts() {
    let c = ["c89", "gnu89", "c99", "c11", "c17", "gnu17"].map(|standard| ("c", standard));
    for (language, standard) in c.into_iter().chain([("c++", "c++11"), ("c++", "c++17")]) {
        for compiler in ["gcc", "clang"] {
            for source in ["prototypes.c", "plain.c"] {
                compiles(compiler, language, standard, source);
            }
        }
    }
}

fn compiles(compiler: &'static str, language: &str, standard: &str, source: &str) {
    if skipped(&[Need::Tool(compiler)]) {
        return;
    }
    Compiler::named(compiler)
        .args(["-x", language, &format!("-std={standard}")])
        .headers(Package::Classic)
        .args([root().join("tests/c/classic").join(source)])
        .check();
}

fn header() -> String {
    std::fs::read_to_string(root().join("include/classic/dorrit.h")).expect("the header")
}

/// Lines that are code.
fn code(header: &str) -> Vec<&str> {
    let mut is_comment = false;
    header
        .lines()
        .map(str::trim)
        .filter(|line| {
            let was_comment = is_comment;
            is_comment = (is_comment || line.starts_with("/*")) && !line.ends_with("*/");
            !was_comment && !line.starts_with("/*")
        })
        .collect()
}

/// CONTRACT D23, E8: it declares the contract's names, the marker by which the library knows its
/// programs, and no other.
#[test]
fn no_other_name_begins_with_ws() {
    let header = header();
    let mut names: Vec<&str> = code(&header)
        .into_iter()
        .flat_map(|line| line.split(|it: char| !it.is_ascii_alphanumeric() && it != '_'))
        .filter(|word| word.starts_with("ws_"))
        .collect();
    names.sort_unstable();
    names.dedup();
    let mut expected = vec![
        "ws_close_callback",
        "ws_exit_func",
        "ws_header_classic",
        "ws_init_func",
        "ws_open_callback",
        "ws_read_callback",
    ];
    expected.extend(super::exports::NAMES.into_iter().filter(|it| *it != "main"));
    expected.sort_unstable();
    assert_eq!(names, expected);
}

/// The version has one source, Cargo.toml, and each declaration its comment.
#[test]
fn the_version_and_the_comments() {
    let header = header();
    let version = env!("CARGO_PKG_VERSION");
    assert!(header.contains(&format!("#define DORRIT_VERSION \"{version}\"")), "{version}");
    let lines: Vec<&str> = header.lines().collect();
    let declares = |line: &str| {
        (line.contains(" ws_") || line.contains(" *ws_")) && !line.starts_with([' ', '/', '_'])
    };
    let declarations: Vec<_> = (0..lines.len()).filter(|&index| declares(lines[index])).collect();
    assert_eq!(declarations.len(), 13);
    for index in declarations {
        assert_eq!(lines[index - 1].trim(), "*/", "{}", lines[index]);
    }
}
