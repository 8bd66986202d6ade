//! A program that is compiled with the header of one library and linked with the other is told so,
//! and does not run.

use std::path::PathBuf;
use std::process::Command;

use crate::harness::{Launch, Need, Variant, library, root, skipped, snapshot};

/// Compiles a source of tests/c with the headers there, and links it with that library.
fn build(source: &str, headers: &str, name: &str, way: &[&str]) -> Option<PathBuf> {
    let compiler = if way.contains(&"-std=c++17") { "g++" } else { "gcc" };
    if skipped(&[Need::Tool(compiler)]) {
        return None;
    }
    let library = library();
    let dir = library.dir.display().to_string();
    let program = tempfile::NamedTempFile::new().expect("a file").into_temp_path();
    let program = program.keep().expect("it stays");
    let link = if way.contains(&"static") {
        [vec![format!("{dir}/lib{name}.a")], library.native.clone()].concat()
    } else {
        vec![format!("-L{dir}"), format!("-l{name}"), format!("-Wl,-rpath,{dir}")]
    };
    let output = Command::new(compiler)
        .args(way.iter().filter(|it| **it != "static"))
        .arg(format!("-I{}", root().join(headers).display()))
        .arg(root().join("tests/c").join(source))
        .args(["-x", "none", "-o"])
        .arg(&program)
        .args(link)
        .output()
        .expect("the compiler runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
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
fn does_not_run(source: &str, headers: &str, linked: &str, right: &str) {
    for way in WAYS {
        let Some(program) = build(source, headers, linked, way) else { continue };
        for arguments in [&["-x"][..], &[]] {
            let launch =
                Launch::of("classic/plain.c", Variant::Default).with_program(program.clone());
            let ended = launch.args(arguments.iter().copied()).run();
            assert_eq!(ended.code, Some(1), "{way:?}: {}", ended.stderr);
            assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
            assert!(ended.stderr.trim_end().ends_with(&format!(" {right}")), "{}", ended.stderr);
            assert!(snapshot(&ended.run_dir()).is_empty(), "{way:?}");
            assert_eq!((ended.left_behind, &*ended.stdout), (0, ""), "{way:?}");
        }
        std::fs::remove_file(program).expect("it is there");
    }
}

/// CONTRACT part 2, S14: an older program with the newer library.
#[test]
fn the_older_header_with_the_newer_library() {
    does_not_run("classic/plain.c", "include/classic", "dorrit", "-ldorrit-classic");
}

/// CONTRACT part 2, S14: a newer program with the older library.
#[test]
fn the_newer_header_with_the_older_library() {
    does_not_run("parentheses.c", "include", "dorrit-classic", "-ldorrit");
}

/// The same ways of building with what belongs together make a server.
#[test]
fn what_belongs_together_runs() {
    for way in WAYS {
        for (source, headers, name) in [
            ("classic/plain.c", "include/classic", "dorrit-classic"),
            ("parentheses.c", "include", "dorrit"),
        ] {
            let Some(program) = build(source, headers, name, way) else { continue };
            let launch = Launch::of("classic/plain.c", Variant::Default);
            let mut server = launch.with_program(program.clone()).start();
            server.connect().echo("hello");
            server.stop();
            std::fs::remove_file(program).expect("it is there");
        }
    }
}
