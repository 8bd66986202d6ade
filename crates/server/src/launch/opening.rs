//! From a start that is possible to a server that listens.

use std::ffi::CString;
use std::io::{self, PipeReader};
use std::os::fd::{AsFd as _, AsRawFd as _, RawFd};
use std::path::Path;
use std::sync::Arc;

use dorrit_engine::{Connections, Engine, Listener};

use super::listeners;
use super::plan::Plan;
use super::start::{Host, Start};
use super::variables::Variables;
use crate::config::Settings;
use crate::error::{StartError, errno_text};
use crate::event_loop::{self, has_posts, with_loop};
use crate::files::Files;
use crate::log::AccessLog;
use crate::main_process::Process;
use crate::pages::Pages;
use crate::process::{self, Notifier};
use crate::program::Flavor;
use crate::restart::{self, HandOver, Handoff, Inheritance, Invocation, Predecessor, Progress};
use crate::server::Server;
use crate::setup::{self, NAME};

/// A server that is there, and has not said so. Where it is dropped, nothing of it is left behind.
pub(crate) struct Opened(Option<Parts>);

struct Parts {
    plan: Plan,
    invocation: Invocation,
    notifier: Notifier,
    variables: Variables,
    wake: PipeReader,
    files: Files,
    listeners: Vec<Arc<Listener>>,
    /// The server that this one is to take over from.
    predecessor: Option<Predecessor>,
    /// The server's name.
    name: CString,
}

/// Makes the files, gives up privileges and listens; or takes over what the start before has left.
pub(super) fn open(
    host: Host,
    plan: Plan,
    start: Start,
    variables: Variables,
) -> Result<Opened, StartError> {
    let Start { invocation, inheritance, notifier, .. } = start;
    let fail = |error: io::Error| StartError::new(format_args!("pipe: {}", errno_text(&error)));
    let wake = process::open_wake_pipe().map_err(fail)?;
    match host {
        // Who can connect can also have seen that the server runs, and may stop it.
        Host::Server => {
            let is_foreground = plan.options.is_foreground;
            process::catch_signals(is_foreground, &invocation.mask, &invocation.ignored)
                .map_err(fail)?;
        }
        Host::Program => process::wake_for_requests(),
    }
    let is_new_start = inheritance.is_some();
    let mut opened = Opened(Some(Parts {
        plan,
        invocation,
        notifier,
        variables,
        wake,
        files: Files::default(),
        listeners: Vec::new(),
        predecessor: None,
        name: setup::name_or(NAME),
    }));
    let parts = opened.0.as_mut().ok_or_else(StartError::panicked)?;
    parts.listen(inheritance)?;
    parts.settle()?;
    process::disown_children();
    if !is_new_start && host == Host::Server {
        parts.plan.credentials.log(&parts.plan.options);
    }
    Ok(opened)
}

impl Opened {
    /// Arms the new start after a crash, and takes over from the server before.
    pub(super) fn complete(mut self, flavor: &Flavor) -> Result<Process, StartError> {
        let parts = self.0.as_mut().ok_or_else(StartError::panicked)?;
        if flavor.restarts {
            let fail = |error| StartError::new(format_args!("loop: {}", errno_text(&error)));
            parts.arm().map_err(fail)?;
        }
        if let Some(predecessor) = parts.predecessor.as_mut() {
            predecessor.succeed(parts.files.pidfile.as_ref())?;
        }
        let parts = self.0.take().ok_or_else(StartError::panicked)?;
        let Parts { plan, invocation, notifier, variables, wake, files, listeners, name, .. } =
            parts;
        let handover = HandOver {
            invocation,
            name,
            log: plan.options.log_destination(),
            is_foreground: plan.options.is_foreground,
            drain: plan.options.drain,
            progress: Progress::None,
        };
        Ok(Process { files, listeners, wake, handover, notifier, _variables: variables })
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let Some(parts) = self.0.take() else { return };
        event_loop::end();
        if parts.predecessor.is_none() {
            parts.files.remove_all();
        }
    }
}

impl Parts {
    /// Makes the files and the sockets, or takes those that the start before has left.
    fn listen(&mut self, inheritance: Option<Inheritance>) -> Result<(), StartError> {
        let Some(inheritance) = inheritance else {
            self.listeners = listeners::make(&mut self.plan, &mut self.files)?;
            return Ok(());
        };
        (self.files, self.predecessor) = (inheritance.files, inheritance.predecessor);
        let (sockets, is_shared) = (inheritance.listeners, inheritance.is_shared);
        self.listeners = listeners::inherit(&self.plan, sockets, is_shared)?;
        Ok(())
    }

    /// Becomes who the server is to be, and makes the loop.
    fn settle(&mut self) -> Result<(), StartError> {
        assume_credentials(&self.plan, &mut self.files)?;
        // By the one who will read what is in it, and write to it.
        let pages = self.plan.options.pages.as_deref().map(Pages::open).transpose()?;
        let access = self.plan.options.access_log.as_ref().map(AccessLog::open).transpose()?;
        leave_directory(&self.plan)?;
        let server = share(&mut self.plan, pages);
        let begun = self.begin(server, access);
        begun.map_err(|error| StartError::new(format_args!("loop: {}", errno_text(&error))))
    }

    /// Makes the loop, which accepts from the sockets.
    fn begin(&self, server: Arc<Server>, access: Option<AccessLog>) -> io::Result<()> {
        let mut engine = Engine::new(self.plan.config, Arc::clone(&server.connections))?;
        self.listeners.iter().try_for_each(|listener| engine.listen(Arc::clone(listener)))?;
        engine.watch_control(&self.wake)?;
        let periodic = setup::with(|setup| setup.periodic).ok().flatten();
        engine.set_tick(periodic.map(|periodic| periodic.period));
        if has_posts() {
            engine.request_call();
        }
        let log = access.as_ref().and_then(AccessLog::descriptor);
        let descriptors: Vec<_> = self.descriptors(&server).into_iter().chain(log).collect();
        event_loop::begin(engine, server, access);
        let _ = with_loop(|it| it.own(descriptors));
        Ok(())
    }

    /// What the process has open that is not the program's, besides what the engine watches.
    fn descriptors(&self, server: &Server) -> Vec<RawFd> {
        let pages = server.pages.as_ref().map(Pages::descriptor);
        let directory = self.invocation.directory.as_ref().map(|it| it.as_raw_fd());
        let manager = self.notifier.descriptor();
        let predecessor = self.predecessor.iter().flat_map(Predecessor::descriptors);
        let others = [pages, directory, manager].into_iter().flatten();
        self.handoff(&[]).descriptors().into_iter().chain(others).chain(predecessor).collect()
    }

    /// What is left to a new start.
    fn handoff<'a>(&'a self, listeners: &'a [RawFd]) -> Handoff<'a> {
        Handoff {
            name: &self.name,
            directory: &self.invocation.path,
            log: self.plan.options.log_destination(),
            listeners,
            is_shared: self.listeners.iter().any(|listener| listener.is_shared()),
            files: &self.files,
            predecessor: None,
        }
    }

    /// Has a crash start the server anew from now on.
    fn arm(&self) -> io::Result<()> {
        let listeners: Vec<_> = self.listeners.iter().map(|it| it.as_fd().as_raw_fd()).collect();
        restart::arm(&self.invocation, &self.handoff(&listeners))
    }
}

/// Becomes who the server is to be.
fn assume_credentials(plan: &Plan, files: &mut Files) -> Result<(), StartError> {
    if plan.credentials.is_drop() {
        files.keep_rights()?;
    }
    plan.credentials.assume()
}

/// Leaves the directory in which the server was started, which a daemon must not hold.
fn leave_directory(plan: &Plan) -> Result<(), StartError> {
    if plan.options.is_foreground {
        return Ok(());
    }
    let root = Path::new("/");
    let changed = std::env::set_current_dir(root);
    changed.map_err(|error| StartError::path("chdir", root, errno_text(&error)))
}

/// What the loops share.
fn share(plan: &mut Plan, pages: Option<Pages>) -> Arc<Server> {
    Arc::new(Server {
        settings: std::mem::replace(&mut plan.settings, Settings::DEFAULT),
        fields: plan.options.fields,
        pages,
        forwarded: plan.options.forwarded,
        connections: Arc::new(Connections::new(plan.config.max_connections)),
    })
}
