//! The sockets that a server listens on.

mod activation;
mod tcp;
mod unix;

pub(crate) use activation::Activation;
pub(crate) use tcp::{keep_alive, listener, open_tcp, place};
pub(crate) use unix::{check_path, open_unix};
