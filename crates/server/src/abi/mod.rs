//! The bodies of the `ws_*` functions, by family, and what stands between them and C.

pub mod connection;
pub mod flow;
mod guard;
mod handle;
pub mod own_main;
pub mod requests;
pub mod send;
pub mod setup;
pub mod stats;
mod symbols;
pub mod tasks;

pub(crate) use flow::open_conns;
pub(crate) use guard::{guard, log_panics};
pub(crate) use handle::from_id;
pub(crate) use tasks::{READ, WRITE};
