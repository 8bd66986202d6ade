//! The thread and the process that are the server's: a thread or a child of the program's is not.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::log;

/// The thread that `main` runs on; 0 before it does, and in a child of the program's.
static OWNER: AtomicUsize = AtomicUsize::new(0);

/// The number of this thread, which is never 0.
fn thread() -> usize {
    // SAFETY: it takes nothing.
    unsafe { libc::pthread_self() as usize }
}

/// Makes this thread the server's. Called once, by `main`.
pub(crate) fn claim_thread() {
    OWNER.store(thread(), Ordering::Relaxed);
}

/// Sees to it that a process that the program forks has no server: what it calls does nothing (CONTRACT
/// S23).
pub(crate) fn disown_children() {
    unsafe extern "C" fn prepare() {
        dorrit_engine::note_fork();
    }
    unsafe extern "C" fn disown() {
        OWNER.store(0, Ordering::Relaxed);
        log::silence();
    }
    // SAFETY: the handlers store numbers.
    let is_set = unsafe { libc::pthread_atfork(Some(prepare), None, Some(disown)) } == 0;
    if !is_set {
        // Without memory for them it is as if there were a child already.
        dorrit_engine::note_fork();
    }
}

/// Ends a child of the program's that has returned from a callback: the files that are removed at the
/// server's end are not its own.
pub(crate) fn end_child() {
    if OWNER.load(Ordering::Relaxed) == 0 {
        // SAFETY: what is to be run at exit is run by the server.
        unsafe { libc::_exit(1) }
    }
}

/// Whether this is the server's thread.
pub(crate) fn is_owner() -> bool {
    // Relaxed: a thread compares with what it stored itself, or finds what is not its own.
    OWNER.load(Ordering::Relaxed) == thread()
}
