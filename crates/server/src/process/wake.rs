//! The pipe that wakes the loop: signal handlers and other threads write to it.

use std::io::{self, PipeReader, Read as _};
use std::os::fd::{IntoRawFd as _, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::thread;

/// The writing end of the pipe; none where there is no server.
static WAKE: AtomicI32 = AtomicI32::new(NONE);
/// How many are about to write to the pipe: until they have, it is not closed.
static WRITERS: AtomicUsize = AtomicUsize::new(0);

const NONE: RawFd = -1;

/// Makes the pipe. Returns its reading end.
pub(crate) fn open_wake_pipe() -> io::Result<PipeReader> {
    let (read, write) = io::pipe()?;
    rustix::io::ioctl_fionbio(&read, true)?;
    rustix::io::ioctl_fionbio(&write, true)?;
    WAKE.store(OwnedFd::from(write).into_raw_fd(), Ordering::SeqCst);
    Ok(read)
}

/// Wakes the loop, where there is one. Safe in a signal handler, but for errno.
pub(crate) fn wake() {
    WRITERS.fetch_add(1, Ordering::SeqCst);
    let wake = WAKE.load(Ordering::SeqCst);
    if wake != NONE {
        // SAFETY: one byte that lives long enough. Where the pipe is full, the loop is woken anyway.
        unsafe { libc::write(wake, c"".as_ptr().cast(), 1) };
    }
    WRITERS.fetch_sub(1, Ordering::SeqCst);
}

/// Empties the pipe.
pub(crate) fn drain_wake_pipe(mut wake: &PipeReader) {
    let mut bytes = [0; 64];
    while wake.read(&mut bytes).is_ok_and(|len| len == bytes.len()) {}
}

/// Closes the pipe, when those who write to it have written.
pub(crate) fn close_wake_pipe() {
    let wake = WAKE.swap(NONE, Ordering::SeqCst);
    while WRITERS.load(Ordering::SeqCst) > 0 {
        thread::yield_now();
    }
    if wake != NONE {
        // SAFETY: it is the pipe's, and nobody has its number any more.
        unsafe { libc::close(wake) };
    }
}

/// Whether this is the pipe's writing end.
pub(crate) fn is_wake_pipe(fd: RawFd) -> bool {
    fd != NONE && WAKE.load(Ordering::Relaxed) == fd
}
