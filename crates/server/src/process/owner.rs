//! The threads and the process that are the server's: a thread or a child of the program's is not.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::error::Misuse;
use crate::log;

/// How many loops there are, each of which has a thread.
pub(crate) const LOOPS: usize = 1;
/// The number of the loop of the thread that `main` runs on.
pub(crate) const MAIN: usize = 0;

/// The thread of each loop, by the loop's number; 0 where it has none, and in a child of the program's.
static OWNERS: [AtomicUsize; LOOPS] = [const { AtomicUsize::new(0) }; LOOPS];
/// Whether this process is a child of the program's.
static IS_CHILD: AtomicBool = AtomicBool::new(false);
/// The thread that forks what is to be the server; 0 where none does.
static FORKING: AtomicUsize = AtomicUsize::new(0);
/// Whether a call by another thread was logged.
static HAS_WARNED: AtomicBool = AtomicBool::new(false);

/// The number of this thread, which is never 0.
fn thread() -> usize {
    // SAFETY: it takes nothing.
    unsafe { libc::pthread_self() as usize }
}

/// Makes this thread that of the loop with this number. Returns whether it is: not where the loop has a thread, nor in
/// a child of the program's.
pub(crate) fn claim_thread(number: usize) -> bool {
    let claim = |owner: &AtomicUsize| {
        owner.compare_exchange(0, thread(), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    };
    !is_child() && claim(&OWNERS[number])
}

/// Leaves the loop with this number without a thread.
pub(crate) fn release_thread(number: usize) {
    OWNERS[number].store(0, Ordering::Relaxed);
    HAS_WARNED.store(false, Ordering::Relaxed);
}

/// Whether a server is there, or about to be.
pub(crate) fn has_server() -> bool {
    OWNERS[MAIN].load(Ordering::Relaxed) != 0
}

/// Whether this process is a child of the program's, which it has forked while it was the server.
pub(crate) fn is_child() -> bool {
    IS_CHILD.load(Ordering::Relaxed)
}

/// Acts, by a fork, of which the child is to be the server.
pub(super) fn keeping_child<R>(fork: impl FnOnce() -> R) -> R {
    FORKING.store(thread(), Ordering::Relaxed);
    let forked = fork();
    FORKING.store(0, Ordering::Relaxed);
    forked
}

/// Sees to it that a process that the program forks has no server: what it calls does nothing (CONTRACT
/// S23).
pub(crate) fn disown_children() {
    unsafe extern "C" fn prepare() {
        dorrit_engine::note_fork();
    }
    unsafe extern "C" fn disown() {
        if FORKING.load(Ordering::Relaxed) == thread() {
            return;
        }
        IS_CHILD.store(true, Ordering::Relaxed);
        OWNERS.iter().for_each(|owner| owner.store(0, Ordering::Relaxed));
        log::silence();
    }
    static SET: Once = Once::new();
    SET.call_once(|| {
        // SAFETY: the handlers store numbers.
        let is_set = unsafe { libc::pthread_atfork(Some(prepare), None, Some(disown)) } == 0;
        if !is_set {
            // Without memory for them it is as if there were a child already.
            dorrit_engine::note_fork();
        }
    });
}

/// Ends a child of the program's that has returned from a callback: the files that are removed at the
/// server's end are not its own.
pub(crate) fn end_child() {
    if is_child() {
        // SAFETY: what is to be run at exit is run by the server.
        unsafe { libc::_exit(1) }
    }
}

/// The number of the loop whose thread this is; `None` on a thread, or in a child, of the program's.
#[inline(always)]
pub(crate) fn own_loop() -> Option<usize> {
    let thread = thread();
    // Relaxed: a thread compares with what it stored itself, or finds what is not its own.
    OWNERS.iter().position(|owner| owner.load(Ordering::Relaxed) == thread)
}

/// What a call is where [`own_loop`] is none.
#[cold]
pub(crate) fn misuse() -> Misuse {
    if has_server() || is_child() {
        log_foreign_call();
        return Misuse::Foreign;
    }
    Misuse::NoLoop
}

/// Says, once, that a function was called by another thread than the server's.
#[cold]
fn log_foreign_call() {
    if !HAS_WARNED.swap(true, Ordering::Relaxed) {
        log::warning("a ws_ function was called by another thread than the server's");
    }
}
