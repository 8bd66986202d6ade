//! The log: syslog(3) for a daemon, standard error in the foreground (CONTRACT D7).

mod access;
mod level;
mod lines;
mod rate_limit;
mod sink;
mod standard_error;
mod syslogd;

pub(crate) use access::{AccessDestination, AccessLog, Entry};
pub(crate) use level::Level;
pub(crate) use lines::{
    close, due, error, info, limited, notice, set_level, silence, warning, write_left_out,
};
pub use sink::LineTaker;
pub(crate) use sink::{
    Destination, begin, end, owns, set_destination, set_name, set_program_lines, set_taker,
};
