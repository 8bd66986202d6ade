//! What a server is to its system: signals, rights, limits, a daemon, a service.

pub(crate) mod daemon;
pub(crate) mod descriptors;
pub(crate) mod helper;
pub(crate) mod limits;
pub(crate) mod notify;
pub(crate) mod privileges;
#[cfg_attr(fuzzing, allow(dead_code, reason = "a target allocates by an allocator of its own"))]
pub(crate) mod reserve;
pub(crate) mod signals;
