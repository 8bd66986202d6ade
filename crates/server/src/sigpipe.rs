//! Writing to pipes and sockets whose reader may have gone: an error, and never the end of the process.

use std::ffi::c_int;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, signal};

/// Ignores SIGPIPE: a write to a pipe or socket whose reader is gone gives an error and ends nothing. What
/// the program has set is left alone, and it may set what it likes later.
pub(crate) fn ignore() {
    if replace(|before| matches!(before, SigHandler::SigDfl), SigHandler::SigIgn) {
        IS_IGNORED.store(true, Ordering::Relaxed);
    }
}

/// Gives SIGPIPE its default back, where [`ignore`] has taken it.
pub(crate) fn release() {
    if IS_IGNORED.swap(false, Ordering::Relaxed) {
        replace(|before| matches!(before, SigHandler::SigIgn), SigHandler::SigDfl);
    }
}

/// Whether SIGPIPE is ignored by us.
static IS_IGNORED: AtomicBool = AtomicBool::new(false);

/// Has SIGPIPE dealt with in another way, where `is_wanted` says so of what deals with it. Returns whether it does.
fn replace(is_wanted: impl Fn(&SigHandler) -> bool, other: SigHandler) -> bool {
    // SAFETY: no handler is installed, and the one that was there is put back.
    unsafe {
        match signal(Signal::SIGPIPE, other) {
            Ok(before) if is_wanted(&before) => true,
            Ok(before) => {
                let _ = signal(Signal::SIGPIPE, before);
                false
            }
            Err(_) => false,
        }
    }
}

/// Writes to a pipe or a socket whose reader may have gone.
pub(crate) fn write_all(mut to: impl io::Write, bytes: &[u8]) -> io::Result<()> {
    without_sigpipe(|| to.write_all(bytes))
}

/// Does something of which a SIGPIPE may come, which the program may have given its default back
/// (CONTRACT S13). A pipe has no MSG_NOSIGNAL.
pub(crate) fn without_sigpipe<R>(act: impl FnOnce() -> R) -> R {
    let mut pipe = SigSet::empty();
    pipe.add(Signal::SIGPIPE);
    let was_pending = is_pending(Signal::SIGPIPE);
    let Ok(before) = pipe.thread_swap_mask(SigmaskHow::SIG_BLOCK) else { return act() };
    let done = act();
    // It is this thread's, and there before the call has returned: this does not wait.
    if !was_pending && is_pending(Signal::SIGPIPE) {
        let _ = pipe.wait();
    }
    let _ = before.thread_set_mask();
    done
}

/// Whether this signal has come and waits, because it is blocked.
pub(crate) fn is_pending(signal: Signal) -> bool {
    let mut pending = *SigSet::empty().as_ref();
    // SAFETY: it fills what it is given.
    let found = unsafe { libc::sigpending(&mut pending) } == 0;
    // SAFETY: it looks at what it is given.
    found && unsafe { libc::sigismember(&pending, signal as c_int) } == 1
}
