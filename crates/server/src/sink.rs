//! Where the log's lines go. No line makes the server wait: one that finds no room is counted, and the
//! number is told when there is room again.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::SendFlags;

use crate::log::Level;
use crate::start::words;

/// The name in front of each line. syslog(3) keeps a pointer to it, so it lives as long as it is set.
static IDENT: Mutex<Option<CString>> = Mutex::new(None);
static IS_SYSLOG: AtomicBool = AtomicBool::new(false);
/// What names the stream that systemd reads, as it was before the program could change it.
static JOURNAL: OnceLock<Option<String>> = OnceLock::new();
/// How many lines were lost since one was written.
static LOST: AtomicU64 = AtomicU64::new(0);
/// syslog(3) was told that standard error takes no lines, since it took one.
static HAS_TOLD: AtomicBool = AtomicBool::new(false);

/// Where syslogd listens, on systems on which syslog(3) waits for it.
const SYSLOGD: &str = "/dev/log";
/// Has the stream's device and inode (systemd.exec(5)).
const JOURNAL_STREAM: &str = "JOURNAL_STREAM";

/// Names the server, in our lines and in those of the program's own syslog(3) (CONTRACT D6).
pub(crate) fn open(name: &CStr) {
    JOURNAL.get_or_init(|| std::env::var(JOURNAL_STREAM).ok());
    let mut ident = IDENT.lock().unwrap_or_else(PoisonError::into_inner);
    let name = name.to_owned();
    // SAFETY: the string stays where it is, in `IDENT`, until another one has taken its place.
    unsafe { libc::openlog(name.as_ptr(), libc::LOG_PID, libc::LOG_DAEMON) };
    *ident = Some(name);
}

/// Where lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    Stderr,
    /// syslog(3).
    Syslog,
}

/// From now on lines go there; before that, to standard error.
pub(crate) fn set_destination(destination: Destination) {
    IS_SYSLOG.store(destination == Destination::Syslog, Ordering::Relaxed);
}

/// Writes a line, behind the number of those that were lost before it.
pub(crate) fn write(level: Level, text: &str) {
    let lost = LOST.load(Ordering::Relaxed);
    let is_told = lost == 0
        || write_one(Level::Warning, &format!("{lost} lines of the log were lost before this"));
    if is_told {
        LOST.store(0, Ordering::Relaxed);
    }
    if !is_told || !write_one(level, text) {
        LOST.fetch_add(1, Ordering::Relaxed);
    }
}

/// Writes a line; false where there is no room for it.
fn write_one(level: Level, text: &str) -> bool {
    if IS_SYSLOG.load(Ordering::Relaxed) {
        return to_syslog(level, text);
    }
    match to_stderr(level, text) {
        Ok(()) => {
            HAS_TOLD.store(false, Ordering::Relaxed);
            true
        }
        Err(error) => {
            if !HAS_TOLD.swap(true, Ordering::Relaxed) {
                let why = words(&error.into());
                to_syslog(Level::Warning, &format!("standard error takes no lines: {why}"));
            }
            false
        }
    }
}

/// The same to standard error. The descriptor may be shared with others, so that its flags are not ours
/// to change.
fn to_stderr(level: Level, text: &str) -> Result<(), Errno> {
    let ident = IDENT.lock().unwrap_or_else(PoisonError::into_inner);
    let name = ident.as_ref().map_or(c"server".to_bytes(), |name| name.to_bytes());
    let stderr = io::stderr();
    let stderr = stderr.as_fd();
    // sd-daemon(3).
    let prefix = if is_journal(stderr) { format!("<{}>", level.priority()) } else { String::new() };
    let line = [prefix.as_bytes(), name, b": ", text.as_bytes(), b"\n"].concat();
    let mut rest = &line[..];
    while !rest.is_empty() {
        // Where poll(2) finds room in a pipe, it is for so much at least.
        let sent = send(stderr, &rest[..rest.len().min(libc::PIPE_BUF)])?;
        rest = &rest[sent..];
    }
    Ok(())
}

/// Whether systemd reads there.
fn is_journal(stderr: BorrowedFd<'_>) -> bool {
    let stream = JOURNAL.get().and_then(|stream| stream.as_deref()?.split_once(':'));
    let Some((device, inode)) = stream else { return false };
    let Ok(file) = rustix::fs::fstat(stderr) else { return false };
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

/// The same to syslog(3), which says nothing of lines that it cannot write.
fn to_syslog(level: Level, text: &str) -> bool {
    if is_syslogd_full() {
        return false;
    }
    let text: Vec<u8> = text.bytes().filter(|&byte| byte != 0).collect();
    let Ok(text) = CString::new(text) else { return false };
    // SAFETY: both are strings that end with a zero byte, and the format takes one string.
    unsafe { libc::syslog(level.priority(), c"%s".as_ptr(), text.as_ptr()) };
    true
}

/// Whether syslog(3) would have to wait for a syslogd that does not read. Its socket is its own, so that
/// another one is asked.
fn is_syslogd_full() -> bool {
    let socket = UnixDatagram::unbound().and_then(|socket| {
        socket.connect(SYSLOGD)?;
        Ok(socket)
    });
    socket.is_ok_and(|socket| has_room(socket.as_fd()) == Ok(false))
}
