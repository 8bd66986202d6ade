//! The pidfile `/var/run/<name>.pid` (CONTRACT D6).

use std::ffi::{CStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;

use crate::files::OwnFile;
use crate::start::{StartError, words};

/// A pidfile that names this process. It stays locked while the process lives.
#[derive(Debug)]
pub(crate) struct Pidfile {
    pub(crate) file: OwnFile,
    lock: File,
}

/// Where the pidfile of a server of this name is.
pub(crate) fn path(name: &CStr) -> PathBuf {
    let mut file = name.to_bytes().to_vec();
    file.extend_from_slice(b".pid");
    Path::new("/var/run").join(OsString::from_vec(file))
}

impl Pidfile {
    /// Writes it. A file that another server has locked is left as it is.
    pub(crate) fn write(path: &Path) -> Result<Self, StartError> {
        let fail = |why: String| StartError::path("pidfile", path, why);
        let mut lock = open(path).map_err(|error| fail(words(&error)))?;
        match fcntl_lock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::AGAIN | Errno::ACCESS) => {
                return Err(fail("another server of this name is running".to_owned()));
            }
            result => result.map_err(|error| fail(words(&error.into())))?,
        }
        let written = fill(&mut lock).and_then(|()| OwnFile::at(path));
        match written {
            Ok(file) => Ok(Self { file, lock }),
            Err(error) => {
                let _ = std::fs::remove_file(path);
                Err(fail(words(&error)))
            }
        }
    }
}

impl Pidfile {
    /// The one of the start before, which is still locked: a process keeps its locks over execve(2).
    pub(crate) fn inherit(lock: OwnedFd, path: &Path) -> io::Result<Self> {
        Ok(Self { file: OwnFile::at(path)?, lock: lock.into() })
    }
}

impl AsRawFd for Pidfile {
    fn as_raw_fd(&self) -> RawFd {
        self.lock.as_raw_fd()
    }
}

fn fill(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())
}

/// Opens the file itself, never what a link in its place points to.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.mode(0o644).custom_flags(libc::O_NOFOLLOW).open(path)
}
