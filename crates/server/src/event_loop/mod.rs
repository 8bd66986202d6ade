//! The thread's own loop, and what belongs to its thread.

pub(crate) mod current;
