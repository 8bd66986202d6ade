//! What the C libraries share: all but their exports.
//!
//! [`run`] is `main`: it reads the options, becomes a daemon, drops privileges and hands the engine's
//! events to a [`Program`], the C functions behind one of the libraries. [`calls`] holds the bodies of
//! the `ws_*` functions, which the program calls from within.

#[cfg(not(target_pointer_width = "64"))]
compile_error!("a connection's handle needs 64 bits");

pub mod calls;
mod daemon;
mod descriptors;
mod dispatch;
mod files;
mod fold;
#[cfg(fuzzing)]
pub mod fuzzing;
mod grammar;
mod handle;
mod handover;
mod helper;
mod host;
mod janitor;
mod launch;
mod legacy;
mod limits;
mod log;
mod note;
mod notify;
pub mod opening;
mod options;
mod origin;
mod pages;
mod panics;
mod passed;
mod pidfile;
mod plan;
mod privileges;
mod program;
#[cfg_attr(fuzzing, allow(dead_code, reason = "a target allocates by an allocator of its own"))]
mod reserve;
mod restart;
mod run;
pub mod settings;
mod signals;
mod sink;
mod socket;
mod standard_error;
mod start;
pub mod stats;
mod syslogd;
mod table;
mod target;
mod tcp;
mod text;
mod usher;
mod web_origin;
mod word;

pub use dorrit_engine::{Buffers, OverflowPolicy, Stats};
pub use dorrit_proto::{Binary, Fragments, MessageKind};
pub use program::{Flavor, Introduction, Program, Told};
pub use run::run;
