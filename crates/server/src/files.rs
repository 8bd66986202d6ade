//! The files that a running server owns: its sockets and its pidfile.

use std::fs::Metadata;
use std::io;
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use crate::janitor::Janitor;
use crate::pidfile::Pidfile;
use crate::privileges::Credentials;
use crate::socket;
use crate::start::{StartError, words};

/// A file of ours, recognised also where another one has its name.
#[derive(Clone, Debug)]
pub(crate) struct OwnFile {
    pub(crate) path: PathBuf,
    pub(crate) id: FileId,
}

/// A file's device, its inode, and when it was written to last: an inode is used again.
pub(crate) type FileId = [u64; 3];

/// The device and the inode.
pub(crate) fn id(found: &Metadata) -> [u64; 2] {
    [found.dev(), found.ino()]
}

impl OwnFile {
    /// The file that is at this path now.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        let found = std::fs::symlink_metadata(path)?;
        let written = found.mtime().wrapping_mul(1_000_000_000).wrapping_add(found.mtime_nsec());
        Ok(Self { path: path.to_owned(), id: [found.dev(), found.ino(), written as u64] })
    }

    /// Removes it, unless another file has taken its place (CONTRACT S10).
    pub(crate) fn remove(&self) -> io::Result<()> {
        match Self::at(&self.path) {
            Ok(found) if found.id == self.id => std::fs::remove_file(&self.path),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The files of a server, and who removes them.
#[derive(Debug, Default)]
pub(crate) struct Files {
    pub(crate) sockets: Vec<OwnFile>,
    /// It stays locked until the end.
    pub(crate) pidfile: Option<Pidfile>,
    pub(crate) janitor: Option<Janitor>,
}

impl Files {
    /// Makes a socket.
    pub(crate) fn make_socket(
        &mut self,
        path: &Path,
        credentials: &Credentials,
    ) -> Result<UnixListener, StartError> {
        let (listener, socket) = socket::open(path, credentials)?;
        self.sockets.push(socket);
        Ok(listener)
    }

    /// The ends of the janitor's pipes, where there is one: for orders, and for the word that they are
    /// done.
    pub(crate) fn janitor_descriptors(&self) -> Option<[RawFd; 2]> {
        let Janitor { orders, done } = self.janitor.as_ref()?;
        Some([orders.as_raw_fd(), done.as_raw_fd()])
    }

    /// Leaves the files, where there are any, to a janitor. Called while the server is root, before it
    /// becomes another user.
    pub(crate) fn keep_rights(&mut self) -> Result<(), StartError> {
        let has_files = !self.sockets.is_empty() || self.pidfile.is_some();
        if has_files && self.janitor.is_none() {
            let janitor = Janitor::hire(&self.sockets, self.pidfile.as_ref());
            let fail = |error| StartError::new(format_args!("janitor: {}", words(&error)));
            self.janitor = Some(janitor.map_err(fail)?);
        }
        Ok(())
    }

    /// Leaves them to another server, which has them too.
    pub(crate) fn give_away(&mut self) {
        *self = Self::default();
    }

    /// Removes the sockets.
    pub(crate) fn remove_sockets(&mut self) {
        match &mut self.janitor {
            Some(janitor) => janitor.remove_sockets(),
            None => self.sockets.iter().for_each(|socket| drop(socket.remove())),
        }
    }

    /// Removes all files, and returns when they are gone.
    pub(crate) fn remove_all(mut self) {
        self.remove_sockets();
        match self.janitor.take() {
            Some(janitor) => janitor.remove_all(),
            None => drop(self.pidfile.as_ref().map(Pidfile::remove)),
        }
    }
}
