//! What the tests share: the library, built once; C programs, compiled once for each way of
//! compiling; servers, each in a directory of its own; and a WebSocket client that owes nothing to
//! the product's crates.

mod client;
mod command;
mod compiler;
mod datagrams;
mod disk;
mod ended;
mod faults;
mod frame;
mod installation;
mod launch;
mod library;
mod mdoc;
mod passing;
mod process;
mod program;
mod request;
mod server;
mod skip;
mod stream;
mod syslog;
mod tcp_table;
mod trace;
mod wait;

pub(crate) use client::Client;
pub(crate) use command::output;
pub(crate) use compiler::Compiler;
pub(crate) use datagrams::{FILLER, fill_datagrams};
pub(crate) use disk::{RunFiles, snapshot};
pub(crate) use ended::Ended;
pub(crate) use faults::Faults;
pub(crate) use frame::{Frame, Op};
pub(crate) use installation::{copied_examples, files, installation, make, make_examples};
pub(crate) use launch::Launch;
pub(crate) use library::{Package, library, program_dir, root, target_dir};
pub(crate) use mdoc::{literal_blocks, names, section, synopsis};
pub(crate) use process::Process;
pub(crate) use program::{Variant, program};
pub(crate) use request::{ACCEPT, Request, Response};
pub(crate) use server::Server;
pub(crate) use skip::{Need, find, say, skipped};
pub(crate) use stream::Stream;
pub(crate) use syslog::Syslog;
pub(crate) use trace::Trace;
pub(crate) use wait::{LIMIT, uninterrupted, until};
