//! What the library gives to the linker.

use std::process::Command;

use crate::harness::{Need, library, skipped};

/// Every symbol that the shared library exports: a change here is a change of the ABI.
pub(crate) const NAMES: [&str; 51] = [
    "main",
    "ws_accept",
    "ws_adopt",
    "ws_after",
    "ws_arguments",
    "ws_begin",
    "ws_cancel",
    "ws_choose_protocol",
    "ws_close_conn",
    "ws_close_conn_code",
    "ws_config_file",
    "ws_count",
    "ws_defer",
    "ws_each",
    "ws_get_address",
    "ws_get_close_code",
    "ws_get_data",
    "ws_get_fd",
    "ws_get_header",
    "ws_get_protocol",
    "ws_get_qbytes",
    "ws_get_qlen",
    "ws_get_stats",
    "ws_get_target",
    "ws_get_timeout",
    "ws_is_open",
    "ws_main",
    "ws_pause",
    "ws_post",
    "ws_respond",
    "ws_resume",
    "ws_send",
    "ws_set_body",
    "ws_set_callbacks",
    "ws_set_compression",
    "ws_set_data",
    "ws_set_header",
    "ws_set_max_message",
    "ws_set_name",
    "ws_set_option",
    "ws_set_origins",
    "ws_set_periodic",
    "ws_set_ping",
    "ws_set_protocols",
    "ws_set_queue_limit",
    "ws_set_status",
    "ws_step",
    "ws_stop",
    "ws_want_drain",
    "ws_watch",
    "ws_write_conn",
];

fn output(command: &str, arguments: &[&str]) -> String {
    crate::harness::output(Command::new(command).args(arguments))
}

fn path(name: &str) -> String {
    library().dir.join(name).display().to_string()
}

/// CONTRACT D23: `main`, the `ws_*` functions, `ws_config_file`, and nothing else. T36: none of them
/// compares secrets.
#[test]
fn the_shared_library_exports_the_contract_and_nothing_else() {
    if skipped(&[Need::Tool("nm")]) {
        return;
    }
    let listed = output("nm", &["-D", "--defined-only", &path("libdorrit.so")]);
    let symbols = listed.lines().filter_map(|line| line.split_whitespace().next_back());
    // A version script names its version as a symbol of kind A; a name may carry a version behind
    // an @.
    let mut names: Vec<&str> = symbols.filter_map(|it| it.split('@').next()).collect();
    names.sort_unstable();
    assert_eq!(names, NAMES);
}

/// CONTRACT D20: `ws_config_file` is data, and so is `ws_arguments`; the rest is code.
#[test]
fn the_variables_are_data() {
    if skipped(&[Need::Tool("nm")]) {
        return;
    }
    let listed = output("nm", &["-D", "--defined-only", &path("libdorrit.so")]);
    for line in listed.lines() {
        let [_, kind, name] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("no symbol: {line}");
        };
        let expected = match name {
            "ws_arguments" | "ws_config_file" => ["B", "D"],
            "main" => ["W", "W"],
            _ => ["T", "T"],
        };
        assert!(expected.contains(&kind), "{line}");
    }
}

/// What programs are linked with is the major version.
#[test]
fn the_soname_carries_the_major_version() {
    if skipped(&[Need::Tool("readelf")]) {
        return;
    }
    let dynamic = output("readelf", &["-d", &path("libdorrit.so")]);
    assert!(dynamic.contains("Library soname: [libdorrit.so.3]"), "{dynamic}");
    assert!(!dynamic.contains("RPATH") && !dynamic.contains("RUNPATH"), "{dynamic}");
    assert!(!dynamic.contains("TEXTREL"), "{dynamic}");
}

/// CONTRACT D23: in the static library too the global names that begin with `ws_` are these.
#[test]
fn the_static_library_defines_the_same_names() {
    if skipped(&[Need::Tool("nm")]) {
        return;
    }
    let listed = output("nm", &["-g", "--defined-only", &path("libdorrit.a")]);
    let symbols = listed.lines().filter_map(|line| line.split_whitespace().next_back());
    let mut names: Vec<&str> =
        symbols.filter(|it| *it == "main" || it.starts_with("ws_")).collect();
    names.sort_unstable();
    assert_eq!(names, NAMES);
}
