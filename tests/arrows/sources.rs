//! The sources of a crate, or of all.

use std::path::Path;

/// Every Rust source below that directory, by its path from there. What cargo builds is left out.
pub(super) fn sources(dir: &Path) -> Vec<(String, String)> {
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
