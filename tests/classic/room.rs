//! The classic library's room: a diff of the newer one's, and no more.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;

use crate::arrows::{packages, uses};
use crate::harness::root;

/// DESIGN, rooms: of our crates it uses the server alone, and no crate uses it.
#[test]
fn it_stands_at_the_end_of_the_arrows() {
    let packages = packages();
    let names = packages.iter().map(|it| it["name"].as_str().expect("a name"));
    for name in names.clone() {
        let mut ours = uses(&packages, name);
        ours.retain(|it| it.starts_with("dorrit"));
        if name == "dorrit-classic" {
            assert_eq!(ours, BTreeSet::from(["dorrit-server".to_owned()]));
        } else {
            assert!(!ours.contains("dorrit-classic"), "{name}");
        }
    }
    assert!(names.clone().any(|it| it == "dorrit-classic"));
}

/// DESIGN, rooms: file names of src/, so that the two read as a diff of each other; it has not all of the functions.
#[test]
fn its_files_are_those_of_the_newer_library() {
    let names = |dir: &Path| -> BTreeSet<_> {
        let entries = std::fs::read_dir(dir).expect("a directory").flatten();
        entries.map(|entry| entry.file_name()).collect()
    };
    let [ours, newer] = ["crates/classic/src", "src"].map(|dir| names(&root().join(dir)));
    assert!(
        ours.is_subset(&newer) && ours.contains(OsStr::new("callbacks.rs")),
        "{ours:?} {newer:?}"
    );
}
