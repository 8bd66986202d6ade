//! The thread's own loop, and what belongs to its thread.

mod current;
mod figures;
mod handshakes;

pub(crate) use current::{Loop, begin, end, stats, with_engine, with_loop};
pub(crate) use figures::log_figures;
pub(crate) use handshakes::{Handshakes, refuse_foreign};
