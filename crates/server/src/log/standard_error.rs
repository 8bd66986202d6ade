//! Standard error, as far as the log goes there. The descriptor may be shared with others, so that its flags
//! are not ours to change.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::OnceLock;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::SendFlags;
use rustix::pipe::PIPE_BUF;

use super::level::Level;
use crate::sigpipe::without_sigpipe;

/// What names the stream that systemd reads, as it was before the program could change it.
static JOURNAL: OnceLock<Option<String>> = OnceLock::new();
/// The variable with the stream's device and inode (systemd.exec(5)).
const JOURNAL_STREAM: &str = "JOURNAL_STREAM";

/// Notes which stream systemd reads. What is found first counts.
pub(crate) fn know_journal() {
    JOURNAL.get_or_init(|| std::env::var(JOURNAL_STREAM).ok());
}

/// Writes a line, where that does not have to wait.
pub(crate) fn write(level: Level, name: &CStr, text: &str) -> Result<(), Errno> {
    // sd-daemon(3).
    let prefix = if is_journal() { format!("<{}>", level.priority()) } else { String::new() };
    let line = [prefix.as_bytes(), name.to_bytes(), b": ", text.as_bytes(), b"\n"].concat();
    let stderr = io::stderr();
    without_sigpipe(|| send_all(stderr.as_fd(), &line))
}

fn send_all(stderr: BorrowedFd<'_>, line: &[u8]) -> Result<(), Errno> {
    let mut rest = line;
    while !rest.is_empty() {
        // Where poll(2) finds room in a pipe, it is for so much at least.
        let sent = send(stderr, &rest[..rest.len().min(PIPE_BUF)])?;
        rest = &rest[sent..];
    }
    Ok(())
}

/// Whether systemd reads standard error.
pub(crate) fn is_journal() -> bool {
    let stream = JOURNAL.get().and_then(|stream| stream.as_deref()?.split_once(':'));
    let Some((device, inode)) = stream else { return false };
    let Ok(file) = rustix::fs::fstat(io::stderr()) else { return false };
    device.parse() == Ok(file.st_dev) && inode.parse() == Ok(file.st_ino)
}

/// Sends what there is room for now.
fn send(stderr: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize, Errno> {
    let sent = match rustix::net::send(stderr, bytes, SendFlags::DONTWAIT) {
        Err(Errno::NOTSOCK) if !has_room(stderr)? => Err(Errno::AGAIN),
        Err(Errno::NOTSOCK) => rustix::io::write(stderr, bytes),
        sent => sent,
    };
    match sent {
        Ok(0) => Err(Errno::IO),
        Err(Errno::INTR) => Ok(0),
        sent => sent,
    }
}

/// Whether a write does not have to wait.
fn has_room(fd: BorrowedFd<'_>) -> Result<bool, Errno> {
    let mut polled = [PollFd::from_borrowed_fd(fd, PollFlags::OUT)];
    match poll(&mut polled, Some(&Timespec::default())) {
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error),
        // Who reads a pipe has gone.
        Ok(_) if polled[0].revents().contains(PollFlags::ERR) => Err(Errno::PIPE),
        Ok(_) => Ok(polled[0].revents().contains(PollFlags::OUT)),
    }
}
