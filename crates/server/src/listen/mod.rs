//! The sockets that a server listens on.

pub(crate) mod activation;
pub(crate) mod tcp;
pub(crate) mod unix;
