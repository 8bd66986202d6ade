//! What the classic library gives to the linker.

use std::process::Command;

use crate::harness::{Need, library, skipped};

/// Every symbol that the shared library exports: a change here is a change of the ABI.
pub(super) const NAMES: [&str; 9] = [
    "main",
    "ws_close_conn",
    "ws_config_file",
    "ws_get_data",
    "ws_get_qlen",
    "ws_set_data",
    "ws_set_name",
    "ws_set_periodic",
    "ws_write_conn",
];

fn output(command: &str, arguments: &[&str], file: &str) -> String {
    let path = library().dir.join(file);
    crate::harness::output(Command::new(command).args(arguments).arg(path))
}

/// CONTRACT D23, E8: the names of part 2, and the three that E8 adds.
#[test]
fn the_shared_library_exports_the_contract_and_nothing_else() {
    if skipped(&[Need::Tool("nm")]) {
        return;
    }
    let listed = output("nm", &["-D", "--defined-only"], "libdorrit-classic.so");
    let mut names = Vec::new();
    for line in listed.lines() {
        let [_, kind, name] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("no symbol: {line}");
        };
        let expected = match name {
            "ws_config_file" => ["B", "D"],
            "main" => ["W", "W"],
            _ => ["T", "T"],
        };
        assert!(expected.contains(&kind), "{line}");
        names.push(name);
    }
    names.sort_unstable();
    assert_eq!(names, NAMES);
}

/// CONTRACT D23: in the static library too the global names that begin with `ws_` are these.
#[test]
fn the_static_library_defines_the_same_names() {
    if skipped(&[Need::Tool("nm")]) {
        return;
    }
    let listed = output("nm", &["-g", "--defined-only"], "libdorrit-classic.a");
    let symbols = listed.lines().filter_map(|line| line.split_whitespace().next_back());
    let mut names: Vec<&str> =
        symbols.filter(|it| *it == "main" || it.starts_with("ws_")).collect();
    names.sort_unstable();
    assert_eq!(names, NAMES);
}

/// What programs are linked with has a name of its own, so that both libraries can be there.
#[test]
fn the_soname_is_its_own() {
    if skipped(&[Need::Tool("readelf")]) {
        return;
    }
    let dynamic = output("readelf", &["-d"], "libdorrit-classic.so");
    assert!(dynamic.contains("Library soname: [libdorrit-classic.so.1]"), "{dynamic}");
    assert!(!dynamic.contains("RPATH") && !dynamic.contains("RUNPATH"), "{dynamic}");
    assert!(!dynamic.contains("TEXTREL"), "{dynamic}");
}
