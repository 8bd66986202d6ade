//! The time, read as seldom as can be: no message costs a look at the clock.

use std::num::NonZeroU64;
use std::ops::Add;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// After so many callbacks and turns the clock is read again (CONTRACT S20).
const WORK: u32 = 16;
/// How long connections have their turns before timers and signals are looked at (CONTRACT S20).
const SLICE: u64 = 10 * MILLI;
/// A loop that was held up for so long is told.
const SLOW: u64 = 1000 * MILLI;
/// For so long a loop that is held up is busy. What is more is time in which clients could not be received from.
const BUSY: u64 = 100 * MILLI;
/// A millisecond in nanoseconds.
const MILLI: u64 = 1_000_000;

/// A moment on a clock that is never set, in nanoseconds: cheaper to reckon with than an `Instant`. It is
/// never 0, so that one that may be missing takes no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(NonZeroU64);

impl Moment {
    /// The moment that is now.
    pub(crate) fn now() -> Self {
        Self::on(ClockId::Monotonic)
    }

    /// About that time, a few milliseconds less at most: what costs least.
    fn about_now() -> Self {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        const COARSE: ClockId = ClockId::MonotonicCoarse;
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        const COARSE: ClockId = ClockId::Monotonic;
        Self::on(COARSE)
    }

    fn on(clock: ClockId) -> Self {
        let now = clock_gettime(clock);
        Self::at((now.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(now.tv_nsec as u64))
    }

    /// How long ago another one was, in nanoseconds; nothing where it is yet to come.
    pub(crate) fn nanos_since(self, earlier: Self) -> u64 {
        self.nanos().saturating_sub(earlier.nanos())
    }

    /// The first moment behind `now` that whole periods lead to from this one, but for the one after none: those that
    /// come too late are left out (CONTRACT S21).
    pub(crate) fn next(self, period: Duration, now: Self) -> Self {
        let period = nanos(period).max(1);
        let periods = now.nanos_since(self) / period + 1;
        Self(self.0.saturating_add(periods.saturating_mul(period)))
    }

    fn at(nanos: u64) -> Self {
        Self(NonZeroU64::new(nanos).unwrap_or(NonZeroU64::MIN))
    }

    /// The moment as a number.
    pub(crate) fn nanos(self) -> u64 {
        self.0.get()
    }
}

impl Add<Duration> for Moment {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }
}

/// A duration as a number of nanoseconds.
pub(crate) fn nanos(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(duration.subsec_nanos().into())
}

/// When it is, as far as the loop knows.
///
/// The deadlines of clients are reckoned in the loop's own time, which stands still while a callback, or
/// whoever stopped the process, holds the loop up: nobody is late because we were (CONTRACT S21).
#[derive(Debug)]
pub(crate) struct Clock {
    now: Moment,
    /// When the poll was looked at last.
    looked_at: Moment,
    /// When the loop has read the clock last by itself, not from within a callback.
    free_at: Moment,
    /// For how long the loop's own time has stood still, in nanoseconds.
    lost: u64,
    /// The loop's own time, as far as the clock was read.
    loop_time: Moment,
    /// How many callbacks and turns there were since the clock was read.
    work: u32,
    /// A callback may be running: what it calls finds that time has passed.
    is_outside: bool,
    /// Somebody else may be sleeping in the loop's place: that is no time in which it is held up.
    is_away: bool,
    /// The longest that the loop was held up, in nanoseconds, where that is worth telling.
    slow: Option<u64>,
}

impl Clock {
    /// A clock that was read just now.
    pub(crate) fn new() -> Self {
        let now = Moment::now();
        Self {
            now,
            looked_at: now,
            free_at: now,
            lost: 0,
            loop_time: now,
            work: 0,
            is_outside: false,
            is_away: false,
            slow: None,
        }
    }

    /// When it was read last.
    pub(crate) fn now(&self) -> Moment {
        self.now
    }

    /// When a deadline is due, in the loop's own time, that is set now for so long (CONTRACT S21).
    pub(crate) fn deadline(&mut self, after: Duration) -> Moment {
        if self.is_away {
            self.pass();
        } else if self.work > 0 || self.is_outside {
            self.note(Moment::now());
        }
        self.loop_time() + after
    }

    /// The loop's own time, as far as the clock was read.
    pub(crate) fn loop_time(&self) -> Moment {
        self.loop_time
    }

    /// Reads the clock where something was done since it was read.
    #[inline(always)]
    pub(crate) fn refresh(&mut self) {
        if std::mem::take(&mut self.is_away) {
            self.pass();
        } else if self.work > 0 || self.is_outside {
            self.read();
        }
    }

    /// Somebody else sleeps from now on, until the clock is refreshed.
    pub(crate) fn leave(&mut self) {
        self.refresh();
        self.is_away = true;
    }

    /// Reads the clock while somebody else sleeps.
    fn pass(&mut self) {
        self.now = Moment::now();
        self.free_at = self.now;
        self.loop_time = Moment::at(self.now.nanos().saturating_sub(self.lost));
    }

    /// A callback is about to run. Returns whether it is time for a look at the poll then.
    #[inline(always)]
    pub(crate) fn hand_over(&mut self) -> bool {
        self.work = self.work.wrapping_add(1);
        let is_due = self.work >= WORK && self.read_between();
        self.is_outside = true;
        is_due
    }

    /// Reads it between two callbacks.
    #[inline(never)]
    fn read_between(&mut self) -> bool {
        self.is_outside = false;
        self.read()
    }

    /// The callback has returned.
    pub(crate) fn take_over(&mut self) {
        self.is_outside = false;
    }

    /// Counts so much work. Returns whether it is time for a look at the poll.
    #[inline(always)]
    pub(crate) fn count(&mut self, work: u32) -> bool {
        self.work += work;
        self.work >= WORK && self.read()
    }

    /// When the poll was looked at last.
    pub(crate) fn looked_at(&self) -> Moment {
        self.looked_at
    }

    /// Whether it is time for a look at the poll, as far as is known.
    pub(crate) fn is_due(&self) -> bool {
        self.now.nanos_since(self.looked_at) >= SLICE
    }

    /// The loop has looked at the poll, and may have slept: no more than so many nanoseconds, if it was let.
    #[inline(always)]
    pub(crate) fn wake(&mut self, sleep: Option<u64>) {
        let slept_at = std::mem::replace(&mut self.now, Moment::now());
        let longest = sleep.unwrap_or(u64::MAX);
        let late = self.now.nanos_since(slept_at).saturating_sub(longest);
        self.lost += if late >= BUSY { late } else { 0 };
        (self.looked_at, self.free_at, self.work) = (self.now, self.now, 0);
        self.loop_time = Moment::at(self.now.nanos().saturating_sub(self.lost));
    }

    /// How long the loop was held up, where that was long and is not told.
    pub(crate) fn take_slow(&mut self) -> Option<Duration> {
        self.slow.take().map(Duration::from_nanos)
    }

    #[inline(never)]
    fn read(&mut self) -> bool {
        self.note(Moment::about_now().max(self.now));
        self.is_due()
    }

    /// Notes that it is that time.
    fn note(&mut self, now: Moment) {
        self.now = now;
        let held_up = self.now.nanos_since(self.free_at);
        let standing = if held_up >= BUSY { held_up } else { 0 };
        self.loop_time = Moment::at(self.now.nanos().saturating_sub(self.lost + standing));
        if !self.is_outside {
            (self.free_at, self.work) = (self.now, 0);
            self.lost += standing;
            if held_up >= SLOW {
                self.slow = self.slow.max(Some(held_up));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CONTRACT S21: a period counts from the moment at which its last call was due.
    #[test]
    fn periods() {
        let start = Moment::now();
        let at = |millis| start + Duration::from_millis(millis);
        let next = |due, now| at(due).next(Duration::from_millis(100), at(now));
        for (due, now, expected) in [
            (100, 100, 200),
            (100, 199, 200),
            (100, 200, 300),
            (100, 250, 300),
            (100, 1_099, 1_100),
            (100, 1_000_000_000, 1_000_000_100),
        ] {
            assert_eq!(next(due, now), at(expected), "due {due}, told {now}");
        }
        assert!(start.next(Duration::ZERO, at(5)) > at(5));
        assert!(start.next(Duration::MAX, at(5)) > at(1_000_000_000));
    }
}
