//! From a start that is possible to a server that listens.

use std::io::{self, PipeReader};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::Path;
use std::sync::Arc;

use dorrit_engine::{Connections, Engine, Listener};

use super::listeners;
use super::plan::Plan;
use crate::config::Settings;
use crate::error::{StartError, errno_text};
use crate::event_loop;
use crate::files::Files;
use crate::main_process::Process;
use crate::pages::Pages;
use crate::process::{self, Notifier};
use crate::program::Flavor;
use crate::restart::{self, HandOver, Handoff, Inheritance, Invocation, Progress};
use crate::server::Server;
use crate::setup::{self, NAME};

/// Makes the files, gives up privileges and listens; or takes over what the start before has left.
/// Leaves nothing behind where it fails.
pub(super) fn open(
    flavor: &Flavor,
    mut plan: Plan,
    invocation: Invocation,
    inheritance: Option<Inheritance>,
    notifier: Notifier,
) -> Result<Process, StartError> {
    let is_new_start = inheritance.is_some();
    // Who can connect can also have seen that the server runs, and may stop it.
    let wake =
        process::catch_signals(plan.options.is_foreground, &invocation.mask, &invocation.ignored);
    let wake =
        wake.map_err(|error| StartError::new(format_args!("pipe: {}", errno_text(&error))))?;
    let mut files = Files::default();
    let mut predecessor = None;
    let listeners = match inheritance {
        Some(inheritance) => {
            (files, predecessor) = (inheritance.files, inheritance.predecessor);
            Ok(listeners::inherit(inheritance.listeners, inheritance.is_shared))
        }
        None => listeners::make(&mut plan, &mut files),
    };
    let has_predecessor = predecessor.is_some();
    let settled = listeners.and_then(|listeners| {
        let pages = settle(&plan, &mut files)?;
        let server = share(&mut plan, pages);
        let begun = begin(&plan, server, &listeners, &wake);
        let begun = begun.and_then(|()| match flavor.restarts {
            true => arm(&plan, &invocation, &listeners, &files),
            false => Ok(()),
        });
        begun.map_err(|error| StartError::new(format_args!("loop: {}", errno_text(&error))))?;
        if !is_new_start {
            plan.credentials.log(&plan.options);
        }
        if let Some(predecessor) = predecessor {
            predecessor.succeed(files.pidfile.as_ref())?;
        }
        Ok(listeners)
    });
    match settled {
        Ok(listeners) => {
            process::disown_children();
            let handover = HandOver {
                invocation,
                name: setup::name_or(NAME),
                log: plan.options.log_destination(),
                is_foreground: plan.options.is_foreground,
                drain: plan.options.drain,
                progress: Progress::None,
            };
            Ok(Process { files, listeners, wake, handover, notifier })
        }
        Err(error) => {
            event_loop::end();
            if !has_predecessor {
                files.remove_all();
            }
            Err(error)
        }
    }
}

/// Becomes who the server is to be, where it is to be. Returns what it has opened besides.
fn settle(plan: &Plan, files: &mut Files) -> Result<Option<Pages>, StartError> {
    if plan.credentials.is_drop() {
        files.keep_rights()?;
    }
    plan.credentials.assume()?;
    // By the one who will read what is in it.
    let pages = plan.options.pages.as_deref().map(Pages::open).transpose()?;
    if !plan.options.is_foreground {
        let root = Path::new("/");
        let changed = std::env::set_current_dir(root);
        changed.map_err(|error| StartError::path("chdir", root, errno_text(&error)))?;
    }
    Ok(pages)
}

/// What the loops share.
fn share(plan: &mut Plan, pages: Option<Pages>) -> Arc<Server> {
    Arc::new(Server {
        settings: std::mem::replace(&mut plan.settings, Settings::DEFAULT),
        fields: plan.options.fields,
        pages,
        connections: Arc::new(Connections::new(plan.config.max_connections)),
    })
}

/// Makes the loop, which accepts from these sockets.
fn begin(
    plan: &Plan,
    server: Arc<Server>,
    listeners: &[Arc<Listener>],
    wake: &PipeReader,
) -> io::Result<()> {
    let mut engine = Engine::new(plan.config, Arc::clone(&server.connections))?;
    listeners.iter().try_for_each(|listener| engine.listen(Arc::clone(listener)))?;
    engine.watch_control(wake)?;
    let periodic = setup::with(|setup| setup.periodic).ok().flatten();
    engine.set_tick(periodic.map(|periodic| periodic.period));
    event_loop::begin(engine, server);
    Ok(())
}

/// Has a crash start the server anew from now on.
fn arm(
    plan: &Plan,
    invocation: &Invocation,
    listeners: &[Arc<Listener>],
    files: &Files,
) -> io::Result<()> {
    let descriptors: Vec<_> = listeners.iter().map(|it| it.as_fd().as_raw_fd()).collect();
    let handoff = Handoff {
        name: &setup::name_or(NAME),
        directory: &invocation.path,
        log: plan.options.log_destination(),
        listeners: &descriptors,
        is_shared: listeners.iter().any(|listener| listener.is_shared()),
        files,
        predecessor: None,
    };
    restart::arm(invocation, &handoff)
}
