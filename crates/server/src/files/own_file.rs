//! A file of the server's, which it knows again.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// A file of ours, recognised also where another one has its name.
#[derive(Clone, Debug)]
pub(crate) struct OwnFile {
    pub(crate) path: PathBuf,
    pub(crate) id: FileId,
}

/// A file's device, its inode, and when it was written to last: an inode is used again.
pub(crate) type FileId = [u64; 3];

/// The parts of a [`FileId`], of what stat(2) tells.
pub(super) fn file_id(device: u64, inode: u64, seconds: i64, nanoseconds: i64) -> FileId {
    let written = seconds.wrapping_mul(1_000_000_000).wrapping_add(nanoseconds);
    [device, inode, written as u64]
}

impl OwnFile {
    /// The file that is at this path now.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        let found = std::fs::symlink_metadata(path)?;
        let id = file_id(found.dev(), found.ino(), found.mtime(), found.mtime_nsec());
        Ok(Self { path: path.to_owned(), id })
    }

    /// Removes the file, unless another has taken its place (CONTRACT S10).
    pub(crate) fn remove(&self) -> io::Result<()> {
        match Self::at(&self.path) {
            Ok(found) if found.id == self.id => std::fs::remove_file(&self.path),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}
