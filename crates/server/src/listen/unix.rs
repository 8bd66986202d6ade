//! Listening in the UNIX domain, and the socket's file (CONTRACT D21, S11).

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::{fs, io};

use rustix::fs::{AtFlags, CWD, Gid, Mode, Uid, chownat};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, connect, listen, socket};
use rustix::process::umask;

use crate::error::{StartError, errno_text};
use crate::files::OwnFile;
use crate::process::Credentials;

/// How many connections may wait to be accepted: as many as the system allows. A web server that finds no
/// room gives its visitor an error at once.
pub(super) const BACKLOG: i32 = 65535;

/// Whether the socket can be made at this path; changes nothing.
pub(crate) fn check_path(path: &Path) -> Result<(), StartError> {
    let fail = |why: &str| Err(StartError::path("-l", path, why));
    if SocketAddrUnix::new(path).is_err() {
        return fail("the path is too long for a socket");
    }
    let directory = path.parent().unwrap_or(path);
    match fs::metadata(directory) {
        Ok(found) if !found.is_dir() => return fail("its directory is none"),
        Err(error) => return fail(&format!("its directory: {}", errno_text(&error))),
        Ok(_) => {}
    }
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => fail("exists and is no socket"),
        Ok(_) => match probe(path) {
            Ok(Peer::None) => Ok(()),
            Ok(Peer::Live) => fail("another server listens there"),
            Err(error) => fail(&errno_text(&error)),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => fail(&errno_text(&error)),
    }
}

enum Peer {
    Live,
    None,
}

/// Whether a server answers on a socket that exists.
fn probe(path: &Path) -> io::Result<Peer> {
    let socket = stream_socket(AddressFamily::UNIX)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    match connect(&socket, &SocketAddrUnix::new(path)?) {
        // EAGAIN: its backlog is full. EPROTOTYPE: a socket of another type, which we never made.
        Ok(()) | Err(Errno::AGAIN | Errno::INPROGRESS | Errno::PROTOTYPE) => Ok(Peer::Live),
        Err(Errno::CONNREFUSED | Errno::NOENT) => Ok(Peer::None),
        Err(error) => Err(error.into()),
    }
}

/// Makes the socket, in the place of one that nobody answers on, and listens. It can be connected to only
/// when its owner and mode are right.
pub(crate) fn open_unix(
    path: &Path,
    credentials: &Credentials,
) -> Result<(UnixListener, OwnFile), StartError> {
    check_path(path)?;
    let bound = bind_file(path, credentials);
    bound.map_err(|error| StartError::path("-l", path, errno_text(&error)))
}

fn bind_file(path: &Path, credentials: &Credentials) -> io::Result<(UnixListener, OwnFile)> {
    let socket = stream_socket(AddressFamily::UNIX)?;
    let address = SocketAddrUnix::new(path)?;
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // srwxrwx--- from the start, and no name to change the mode of by mistake.
    let before = umask(Mode::RWXO);
    let bound = bind(&socket, &address);
    umask(before);
    bound?;
    let file = OwnFile::at(path)?;
    let listening = own(path, credentials).and_then(|()| Ok(listen(&socket, BACKLOG)?));
    if let Err(error) = listening {
        let _ = file.remove();
        return Err(error);
    }
    Ok((UnixListener::from(socket), file))
}

/// Gives the socket's file its owner, where that is another, and never what a link in its place points to.
/// Who has nothing to give away may be forbidden to call chown(2) at all.
fn own(path: &Path, credentials: &Credentials) -> io::Result<()> {
    let found = fs::symlink_metadata(path)?;
    if [found.uid(), found.gid()] == [credentials.uid.as_raw(), credentials.gid.as_raw()] {
        return Ok(());
    }
    let uid = Uid::from_raw(credentials.uid.as_raw());
    let gid = Gid::from_raw(credentials.gid.as_raw());
    Ok(chownat(CWD, path, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?)
}

/// A stream socket that is closed on exec (CONTRACT S9).
pub(super) fn stream_socket(family: AddressFamily) -> Result<OwnedFd, Errno> {
    let socket = socket(family, SocketType::STREAM, None)?;
    rustix::io::fcntl_setfd(socket.as_fd(), rustix::io::FdFlags::CLOEXEC)?;
    Ok(socket)
}
