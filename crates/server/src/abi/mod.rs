//! The bodies of the `ws_*` functions.

pub mod calls;
pub(crate) mod guard;
pub(crate) mod handle;
pub mod opening;
pub mod settings;
pub mod stats;
mod symbols;
