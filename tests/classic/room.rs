//! The classic library's room: a diff of the newer one's, and no more.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::harness::root;

/// DESIGN, rooms: of our crates it uses the server alone, and no crate uses it.
#[test]
fn it_stands_at_the_end_of_the_arrows() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    for package in packages {
        let dependencies = package["dependencies"].as_array().expect("dependencies").iter();
        let names =
            dependencies.filter(|it| it["kind"].is_null()).filter_map(|it| it["name"].as_str());
        let ours: Vec<_> = names.filter(|name| name.starts_with("dorrit")).collect();
        if package["name"] == "dorrit-classic" {
            assert_eq!(ours, ["dorrit-server"]);
        } else {
            assert!(!ours.contains(&"dorrit-classic"), "{}", package["name"]);
        }
    }
    assert!(packages.iter().any(|it| it["name"] == "dorrit-classic"));
}

/// DESIGN, rooms: the same file names as src/, so that the two read as a diff of each other.
#[test]
fn its_files_are_those_of_the_newer_library() {
    let names = |dir: &Path| -> BTreeSet<_> {
        let entries = std::fs::read_dir(dir).expect("a directory").flatten();
        entries.map(|entry| entry.file_name()).collect()
    };
    assert_eq!(names(&root().join("crates/classic/src")), names(&root().join("src")));
}
