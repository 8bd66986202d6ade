//! What the C libraries share: all but their exports.
//!
//! [`run`] is `main`: it reads the options, becomes a daemon, drops privileges and hands the engine's
//! events to a [`Program`], the C functions behind one of the libraries. [`abi`] holds the bodies of
//! the `ws_*` functions, which the program calls from within.

#[cfg(not(target_pointer_width = "64"))]
compile_error!("a connection's handle needs 64 bits");

pub mod abi;
mod config;
mod error;
mod event_loop;
mod files;
mod forwarded;
#[cfg(fuzzing)]
pub mod fuzzing;
mod launch;
mod listen;
mod log;
mod main_process;
mod pages;
mod process;
mod program;
mod restart;
mod run;
mod serve;
mod server;
mod setup;
mod sigpipe;

pub use dorrit_engine::{Buffers, OverflowPolicy, Stats};
pub use dorrit_proto::{Binary, Fragments, MessageKind};
pub use log::LineTaker;
pub use program::{Flavor, OpenArguments, Program, RequestArguments, RequestFields};
pub use run::run;
