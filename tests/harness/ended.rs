//! A program that runs no more.

use std::path::PathBuf;

use tempfile::TempDir;

use super::disk::RunFiles;

/// A program that has run to its end.
pub(crate) struct Ended {
    /// The exit status, or `None` where a signal ended it.
    pub(crate) code: Option<i32>,
    /// What it wrote.
    pub(crate) stdout: String,
    /// What it wrote there.
    pub(crate) stderr: String,
    /// How many processes of it went on when the first had ended.
    pub(crate) left_behind: usize,
    pub(super) dir: TempDir,
    pub(super) _run_files: Option<RunFiles>,
}

impl Ended {
    /// The directory in which the program started.
    pub(crate) fn run_dir(&self) -> PathBuf {
        self.dir.path().join("run")
    }

    /// The lines of the journal.
    pub(crate) fn journal(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("out/journal")).unwrap_or_default()
    }
}
