//! The files that a running server owns: its socket and its pidfile.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use crate::janitor::Janitor;
use crate::privileges::Credentials;
use crate::restart::Place;
use crate::start::{StartError, words};
use crate::{pidfile, socket};

/// A file of ours, recognised also where another one has its name.
#[derive(Clone, Debug)]
pub(crate) struct OwnFile {
    path: PathBuf,
    id: FileId,
}

/// A file's device, its inode, and when it was written to last: an inode is used again.
pub(crate) type FileId = [u64; 3];

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

/// Removes the socket and the pidfile of a server that has crashed too often.
pub(crate) fn remove_left(place: &Place<'_>, socket_id: FileId) {
    let socket = place.socket.map(|path| OwnFile { path: path.to_owned(), id: socket_id });
    let _ = socket.as_ref().map(OwnFile::remove);
    let path = pidfile::path(place.name);
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    if text.trim_end() == std::process::id().to_string() {
        let _ = std::fs::remove_file(path);
    }
}

/// The files of a server, and who removes them.
#[derive(Debug)]
pub(crate) struct Files {
    socket: Option<OwnFile>,
    pidfile: Option<OwnFile>,
    janitor: Option<Janitor>,
}

impl Files {
    /// Those of a server that is about to make its socket, where it has one.
    pub(crate) fn new(pidfile: Option<OwnFile>) -> Self {
        Self { socket: None, pidfile, janitor: None }
    }

    /// Makes the socket.
    pub(crate) fn make_socket(
        &mut self,
        path: &Path,
        credentials: &Credentials,
    ) -> Result<UnixListener, StartError> {
        let (listener, socket) = socket::open(path, credentials)?;
        self.socket = Some(socket);
        Ok(listener)
    }

    /// Takes over the files of the start before.
    pub(crate) fn inherit(
        &mut self,
        path: Option<&Path>,
        id: FileId,
        janitor: Option<[OwnedFd; 2]>,
    ) {
        self.socket = path.map(|path| OwnFile { path: path.to_owned(), id });
        self.janitor = janitor.map(Janitor::from);
    }

    /// What the socket is known by, where there is one.
    pub(crate) fn socket_id(&self) -> Option<FileId> {
        self.socket.as_ref().map(|socket| socket.id)
    }

    /// The ends of the janitor's pipes, where there is one.
    pub(crate) fn janitor_descriptors(&self) -> [Option<RawFd>; 2] {
        match &self.janitor {
            Some(Janitor { orders, done }) => [Some(orders.as_raw_fd()), Some(done.as_raw_fd())],
            None => [None, None],
        }
    }

    /// Leaves the files, where there are any, to a janitor. Called while the server is root, before it
    /// becomes another user.
    pub(crate) fn keep_rights(&mut self) -> Result<(), StartError> {
        let has_files = self.socket.is_some() || self.pidfile.is_some();
        if has_files && self.janitor.is_none() {
            let janitor = Janitor::hire(self.socket.as_ref(), self.pidfile.as_ref());
            let fail = |error| StartError::new(format_args!("janitor: {}", words(&error)));
            self.janitor = Some(janitor.map_err(fail)?);
        }
        Ok(())
    }

    /// Removes the socket.
    pub(crate) fn remove_socket(&mut self) {
        match &mut self.janitor {
            Some(janitor) => janitor.remove_socket(),
            None => drop(self.socket.as_ref().map(OwnFile::remove)),
        }
    }

    /// Removes all files, and returns when they are gone.
    pub(crate) fn remove_all(mut self) {
        self.remove_socket();
        match self.janitor.take() {
            Some(janitor) => janitor.remove_all(),
            None => drop(self.pidfile.as_ref().map(OwnFile::remove)),
        }
    }
}
