//! The sockets to listen on: made, passed, or left by the start before.

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use dorrit_engine::Listener;
use nix::unistd::geteuid;

use super::plan::Plan;
use crate::error::StartError;
use crate::files::{Files, Pidfile, pidfile_path};
use crate::listen;
use crate::setup::{self, NAME};

/// Makes the files, and the sockets to listen on, which are as the options ask for.
pub(super) fn make(plan: &mut Plan, files: &mut Files) -> Result<Vec<Arc<Listener>>, StartError> {
    let listeners = open(plan, files)?;
    keep_alive(plan, &listeners)?;
    Ok(listeners)
}

fn open(plan: &mut Plan, files: &mut Files) -> Result<Vec<Arc<Listener>>, StartError> {
    if geteuid().is_root() && !plan.options.is_foreground {
        files.pidfile = Some(Pidfile::write(&pidfile_path(&setup::name_or(NAME)))?);
    }
    let passed = std::mem::take(&mut plan.passed);
    if !passed.is_empty() {
        return Ok(passed.into_iter().map(Arc::new).collect());
    }
    let mut listeners = Vec::new();
    // First what leaves no file behind where it fails.
    for port in &plan.options.ports {
        let opened = listen::open_tcp(*port, plan.options.addresses())?;
        listeners.extend(opened.into_iter().map(Listener::from).map(Arc::new));
    }
    for path in &plan.sockets {
        let (listener, socket) = listen::open_unix(path, &plan.credentials)?;
        files.sockets.push(socket);
        listeners.push(Arc::new(listener.into()));
    }
    Ok(listeners)
}

/// The sockets that the start before has left; others may listen on them too.
pub(super) fn inherit(
    plan: &Plan,
    sockets: Vec<OwnedFd>,
    is_shared: bool,
) -> Result<Vec<Arc<Listener>>, StartError> {
    let listeners = sockets.into_iter().map(listen::listener);
    let listeners: Vec<_> =
        listeners.map(|it| Arc::new(if is_shared { it.shared() } else { it })).collect();
    keep_alive(plan, &listeners)?;
    Ok(listeners)
}

/// Has the system probe silent peers, where that is asked for.
fn keep_alive(plan: &Plan, listeners: &[Arc<Listener>]) -> Result<(), StartError> {
    let Some(keepalive) = plan.options.tcp_keepalive else { return Ok(()) };
    listeners.iter().try_for_each(|listener| listen::keep_alive(listener.as_fd(), keepalive))
}
