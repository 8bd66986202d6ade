//! The files that a running server owns: its sockets and its pidfile.

use std::io;
use std::os::fd::{AsRawFd as _, RawFd};
use std::path::Path;

use super::cleaner::Janitor;
use super::own_file::OwnFile;
use super::pidfile::Pidfile;
use crate::error::{StartError, errno_text};
use crate::{log, process};

/// The files of a server, and who removes them.
#[derive(Debug, Default)]
pub(crate) struct Files {
    pub(crate) sockets: Vec<OwnFile>,
    /// It stays locked until the end.
    pub(crate) pidfile: Option<Pidfile>,
    pub(crate) janitor: Option<Janitor>,
}

impl Files {
    /// The ends of the janitor's pipes, where there is one: for orders, and for the word that they are
    /// done.
    pub(crate) fn janitor_descriptors(&self) -> Option<[RawFd; 2]> {
        let Janitor { orders, done } = self.janitor.as_ref()?;
        Some([orders.as_raw_fd(), done.as_raw_fd()])
    }

    /// Leaves the files, where there are any, to a janitor. Called while the server is root, before it
    /// becomes another user. A reaper would become the janitor's parent (CONTRACT S28): it has none.
    pub(crate) fn keep_rights(&mut self) -> Result<(), StartError> {
        let has_files = !self.sockets.is_empty() || self.pidfile.is_some();
        if has_files && self.janitor.is_none() && !process::is_reaper() {
            let janitor = Janitor::hire(&self.sockets, self.pidfile.as_ref());
            let fail = |error| StartError::new(format_args!("janitor: {}", errno_text(&error)));
            self.janitor = Some(janitor.map_err(fail)?);
        }
        Ok(())
    }

    /// Leaves the files to another server, which has them too.
    pub(crate) fn disown(&mut self) {
        *self = Self::default();
    }

    /// Removes the sockets.
    pub(crate) fn remove_sockets(&mut self) {
        match &mut self.janitor {
            Some(janitor) => janitor.remove_sockets(),
            None => {
                for socket in self.sockets.drain(..) {
                    tell(&socket.path, socket.remove());
                }
            }
        }
    }

    /// Removes all files, and returns when they are gone.
    pub(crate) fn remove_all(mut self) {
        self.remove_sockets();
        match self.janitor.take() {
            Some(janitor) => janitor.remove_all(),
            None => drop(self.pidfile.map(|pidfile| tell(pidfile.path(), pidfile.remove()))),
        }
    }
}

/// Says so where a file is left behind.
fn tell(path: &Path, removed: io::Result<()>) {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            log::warning(&format!("{} is left behind: {}", path.display(), errno_text(&error)));
        }
        _ => {}
    }
}
