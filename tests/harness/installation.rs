//! What make makes of the tree.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use super::command::output;
use super::library::{library, program_dir, root, target_dir};

/// Runs make for one of the Makefile's targets, on what cargo has built for these tests.
pub(crate) fn make(program: &str, target: &str, arguments: &[&str]) {
    let mut command = Command::new(program);
    command.arg(target).args(arguments).arg(format!("CARGO={}", env!("CARGO")));
    output(command.current_dir(root()).env("CARGO_TARGET_DIR", target_dir()));
}

/// The prefix below which everything is installed, once for all tests.
pub(crate) fn installation() -> &'static Path {
    static PREFIX: OnceLock<PathBuf> = OnceLock::new();
    PREFIX.get_or_init(|| {
        let _built = library();
        let prefix = program_dir().join("prefix");
        make("make", "install", &[&format!("PREFIX={}", prefix.display())]);
        prefix
    })
}

/// A copy of the installed examples, as people make one.
pub(crate) fn copied_examples() -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let from = installation().join("share/examples/dorrit/.");
    output(Command::new("cp").arg("-R").arg(from).arg(dir.path()));
    dir
}

/// Has make build examples there; no warning may come.
pub(crate) fn make_examples<S: AsRef<OsStr>>(
    make: &str,
    dir: &Path,
    arguments: impl IntoIterator<Item = S>,
) {
    let mut command = Command::new(make);
    command.arg("CFLAGS=-O2 -std=c99 -Wall -Wextra -Werror -pedantic").args(arguments);
    let paths = installation().join("lib/pkgconfig");
    output(command.current_dir(dir).env("PKG_CONFIG_PATH", paths));
}

/// Files below a directory, with what they point to where they are links.
pub(crate) fn files(dir: &Path) -> BTreeMap<String, Option<PathBuf>> {
    fn walk(top: &Path, dir: &Path, found: &mut BTreeMap<String, Option<PathBuf>>) {
        for entry in std::fs::read_dir(dir).expect("a directory").flatten() {
            let path = entry.path();
            if entry.file_type().expect("its type").is_dir() {
                walk(top, &path, found);
            } else {
                let name = path.strip_prefix(top).expect("below it").display().to_string();
                found.insert(name, std::fs::read_link(&path).ok());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(dir, dir, &mut found);
    found
}
