//! What a server is asked for: by its options, and by its program.

mod bytes;
mod list;
mod network;
mod options;
mod protocols;
mod set_options;
mod settings;
mod spec;
mod values;
mod web_origin;

pub(crate) use network::TcpKeepalive;
pub(crate) use options::{BUFFER_OVERHEAD, Options};
pub(crate) use protocols::Protocols;
pub(crate) use set_options::SetOptions;
pub(crate) use settings::{MAX_MESSAGE, Settings, keepalive};
pub(crate) use values::decimal;
pub(crate) use web_origin::Origins;
