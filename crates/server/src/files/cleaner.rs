//! A process that keeps root's right to remove the files of a server that has given it up.
//!
//! `/var/run` belongs to root, and the server runs as somebody else when it ends (CONTRACT S10). The
//! cleaner knows its files before root is given up and takes no orders but "now".

use std::ffi::CString;
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::own_file::{OwnFile, file_id};
use super::pidfile::Pidfile;
use crate::{process, sigpipe};

/// The server's side of a cleaner.
#[derive(Debug)]
pub(crate) struct Cleaner {
    pub(crate) orders: PipeWriter,
    /// The pipe whose end of file says that the cleaner has gone.
    pub(crate) done: PipeReader,
}

/// The order to remove the sockets.
const SOCKETS: u8 = b's';
/// The order to remove all. The end of the orders is one too, but a child of the program's may have their
/// pipe as well, for whose end one would have to wait (CONTRACT S23).
const ALL: u8 = b'a';
/// How long the server waits for the cleaner at its end.
const PATIENCE: Duration = Duration::from_secs(2);

impl Cleaner {
    /// Starts a cleaner for these files.
    pub(crate) fn start(sockets: &[OwnFile], pidfile: Option<&Pidfile>) -> io::Result<Self> {
        let (orders_read, orders) = io::pipe()?;
        let (done, done_write) = io::pipe()?;
        let doomed = sockets.iter().map(|socket| Doomed::new(&socket.path, &socket.id));
        let doomed = doomed.collect::<io::Result<Vec<_>>>()?;
        let id = |pidfile: &Pidfile| Doomed::new(pidfile.path(), &pidfile.id()?);
        let doomed_pidfile = pidfile.map(id).transpose()?;
        let pipes = [orders_read.as_raw_fd(), done_write.as_raw_fd()];
        // The pidfile is known by its being open.
        let kept: Vec<_> = pipes.into_iter().chain(pidfile.map(Pidfile::as_raw_fd)).collect();
        let live = || serve(orders_read.as_fd(), &doomed, doomed_pidfile.as_ref());
        // SAFETY: all that needs memory is there already.
        unsafe { process::start_helper(&kept, live) }?;
        Ok(Self { orders, done })
    }

    /// Has the sockets removed.
    pub(crate) fn remove_sockets(&mut self) {
        let _ = sigpipe::write_all(&self.orders, &[SOCKETS]);
    }

    /// Has all files removed, and returns when that is done.
    pub(crate) fn remove_all(self) {
        let _ = sigpipe::write_all(&self.orders, &[ALL]);
        drop(self.orders);
        let timeout = PATIENCE.try_into().ok();
        // A signal more, while the server ends, is no reason to leave before the files are gone.
        while poll(&mut [PollFd::new(&self.done, PollFlags::IN)], timeout.as_ref())
            == Err(Errno::INTR)
        {}
    }
}

impl From<[OwnedFd; 2]> for Cleaner {
    /// The cleaner that the start before has started.
    fn from([orders, done]: [OwnedFd; 2]) -> Self {
        Self { orders: orders.into(), done: done.into() }
    }
}

/// The cleaner's life.
fn serve(orders: BorrowedFd<'_>, sockets: &[Doomed], pidfile: Option<&Doomed>) {
    // The end of a session or of a control group must not come before the server's.
    let _ = rustix::process::setsid();
    let _ = rustix::process::chdir(c"/");
    let mut order = [0];
    while rustix::io::read(orders, &mut order) == Ok(1) && order == [SOCKETS] {
        sockets.iter().for_each(Doomed::remove);
    }
    sockets.iter().for_each(Doomed::remove);
    let _ = pidfile.map(Doomed::remove);
}

/// A file that is to be removed, so noted that this takes no memory.
struct Doomed {
    path: CString,
    /// The file's device, its inode and, where that counts, when it was written to.
    id: [Option<u64>; 3],
}

impl Doomed {
    fn new(path: &Path, known: &[u64]) -> io::Result<Self> {
        let mut id = [None; 3];
        id.iter_mut().zip(known).for_each(|(place, part)| *place = Some(*part));
        Ok(Self { path: CString::new(path.as_os_str().as_bytes())?, id })
    }

    /// Removes the file, unless another has taken its place (CONTRACT S10).
    fn remove(&self) {
        let Ok(found) = rustix::fs::lstat(&*self.path) else { return };
        let found = file_id(
            found.st_dev as _,
            found.st_ino as _,
            found.st_mtime as _,
            found.st_mtime_nsec as _,
        );
        if self.id.iter().zip(found).all(|(own, found)| own.is_none_or(|own| own == found)) {
            let _ = rustix::fs::unlink(&*self.path);
        }
    }
}
