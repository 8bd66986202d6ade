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
mod wake;

pub(crate) use daemon::{WaitingParent, detach_from_terminal, fork_daemon};
pub(crate) use descriptors::{KnownDescriptor, close_all_but, inode, take_descriptor};
pub(crate) use helper::{Child, WaitStatus, is_reaper, reset_signals, start_helper};
pub(crate) use limits::raise_descriptor_limit;
pub(crate) use notify::{Notifier, claim_watchdog};
pub(crate) use owner::{
    LOOPS, MAIN, claim_thread, disown_children, end_child, has_server, is_child, misuse, own_loop,
    release_thread,
};
pub(crate) use privileges::Credentials;
pub(crate) use reserve::{WithoutReserve, take_shortage, trim_memory, without_reserve};
pub(crate) use signals::{
    catch_signals, caught_signals, expect_signals, ignored_signals, is_sigterm_pending,
    is_stopping, monotonic_time, raise_default, release_signals, request_stop, resume_signals,
    signal_bit, take_figures_request, take_hangup, wake_for_requests,
};
pub(crate) use wake::{close_wake_pipe, drain_wake_pipe, is_wake_pipe, open_wake_pipe, wake};
