//! A process that keeps root's right to remove the files of a server that has given it up.
//!
//! `/var/run` belongs to root, and the server runs as somebody else when it ends (CONTRACT S10). The
//! janitor knows its files before root is given up and takes no orders but "now".

use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::time::Duration;

use nix::sys::signal::SigSet;
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork, setsid};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::descriptors;
use crate::files::OwnFile;
use crate::pidfile::Pidfile;

/// The server's side of a janitor.
#[derive(Debug)]
pub(crate) struct Janitor {
    pub(crate) orders: PipeWriter,
    /// Its end of file says that the janitor has gone.
    pub(crate) done: PipeReader,
}

/// The order to remove the sockets. The end of the orders is the order to remove all.
const SOCKETS: u8 = b's';
/// How long the server waits for the janitor at its end.
const PATIENCE: Duration = Duration::from_secs(2);

impl Janitor {
    /// Makes one for these files.
    pub(crate) fn hire(sockets: &[OwnFile], pidfile: Option<&Pidfile>) -> io::Result<Self> {
        let (orders_read, orders) = io::pipe()?;
        let (done, done_write) = io::pipe()?;
        // It is no child of the server's, so that the program's wait(2) never meets it.
        // SAFETY: neither child returns; each calls only what a process with one thread may.
        match unsafe { fork() }? {
            ForkResult::Parent { child } => {
                // Where the program ignores SIGCHLD this waits too, and then finds no child.
                let _ = waitpid(child, None);
                Ok(Self { orders, done })
            }
            ForkResult::Child => {
                // The server waits for this: its listeners must end with it, however soon.
                // The pidfile is known by its being open.
                let pipes = [orders_read.as_raw_fd(), done_write.as_raw_fd()];
                let kept: Vec<_> =
                    pipes.into_iter().chain(pidfile.map(Pidfile::as_raw_fd)).collect();
                close_all_but(&kept);
                // SAFETY: as above.
                if let Ok(ForkResult::Child) = unsafe { fork() } {
                    serve(orders_read, done_write, sockets, pidfile);
                }
                // SAFETY: nothing of the server's is run at this exit.
                unsafe { libc::_exit(0) }
            }
        }
    }

    pub(crate) fn remove_sockets(&mut self) {
        let _ = self.orders.write_all(&[SOCKETS]);
    }

    /// Removes all, and returns when that is done.
    pub(crate) fn remove_all(self) {
        drop(self.orders);
        let timeout = PATIENCE.try_into().ok();
        // A signal more, while the server ends, is no reason to leave before the files are gone.
        while poll(&mut [PollFd::new(&self.done, PollFlags::IN)], timeout.as_ref())
            == Err(Errno::INTR)
        {}
    }
}

impl From<[OwnedFd; 2]> for Janitor {
    /// The one that the start before has hired.
    fn from([orders, done]: [OwnedFd; 2]) -> Self {
        Self { orders: orders.into(), done: done.into() }
    }
}

/// The janitor's life.
fn serve(orders: PipeReader, done: PipeWriter, sockets: &[OwnFile], pidfile: Option<&Pidfile>) {
    // The end of a session or of a control group must not come before the server's.
    let _ = SigSet::all().thread_block();
    let _ = setsid();
    let _ = std::env::set_current_dir("/");
    let (mut orders, _done) = (ManuallyDrop::new(orders), ManuallyDrop::new(done));
    let mut order = [0];
    while orders.read(&mut order).is_ok_and(|len| len == 1) {
        if order == [SOCKETS] {
            sockets.iter().for_each(|socket| drop(socket.remove()));
        }
    }
    sockets.iter().for_each(|socket| drop(socket.remove()));
    let _ = pidfile.map(Pidfile::remove);
}

/// Closes what was open in the server.
fn close_all_but(kept: &[RawFd]) {
    for fd in descriptors::numbers(kept).into_iter().filter(|fd| !kept.contains(fd)) {
        // SAFETY: this process uses no descriptor but those kept.
        unsafe { libc::close(fd) };
    }
}
