//! The manual of libdorrit(3): its pages are complete and agree with the header, and their examples serve.

use std::collections::BTreeMap;

use crate::harness::root;

mod entries;
mod examples;
mod form;

/// The pages by their names, without the older interface's.
fn pages() -> BTreeMap<String, String> {
    let dir = std::fs::read_dir(root().join("man")).expect("man").flatten();
    let pages = dir.filter_map(|entry| {
        let name = entry.file_name().into_string().expect("a name");
        let name = name.strip_suffix(".3")?.to_owned();
        Some((name, std::fs::read_to_string(entry.path()).expect("a page")))
    });
    let pages: BTreeMap<_, _> = pages.filter(|(name, _)| name != "libdorrit-classic").collect();
    assert!(pages.contains_key("libdorrit"));
    pages
}
