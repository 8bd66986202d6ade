//! What a server is asked for: by its options, and by its program.

pub(crate) mod options;
pub mod settings;
mod spec;
pub(crate) mod web_origin;
