//! The log: syslog(3) for a daemon, standard error in the foreground (CONTRACT D7).

mod lines;
mod rate_limit;
mod sink;
mod standard_error;
mod syslogd;

pub(crate) use lines::{
    Destination, Level, close, due, error, folded, info, notice, open, set_destination, set_level,
    set_program_lines, silence, tell_left_out, warning,
};
