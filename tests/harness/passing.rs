//! What a program is started with: descriptors, and signals of which none is ignored or blocked, whatever
//! the tests themselves were started with.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Has it started with these as the descriptors from 3 on, and no others; `None` is closed.
pub(super) fn pass(command: &mut Command, descriptors: &[Option<OwnedFd>]) {
    let first = 3;
    let behind = first + descriptors.len() as i32;
    // Away from the numbers that are to be theirs, lest one takes the place of another.
    // SAFETY: it makes a new descriptor, which nobody else knows of.
    let aside = |it: &OwnedFd| unsafe {
        OwnedFd::from_raw_fd(libc::fcntl(it.as_raw_fd(), libc::F_DUPFD_CLOEXEC, behind))
    };
    let aside: Vec<_> = descriptors.iter().map(|it| it.as_ref().map(aside)).collect();
    let renumber = move || {
        for (number, source) in (first..).zip(&aside) {
            // SAFETY: in the child, of whose descriptors nobody uses those that are replaced.
            let result = unsafe {
                match source {
                    Some(source) => libc::dup2(source.as_raw_fd(), number),
                    None => libc::close(number).max(0),
                }
            };
            if result < 0 {
                return Err(std::io::Error::last_os_error());
            }
        }
        Ok(())
    };
    // SAFETY: between fork and exec they call only what signal-safety(7) lists, and syscall.
    unsafe {
        command.pre_exec(renumber);
        command.pre_exec(move || {
            inherit_nothing(behind);
            Ok(())
        });
    }
}

/// Gives each signal its default, and closes the descriptors from that number on in what is executed.
fn inherit_nothing(first: i32) {
    // SAFETY: no handler is installed; what fails concerns numbers that are no signals, or nobody's.
    unsafe {
        for signal in 1..=64 {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
        libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
    }
}
