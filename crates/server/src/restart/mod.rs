//! Starting anew: after a crash, and in the place of a server that hands over.

pub(crate) mod crash;
mod crash_record;
mod exec_image;
pub(crate) mod handover;
pub(crate) mod inheritance;
pub(crate) mod invocation;
mod status;
mod supervisor;
