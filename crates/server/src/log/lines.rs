//! The lines of the log, by level.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Instant;

use super::level::Level;
use super::rate_limit::RateLimit;
use super::sink;

/// How many levels are written; lines that matter less are left out.
static LEVELS: AtomicU8 = AtomicU8::new(Level::Info as u8 + 1);
/// Lines that clients cause, by level: a flood at one must not hide what is said at another.
static LIMITS: Mutex<[RateLimit; 5]> = Mutex::new([const { RateLimit::new() }; 5]);

/// Whether a minute runs in which lines are counted.
static IS_COUNTING: AtomicBool = AtomicBool::new(false);

/// Has only lines written from now on that matter so much.
pub(crate) fn set_level(level: Level) {
    LEVELS.store(level as u8 + 1, Ordering::Relaxed);
}

/// Has nothing written from now on. Safe after a fork.
pub(crate) fn silence() {
    LEVELS.store(0, Ordering::Relaxed);
}

/// Writes a line at [`Level::Error`].
pub(crate) fn error(text: &str) {
    line(Level::Error, text);
}

/// Writes a line at [`Level::Warning`].
pub(crate) fn warning(text: &str) {
    line(Level::Warning, text);
}

/// Writes a line at [`Level::Notice`].
pub(crate) fn notice(text: &str) {
    line(Level::Notice, text);
}

/// Writes a line at [`Level::Info`].
pub(crate) fn info(text: &str) {
    line(Level::Info, text);
}

/// Writes a line that can come as often as clients like, unless there were too many.
pub(crate) fn limited(level: Level, text: impl fmt::Display) {
    if !is_on(level) {
        return;
    }
    with_limits(|limits| {
        limits[level as usize].take(text, Instant::now(), |text| line(level, text));
    });
}

/// Says what was left out in minutes that are over.
pub(crate) fn write_left_out() {
    let now = Instant::now();
    with_limits(|limits| {
        each(limits, |level, limit| limit.end_minute(now, |text| line(level, text)))
    });
}

/// Says what was left out, at the server's end.
pub(crate) fn close() {
    with_limits(|limits| each(limits, |level, limit| limit.end(|text| line(level, text))));
}

/// When [`write_left_out`] is to be called next, where it is.
#[inline(always)]
pub(crate) fn due() -> Option<Instant> {
    if IS_COUNTING.load(Ordering::Relaxed) { minute_end() } else { None }
}

/// When the first minute ends in which lines are counted.
#[inline(never)]
fn minute_end() -> Option<Instant> {
    LIMITS.try_lock().ok()?.iter().filter_map(RateLimit::due).min()
}

/// Acts on the lines that clients cause, and notes whether a minute runs.
fn with_limits(act: impl FnOnce(&mut [RateLimit; 5])) {
    // A program's signal handler that has interrupted a line must not wait for it.
    let Ok(mut limits) = LIMITS.try_lock() else { return };
    act(&mut limits);
    IS_COUNTING.store(limits.iter().any(|limit| limit.due().is_some()), Ordering::Relaxed);
}

fn each(limits: &mut [RateLimit; 5], mut act: impl FnMut(Level, &mut RateLimit)) {
    Level::ALL.into_iter().zip(limits).for_each(|(level, limit)| act(level, limit));
}

fn is_on(level: Level) -> bool {
    (level as u8) < LEVELS.load(Ordering::Relaxed)
}

fn line(level: Level, text: &str) {
    if is_on(level) {
        sink::write(level, text);
    }
}
