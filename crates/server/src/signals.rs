//! The signals that end the server, and those that ask for its figures (CONTRACT D19, S10, S13).

use std::io::{self, PipeReader, Read as _};
use std::os::fd::{IntoRawFd as _, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction, signal};
use nix::unistd::getpid;

static IS_STOPPING: AtomicBool = AtomicBool::new(false);
static IS_ASKED: AtomicBool = AtomicBool::new(false);
/// Those that ask, as far as they are not the program's.
static QUESTIONS: OnceLock<Vec<Signal>> = OnceLock::new();
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

/// Catches SIGTERM, SIGINT in the foreground, and what asks for the figures. `mask` is what was blocked
/// before the program has run. Returns the pipe that wakes the loop.
pub(crate) fn catch(is_foreground: bool, mask: &SigSet) -> io::Result<PipeReader> {
    let (read, write) = io::pipe()?;
    rustix::io::ioctl_fionbio(&read, true)?;
    rustix::io::ioctl_fionbio(&write, true)?;
    SERVER.store(getpid().as_raw(), Ordering::Relaxed);
    WAKE.store(OwnedFd::from(write).into_raw_fd(), Ordering::Relaxed);
    let action = SigAction::new(SigHandler::Handler(stop), SaFlags::SA_RESTART, SigSet::empty());
    let signals =
        if is_foreground { &[Signal::SIGTERM, Signal::SIGINT][..] } else { &[Signal::SIGTERM] };
    let mut caught = SigSet::empty();
    for &signal in signals {
        // SAFETY: the handler calls only what signal-safety(7) allows.
        unsafe { sigaction(signal, &action) }?;
        caught.add(signal);
    }
    for signal in catch_questions(mask)? {
        caught.add(*signal);
    }
    // Whoever started us may have blocked them.
    caught.thread_unblock()?;
    Ok(read)
}

/// Catches those that ask: SIGUSR1, and SIGINFO where there is one. One that the program handles, ignores
/// or blocks is its own.
fn catch_questions(mask: &SigSet) -> io::Result<&'static [Signal]> {
    let action = SigAction::new(SigHandler::Handler(ask), SaFlags::SA_RESTART, SigSet::empty());
    let blocked = SigSet::thread_get_mask()?;
    let mut caught = Vec::new();
    for signal in ["SIGUSR1", "SIGINFO"].iter().filter_map(|name| name.parse().ok()) {
        if blocked.contains(signal) && !mask.contains(signal) {
            continue;
        }
        // SAFETY: the handler calls only what signal-safety(7) allows; the program's is put back.
        unsafe {
            let before = sigaction(signal, &action)?;
            if matches!(before.handler(), SigHandler::SigDfl) {
                caught.push(signal);
            } else {
                sigaction(signal, &before)?;
            }
        }
    }
    Ok(QUESTIONS.get_or_init(|| caught))
}

/// The signals that ask for the figures; none before they are caught.
pub(crate) fn questions() -> impl Iterator<Item = Signal> {
    QUESTIONS.get().into_iter().flatten().copied()
}

/// Empties the pipe that wakes the loop.
pub(crate) fn drain(mut wake: &PipeReader) {
    let mut bytes = [0; 64];
    while wake.read(&mut bytes).is_ok_and(|len| len == bytes.len()) {}
}

/// Whether the figures were asked for since the last time.
pub(crate) fn take_question() -> bool {
    IS_ASKED.swap(false, Ordering::Relaxed)
}

/// Whether the server is to stop.
pub(crate) fn is_stopping() -> bool {
    IS_STOPPING.load(Ordering::Relaxed)
}

extern "C" fn stop(_signal: libc::c_int) {
    note(&IS_STOPPING);
}

extern "C" fn ask(_signal: libc::c_int) {
    note(&IS_ASKED);
}

/// Notes a signal, and wakes the loop. Safe in a signal handler.
fn note(what: &AtomicBool) {
    let errno = Errno::last_raw();
    if getpid().as_raw() == SERVER.load(Ordering::Relaxed) {
        what.store(true, Ordering::Relaxed);
        // SAFETY: one byte that lives long enough. Where the pipe is full, the loop is woken anyway.
        unsafe { libc::write(WAKE.load(Ordering::Relaxed), c"".as_ptr().cast(), 1) };
    }
    Errno::set_raw(errno);
}
