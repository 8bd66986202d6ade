//! Descriptors that a program is started with.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Has it started with these as the descriptors from 3 on; `None` is closed.
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
    if !descriptors.is_empty() {
        // SAFETY: between fork and exec it calls dup2 and close alone.
        unsafe { command.pre_exec(renumber) };
    }
}
