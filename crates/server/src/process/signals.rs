//! The signals that end the server, ask for its figures, or have it started anew (CONTRACT D19, S10, S13).

use std::ffi::c_int;
use std::io;
use std::mem::MaybeUninit;
use std::ops::RangeInclusive;
use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction, signal};
use rustix::process::{Pid, getpid};

use super::wake::wake;
use crate::sigpipe::is_pending;

/// Whether the server is to stop.
static IS_STOPPING: AtomicBool = AtomicBool::new(false);
/// Whether the figures were asked for.
static IS_ASKED: AtomicBool = AtomicBool::new(false);
/// Whether SIGHUP has come.
static IS_HUNG_UP: AtomicBool = AtomicBool::new(false);
/// The signals that are caught, and what dealt with each before.
static CAUGHT: Mutex<Vec<(Signal, SigAction)>> = Mutex::new(Vec::new());
/// The numbers that signals may have.
pub(super) const SIGNAL_NUMBERS: RangeInclusive<c_int> = 1..=64;
/// The process that the signals end. A child of the program's has our handler until it execs.
static SERVER: AtomicI32 = AtomicI32::new(0);

/// Notes that this process is the server, of which nobody has asked anything yet.
pub(crate) fn expect_signals() {
    [&IS_STOPPING, &IS_ASKED, &IS_HUNG_UP].iter().for_each(|it| it.store(false, Ordering::Relaxed));
    note_server();
}

/// Notes which process the signals end: a daemon has another number than who has started it.
fn note_server() {
    SERVER.store(Pid::as_raw(Some(getpid())), Ordering::Relaxed);
}

/// Catches SIGTERM, SIGINT in the foreground, and those that a program may keep for itself. `mask` and
/// `ignored` are what was blocked and ignored before the program has run. To be called when the pipe that wakes the
/// loop is there.
pub(crate) fn catch_signals(
    is_foreground: bool,
    mask: &SigSet,
    ignored: &[c_int],
) -> io::Result<()> {
    note_server();
    let action = action(stop);
    let signals =
        if is_foreground { &[Signal::SIGTERM, Signal::SIGINT][..] } else { &[Signal::SIGTERM] };
    let mut come = SigSet::empty();
    for &signal in signals {
        // SAFETY: the handler calls only what signal-safety(7) allows.
        let before = unsafe { sigaction(signal, &action) }?;
        note_caught(signal, before);
        come.add(signal);
    }
    // In the foreground that is for the server too: under nohup(1) it outlives its terminal.
    let ignored = if is_foreground { &[] } else { ignored };
    catch_optional(mask, ignored)?;
    caught_signals().for_each(|signal| come.add(signal));
    // Whoever started us may have blocked them.
    come.thread_unblock()?;
    wake_for_requests();
    Ok(())
}

/// Wakes the loop where somebody has asked for something before there was one.
pub(crate) fn wake_for_requests() {
    if [&IS_STOPPING, &IS_ASKED, &IS_HUNG_UP].iter().any(|it| it.load(Ordering::Relaxed)) {
        wake();
    }
}

/// Lets go of the signals: what dealt with them before does so again.
pub(crate) fn release_signals() {
    let Ok(mut caught) = CAUGHT.lock() else { return };
    for (signal, before) in caught.drain(..) {
        // SAFETY: what is put back was there before; what the program has set since stays.
        unsafe {
            if let Ok(ours) = sigaction(signal, &before)
                && !is_ours(&ours)
            {
                let _ = sigaction(signal, &ours);
            }
        }
    }
}

/// Whether one of the server's handlers deals with a signal so.
fn is_ours(action: &SigAction) -> bool {
    let ours = [stop as Handler, ask, hang_up];
    matches!(action.handler(), SigHandler::Handler(it) if ours.iter().any(|ours| it as usize == *ours as usize))
}

fn note_caught(signal: Signal, before: SigAction) {
    if let Ok(mut caught) = CAUGHT.lock() {
        caught.push((signal, before));
    }
}

/// The signals that a program may keep for itself, and what deals with them where it does not.
fn optional() -> impl Iterator<Item = (Signal, Handler)> {
    let all = [("SIGUSR1", ask as Handler), ("SIGINFO", ask), ("SIGHUP", hang_up)];
    // There is no SIGINFO everywhere.
    all.into_iter().filter_map(|(name, handler)| Some((name.parse().ok()?, handler)))
}

/// What deals with a signal.
type Handler = extern "C" fn(c_int);

/// Catches the signals of [`optional`]. One that the program handles, ignores or blocks is its own; not one that
/// was blocked, or is among those `ignored`, before the program has run.
fn catch_optional(mask: &SigSet, ignored: &[c_int]) -> io::Result<()> {
    let blocked = SigSet::thread_get_mask()?;
    for (signal, handler) in optional() {
        if blocked.contains(signal) && !mask.contains(signal) {
            continue;
        }
        // SAFETY: the handler calls only what signal-safety(7) allows; the program's is put back.
        unsafe {
            let before = sigaction(signal, &action(handler))?;
            match before.handler() {
                SigHandler::SigDfl => note_caught(signal, before),
                SigHandler::SigIgn if ignored.contains(&(signal as c_int)) => {
                    note_caught(signal, before);
                }
                // It was caught already, for a new start.
                SigHandler::Handler(it) if it as usize == handler as usize => {
                    note_caught(signal, default_action());
                }
                _ => drop(sigaction(signal, &before)?),
            }
        }
    }
    Ok(())
}

/// What deals with a signal where nobody has said anything.
fn default_action() -> SigAction {
    SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty())
}

fn action(handler: Handler) -> SigAction {
    SigAction::new(SigHandler::Handler(handler), SaFlags::SA_RESTART, SigSet::empty())
}

/// The signals that a program may keep for itself and that are caught; none before [`catch_signals`].
pub(crate) fn caught_signals() -> impl Iterator<Item = Signal> {
    let caught = CAUGHT.lock().map(|caught| caught.iter().map(|(signal, _)| *signal).collect());
    let caught: Vec<_> = caught.unwrap_or_default();
    caught.into_iter().filter(|signal| optional().any(|(it, _)| it == *signal))
}

/// Lets the signals come that were blocked for this new start. What comes before the server listens is
/// dealt with then, unless it is SIGTERM, which ends the process.
pub(crate) fn resume_signals(blocked: u64) {
    note_server();
    let mut come = SigSet::empty();
    for (signal, handler) in optional().filter(|(signal, _)| blocked & signal_bit(*signal) != 0) {
        // SAFETY: the handler calls only what signal-safety(7) allows; nothing of the program's has run.
        if unsafe { sigaction(signal, &action(handler)) }.is_ok() {
            come.add(signal);
        }
    }
    come.add(Signal::SIGTERM);
    let _ = come.thread_unblock();
}

/// Sends this process a signal that does what it does where nobody handles it.
pub(crate) fn raise_default(number: c_int) {
    let Ok(number) = Signal::try_from(number) else { return };
    // SAFETY: the default action is no handler.
    let _ = unsafe { signal(number, SigHandler::SigDfl) };
    let _ = raise(number);
}

/// A number in which this signal has a bit of its own.
pub(crate) fn signal_bit(signal: Signal) -> u64 {
    1 << (signal as c_int - 1)
}

/// The signals that are ignored.
pub(crate) fn ignored_signals() -> Vec<c_int> {
    let is_ignored = |&signal: &c_int| {
        let mut found = MaybeUninit::<libc::sigaction>::uninit();
        // SAFETY: it fills what it is given, and fails where there is no such signal.
        unsafe {
            libc::sigaction(signal, ptr::null(), found.as_mut_ptr()) == 0
                && found.assume_init().sa_sigaction == libc::SIG_IGN
        }
    };
    SIGNAL_NUMBERS.filter(is_ignored).collect()
}

/// Whether SIGTERM waits to be let through.
pub(crate) fn is_sigterm_pending() -> bool {
    is_pending(Signal::SIGTERM)
}

/// Whether the figures were asked for since the last time.
pub(crate) fn take_figures_request() -> bool {
    IS_ASKED.swap(false, Ordering::Relaxed)
}

/// Whether SIGHUP has come since the last time.
pub(crate) fn take_hangup() -> bool {
    IS_HUNG_UP.swap(false, Ordering::Relaxed)
}

/// Has the server stop as SIGTERM does, and wakes it. Safe in a signal handler.
pub(crate) fn request_stop() {
    note(&IS_STOPPING);
}

/// Whether the server is to stop.
pub(crate) fn is_stopping() -> bool {
    IS_STOPPING.load(Ordering::Relaxed)
}

extern "C" fn stop(_signal: c_int) {
    note(&IS_STOPPING);
}

extern "C" fn ask(_signal: c_int) {
    note(&IS_ASKED);
}

extern "C" fn hang_up(_signal: c_int) {
    note(&IS_HUNG_UP);
}

/// The time on a clock that is never set. Safe in a signal handler.
pub(crate) fn monotonic_time() -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it fills what it is given.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// Notes that a signal has come, and wakes the loop. Safe in a signal handler.
fn note(what: &AtomicBool) {
    let errno = Errno::last_raw();
    if Pid::as_raw(Some(getpid())) == SERVER.load(Ordering::Relaxed) {
        what.store(true, Ordering::Relaxed);
        wake();
    }
    Errno::set_raw(errno);
}
