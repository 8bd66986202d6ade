//! What servers leave on disk.

use std::collections::BTreeMap;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The files that a server of this name puts into /var/run: they go when this does.
pub(crate) struct RunFiles(String);

impl RunFiles {
    /// Those of that name.
    pub(crate) fn of(name: &str) -> RunFiles {
        RunFiles(name.to_owned())
    }

    /// The file with that ending.
    pub(crate) fn path(&self, ending: &str) -> PathBuf {
        format!("/var/run/{}.{ending}", self.0).into()
    }
}

impl Drop for RunFiles {
    fn drop(&mut self) {
        // Where the server did its work there is nothing left to remove.
        let _ = std::fs::remove_file(self.path("pid"));
        let _ = std::fs::remove_file(self.path("socket"));
    }
}

/// What is on disk below that directory: every entry's kind, mode, owner, identity and length.
pub(crate) fn snapshot(dir: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).expect("the directory is there").flatten() {
        let it = entry.path().symlink_metadata().expect("it was just there");
        let kind = if it.file_type().is_socket() { "socket" } else { "file" };
        let text =
            format!("{kind} {:o} {}:{} {} {}", it.mode(), it.uid(), it.gid(), it.ino(), it.size());
        found.insert(entry.path(), text);
        if it.is_dir() {
            found.extend(snapshot(&entry.path()));
        }
    }
    found
}
