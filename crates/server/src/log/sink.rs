//! Where the log's lines go. No line makes the server wait: one that finds no room is counted, and the
//! number is told when there is room again.

use std::ffi::{CStr, CString, c_char, c_int};
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};

use super::level::Level;
use super::standard_error;
use super::syslogd::Syslogd;
use crate::error::errno_text;

/// Where lines go, and who writes them.
struct Sink {
    destination: Destination,
    /// The program's function, which takes the lines in the destination's place.
    taker: Option<LineTaker>,
    /// Whether the name is the program's for syslog(3), too.
    is_syslogs: bool,
    /// The name in front of each line, to which openlog(3) keeps a pointer.
    name: Option<CString>,
    /// The options of openlog(3), for the program's own lines.
    options: c_int,
    syslogd: Syslogd,
    /// Whether syslogd has a line that standard error takes none, since it took one.
    has_complained: bool,
}

/// A function of the program's that takes a line: its priority, as syslog(3) counts, and its text.
pub type LineTaker = unsafe extern "C" fn(c_int, *const c_char);

/// Where lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// Lines go to standard error.
    Stderr,
    /// Lines go where syslog(3) writes to.
    Syslog,
}

static SINK: Mutex<Sink> = Mutex::new(Sink::NEW);
/// How many lines were lost since one was written.
static LOST: AtomicU64 = AtomicU64::new(0);

/// The sink, unless a line is being written: what has interrupted that, a signal handler of the program's
/// or a panic, must not wait for it.
fn sink() -> Option<MutexGuard<'static, Sink>> {
    match SINK.try_lock() {
        Ok(sink) => Some(sink),
        Err(TryLockError::Poisoned(sink)) => Some(sink.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// Begins the log of a server, which is to be named so. In a process that is the server's, the program's own lines by
/// syslog(3) carry the name, too (CONTRACT D6).
pub(crate) fn begin(name: &CStr, is_process: bool) {
    standard_error::know_journal();
    if let Some(mut sink) = sink() {
        sink.is_syslogs = is_process;
        sink.open(name.to_owned());
    }
}

/// Names the server.
pub(crate) fn set_name(name: &CStr) {
    if let Some(mut sink) = sink() {
        sink.open(name.to_owned());
    }
}

/// Has a function of the program's take all lines from now on.
pub(crate) fn set_taker(taker: Option<LineTaker>) {
    if let Some(mut sink) = sink() {
        sink.taker = taker;
    }
}

/// Ends the log of a server: there may be another one.
pub(crate) fn end() {
    LOST.store(0, Ordering::Relaxed);
    if let Some(mut sink) = sink() {
        // syslog(3) may still point to the name.
        let name = sink.name.take().filter(|_| sink.is_syslogs);
        *sink = Sink { name, is_syslogs: sink.is_syslogs, ..Sink::NEW };
    }
}

/// Has lines go there from now on; before that, they go to standard error.
pub(crate) fn set_destination(destination: Destination) {
    if let Some(mut sink) = sink() {
        sink.destination = destination;
    }
}

/// Has the program's own lines seen where ours are to go: on standard error too, besides syslogd, unless
/// systemd reads both.
pub(crate) fn set_program_lines(destination: Destination) {
    let Some(mut sink) = sink() else { return };
    let is_seen = destination == Destination::Syslog || standard_error::is_journal();
    sink.options = libc::LOG_PID | if is_seen { 0 } else { libc::LOG_PERROR };
    if let Some(name) = sink.name.clone() {
        sink.open(name);
    }
}

/// Whether this descriptor is the log's.
pub(crate) fn owns(fd: RawFd) -> bool {
    sink().is_none_or(|sink| sink.syslogd.descriptor() == Some(fd))
}

/// Writes a line, behind the number of those that were lost before it.
pub(crate) fn write(level: Level, text: &str) {
    if !sink().is_some_and(|mut sink| sink.write(level, text)) {
        LOST.fetch_add(1, Ordering::Relaxed);
    }
}

/// Writes a line to syslogd, wherever the log goes; false where syslogd takes none now.
pub(super) fn write_to_syslogd(level: Level, text: &str) -> bool {
    sink().is_some_and(|mut sink| {
        let Sink { syslogd, name, .. } = &mut *sink;
        syslogd.write(level, name.as_deref().unwrap_or_default(), text)
    })
}

impl Sink {
    const NEW: Self = Self {
        destination: Destination::Stderr,
        taker: None,
        is_syslogs: false,
        name: None,
        options: libc::LOG_PID,
        syslogd: Syslogd::NONE,
        has_complained: false,
    };

    fn open(&mut self, name: CString) {
        if self.is_syslogs {
            // SAFETY: the string stays where it is until another one has taken its place.
            unsafe { libc::openlog(name.as_ptr(), self.options, libc::LOG_DAEMON) };
        }
        self.name = Some(name);
    }

    /// Writes a line; false where it is lost.
    fn write(&mut self, level: Level, text: &str) -> bool {
        let lost = LOST.load(Ordering::Relaxed);
        if lost > 0 {
            let before = format!("{lost} lines of the log were lost before this");
            if !self.write_one(Level::Warning, &before) {
                return false;
            }
            LOST.fetch_sub(lost, Ordering::Relaxed);
        }
        self.write_one(level, text)
    }

    /// Writes a line; false where there is no room for it.
    fn write_one(&mut self, level: Level, text: &str) -> bool {
        if let Some(taker) = self.taker {
            for line in text.lines() {
                let line: Vec<u8> = line.bytes().filter(|byte| *byte != 0).chain([0]).collect();
                // SAFETY: the program's function, and a string that ends with a zero byte.
                unsafe { taker(level.priority(), line.as_ptr().cast()) };
            }
            return true;
        }
        let name = self.name.as_deref().unwrap_or(c"server");
        if self.destination == Destination::Syslog {
            return self.syslogd.write(level, name, text);
        }
        let written = standard_error::write(level, name, text);
        let had_complained = std::mem::replace(&mut self.has_complained, written.is_err());
        if let Err(error) = written
            && !had_complained
        {
            let why = errno_text(&error.into());
            let text = format!("standard error takes no lines: {why}");
            self.syslogd.write(Level::Warning, name, &text);
        }
        written.is_ok()
    }
}
