//! A process that keeps root's right to remove the files of a server that has given it up.
//!
//! `/var/run` belongs to root, and the server runs as somebody else when it ends (CONTRACT S10). The
//! janitor knows the two files before root is given up and takes no orders but "now".

use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use nix::sys::signal::SigSet;
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork, setsid};
use rustix::event::{PollFd, PollFlags, poll};

use crate::limits;
use crate::socket::OwnFile;
use crate::start::{StartError, words};

/// The files that are the server's, and who removes them.
#[derive(Debug)]
pub(crate) struct Files {
    socket: OwnFile,
    pidfile: Option<OwnFile>,
    janitor: Option<Janitor>,
}

#[derive(Debug)]
struct Janitor {
    orders: PipeWriter,
    /// Its end of file says that the janitor has gone.
    done: PipeReader,
}

/// The order to remove the socket. The end of the orders is the order to remove all.
const SOCKET: u8 = b's';
/// How long the server waits for the janitor at its end.
const PATIENCE: Duration = Duration::from_secs(2);

impl Files {
    pub(crate) fn new(socket: OwnFile, pidfile: Option<OwnFile>) -> Self {
        Self { socket, pidfile, janitor: None }
    }

    /// Leaves the files to a janitor. Called while the server is root, before it becomes another user.
    pub(crate) fn keep_rights(&mut self) -> Result<(), StartError> {
        let janitor = self.hire();
        let fail = |error: &io::Error| StartError::new(format_args!("janitor: {}", words(error)));
        self.janitor = Some(janitor.map_err(|error| fail(&error))?);
        Ok(())
    }

    fn hire(&self) -> io::Result<Janitor> {
        let (orders_read, orders) = io::pipe()?;
        let (done, done_write) = io::pipe()?;
        // It is no child of the server's, so that the program's wait(2) never meets it.
        // SAFETY: neither child returns; each calls only what a process with one thread may.
        match unsafe { fork() }? {
            ForkResult::Parent { child } => {
                waitpid(child, None)?;
                Ok(Janitor { orders, done })
            }
            ForkResult::Child => {
                // SAFETY: as above.
                if let Ok(ForkResult::Child) = unsafe { fork() } {
                    self.serve(orders_read, done_write);
                }
                // SAFETY: nothing of the server's is run at this exit.
                unsafe { libc::_exit(0) }
            }
        }
    }

    /// The janitor's life.
    fn serve(&self, orders: PipeReader, done: PipeWriter) {
        // The end of a session or of a control group must not come before the server's.
        let _ = SigSet::all().thread_block();
        let _ = setsid();
        let _ = std::env::set_current_dir("/");
        close_all_but(&[orders.as_raw_fd(), done.as_raw_fd()]);
        let (mut orders, _done) = (ManuallyDrop::new(orders), ManuallyDrop::new(done));
        let mut order = [0];
        while orders.read(&mut order).is_ok_and(|len| len == 1) {
            if order == [SOCKET] {
                let _ = self.socket.remove();
            }
        }
        let _ = self.socket.remove();
        let _ = self.pidfile.as_ref().map(OwnFile::remove);
    }

    /// Removes the socket.
    pub(crate) fn remove_socket(&mut self) {
        match &mut self.janitor {
            Some(janitor) => {
                let _ = janitor.orders.write_all(&[SOCKET]);
            }
            None => {
                let _ = self.socket.remove();
            }
        }
    }

    /// Removes all files, and returns when they are gone.
    pub(crate) fn remove_all(mut self) {
        self.remove_socket();
        match self.janitor.take() {
            Some(Janitor { orders, done }) => {
                drop(orders);
                let timeout = PATIENCE.try_into().ok();
                let _ = poll(&mut [PollFd::new(&done, PollFlags::IN)], timeout.as_ref());
            }
            None => {
                let _ = self.pidfile.as_ref().map(OwnFile::remove);
            }
        }
    }
}

/// Closes what was open in the server: its listener above all, which must end with it.
fn close_all_but(kept: &[RawFd]) {
    let close = |fd| {
        if !kept.contains(&fd) {
            // SAFETY: this process uses no descriptor but those kept.
            unsafe { libc::close(fd) };
        }
    };
    let listed = listed_descriptors();
    if kept.iter().all(|fd| listed.contains(fd)) {
        listed.into_iter().for_each(close);
    } else {
        (0..limits::descriptors().min(MOST) as RawFd).for_each(close);
    }
}

/// Where descriptors are not listed, how many are looked at: there may be a limit of a billion.
const MOST: u64 = 1 << 20;

/// The descriptors of this process, where the system lists them all.
fn listed_descriptors() -> Vec<RawFd> {
    let entries = std::fs::read_dir("/dev/fd").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}
