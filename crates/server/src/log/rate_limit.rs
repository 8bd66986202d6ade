//! Lines that clients cause, made few: what is repeated is counted, and each minute has only so many.

use std::fmt::{self, Write as _};
use std::time::{Duration, Instant};

/// What was said in the minute that runs, if one does: it begins with its first line.
#[derive(Debug)]
pub(crate) struct RateLimit {
    until: Option<Instant>,
    last: String,
    /// How many times the last line came again.
    repeats: u64,
    lines: u32,
    left_out: u64,
    /// The line that came; its memory is used again.
    line: String,
}

/// How many lines a minute may have. One more for each line may say that it was repeated.
pub(crate) const LINES: u32 = 10;
const MINUTE: Duration = Duration::from_secs(60);

impl RateLimit {
    /// A limit under which nothing was said yet.
    pub(crate) const fn new() -> Self {
        Self {
            until: None,
            last: String::new(),
            repeats: 0,
            lines: 0,
            left_out: 0,
            line: String::new(),
        }
    }

    /// Takes a line. What is to be written goes to `write`.
    pub(crate) fn take(
        &mut self,
        line: impl fmt::Display,
        now: Instant,
        mut write: impl FnMut(&str),
    ) {
        self.end_minute(now, &mut write);
        self.line.clear();
        let _ = write!(self.line, "{line}");
        self.until.get_or_insert(now + MINUTE);
        if self.lines > 0 && self.line == self.last {
            self.repeats += 1;
        } else if self.lines < LINES {
            self.write_repeats(&mut write);
            write(&self.line);
            std::mem::swap(&mut self.line, &mut self.last);
            self.lines += 1;
        } else {
            self.left_out += 1;
        }
    }

    /// When the minute is over, if one runs.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.until
    }

    /// Ends the minute if it is over: what was not written in it is told in numbers.
    pub(crate) fn end_minute(&mut self, now: Instant, mut write: impl FnMut(&str)) {
        if self.until.is_some_and(|until| until <= now) {
            self.end(&mut write);
        }
    }

    /// Ends the minute now.
    pub(crate) fn end(&mut self, mut write: impl FnMut(&str)) {
        self.write_repeats(&mut write);
        if self.left_out > 0 {
            write(&format!("{} other lines like these were left out", self.left_out));
        }
        (self.until, self.lines, self.left_out) = (None, 0, 0);
    }

    fn write_repeats(&mut self, mut write: impl FnMut(&str)) {
        if self.repeats > 0 {
            write(&format!("{} ({} times more)", self.last, self.repeats));
            self.repeats = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Log {
        limit: RateLimit,
        now: Instant,
        lines: Vec<String>,
    }

    impl Log {
        fn new() -> Self {
            Self { limit: RateLimit::new(), now: Instant::now(), lines: Vec::new() }
        }

        fn take(&mut self, line: &str) {
            let write = |line: &str| self.lines.push(line.to_owned());
            self.limit.take(line, self.now, write);
        }

        fn pass(&mut self, seconds: u64) {
            self.now += Duration::from_secs(seconds);
            self.limit.end_minute(self.now, |line| self.lines.push(line.to_owned()));
        }
    }

    #[test]
    fn a_line_that_is_repeated_is_written_once_a_minute() {
        let mut log = Log::new();
        (0..100_000).for_each(|_| log.take("a"));
        assert_eq!(log.lines, ["a"]);
        log.pass(59);
        assert_eq!(log.lines, ["a"]);
        log.pass(1);
        assert_eq!(log.lines, ["a", "a (99999 times more)"]);
        assert_eq!(log.limit.due(), None);
        log.take("a");
        assert_eq!(log.lines[2..], ["a"]);
        log.pass(60);
        assert_eq!(log.lines.len(), 3, "nothing was left out");
    }

    #[test]
    fn another_line_ends_the_count() {
        let mut log = Log::new();
        ["a", "a", "a", "b", "a", ""].into_iter().for_each(|line| log.take(line));
        assert_eq!(log.lines, ["a", "a (2 times more)", "b", "a", ""]);
    }

    #[test]
    fn a_minute_has_so_many_lines() {
        let mut log = Log::new();
        (0..100_000).for_each(|i| log.take(&format!("{}", i / 2)));
        assert_eq!(log.lines.len(), 2 * LINES as usize - 1);
        log.lines.clear();
        log.pass(60);
        let left_out = 100_000 - 2 * u64::from(LINES);
        let other = format!("{left_out} other lines like these were left out");
        assert_eq!(log.lines, ["9 (1 times more)".to_owned(), other]);
    }

    #[test]
    fn the_end_comes_sooner() {
        let mut log = Log::new();
        (0..2).for_each(|_| log.take("a"));
        log.limit.end(|line| log.lines.push(line.to_owned()));
        log.limit.end(|line| log.lines.push(line.to_owned()));
        assert_eq!(log.lines, ["a", "a (1 times more)"]);
    }
}
