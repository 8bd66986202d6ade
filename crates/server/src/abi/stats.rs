//! The figures: a line of them for the operator, and all of them for the program.

use std::ffi::c_int;
use std::fmt::Write as _;

use dorrit_engine::Stats;

use super::calls::WRONG_THREAD;
use crate::event_loop::current::{guard, with, with_engine};
use crate::log;

/// Writes a line of them.
pub(crate) fn tell() {
    if let Ok(stats) = with_engine(|engine| engine.stats()) {
        log::notice(&line(&stats));
    }
}

fn line(stats: &Stats) -> String {
    let mut line = String::with_capacity(400);
    for (name, value) in named(stats) {
        let blank = if line.is_empty() { "" } else { " " };
        let _ = write!(line, "{blank}{name}={value}");
    }
    line
}

/// Each with its name in C.
fn named(stats: &Stats) -> [(&'static str, u64); 17] {
    let Stats {
        connections,
        accepted,
        refused_full,
        refused_bad,
        refused_slow,
        refused_caller,
        messages_in,
        messages_out,
        bytes_in,
        bytes_out,
        queued_bytes,
        dropped_violation,
        dropped_queue,
        dropped_silent,
        skipped,
        dropped_memory,
        held_bytes,
    } = *stats;
    [
        ("connections", connections),
        ("accepted", accepted),
        ("refused_full", refused_full),
        ("refused_bad", refused_bad),
        ("refused_slow", refused_slow),
        ("refused_program", refused_caller),
        ("messages_in", messages_in),
        ("messages_out", messages_out),
        ("bytes_in", bytes_in),
        ("bytes_out", bytes_out),
        ("queued_bytes", queued_bytes),
        ("dropped_violation", dropped_violation),
        ("dropped_queue", dropped_queue),
        ("dropped_silent", dropped_silent),
        ("skipped", skipped),
        ("dropped_memory", dropped_memory),
        ("held_bytes", held_bytes),
    ]
}

/// `ws_get_stats`: puts the figures, in the form that C has them in, into `size` bytes at `place`. What
/// is longer there is filled with zeros, and what is longer here is left out.
///
/// # Safety
/// `place` is NULL or points to `size` bytes, and `C` has no byte that is not set.
pub unsafe fn get<C: From<Stats>>(place: *mut C, size: usize) -> c_int {
    const NONE: c_int = -1;
    guard(NONE, || {
        let found = with(|state| {
            let stats = state.engine.as_ref()?.stats();
            (!place.is_null() && size >= size_of::<u64>()).then(|| C::from(stats))
        });
        match found {
            Ok(Some(figures)) => {
                let (place, known) = (place.cast::<u8>(), size.min(size_of::<C>()));
                // SAFETY: the caller's promise; the figures are no part of what they are copied to.
                unsafe {
                    place.write_bytes(0, size);
                    place.copy_from_nonoverlapping((&raw const figures).cast(), known);
                }
                0
            }
            Ok(None) => NONE,
            Err(_) => WRONG_THREAD,
        }
    })
}
