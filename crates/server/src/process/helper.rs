//! Processes of ours beside the server. None of them is its child, so that the program's wait(2) never meets
//! one (CONTRACT S28).

use std::ffi::c_int;
use std::io;
use std::os::fd::RawFd;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow};

use super::descriptors;

/// Forks a process that keeps these descriptors alone, lives so, with all signals blocked, and ends. When
/// this returns it has closed the others.
///
/// # Safety
/// The server may have threads: `live` calls only what signal-safety(7) lists.
pub(crate) unsafe fn start(kept: &[RawFd], live: impl FnOnce()) -> io::Result<()> {
    let highest = descriptors::highest(kept);
    // A handler of the program's must not run in the children, nor meanwhile in the server.
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    // SAFETY: the child calls only what signal-safety(7) lists, and does not return.
    let child = unsafe { fork(UNSEEN) };
    if child == 0 {
        descriptors::close_all_but(kept, highest);
        // SAFETY: as above; nothing of the server's is run at these exits.
        unsafe {
            match fork(UNSEEN) {
                -1 => libc::_exit(Errno::last_raw()),
                0 => live(),
                _ => {}
            }
            libc::_exit(0)
        }
    }
    let started = Errno::result(child).and_then(|child| {
        let mut status = 0;
        // It has only to fork. Where the program ignores SIGCHLD this waits too, and then finds no child.
        // SAFETY: it fills what it is given.
        unsafe { libc::waitpid(child, &mut status, ALL_CHILDREN) };
        match libc::WEXITSTATUS(status) {
            0 => Ok(()),
            errno => Err(Errno::from_raw(errno)),
        }
    });
    before.thread_set_mask()?;
    Ok(started?)
}

/// Whether the server is the one to whom the system gives processes that have lost their parents.
pub(crate) fn is_reaper() -> bool {
    rustix::process::getpid().is_init() || is_reaper_by_choice()
}

#[cfg(target_os = "linux")]
fn is_reaper_by_choice() -> bool {
    rustix::process::child_subreaper().is_ok_and(|is_on| is_on.is_some())
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
/// There is no such child: it is there for a moment.
#[cfg(not(target_os = "linux"))]
const UNSEEN: c_int = libc::SIGCHLD;
#[cfg(target_os = "linux")]
const ALL_CHILDREN: c_int = libc::__WALL;
#[cfg(not(target_os = "linux"))]
const ALL_CHILDREN: c_int = 0;

/// Forks a child whose end has this signal. The program's handlers of pthread_atfork(3), which may wait for
/// what a thread holds, do not run.
///
/// # Safety
/// The child calls only what signal-safety(7) lists.
#[cfg(target_os = "linux")]
pub(crate) unsafe fn fork(signal: c_int) -> libc::pid_t {
    // The order of the arguments differs between processors, and all others are none.
    #[cfg(target_arch = "s390x")]
    let [first, second] = [0, signal as libc::c_ulong];
    #[cfg(not(target_arch = "s390x"))]
    let [first, second] = [signal as libc::c_ulong, 0];
    let none = std::ptr::null::<u8>();
    // SAFETY: without a stack and flags of its own the child is a copy, as of fork(2).
    unsafe { libc::syscall(libc::SYS_clone, first, second, none, none, none) as libc::pid_t }
}

/// Forks a child.
///
/// # Safety
/// It calls only what signal-safety(7) lists.
#[cfg(not(target_os = "linux"))]
pub(crate) unsafe fn fork(_signal: c_int) -> libc::pid_t {
    // SAFETY: the caller's promise.
    unsafe { libc::fork() }
}
