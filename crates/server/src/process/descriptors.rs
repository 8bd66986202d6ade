//! Which descriptors are open, and which of them are the same as before.

use std::fs::{File, Metadata};
use std::mem::ManuallyDrop;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt as _;

use super::limits::descriptor_limit;

/// A descriptor, and what stood behind it: a number is used again.
#[derive(Debug)]
pub(crate) struct KnownDescriptor {
    number: RawFd,
    id: [u64; 2],
}

/// How many descriptors are looked at where they are not listed: there may be a limit of a billion.
const MOST: u64 = 1 << 20;

/// The numbers of the descriptors that are open, and perhaps some more. `open` are some that are.
fn numbers(open: &[RawFd]) -> Vec<RawFd> {
    let entries = std::fs::read_dir("/dev/fd").into_iter().flatten().flatten();
    let listed: Vec<_> =
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    // Some systems list the standard streams alone.
    match open.iter().all(|fd| listed.contains(fd)) {
        true => listed,
        false => (0..descriptor_limit().min(MOST) as RawFd).collect(),
    }
}

/// How many descriptors a thread of the program's may open meanwhile.
const SPARE: RawFd = 256;

/// A number that no descriptor exceeds, for [`close_all_but`]. `open` are some that are.
pub(crate) fn highest(open: &[RawFd]) -> RawFd {
    numbers(open).iter().chain(open).max().map_or(SPARE, |fd| fd.saturating_add(SPARE))
}

/// Closes all descriptors up to the highest but these. Calls only what signal-safety(7) lists.
pub(crate) fn close_all_but(kept: &[RawFd], highest: RawFd) {
    for fd in (0..=highest).filter(|fd| !kept.contains(fd)) {
        // SAFETY: this process uses no descriptor but those kept; most of these are not open.
        unsafe { libc::close(fd) };
    }
}

/// Takes a descriptor, where it is open, and closes it in what the program executes.
///
/// # Safety
/// What is open under the number is nobody else's in this process.
pub(crate) unsafe fn take_descriptor(number: RawFd) -> Option<OwnedFd> {
    // SAFETY: this sets a flag, and fails where nothing is open under the number.
    let is_open = unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } == 0;
    // SAFETY: the caller's promise.
    is_open.then(|| unsafe { OwnedFd::from_raw_fd(number) })
}

impl KnownDescriptor {
    /// What stands behind this descriptor now; `None` where it is not open.
    pub(crate) fn of(number: RawFd) -> Option<Self> {
        Some(Self { number, id: id(number)? })
    }

    /// All descriptors that are open besides the standard streams and `others`, which are open too.
    pub(crate) fn all_but(others: &[RawFd]) -> Vec<Self> {
        let numbers = numbers(others).into_iter();
        let numbers = numbers.filter(|fd| *fd > libc::STDERR_FILENO && !others.contains(fd));
        numbers.filter_map(Self::of).collect()
    }

    /// Whether it has this number, and is open and the same.
    pub(crate) fn is(&self, number: RawFd) -> bool {
        self.number == number && self.still().is_some()
    }

    /// The descriptor's number, where it is open and the same.
    pub(crate) fn still(&self) -> Option<RawFd> {
        (id(self.number) == Some(self.id)).then_some(self.number)
    }
}

/// The device and the inode of what stat(2) has looked at.
pub(crate) fn inode(found: &Metadata) -> [u64; 2] {
    [found.dev(), found.ino()]
}

/// The device and the inode behind a descriptor; `None` where it is not open.
fn id(fd: RawFd) -> Option<[u64; 2]> {
    // SAFETY: it is looked at and not closed; where it is not open the call says so.
    let file = ManuallyDrop::new(unsafe { File::from_raw_fd(fd) });
    let found = file.metadata().ok()?;
    Some(inode(&found))
}
