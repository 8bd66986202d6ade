//! Starting anew: after a crash, and in the place of a server that hands over.

mod crash;
mod crash_record;
mod exec_image;
mod handover;
mod inheritance;
mod invocation;
mod status;
mod successor;
mod supervisor;
mod variables;

pub(crate) use crash::{arm, begin};
pub(crate) use crash_record::CrashRecord;
pub(crate) use handover::{HandOver, Progress};
pub(crate) use inheritance::{Handoff, Inheritance};
pub(crate) use invocation::Invocation;
pub(crate) use successor::Predecessor;
