//! How the server was started: noted before it changes that.

use std::ffi::{OsStr, OsString, c_int};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::sys::signal::SigSet;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::crash_record::CrashRecord;
use super::inheritance::Inheritance;
use crate::process::{self, KnownDescriptor, inode};

/// How the server was started.
#[derive(Debug)]
pub(crate) struct Invocation {
    /// The program's name and what follows it.
    pub(crate) arguments: Vec<OsString>,
    /// Where the program is.
    pub(crate) program: Option<PathBuf>,
    /// The directory in which the server was started.
    pub(crate) directory: Option<File>,
    /// The path of the directory in which the server was started.
    pub(crate) path: PathBuf,
    /// The environment as it was before the program has run.
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// The signals that were blocked.
    pub(crate) mask: SigSet,
    /// The signals that were ignored.
    pub(crate) ignored: Vec<c_int>,
    /// The descriptors that the server was started with besides the standard streams.
    descriptors: Vec<KnownDescriptor>,
    has_terminal: bool,
    /// The record of the crash, or the hand-over, after which this is the new start.
    pub(crate) record: Option<CrashRecord>,
}

impl Invocation {
    /// Notes how the server was started. A new start has a record, and what it has inherited.
    pub(crate) fn find(
        arguments: Vec<OsString>,
        record: Option<CrashRecord>,
        inheritance: Option<&Inheritance>,
    ) -> Self {
        let present = std::env::current_dir().ok();
        let inherited = inheritance.and_then(|inheritance| inheritance.directory.clone());
        let path = inherited.or(present).unwrap_or_default();
        let directory = File::open(".").ok();
        let mut others = inheritance.map(Inheritance::descriptors).unwrap_or_default();
        others.extend(directory.as_ref().map(File::as_raw_fd));
        let mask = SigSet::thread_get_mask().unwrap_or_else(|_| SigSet::empty());
        Self {
            program: find_program(arguments.first().map(OsString::as_os_str), &path),
            arguments,
            directory,
            path,
            environment: std::env::vars_os().collect(),
            mask,
            ignored: process::ignored_signals(),
            descriptors: KnownDescriptor::all_but(&others),
            has_terminal: open_terminal().is_ok(),
            record,
        }
    }

    /// How a server is asked for by a program whose process it does not own: it is never started anew.
    pub(crate) fn within_program(arguments: Vec<OsString>) -> Self {
        Self {
            arguments,
            program: None,
            directory: None,
            path: std::env::current_dir().unwrap_or_default(),
            environment: Vec::new(),
            mask: SigSet::empty(),
            ignored: Vec::new(),
            descriptors: Vec::new(),
            has_terminal: false,
            record: None,
        }
    }

    /// The signal after which this is the new start.
    pub(crate) fn signal(&self) -> Option<c_int> {
        self.record.as_ref().and_then(CrashRecord::signal)
    }

    /// The arguments that follow the program's name.
    pub(crate) fn options(&self) -> &[OsString] {
        self.arguments.get(1..).unwrap_or_default()
    }

    /// The descriptors that the server was started with and still has, the standard streams included.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = RawFd> {
        let standard = [libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO];
        standard.into_iter().chain(self.descriptors.iter().filter_map(KnownDescriptor::still))
    }

    /// Whether the terminal that the server was started on has gone.
    pub(crate) fn has_lost_terminal(&self) -> bool {
        let is_gone = |error: io::Error| {
            matches!(Errno::from_io_error(&error), Some(Errno::NXIO | Errno::IO | Errno::NODEV))
        };
        self.has_terminal && open_terminal().is_err_and(is_gone)
    }
}

/// Opens the controlling terminal.
fn open_terminal() -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    Ok(rustix::fs::open("/dev/tty", flags, Mode::empty())?.into())
}

/// Where the program is: by the name that it was called by, where that leads to it, because a link may
/// lead to another version later.
fn find_program(called: Option<&OsStr>, directory: &Path) -> Option<PathBuf> {
    let called = called.and_then(|name| look_up(name, directory));
    let itself = std::env::current_exe().ok().filter(|path| id(path).is_some());
    match (called, itself) {
        (Some(called), Some(itself)) if id(&called) != id(&itself) => Some(itself),
        (called, itself) => called.or(itself),
    }
}

/// Where a shell would find a program of this name.
fn look_up(name: &OsStr, directory: &Path) -> Option<PathBuf> {
    if name.as_bytes().contains(&b'/') {
        // Without a "." at its start.
        return Some(directory.join(name).components().collect());
    }
    let path = std::env::var_os("PATH")?;
    let mut places = std::env::split_paths(&path).map(|place| directory.join(place).join(name));
    places.find(|place| id(place).is_some())
}

/// The device and the inode of a file that can be executed.
fn id(path: &Path) -> Option<[u64; 2]> {
    let found = std::fs::metadata(path).ok()?;
    (found.is_file() && found.mode() & 0o111 != 0).then(|| inode(&found))
}
