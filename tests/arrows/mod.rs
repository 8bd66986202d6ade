//! The arrows of the house: which crate may use which, what each must not touch, and that the files of
//! a crate stand above each other.

mod circles;
mod crates;
mod files;
mod house;
mod made_up;
mod mentions;

use std::path::Path;

pub(crate) use crates::{packages, uses};

/// Every Rust source below that directory, by its path from there. What cargo builds is left out.
fn sources(dir: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).expect("a directory").flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                let below = sources(&path).into_iter();
                found.extend(below.map(|(below, text)| (format!("{name}/{below}"), text)));
            }
        } else if name.ends_with(".rs") {
            found.push((name, std::fs::read_to_string(&path).expect("a source")));
        }
    }
    found.sort_unstable();
    found
}
