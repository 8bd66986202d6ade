//! What a server writes down for its new start, when that comes.

use std::ffi::c_int;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

use super::variables;

/// The record's name in the environment.
pub(crate) const VARIABLE: &str = "DORRIT_RESTART";

/// How many crashes within [`WINDOW`] are too many: the last of them ends the server (CONTRACT E6).
pub(crate) const CRASHES: usize = 6;
/// The time within which so many [`CRASHES`] are too many.
pub(crate) const WINDOW: Duration = Duration::from_secs(10);

/// What a new start is to know of the crashes before it. The numbers are decimal and of equal width: the
/// handler of a crash, or a child, writes them where they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CrashRecord {
    numbers: [u64; Self::NUMBERS],
}

/// The place of the process for which the record is.
const PID: usize = 0;
/// The place of the signal of the last crash.
const SIGNAL: usize = 1;
/// The place of the signals that are kept from the new start.
const BLOCKED: usize = 2;
/// The places of the times of the crashes.
const TIMES: Range<usize> = 3..3 + CRASHES;

impl CrashRecord {
    const NUMBERS: usize = TIMES.end;
    const WIDTH: usize = 20;
    /// How many bytes a record takes: each number has a blank behind it.
    pub(crate) const LEN: usize = Self::NUMBERS * (Self::WIDTH + 1);

    /// A record of no crash yet, for this process. `blocked` are the signals, a bit for each, that are kept
    /// from the new start until it can deal with them. Crashes of an earlier start are taken over from
    /// its record.
    pub(crate) fn new(blocked: u64, earlier: Option<&Self>) -> Self {
        let mut numbers = earlier.map_or([0; Self::NUMBERS], |record| record.numbers);
        (numbers[PID], numbers[BLOCKED]) = (u64::from(std::process::id()), blocked);
        Self { numbers }
    }

    /// Takes the record out of the environment, where there is one for this process.
    pub(crate) fn take() -> Option<Self> {
        let record = variables::take(VARIABLE).and_then(|text| Self::parse(text.as_bytes()))?;
        Some(record).filter(|record| record.pid() == u64::from(std::process::id()))
    }

    /// Reads a record.
    fn parse(text: &[u8]) -> Option<Self> {
        let mut numbers = [0; Self::NUMBERS];
        for (number, digits) in numbers.iter_mut().zip(text.chunks(Self::WIDTH + 1)) {
            *number = std::str::from_utf8(digits).ok()?.strip_suffix(' ')?.parse().ok()?;
        }
        (text.len() == Self::LEN).then_some(Self { numbers })
    }

    /// Writes the record. Safe in a signal handler.
    pub(crate) fn write(&self, text: &mut [u8]) {
        for (&number, place) in self.numbers.iter().zip(text.chunks_exact_mut(Self::WIDTH + 1)) {
            let mut rest = number;
            for digit in place[..Self::WIDTH].iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
            place[Self::WIDTH] = b' ';
        }
    }

    /// Notes one more crash; the oldest is forgotten. Safe in a signal handler.
    pub(crate) fn add_crash(&mut self, signal: c_int, now: Duration) {
        self.numbers[SIGNAL] = signal as u64;
        self.numbers[TIMES].rotate_left(1);
        self.numbers[TIMES.end - 1] = now.as_millis() as u64;
    }

    /// Whether there were so many crashes, so close together, that the next would come soon.
    pub(crate) fn is_enough(&self) -> bool {
        let (first, last) = (self.numbers[TIMES.start], self.numbers[TIMES.end - 1]);
        first != 0 && last.saturating_sub(first) <= WINDOW.as_millis() as u64
    }

    /// The process that the record is for.
    pub(crate) fn pid(&self) -> u64 {
        self.numbers[PID]
    }

    /// Makes the record one for that process. Safe in a signal handler.
    pub(crate) fn set_pid(&mut self, pid: c_int) {
        self.numbers[PID] = pid as u64;
    }

    /// The signal of the crash; `None` where there was none.
    pub(crate) fn signal(&self) -> Option<c_int> {
        Some(self.numbers[SIGNAL] as c_int).filter(|signal| *signal != 0)
    }

    /// The signals, a bit for each, that are kept from the new start until it can deal with them.
    pub(crate) fn blocked(&self) -> u64 {
        self.numbers[BLOCKED]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> CrashRecord {
        CrashRecord::new(1 << 63, None)
    }

    #[test]
    fn written_and_read() {
        let mut record = record();
        assert_eq!((record.pid(), record.signal()), (std::process::id().into(), None));
        record.set_pid(4711);
        record.add_crash(11, Duration::from_millis(1234));
        let mut text = vec![b'?'; CrashRecord::LEN];
        record.write(&mut text);
        assert_eq!(CrashRecord::parse(&text), Some(record));
        assert_eq!(CrashRecord::parse(&[&text[..], b"0"].concat()), None);
        assert_eq!((record.pid(), record.signal(), record.blocked()), (4711, Some(11), 1 << 63));
        for cut in 0..CrashRecord::LEN {
            assert_eq!(CrashRecord::parse(&text[..cut]), None);
        }
        text[3] = b'x';
        assert_eq!(CrashRecord::parse(&text), None);
    }

    /// CONTRACT E6: five new starts within ten seconds, and no sixth.
    #[test]
    fn six_crashes_in_ten_seconds_are_enough() {
        let crash =
            |record: &mut CrashRecord, seconds| record.add_crash(11, Duration::from_secs(seconds));
        let mut close = record();
        (100..105).for_each(|seconds| crash(&mut close, seconds));
        assert!(!close.is_enough());
        crash(&mut close, 110);
        assert!(close.is_enough());
        let mut apart = record();
        (100..120).for_each(|seconds| crash(&mut apart, seconds * 3));
        assert!(!apart.is_enough());
    }
}
