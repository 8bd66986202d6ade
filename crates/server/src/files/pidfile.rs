//! The pidfile `/var/run/<name>.pid` (CONTRACT D6).
//!
//! Who has any part of it locked owns it. A server locks all of it. At a hand-over the old server keeps
//! [`FIRST`] while the new one locks the [`REST`]: so at no moment can a third lock all.

use std::ffi::{CStr, OsString};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};

use crate::error::{StartError, errno_text};
use crate::process::inode;

/// A pidfile that names this process. It stays locked while the process lives.
#[derive(Debug)]
pub(crate) struct Pidfile {
    path: PathBuf,
    /// The file, by which the pidfile is known, too: no other gets its inode while it is open.
    file: File,
}

/// A part of the file, in bytes: where it starts, and how long it is. A length of 0 is up to the end.
type Part = (libc::off_t, libc::off_t);

/// The whole file.
const ALL: Part = (0, 0);
/// The first byte, which the old server keeps at a hand-over.
const FIRST: Part = (0, 1);
/// What follows the first byte, which the new server takes at a hand-over.
const REST: Part = (1, 0);

/// Where the pidfile of a server of this name is.
pub(crate) fn path(name: &CStr) -> PathBuf {
    let mut file = name.to_bytes().to_vec();
    file.extend_from_slice(b".pid");
    Path::new("/var/run").join(OsString::from_vec(file))
}

impl Pidfile {
    /// Writes a pidfile. A file that another server has locked is left as it is.
    pub(crate) fn write(path: &Path) -> Result<Self, StartError> {
        let fail = |why: String| StartError::path("pidfile", path, why);
        let file = open(path).map_err(|error| fail(errno_text(&error)))?;
        let pidfile = Self { path: path.to_owned(), file };
        match pidfile.lock(ALL) {
            Err(Errno::EAGAIN | Errno::EACCES) => {
                return Err(fail("another server of this name is running".to_owned()));
            }
            result => result.map_err(|error| fail(errno_text(&error.into())))?,
        }
        pidfile.fill().map_err(|error| {
            let _ = std::fs::remove_file(path);
            fail(errno_text(&error))
        })?;
        Ok(pidfile)
    }

    /// The pidfile of the start before.
    pub(crate) fn inherit(path: PathBuf, file: OwnedFd) -> Self {
        Self { path, file: file.into() }
    }

    /// Where the pidfile is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The device and the inode by which the pidfile is known while it is open.
    pub(crate) fn id(&self) -> io::Result<[u64; 2]> {
        Ok(inode(&self.file.metadata()?))
    }

    /// Removes the pidfile, unless another file has taken its place (CONTRACT S10).
    pub(crate) fn remove(&self) -> io::Result<()> {
        let found = std::fs::symlink_metadata(&self.path)?;
        if self.id()? == inode(&found) {
            std::fs::remove_file(&self.path)?;
        }
        Ok(())
    }

    /// Lets another server of ours take the pidfile over, by [`Pidfile::take_over`].
    pub(crate) fn offer(&self) -> io::Result<()> {
        // The server before this one has had the first byte.
        self.lock(FIRST)?;
        Ok(self.unlock(REST)?)
    }

    /// Has the pidfile name this process, to which the one before has offered it.
    pub(crate) fn take_over(&self) -> io::Result<()> {
        self.lock(REST)?;
        self.fill()
    }

    /// Has the pidfile name this process again, after an offer of which nothing came.
    pub(crate) fn keep(&self) -> io::Result<()> {
        match self.lock(ALL) {
            // The one that was called off has not ended yet. The first byte is enough.
            Err(Errno::EAGAIN | Errno::EACCES) => {}
            locked => locked?,
        }
        self.fill()
    }

    /// Writes the number of this process. Who reads it meanwhile finds the number before, or this one.
    fn fill(&self) -> io::Result<()> {
        let mut text = format!("{}\n", std::process::id());
        let len = text.len();
        let before = usize::try_from(self.file.metadata()?.len()).unwrap_or(len).min(MOST);
        text.extend(std::iter::repeat_n('\n', before.saturating_sub(len)));
        self.file.write_all_at(text.as_bytes(), 0)?;
        self.file.set_len(len as u64)
    }

    fn lock(&self, part: Part) -> nix::Result<()> {
        self.set_lock(libc::F_WRLCK as _, part)
    }

    fn unlock(&self, part: Part) -> nix::Result<()> {
        self.set_lock(libc::F_UNLCK as _, part)
    }

    fn set_lock(&self, kind: libc::c_short, (start, len): Part) -> nix::Result<()> {
        // SAFETY: numbers alone, of which some systems have more; zero is none.
        let mut lock: libc::flock = unsafe { std::mem::zeroed() };
        (lock.l_type, lock.l_whence) = (kind, libc::SEEK_SET as _);
        (lock.l_start, lock.l_len) = (start, len);
        fcntl(&self.file, FcntlArg::F_SETLK(&lock)).map(drop)
    }
}

/// The most bytes that a number takes; what else stands in a file that somebody has left is cut off.
const MOST: usize = 32;

impl AsRawFd for Pidfile {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

/// Opens the file at a path, never what a link in its place points to.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.mode(0o644).custom_flags(libc::O_NOFOLLOW).open(path)
}
