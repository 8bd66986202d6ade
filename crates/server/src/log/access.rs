//! The access log: a line for each request, in the combined format of Apache httpd and nginx.

use std::collections::TryReserveError;
use std::io::Write as _;
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use dorrit_proto::Request;
use httpdate::HttpDate;
use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use rustix::io::Errno;

use super::level::Level;
use super::{lines, sink};
use crate::error::{StartError, errno_text};
use crate::sigpipe::without_sigpipe;

/// Where the lines of the access log go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AccessDestination {
    /// Lines are appended to this file.
    File(PathBuf),
    /// Lines go to syslogd.
    Syslog,
}

/// The access log. Lines are kept until [`AccessLog::flush`], and none makes the server wait: what cannot be written is
/// counted, and the number is told in the log.
#[derive(Debug)]
pub(crate) struct AccessLog {
    output: Output,
    buffer: Vec<u8>,
    date: Date,
    /// The last byte in the file ends no line, and what should follow it is lost.
    is_torn: bool,
    lost: Lost,
}

/// A request, and how it was answered.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    /// The client's address, where it is known.
    pub(crate) address: Option<&'a str>,
    /// The request, where it was one.
    pub(crate) request: Option<&'a Request>,
    /// The status that it was answered with.
    pub(crate) status: u16,
    /// How many bytes of the answer's body were sent.
    pub(crate) bytes: u64,
}

#[derive(Debug)]
enum Output {
    File { file: OwnedFd, kind: FileType },
    Syslog,
}

/// The lines that could not be written.
#[derive(Debug)]
struct Lost {
    count: u64,
    /// Why the last of them was lost.
    why: Errno,
    /// When their number was told.
    told: Option<Instant>,
}

/// How many bytes of lines may wait to be written: four of the longest, and many of the usual ones.
const LONGEST_WAIT: usize = 4 * 4 * dorrit_proto::MAX_HEAD;
/// How much of the buffer is kept once it was written.
const KEPT: usize = 1 << 14;
/// How many bytes of a line syslogd is sent: not all take more (RFC 5424 6.1).
const SYSLOG_LINE: usize = 2000;
/// How often the number of lost lines is told.
const MINUTE: Duration = Duration::from_secs(60);

impl AccessLog {
    /// Opens the log. A file is made where there is none; it may be a device too, or a FIFO that is being read.
    pub(crate) fn open(destination: &AccessDestination) -> Result<Self, StartError> {
        let output = match destination {
            AccessDestination::Syslog => Output::Syslog,
            AccessDestination::File(path) => open_file(path)
                .map_err(|why| StartError::path("--access-log", path, why))
                .map(|(file, kind)| Output::File { file, kind })?,
        };
        let lost = Lost { count: 0, why: Errno::NOMEM, told: None };
        Ok(Self { output, buffer: Vec::new(), date: Date::NONE, is_torn: false, lost })
    }

    /// Takes a line, which is written with the next [`AccessLog::flush`], or sooner where many wait.
    pub(crate) fn write(&mut self, entry: &Entry<'_>) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.write_at(now.as_secs(), entry);
    }

    fn write_at(&mut self, second: u64, entry: &Entry<'_>) {
        let mut start = self.buffer.len();
        let mut appended = self.append(second, entry);
        if appended.is_ok() && self.buffer.len() > LONGEST_WAIT && start > 0 {
            self.buffer.truncate(start);
            self.flush();
            start = self.buffer.len();
            appended = self.append(second, entry);
        }
        if appended.is_err() || self.buffer.len() > LONGEST_WAIT {
            self.buffer.truncate(start);
            self.lost.note(1, if appended.is_err() { Errno::NOMEM } else { Errno::AGAIN });
        }
    }

    /// Appends a line to the buffer, or the beginning of one.
    fn append(&mut self, second: u64, entry: &Entry<'_>) -> Result<(), TryReserveError> {
        let Self { buffer, date, .. } = self;
        if self.is_torn && buffer.is_empty() {
            push(buffer, b"\n")?;
        }
        escape(buffer, entry.address.unwrap_or("-").as_bytes())?;
        push(buffer, b" - - [")?;
        push(buffer, date.at(second))?;
        push(buffer, b"] \"")?;
        match entry.request {
            Some(request) => {
                escape(buffer, request.method())?;
                push(buffer, b" ")?;
                escape(buffer, request.target())?;
                push(buffer, if request.is_current() { b" HTTP/1.1" } else { b" HTTP/1.0" })?;
            }
            None => push(buffer, b"-")?,
        }
        let mut numbers = [0; 32];
        let mut rest = &mut numbers[..];
        // There is room for any two.
        let _ = write!(rest, "\" {} {} \"", entry.status, entry.bytes);
        let len = rest.len();
        push(buffer, &numbers[..numbers.len() - len])?;
        let header = |name| entry.request.and_then(|request| request.header(name).next());
        let text = |value: Option<_>| value.filter(|it: &&[u8]| !it.is_empty()).unwrap_or(b"-");
        escape(buffer, text(header("referer")))?;
        push(buffer, b"\" \"")?;
        escape(buffer, text(header("user-agent")))?;
        push(buffer, b"\"\n")
    }

    /// Writes the lines that wait. The loop calls this before it sleeps.
    pub(crate) fn flush(&mut self) {
        if !self.buffer.is_empty() {
            match self.output {
                Output::File { .. } => self.flush_file(),
                Output::Syslog => self.flush_syslog(),
            }
            if self.buffer.is_empty() {
                self.buffer.shrink_to(KEPT);
            }
        }
        self.lost.tell(|told| told.elapsed() >= MINUTE);
    }

    fn flush_file(&mut self) {
        let Output::File { file, kind } = &self.output else { return };
        let write = |bytes: &[u8]| match kind {
            FileType::Fifo => without_sigpipe(|| rustix::io::write(file, bytes)),
            _ => rustix::io::write(file, bytes),
        };
        while !self.buffer.is_empty() {
            let error = match write(&self.buffer) {
                Ok(written @ 1..) => {
                    self.is_torn = self.buffer[written - 1] != b'\n';
                    self.buffer.drain(..written);
                    continue;
                }
                Ok(_) => Errno::IO,
                Err(error) => error,
            };
            match error {
                Errno::INTR => {}
                // A FIFO or a device that is full: the rest waits.
                Errno::AGAIN => return,
                _ => return self.lose(error),
            }
        }
    }

    fn flush_syslog(&mut self) {
        for line in self.buffer.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            let line = &line[..line.len().min(SYSLOG_LINE)];
            // All that is no visible ASCII is escaped.
            let line = std::str::from_utf8(line).unwrap_or_default();
            if !sink::write_to_syslogd(Level::Info, line) {
                self.lost.note(1, Errno::NOBUFS);
            }
        }
        self.buffer.clear();
    }

    /// Gives up the lines that wait.
    fn lose(&mut self, why: Errno) {
        // Where the first byte ends a line, that one was counted.
        let ends = self.buffer.iter().skip(1).filter(|&&byte| byte == b'\n').count();
        self.lost.note(ends as u64, why);
        self.buffer.clear();
    }

    /// The log's descriptor, where it has one of its own.
    pub(crate) fn descriptor(&self) -> Option<RawFd> {
        match &self.output {
            Output::File { file, .. } => Some(file.as_raw_fd()),
            Output::Syslog => None,
        }
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.flush();
        self.lose(Errno::AGAIN);
        self.lost.tell(|_| true);
    }
}

impl Lost {
    /// Counts lines that were lost.
    fn note(&mut self, count: u64, why: Errno) {
        if count > 0 {
            (self.count, self.why) = (self.count.saturating_add(count), why);
        }
    }

    /// Tells how many lines were lost, if it was not told before, or that is long ago.
    fn tell(&mut self, is_long_ago: impl FnOnce(&Instant) -> bool) {
        if self.count > 0 && self.told.as_ref().is_none_or(is_long_ago) {
            let why = match self.why {
                Errno::AGAIN => "they were not taken in time".to_owned(),
                Errno::NOBUFS => "syslogd takes none".to_owned(),
                other => errno_text(&other.into()),
            };
            let text =
                format_args!("lines of the access log that are lost: {} ({why})", self.count);
            lines::limited(Level::Warning, text);
            (self.count, self.told) = (0, Some(Instant::now()));
        }
    }
}

/// Opens the file of the log, never waiting for one, and says what it is.
fn open_file(path: &Path) -> Result<(OwnedFd, FileType), String> {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE;
    let flags = flags | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    let file = open(path, flags, Mode::from_raw_mode(0o640)).map_err(|error| match error {
        Errno::NXIO => "nobody reads from it".to_owned(),
        _ => errno_text(&error.into()),
    })?;
    let found = fstat(&file).map_err(|error| errno_text(&error.into()))?;
    match FileType::from_raw_mode(found.st_mode) {
        kind @ (FileType::RegularFile | FileType::CharacterDevice | FileType::Fifo) => {
            Ok((file, kind))
        }
        _ => Err("is neither a file nor a device of characters, nor a FIFO".to_owned()),
    }
}

/// Appends bytes.
fn push(buffer: &mut Vec<u8>, bytes: &[u8]) -> Result<(), TryReserveError> {
    buffer.try_reserve(bytes.len())?;
    buffer.extend_from_slice(bytes);
    Ok(())
}

/// Appends bytes of a client's, none of which ends a line or a quoted text: as nginx writes them.
fn escape(buffer: &mut Vec<u8>, bytes: &[u8]) -> Result<(), TryReserveError> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !b"\"\\".contains(byte);
    let mut rest = bytes;
    while !rest.is_empty() {
        let plain = rest.iter().position(|byte| !is_plain(byte)).unwrap_or(rest.len());
        push(buffer, &rest[..plain])?;
        rest = &rest[plain..];
        if let Some((byte, more)) = rest.split_first() {
            let [high, low] = [byte >> 4, byte & 0xf].map(|digit| DIGITS[usize::from(digit)]);
            push(buffer, &[b'\\', b'x', high, low])?;
            rest = more;
        }
    }
    Ok(())
}

/// The date as it stands in the lines, made once a second.
#[derive(Debug)]
struct Date {
    second: u64,
    text: [u8; Self::LEN],
}

impl Date {
    const LEN: usize = "26/Nov/2026:15:19:04 +0000".len();
    /// No second.
    const NONE: Self = Self { second: u64::MAX, text: [0; Self::LEN] };
    /// The last second of the year 9999, behind which no date has these digits.
    const LAST: u64 = 253_402_300_799;

    /// The date of this second since 1970, in UTC: the local time cannot be read safely where there are threads.
    fn at(&mut self, second: u64) -> &[u8] {
        let second = second.min(Self::LAST);
        if second != self.second {
            self.second = second;
            // Sun, 06 Nov 1994 08:49:37 GMT
            let mut http = [0; 29];
            let date = HttpDate::from(UNIX_EPOCH + Duration::from_secs(second));
            let _ = write!(&mut http[..], "{date}");
            let (day, month, year, time) =
                (&http[5..7], &http[8..11], &http[12..16], &http[17..25]);
            let parts = [day, b"/", month, b"/", year, b":", time, b" +0000"];
            let mut rest = &mut self.text[..];
            parts.iter().for_each(|part| drop(rest.write_all(part)));
        }
        &self.text
    }
}

#[cfg(test)]
#[path = "access_tests.rs"]
mod tests;
