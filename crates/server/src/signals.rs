//! The signals that end the server (CONTRACT D19, S10, S13).

use std::io;
use std::os::fd::{IntoRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction, signal};
use nix::unistd::getpid;

static IS_STOPPING: AtomicBool = AtomicBool::new(false);
/// The writing end of the pipe that wakes the loop.
static WAKE: AtomicI32 = AtomicI32::new(-1);
/// The process that the signals end. A child of the program's has our handler until it execs.
static SERVER: AtomicI32 = AtomicI32::new(0);

/// A write to a pipe or socket whose reader is gone gives an error and ends nothing. What the program
/// has set is left alone, and it may set what it likes later.
pub(crate) fn ignore_sigpipe() {
    // SAFETY: no handler is installed, and the one that was there is put back.
    unsafe {
        if let Ok(before) = signal(Signal::SIGPIPE, SigHandler::SigIgn)
            && !matches!(before, SigHandler::SigDfl)
        {
            let _ = signal(Signal::SIGPIPE, before);
        }
    }
}

/// Catches SIGTERM, and SIGINT in the foreground. Returns the pipe that wakes the loop.
pub(crate) fn catch_stop(is_foreground: bool) -> io::Result<OwnedFd> {
    let (read, write) = io::pipe()?;
    let (read, write) = (OwnedFd::from(read), OwnedFd::from(write));
    rustix::io::ioctl_fionbio(&read, true)?;
    rustix::io::ioctl_fionbio(&write, true)?;
    SERVER.store(getpid().as_raw(), Ordering::Relaxed);
    WAKE.store(write.into_raw_fd(), Ordering::Relaxed);
    let action = SigAction::new(SigHandler::Handler(stop), SaFlags::SA_RESTART, SigSet::empty());
    let signals =
        if is_foreground { &[Signal::SIGTERM, Signal::SIGINT][..] } else { &[Signal::SIGTERM] };
    let mut caught = SigSet::empty();
    for &signal in signals {
        // SAFETY: the handler calls only what signal-safety(7) allows.
        unsafe { sigaction(signal, &action) }?;
        caught.add(signal);
    }
    // Whoever started us may have blocked them.
    caught.thread_unblock()?;
    Ok(read)
}

/// Whether the server is to stop.
pub(crate) fn is_stopping() -> bool {
    IS_STOPPING.load(Ordering::Relaxed)
}

extern "C" fn stop(_signal: libc::c_int) {
    let errno = Errno::last_raw();
    if getpid().as_raw() == SERVER.load(Ordering::Relaxed) {
        IS_STOPPING.store(true, Ordering::Relaxed);
        // SAFETY: one byte that lives long enough. Where the pipe is full, the loop is woken anyway.
        unsafe { libc::write(WAKE.load(Ordering::Relaxed), c"".as_ptr().cast(), 1) };
    }
    Errno::set_raw(errno);
}
