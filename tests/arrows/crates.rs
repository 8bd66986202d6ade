//! The crates: which may use which, and what each must not touch.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use super::sources::sources;
use crate::harness::root;

/// What cargo says of each package of the workspace.
pub(crate) fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    metadata["packages"].as_array().expect("packages").clone()
}

/// The crates that this one uses, as they are built into it.
pub(crate) fn uses(packages: &[Value], name: &str) -> BTreeSet<String> {
    let package = packages.iter().find(|it| it["name"] == name);
    let package = package.unwrap_or_else(|| panic!("no package {name}"));
    let all = package["dependencies"].as_array().expect("dependencies").iter();
    all.filter(|it| it["kind"].is_null())
        .map(|it| it["name"].as_str().expect("a name").to_owned())
        .collect()
}

/// DESIGN, rooms: proto <- engine <- server <- { dorrit, classic }, and no arrow back.
#[test]
fn arrows_run_one_way() {
    let packages = packages();
    let rooms: [(&str, &[&str]); 5] = [
        ("dorrit-proto", &[]),
        ("dorrit-engine", &["dorrit-proto"]),
        ("dorrit-server", &["dorrit-engine", "dorrit-proto"]),
        ("dorrit", &["dorrit-server"]),
        ("dorrit-classic", &["dorrit-server"]),
    ];
    for (name, may_use) in rooms {
        for used in uses(&packages, name).iter().filter(|it| it.starts_with("dorrit")) {
            assert!(may_use.contains(&used.as_str()), "{name} uses {used}");
        }
    }
}

/// DESIGN, a crate is a permission: proto sees no socket, clock, thread or libc.
#[test]
fn proto_is_a_function_of_bytes() {
    let used = uses(&packages(), "dorrit-proto");
    for system in ["libc", "mio", "nix", "rustix", "syslog", "log", "socket2", "signal-hook"] {
        assert!(!used.contains(system), "dorrit-proto uses {system}");
    }
    let sources = sources(&root().join("crates/proto/src"));
    for (path, text) in &sources {
        for module in ["std::net", "std::fs", "std::time", "std::thread", "std::os", "std::process"]
        {
            assert!(!text.contains(module), "{path} uses {module}");
        }
    }
}

/// DESIGN, a crate is a permission: proto and the engine forbid unsafe code, which then no file of theirs
/// can allow.
#[test]
fn proto_and_engine_forbid_unsafe() {
    for room in ["proto", "engine"] {
        let lib = root().join("crates").join(room).join("src/lib.rs");
        let text = std::fs::read_to_string(lib).expect("a library");
        assert!(text.lines().any(|line| line == "#![forbid(unsafe_code)]"), "{room}");
    }
}

/// DESIGN: names for C are given out in the leaf package alone, which is never a Rust library.
#[test]
fn only_leaves_export() {
    for room in ["proto", "engine", "server"] {
        for (path, text) in sources(&root().join("crates").join(room).join("src")) {
            assert!(!text.contains("no_mangle") && !text.contains("export_name"), "{path}");
        }
    }
    let packages = packages();
    let leaf = packages.iter().find(|it| it["name"] == "dorrit").expect("the leaf");
    let targets = leaf["targets"].as_array().expect("targets");
    let libraries: Vec<&Value> =
        targets.iter().filter(|it| it["crate_types"] != Value::Null).collect();
    let kinds = libraries.iter().find(|it| it["name"] == "dorrit").expect("the library");
    assert_eq!(kinds["crate_types"], serde_json::json!(["cdylib", "staticlib"]));
}
