//! What a server is to its system: a daemon, a service, a user; signals, limits, descriptors, memory.

mod daemon;
mod descriptors;
mod helper;
mod limits;
mod notify;
mod owner;
mod privileges;
#[cfg_attr(fuzzing, allow(dead_code, reason = "a target allocates by an allocator of its own"))]
mod reserve;
mod signals;

pub(crate) use daemon::{detach_from_terminal, fork_daemon};
pub(crate) use descriptors::{KnownDescriptor, close_all_but, inode, take_descriptor};
pub(crate) use helper::{Child, WaitStatus, is_reaper, reset_signals, start_helper};
pub(crate) use limits::raise_descriptor_limit;
pub(crate) use notify::{Notifier, claim_watchdog};
pub(crate) use owner::{
    LOOPS, MAIN, claim_thread, disown_children, end_child, log_foreign_call, own_loop,
};
pub(crate) use privileges::Credentials;
pub(crate) use reserve::{WithoutReserve, take_shortage, trim_memory, without_reserve};
pub(crate) use signals::{
    catch_signals, caught_signals, drain_wake_pipe, ignored_signals, is_sigterm_pending,
    is_stopping, monotonic_time, raise_default, request_stop, resume_signals, signal_bit,
    take_figures_request, take_hangup,
};
