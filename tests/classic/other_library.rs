//! A program that is compiled with the header of one library and linked with the other is told so,
//! and does not run.

use tempfile::TempPath;

use crate::harness::{Compiler, Launch, Need, Package, Variant, root, skipped, snapshot};

/// Compiles a source of tests/c with the headers of one library, and links it with the other, or the same.
fn build(source: &str, headers: Package, linked: Package, way: &[&str]) -> Option<TempPath> {
    let compiler = if way.contains(&"-std=c++17") { "g++" } else { "gcc" };
    if skipped(&[Need::Tool(compiler)]) {
        return None;
    }
    let program = tempfile::NamedTempFile::new().expect("a file").into_temp_path();
    let compiler = Compiler::named(compiler)
        .args(way.iter().filter(|it| **it != "static"))
        .headers(headers)
        .args([root().join("tests/c").join(source)])
        .args(["-x", "none"]);
    let is_static = way.contains(&"static");
    let compiler = if is_static { compiler.archive(linked) } else { compiler.shared(linked) };
    compiler.make(&program);
    Some(program)
}

const WAYS: [&[&str]; 6] = [
    &["-std=c99"],
    &["-std=c99", "static"],
    &["-std=c99", "-fvisibility=hidden", "-flto", "-O2"],
    &["-std=c99", "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections", "-O2"],
    &["-std=c99", "-fdata-sections", "-Wl,--gc-sections", "-O2", "static"],
    &["-x", "c++", "-std=c++17"],
];

/// In the foreground and as a daemon: one line, which says what to link with, status 1, and nothing
/// on disk.
fn does_not_run(source: &str, headers: Package, linked: Package, right: &str) {
    for way in WAYS {
        let Some(program) = build(source, headers, linked, way) else { continue };
        for arguments in [&["-x"][..], &[]] {
            let launch =
                Launch::of("classic/plain.c", Variant::Default).with_program(program.to_path_buf());
            let ended = launch.args(arguments.iter().copied()).run();
            assert_eq!(ended.code, Some(1), "{way:?}: {}", ended.stderr);
            assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
            assert!(ended.stderr.trim_end().ends_with(&format!(" {right}")), "{}", ended.stderr);
            assert!(snapshot(&ended.run_dir()).is_empty(), "{way:?}");
            assert_eq!((ended.left_behind, &*ended.stdout), (0, ""), "{way:?}");
        }
    }
}

/// CONTRACT part 2, S14: an older program with the newer library.
#[test]
fn the_older_header_with_the_newer_library() {
    does_not_run("classic/plain.c", Package::Classic, Package::Dorrit, "-ldorrit-classic");
}

/// CONTRACT part 2, S14: a newer program with the older library.
#[test]
fn the_newer_header_with_the_older_library() {
    does_not_run("parentheses.c", Package::Dorrit, Package::Classic, "-ldorrit");
}

/// The same ways of building with what belongs together make a server.
#[test]
fn what_belongs_together_runs() {
    for way in WAYS {
        for (source, package) in
            [("classic/plain.c", Package::Classic), ("parentheses.c", Package::Dorrit)]
        {
            let Some(program) = build(source, package, package, way) else { continue };
            let launch = Launch::of("classic/plain.c", Variant::Default);
            let mut server = launch.with_program(program.to_path_buf()).start();
            server.connect().echo("hello");
            server.stop();
        }
    }
}
