//! The log: syslog(3) for a daemon, standard error in the foreground (CONTRACT D7).

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Instant;

use super::rate_limit::Fold;
use super::sink;
pub(crate) use super::sink::{Destination, open, set_destination, set_program_lines};

/// How much a line matters: syslog(3)'s names, as far as they are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// The server cannot go on, or not as it should.
    Error,
    /// Something is wrong, and the server goes on.
    Warning,
    /// What was asked for.
    Notice,
    /// Something that an operator may want to know.
    Info,
    /// What clients do wrong.
    Debug,
}

impl Level {
    const ALL: [Self; 5] = [Self::Error, Self::Warning, Self::Notice, Self::Info, Self::Debug];

    /// The level of this name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }

    /// As syslog(3) counts.
    pub(crate) fn priority(self) -> libc::c_int {
        match self {
            Self::Error => libc::LOG_ERR,
            Self::Warning => libc::LOG_WARNING,
            Self::Notice => libc::LOG_NOTICE,
            Self::Info => libc::LOG_INFO,
            Self::Debug => libc::LOG_DEBUG,
        }
    }
}

/// How many levels are written; lines that matter less are left out.
static LEVELS: AtomicU8 = AtomicU8::new(Level::Info as u8 + 1);
/// Lines that clients cause, by level: a flood at one must not hide what is said at another.
static FOLDS: Mutex<[Fold; 5]> = Mutex::new([const { Fold::new() }; 5]);

/// Whether a minute runs in which lines are counted.
static IS_COUNTING: AtomicBool = AtomicBool::new(false);

/// From now on only lines that matter so much are written.
pub(crate) fn set_level(level: Level) {
    LEVELS.store(level as u8 + 1, Ordering::Relaxed);
}

/// From now on nothing is written. Safe after a fork.
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
pub(crate) fn folded(level: Level, text: impl fmt::Display) {
    if !is_on(level) {
        return;
    }
    with_folds(|folds| {
        folds[level as usize].take(text, Instant::now(), |text| line(level, text));
    });
}

/// Says what was left out in minutes that are over.
pub(crate) fn tell_left_out() {
    let now = Instant::now();
    with_folds(|folds| each(folds, |level, fold| fold.end_minute(now, |text| line(level, text))));
}

/// Says what was left out, at the server's end.
pub(crate) fn close() {
    with_folds(|folds| each(folds, |level, fold| fold.end(|text| line(level, text))));
}

/// When [`tell_left_out`] is to be called next, where it is.
pub(crate) fn due() -> Option<Instant> {
    if !IS_COUNTING.load(Ordering::Relaxed) {
        return None;
    }
    FOLDS.try_lock().ok()?.iter().filter_map(Fold::due).min()
}

/// Acts on the lines that clients cause, and notes whether a minute's end is to be told.
fn with_folds(act: impl FnOnce(&mut [Fold; 5])) {
    // A program's signal handler that has interrupted a line must not wait for it.
    let Ok(mut folds) = FOLDS.try_lock() else { return };
    act(&mut folds);
    IS_COUNTING.store(folds.iter().any(|fold| fold.due().is_some()), Ordering::Relaxed);
}

fn each(folds: &mut [Fold; 5], mut act: impl FnMut(Level, &mut Fold)) {
    Level::ALL.into_iter().zip(folds).for_each(|(level, fold)| act(level, fold));
}

fn is_on(level: Level) -> bool {
    (level as u8) < LEVELS.load(Ordering::Relaxed)
}

fn line(level: Level, text: &str) {
    if is_on(level) {
        sink::write(level, text);
    }
}
