//! The figures, as a line for the operator.

use std::fmt::Write as _;

use dorrit_engine::Stats;

use super::current;
use crate::log;

/// Writes the figures into the log.
pub(crate) fn log_figures() {
    if let Ok(stats) = current::stats() {
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

/// Each figure with its name in C.
fn named(stats: &Stats) -> [(&'static str, u64); 18] {
    let Stats {
        connections,
        accepted,
        refused_full,
        refused_bad,
        refused_slow,
        refused_caller,
        requests,
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
        ("requests", requests),
    ]
}
