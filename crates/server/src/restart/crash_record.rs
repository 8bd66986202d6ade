//! What a server writes down for its new start, when that comes.

use std::ffi::c_int;
use std::ops::Range;
use std::time::Duration;

/// So many crashes within `WINDOW`, and the last of them ends the server (CONTRACT E6).
pub(crate) const CRASHES: usize = 6;
pub(crate) const WINDOW: Duration = Duration::from_secs(10);

/// Numbers of equal width in decimal digits: the handler of a crash, or a child, writes them where they
/// stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    numbers: [u64; Self::NUMBERS],
}

/// The places of the numbers.
const PID: usize = 0;
const SIGNAL: usize = 1;
const BLOCKED: usize = 2;
const TIMES: Range<usize> = 3..3 + CRASHES;

impl Note {
    const NUMBERS: usize = TIMES.end;
    const WIDTH: usize = 20;
    /// How many bytes the numbers take, each with a blank behind it.
    pub(crate) const LEN: usize = Self::NUMBERS * (Self::WIDTH + 1);

    /// A note of no crash yet, for this process. `blocked` are the signals, a bit for each, that are kept
    /// from the new start until it can deal with them. Crashes of an earlier start are taken over from
    /// its note.
    pub(crate) fn new(blocked: u64, earlier: Option<&Self>) -> Self {
        let mut numbers = earlier.map_or([0; Self::NUMBERS], |note| note.numbers);
        (numbers[PID], numbers[BLOCKED]) = (u64::from(std::process::id()), blocked);
        Self { numbers }
    }

    /// Reads a note.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let mut numbers = [0; Self::NUMBERS];
        for (number, digits) in numbers.iter_mut().zip(text.chunks(Self::WIDTH + 1)) {
            *number = std::str::from_utf8(digits).ok()?.strip_suffix(' ')?.parse().ok()?;
        }
        (text.len() == Self::LEN).then_some(Self { numbers })
    }

    /// Writes the numbers. Safe in a signal handler.
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

    /// The process that the note is for.
    pub(crate) fn pid(&self) -> u64 {
        self.numbers[PID]
    }

    /// Makes it one for that process. Safe in a signal handler.
    pub(crate) fn set_pid(&mut self, pid: c_int) {
        self.numbers[PID] = pid as u64;
    }

    /// That of the crash; `None` where there was none.
    pub(crate) fn signal(&self) -> Option<c_int> {
        Some(self.numbers[SIGNAL] as c_int).filter(|signal| *signal != 0)
    }

    pub(crate) fn blocked(&self) -> u64 {
        self.numbers[BLOCKED]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note() -> Note {
        Note::new(1 << 63, None)
    }

    #[test]
    fn written_and_read() {
        let mut note = note();
        assert_eq!((note.pid(), note.signal()), (std::process::id().into(), None));
        note.set_pid(4711);
        note.add_crash(11, Duration::from_millis(1234));
        let mut text = vec![b'?'; Note::LEN];
        note.write(&mut text);
        assert_eq!(Note::parse(&text), Some(note));
        assert_eq!(Note::parse(&[&text[..], b"0"].concat()), None);
        assert_eq!((note.pid(), note.signal(), note.blocked()), (4711, Some(11), 1 << 63));
        for cut in 0..Note::LEN {
            assert_eq!(Note::parse(&text[..cut]), None);
        }
        text[3] = b'x';
        assert_eq!(Note::parse(&text), None);
    }

    /// CONTRACT E6: five new starts within ten seconds, and no sixth.
    #[test]
    fn six_crashes_in_ten_seconds_are_enough() {
        let crash = |note: &mut Note, seconds| note.add_crash(11, Duration::from_secs(seconds));
        let mut close = note();
        (100..105).for_each(|seconds| crash(&mut close, seconds));
        assert!(!close.is_enough());
        crash(&mut close, 110);
        assert!(close.is_enough());
        let mut apart = note();
        (100..120).for_each(|seconds| crash(&mut apart, seconds * 3));
        assert!(!apart.is_enough());
    }
}
