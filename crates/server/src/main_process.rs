//! The process that is the server: what it has of the system, and does on signals.

use std::io::PipeReader;
use std::os::fd::AsFd as _;
use std::sync::Arc;

use dorrit_engine::{Engine, Listener};

use crate::event_loop::{self, has_posts, with_engine};
use crate::files::Files;
use crate::launch::Variables;
use crate::process::{self, Notifier};
use crate::restart::HandOver;
use crate::{listen, log};

/// The process of a server that listens.
pub(crate) struct Process {
    pub(crate) files: Files,
    /// The sockets that are listened on, which outlive a loop; none once the server is to end.
    pub(crate) listeners: Vec<Arc<Listener>>,
    /// The reading end of the pipe that signals write to.
    pub(crate) wake: PipeReader,
    pub(crate) handover: HandOver,
    pub(crate) notifier: Notifier,
    /// What the program's variables point to.
    pub(crate) _variables: Variables,
}

impl Process {
    /// Says that the server listens, and where (CONTRACT S27): a port that was free is known only now.
    pub(crate) fn announce(&mut self) {
        for place in self.listeners.iter().filter_map(|listener| listen::place(listener.as_fd())) {
            log::info(&format!("listening on {place}"));
        }
        self.notifier.notify_ready();
    }

    /// Does what signals, and the supervisor of a hand-over, have asked for. Returns whether the server is to stop: the
    /// loop is left to the caller.
    pub(crate) fn heed_signals(&mut self) -> bool {
        process::drain_wake_pipe(&self.wake);
        if has_posts() {
            let _ = with_engine(Engine::request_call);
        }
        if process::take_figures_request() {
            event_loop::log_figures();
        }
        self.handover.proceed(&mut self.files, &mut self.listeners, &mut self.notifier);
        if process::take_hangup() {
            self.handover.hang_up(&self.files, &self.listeners);
        }
        let is_stopping = process::is_stopping();
        if is_stopping {
            self.notifier.notify_stopping();
            self.handover.call_off();
        }
        is_stopping
    }

    /// Listens no more.
    pub(crate) fn unlisten(&mut self) {
        self.listeners.clear();
        self.files.remove_sockets();
    }

    /// Removes the files, and ends the log, this thread's loop, and the listening: the last of it all, as the program's
    /// functions are not called any more.
    pub(crate) fn end(&mut self) {
        std::mem::take(&mut self.files).remove_all();
        log::close();
        event_loop::end();
        self.listeners.clear();
    }
}
