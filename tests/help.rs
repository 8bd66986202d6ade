//! `--help` and `--version`: what the server can be told, and what it is.

use crate::harness::{Ended, Launch};

/// It says something on stdout and nothing else, and neither the program nor the disk notices.
fn answer(launch: Launch) -> String {
    let Ended { code, stdout, stderr, .. } = &launch.run();
    assert_eq!((code, &**stderr), (&Some(0), ""));
    assert!(stdout.ends_with('\n') && !stdout.ends_with("\n\n"), "{stdout:?}");
    stdout.clone()
}

/// The option letters and words at the start of the lines.
fn options(help: &str) -> Vec<&str> {
    let lines = help.lines().filter_map(|line| line.strip_prefix("  -"));
    lines.map(|line| line.split([' ', '[']).next().unwrap_or_default()).collect()
}

/// One screen, with every option that the manual has and no other.
#[test]
fn help_is_one_screen() {
    let manuals = [
        (Launch::probe(), include_str!("../man/libdorrit.3")),
        (Launch::classic(), include_str!("../man/libdorrit-classic.3")),
    ];
    for (launch, manual) in manuals {
        let help = answer(launch.args(["--help"]));
        assert!(help.lines().count() <= 34, "{help}");
        assert!(help.lines().all(|line| line.len() <= 80), "{help}");
        let mut told = options(&help);
        told.sort();
        let options = manual.split(".Sh OPTIONS").nth(1).and_then(|it| it.split(".Sh ").next());
        let options = options.expect("a section");
        let flags = options.lines().filter_map(|line| line.split_once("Fl ").map(|it| it.1));
        let mut written: Vec<_> =
            flags.map(|flag| flag.split(' ').next().unwrap_or_default()).collect();
        written.sort();
        written.dedup();
        assert_eq!(told, written, "{help}");
    }
}

/// CONTRACT D4: nothing of the program runs, and no other argument is looked at.
#[test]
fn answers_come_before_all_else() {
    for arguments in
        [&["--help"][..], &["--version"], &["-b", "9", "--help"], &["operand", "--version", "-x"]]
    {
        for launch in [Launch::probe(), Launch::classic()] {
            let launch = launch.args(arguments.iter().copied());
            let ended = launch.env("PROBE_PRINT", "the program has run").run();
            assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{arguments:?}");
            assert!(!ended.stdout.contains("has run"));
            assert_eq!(ended.journal(), "");
            assert_eq!(std::fs::read_dir(ended.run_dir()).expect("it is there").count(), 0);
            assert_eq!(ended.left_behind, 0);
        }
    }
    for source in ["missing_all.c", "missing_two.c"] {
        let launch = Launch::of(source, crate::harness::Variant::Default);
        assert!(answer(launch.args(["--help"])).contains("--version"));
    }
}

/// The version of Cargo.toml, and which of the two libraries it is.
#[test]
fn the_version() {
    let version = env!("CARGO_PKG_VERSION");
    let said = answer(Launch::probe().args(["--version"]));
    assert_eq!(said, format!("libdorrit {version} (libdorrit(3))\n"));
    let said = answer(Launch::classic().args(["--version"]));
    assert_eq!(said, format!("libdorrit {version} (libdorrit-classic(3))\n"));
}

/// The line of usage names what --help does.
#[test]
fn the_usage_is_complete() {
    for launch in [Launch::probe, Launch::classic] {
        let help = answer(launch().args(["--help"]));
        let usage = launch().args(["-?"]).run().stderr;
        // Letters without an argument share the first brackets.
        let letters = usage.split_once("[-").and_then(|(_, it)| it.split_once(']'));
        let (letters, _) = letters.expect("at least -x");
        for option in options(&help) {
            let is_there = usage.contains(&format!("[-{option}")) || letters.contains(option);
            assert!(is_there, "{option}: {usage}");
        }
    }
}

/// A reader that has gone is no failure.
#[test]
fn nobody_reads_it() {
    let launch = Launch::probe().args(["--help"]);
    let ended = launch.under(["sh", "-c", "\"$0\" \"$@\" >&-"]).run();
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
}

/// `-h` is the same, where it is nothing else.
#[test]
fn h_is_short_for_it() {
    assert_eq!(answer(Launch::probe().args(["-h"])), answer(Launch::probe().args(["--help"])));
    let mut server = Launch::classic().args(["-h"]).start();
    server.connect().echo("hello");
    server.stop();
}
