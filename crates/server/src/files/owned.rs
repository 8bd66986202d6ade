//! The files that a running server owns: its sockets and its pidfile.

use std::io;
use std::os::fd::{AsRawFd as _, RawFd};
use std::path::Path;

use super::cleaner::Cleaner;
use super::own_file::OwnFile;
use super::pidfile::Pidfile;
use crate::error::{StartError, errno_text};
use crate::{log, process};

/// The files of a server, and who removes them.
#[derive(Debug, Default)]
pub(crate) struct Files {
    pub(crate) sockets: Vec<OwnFile>,
    /// The pidfile, which stays locked until the end.
    pub(crate) pidfile: Option<Pidfile>,
    pub(crate) cleaner: Option<Cleaner>,
}

impl Files {
    /// The ends of the cleaner's pipes, where there is one: for orders, and for the end that says that they
    /// are done.
    pub(crate) fn cleaner_descriptors(&self) -> Option<[RawFd; 2]> {
        let Cleaner { orders, done } = self.cleaner.as_ref()?;
        Some([orders.as_raw_fd(), done.as_raw_fd()])
    }

    /// Leaves the files, where there are any, to a cleaner. Called while the server is root, before it
    /// becomes another user. A reaper would become the cleaner's parent (CONTRACT S28): it has none.
    pub(crate) fn keep_rights(&mut self) -> Result<(), StartError> {
        let has_files = !self.sockets.is_empty() || self.pidfile.is_some();
        if has_files && self.cleaner.is_none() && !process::is_reaper() {
            let cleaner = Cleaner::start(&self.sockets, self.pidfile.as_ref());
            let fail = |error| StartError::new(format_args!("janitor: {}", errno_text(&error)));
            self.cleaner = Some(cleaner.map_err(fail)?);
        }
        Ok(())
    }

    /// Leaves the files to another server, which has them too.
    pub(crate) fn disown(&mut self) {
        *self = Self::default();
    }

    /// Removes the sockets.
    pub(crate) fn remove_sockets(&mut self) {
        match &mut self.cleaner {
            Some(cleaner) => cleaner.remove_sockets(),
            None => {
                for socket in self.sockets.drain(..) {
                    log_left_behind(&socket.path, socket.remove());
                }
            }
        }
    }

    /// Removes all files, and returns when they are gone.
    pub(crate) fn remove_all(mut self) {
        self.remove_sockets();
        match self.cleaner.take() {
            Some(cleaner) => cleaner.remove_all(),
            None => {
                if let Some(pidfile) = self.pidfile {
                    log_left_behind(pidfile.path(), pidfile.remove());
                }
            }
        }
    }
}

/// Says so where a file is left behind.
fn log_left_behind(path: &Path, removed: io::Result<()>) {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            log::warning(&format!("{} is left behind: {}", path.display(), errno_text(&error)));
        }
        _ => {}
    }
}
