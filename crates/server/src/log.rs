//! The log: syslog(3) for a daemon, stderr in the foreground (CONTRACT D7).

use std::ffi::{CStr, CString};
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The name in front of each line. syslog(3) keeps a pointer to it, so it lives as long as it is set.
static IDENT: Mutex<Option<CString>> = Mutex::new(None);
static IS_SYSLOG: AtomicBool = AtomicBool::new(false);

/// Names the server, in our lines and in those of the program's own syslog(3) (CONTRACT D6).
pub(crate) fn open(name: &CStr) {
    let mut ident = IDENT.lock().unwrap_or_else(PoisonError::into_inner);
    let name = name.to_owned();
    // SAFETY: the string stays where it is, in `IDENT`, until another one has taken its place.
    unsafe { libc::openlog(name.as_ptr(), libc::LOG_PID, libc::LOG_DAEMON) };
    *ident = Some(name);
}

/// From now on lines go to syslog(3).
pub(crate) fn use_syslog() {
    IS_SYSLOG.store(true, Ordering::Relaxed);
}

/// The server cannot go on, or not as it should.
pub(crate) fn error(text: &str) {
    line(libc::LOG_ERR, text);
}

/// Something is wrong, and the server goes on.
pub(crate) fn warning(text: &str) {
    line(libc::LOG_WARNING, text);
}

/// Something that an operator may want to know.
pub(crate) fn info(text: &str) {
    line(libc::LOG_INFO, text);
}

fn terminal(text: &str) {
    let ident = IDENT.lock().unwrap_or_else(PoisonError::into_inner);
    let name = ident.as_ref().map_or(c"server".to_bytes(), |name| name.to_bytes());
    let bytes = [name, b": ", text.as_bytes(), b"\n"].concat();
    // There is nowhere left to say that it failed.
    let _ = std::io::stderr().write_all(&bytes);
}

fn line(priority: libc::c_int, text: &str) {
    if !IS_SYSLOG.load(Ordering::Relaxed) {
        return terminal(text);
    }
    let text: Vec<u8> = text.bytes().filter(|&byte| byte != 0).collect();
    let Ok(text) = CString::new(text) else { return };
    // SAFETY: both are strings that end with a zero byte, and the format takes one string.
    unsafe { libc::syslog(priority, c"%s".as_ptr(), text.as_ptr()) };
}

/// Lets so many lines through in each minute, so that clients cannot fill the log.
#[derive(Default)]
pub(crate) struct Limiter {
    since: Option<Instant>,
    count: u64,
}

impl Limiter {
    const LINES: u64 = 10;

    /// Writes the line, unless there were too many.
    pub(crate) fn info(&mut self, text: impl FnOnce() -> String) {
        let now = Instant::now();
        if self.since.is_none_or(|since| now >= since + Duration::from_secs(60)) {
            if self.count > Self::LINES {
                info(&format!("{} more lines like this were left out", self.count - Self::LINES));
            }
            (self.since, self.count) = (Some(now), 0);
        }
        self.count += 1;
        if self.count <= Self::LINES {
            info(&text());
        }
    }
}
