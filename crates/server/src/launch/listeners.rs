//! The sockets to listen on: made, passed, or left by the start before.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use dorrit_engine::Listener;
use nix::unistd::geteuid;

use super::plan::Plan;
use crate::error::StartError;
use crate::files::{Files, Pidfile, pidfile_path};
use crate::listen;
use crate::setup::{self, NAME};

/// Makes the files, and the sockets to listen on.
pub(super) fn make(plan: &mut Plan, files: &mut Files) -> Result<Vec<Arc<Listener>>, StartError> {
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
pub(super) fn inherit(sockets: Vec<OwnedFd>, is_shared: bool) -> Vec<Arc<Listener>> {
    let listeners = sockets.into_iter().map(listen::listener);
    listeners.map(|it| Arc::new(if is_shared { it.shared() } else { it })).collect()
}
