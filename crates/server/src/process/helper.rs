//! Forking, of which all is here: helpers beside the server, what a helper starts, and the daemon. No helper is
//! the server's child, so that the program's wait(2) never meets one (CONTRACT S28).

use std::ffi::c_int;
use std::io;
use std::os::fd::RawFd;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow};

use super::signals::SIGNAL_NUMBERS;
use super::{descriptors, owner};

/// Forks a helper that keeps these descriptors alone, lives so, with all signals blocked, and ends. When
/// this returns it has closed the others.
///
/// # Safety
/// The server may have threads: `live` calls only what signal-safety(7) lists.
pub(crate) unsafe fn start_helper(kept: &[RawFd], live: impl FnOnce()) -> io::Result<()> {
    let highest = descriptors::highest(kept);
    // A handler of the program's must not run in the children, nor meanwhile in the server.
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    let helper = || {
        live();
        0
    };
    let between = || {
        descriptors::close_all_but(kept, highest);
        // SAFETY: the caller's promise.
        unsafe { fork(UNSEEN, helper) }.err().unwrap_or(0)
    };
    // SAFETY: the child calls only what signal-safety(7) lists.
    let child = unsafe { fork(UNSEEN, between) };
    // It has only to fork. Where the program ignores SIGCHLD this waits too, and then finds no child.
    let started = child.and_then(|child| match child.wait(ALL_CHILDREN) {
        Some(WaitStatus::Exited(errno)) if errno != 0 => Err(errno),
        _ => Ok(()),
    });
    before.thread_set_mask()?;
    started.map_err(io::Error::from_raw_os_error)
}

/// A child process of a helper's.
#[derive(Debug)]
pub(crate) struct Child(libc::pid_t);

/// How a process has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitStatus {
    /// The process has ended with this exit status.
    Exited(c_int),
    /// The process has been ended by this signal.
    Killed(c_int),
}

impl Child {
    /// Forks a child of which this process is told when it ends, and which does that and ends with the status
    /// that it returns. Fails with an errno.
    ///
    /// # Safety
    /// `live` calls only what signal-safety(7) lists, and all that needs memory is there already.
    pub(crate) unsafe fn start(live: impl FnOnce() -> c_int) -> Result<Self, c_int> {
        // SAFETY: whatever the program has made of it, children are to be waited for here.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
        // SAFETY: the caller's promise.
        unsafe { fork(libc::SIGCHLD, live) }
    }

    /// How the child has ended; `None` where it has not. One that cannot be waited for has ended well.
    pub(crate) fn try_wait(&self) -> Option<WaitStatus> {
        self.wait(libc::WNOHANG)
    }

    /// Ends the child, whatever it does.
    pub(crate) fn kill(self) {
        // SAFETY: it is this process's child, and has not been waited for.
        unsafe { libc::kill(self.0, libc::SIGKILL) };
        self.wait(0);
    }

    fn wait(&self, options: c_int) -> Option<WaitStatus> {
        let mut status = 0;
        // SAFETY: it fills what it is given.
        match unsafe { libc::waitpid(self.0, &mut status, options) } {
            0 => None,
            _ if libc::WIFSIGNALED(status) => Some(WaitStatus::Killed(libc::WTERMSIG(status))),
            _ => Some(WaitStatus::Exited(libc::WEXITSTATUS(status))),
        }
    }
}

/// Goes on in a child, as daemon(3) does: the C library sees to its own locks, and to the program's handlers of
/// pthread_atfork(3). Returns whether this is the child.
///
/// # Safety
/// The program's threads stay behind, and what they hold.
pub(crate) unsafe fn fork_server() -> io::Result<bool> {
    // SAFETY: the caller's promise.
    Ok(Errno::result(owner::keeping_child(|| unsafe { libc::fork() }))? == 0)
}

/// Gives each signal its default back, but for those that are to be ignored.
pub(crate) fn reset_signals(ignored: &[c_int]) {
    for signal in SIGNAL_NUMBERS {
        let action = if ignored.contains(&signal) { libc::SIG_IGN } else { libc::SIG_DFL };
        // SAFETY: neither is a handler. It fails where there is no such signal.
        unsafe { libc::signal(signal, action) };
    }
}

/// Whether the server is the one to whom the system gives processes that have lost their parents.
pub(crate) fn is_reaper() -> bool {
    rustix::process::getpid().is_init() || is_reaper_by_choice()
}

#[cfg(target_os = "linux")]
fn is_reaper_by_choice() -> bool {
    // Not rustix's: valgrind does not know that the call sets what is uninitialised there.
    nix::sys::prctl::get_child_subreaper().unwrap_or(false)
}

#[cfg(target_os = "freebsd")]
fn is_reaper_by_choice() -> bool {
    use rustix::process::{ReaperStatusFlags, get_reaper_status};
    get_reaper_status(None).is_ok_and(|status| status.flags.contains(ReaperStatusFlags::OWNED))
}

#[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
fn is_reaper_by_choice() -> bool {
    false
}

/// The signal of a child's end for one of which its parent is not told, and which wait(2) passes over
/// (clone(2)).
#[cfg(target_os = "linux")]
const UNSEEN: c_int = 0;
/// The signal of a child's end, where there is none of which its parent is not told: the child is there for
/// a moment.
#[cfg(not(target_os = "linux"))]
const UNSEEN: c_int = libc::SIGCHLD;
#[cfg(target_os = "linux")]
const ALL_CHILDREN: c_int = libc::__WALL;
#[cfg(not(target_os = "linux"))]
const ALL_CHILDREN: c_int = 0;

/// Forks a child whose end has this signal, and which does that and ends with the status that it returns. The
/// program's handlers of pthread_atfork(3), which may wait for what a thread holds, do not run. Fails with an
/// errno.
///
/// # Safety
/// `live` calls only what signal-safety(7) lists.
unsafe fn fork(signal: c_int, live: impl FnOnce() -> c_int) -> Result<Child, c_int> {
    // SAFETY: the caller's promise.
    match unsafe { clone(signal) } {
        -1 => Err(Errno::last_raw()),
        // SAFETY: nothing of the server's is run at this exit.
        0 => unsafe { libc::_exit(live()) },
        child => Ok(Child(child)),
    }
}

/// A copy of this process, as of fork(2), whose end has this signal.
///
/// # Safety
/// The child calls only what signal-safety(7) lists.
#[cfg(target_os = "linux")]
unsafe fn clone(signal: c_int) -> libc::pid_t {
    // The order of the arguments differs between processors, and all others are none.
    #[cfg(target_arch = "s390x")]
    let [first, second] = [0, signal as libc::c_ulong];
    #[cfg(not(target_arch = "s390x"))]
    let [first, second] = [signal as libc::c_ulong, 0];
    let none = std::ptr::null::<u8>();
    // SAFETY: without a stack and flags of its own the child is a copy.
    unsafe { libc::syscall(libc::SYS_clone, first, second, none, none, none) as libc::pid_t }
}

/// A copy of this process.
///
/// # Safety
/// The child calls only what signal-safety(7) lists.
#[cfg(not(target_os = "linux"))]
unsafe fn clone(_signal: c_int) -> libc::pid_t {
    // SAFETY: the caller's promise.
    unsafe { libc::fork() }
}
