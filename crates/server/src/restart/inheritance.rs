//! What a server leaves to a new start of its own, and what that one finds: descriptors that stay open,
//! and what they are in the environment.

use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use super::crash_record::CrashRecord;
use super::successor::Predecessor;
use super::variables;
use crate::error::StartError;
use crate::files::{Cleaner, FileId, Files, OwnFile, Pidfile};
use crate::log::{self, Destination};
use crate::process;

/// The version of what these variables mean. It is raised where a server that reads them as before would take
/// something for what it is not. What never changes is the record, which says for whom they are, and where the
/// log goes: the name, and whether that is syslog. A server that set no version has set them as of version 1.
const VERSION: u32 = 1;
/// The names of the variables, but for those of the sockets.
const NAMES: [&str; 10] = [
    "DORRIT_RESTART_VERSION",
    "DORRIT_RESTART_NAME",
    "DORRIT_RESTART_DIRECTORY",
    "DORRIT_RESTART_SYSLOG",
    "DORRIT_RESTART_LISTENERS",
    "DORRIT_RESTART_SHARED",
    "DORRIT_RESTART_JANITOR",
    "DORRIT_RESTART_PIDFILE",
    "DORRIT_RESTART_PIDFILE_DESCRIPTOR",
    "DORRIT_RESTART_PREDECESSOR",
];
/// The names of the variables of a socket: its path, and what it is known by. Behind them stands a number,
/// but for the first socket.
const SOCKET: [&str; 2] = ["DORRIT_RESTART_SOCKET", "DORRIT_RESTART_SOCKET_ID"];

/// What a server leaves to its new start.
#[derive(Debug)]
pub(crate) struct Handoff<'a> {
    pub(crate) name: &'a CStr,
    /// The directory in which the server was started.
    pub(crate) directory: &'a Path,
    /// Where the server's log goes.
    pub(crate) log: Destination,
    pub(crate) listeners: &'a [RawFd],
    /// Whether others listen on the listeners too.
    pub(crate) is_shared: bool,
    pub(crate) files: &'a Files,
    /// The ends of the new start's pipes to and from the one before, where that goes on meanwhile.
    pub(crate) predecessor: Option<[RawFd; 2]>,
}

/// What a new start has inherited.
#[derive(Debug)]
pub(crate) struct Inheritance {
    pub(crate) name: CString,
    /// The directory in which the first start was.
    pub(crate) directory: Option<PathBuf>,
    /// Where the server's log goes.
    pub(crate) log: Destination,
    pub(crate) listeners: Vec<OwnedFd>,
    /// Whether others listen on the listeners too.
    pub(crate) is_shared: bool,
    pub(crate) files: Files,
    /// The server before, where it goes on meanwhile.
    pub(crate) predecessor: Option<Predecessor>,
}

impl Handoff<'_> {
    /// The descriptors that must be open in the new start.
    pub(crate) fn descriptors(&self) -> Vec<RawFd> {
        let pidfile = self.files.pidfile.as_ref().map(Pidfile::as_raw_fd);
        let pairs = [self.files.cleaner_descriptors(), self.predecessor];
        let pairs = pairs.into_iter().flatten().flatten();
        self.listeners.iter().copied().chain(pairs).chain(pidfile).collect()
    }

    /// The variables that stand in the new start's environment.
    pub(crate) fn variables(&self) -> Vec<(OsString, OsString)> {
        let Files { sockets, pidfile, .. } = self.files;
        let texts: [Option<OsString>; NAMES.len()] = [
            Some(variables::numbers(&[VERSION])),
            Some(OsStr::from_bytes(self.name.to_bytes()).to_owned()),
            Some(self.directory.into()),
            (self.log == Destination::Syslog).then(|| "yes".into()),
            Some(variables::numbers(self.listeners)),
            self.is_shared.then(|| "yes".into()),
            self.files.cleaner_descriptors().map(|ends| variables::numbers(&ends)),
            pidfile.as_ref().map(|pidfile| pidfile.path().into()),
            pidfile.as_ref().map(|pidfile| variables::numbers(&[pidfile.as_raw_fd()])),
            self.predecessor.map(|ends| variables::numbers(&ends)),
        ];
        let texts = NAMES.into_iter().zip(texts);
        let texts = texts.filter_map(|(name, text)| Some((name.into(), text?)));
        let sockets = sockets.iter().enumerate().flat_map(|(number, socket)| {
            let [path, id] = socket_names(number);
            [(path, socket.path.clone().into()), (id, variables::numbers(&socket.id))]
        });
        texts.chain(sockets.map(|(name, text)| (name.into(), text))).collect()
    }
}

impl Inheritance {
    /// Takes what the start before has left, and all that tells of it out of the environment. Without a
    /// record it is not for this process: a program may have handed its environment on. Fails where it is
    /// of a version that is not known here.
    pub(crate) fn take(record: Option<&CrashRecord>) -> Result<Option<Self>, StartError> {
        let texts = NAMES.map(variables::take);
        let sockets: Vec<_> = (0..).map_while(take_socket).collect();
        let Some(record) = record else { return Ok(None) };
        let [version, name, directory, syslog, listeners, shared, cleaner, pidfile, lock, ends] =
            texts;
        let name = CString::new(name.unwrap_or_default().into_vec()).unwrap_or_default();
        let destination = syslog.map_or(Destination::Stderr, |_| Destination::Syslog);
        if let Some(unknown) = version.filter(|version| !is_known(version)) {
            log::set_name(&name);
            log::set_destination(destination);
            return Err(StartError::new(format_args!(
                "what the server before has left is of version {}, and this one knows none above {VERSION}",
                unknown.display()
            )));
        }
        let is_crash = record.signal().is_some();
        let files = Files {
            sockets,
            pidfile: pidfile
                .zip(own(lock).pop())
                .map(|(path, file)| Pidfile::inherit(path.into(), file)),
            cleaner: <[OwnedFd; 2]>::try_from(own(cleaner)).ok().map(Cleaner::from),
        };
        let inheritance = Self {
            name,
            directory: directory.map(PathBuf::from),
            log: destination,
            listeners: own(listeners),
            is_shared: shared.is_some(),
            files,
            predecessor: <[OwnedFd; 2]>::try_from(own(ends)).ok().map(Predecessor::from),
        };
        // What the program was started by may have closed it all.
        let is_whole =
            !inheritance.listeners.is_empty() && (is_crash || inheritance.predecessor.is_some());
        Ok(is_whole.then_some(inheritance))
    }

    /// The descriptors that are inherited.
    pub(crate) fn descriptors(&self) -> Vec<RawFd> {
        let listeners: Vec<_> = self.listeners.iter().map(OwnedFd::as_raw_fd).collect();
        let handoff = Handoff {
            name: &self.name,
            directory: Path::new(""),
            log: self.log,
            listeners: &listeners,
            is_shared: self.is_shared,
            files: &self.files,
            predecessor: self.predecessor.as_ref().map(Predecessor::descriptors),
        };
        handoff.descriptors()
    }
}

/// Whether variables of that version are understood here.
fn is_known(version: &OsStr) -> bool {
    let version = version.to_str().and_then(|version| version.parse().ok());
    version.is_some_and(|version: u32| version <= VERSION)
}

fn socket_names(number: usize) -> [String; 2] {
    SOCKET.map(|name| match number {
        0 => name.to_owned(),
        _ => format!("{name}_{number}"),
    })
}

fn take_socket(number: usize) -> Option<OwnFile> {
    let [path, id] = socket_names(number).map(|name| variables::take(&name));
    let (path, id) = path.zip(FileId::try_from(variables::parse(id)).ok())?;
    Some(OwnFile { path: path.into(), id })
}

/// Takes descriptors that are open, and closes them in what the program executes.
fn own(text: Option<OsString>) -> Vec<OwnedFd> {
    // SAFETY: the start before left them open for us, and nobody else in this process knows of them.
    variables::parse(text)
        .into_iter()
        .filter_map(|fd| unsafe { process::take_descriptor(fd) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_versions_are_not_known() {
        assert!(is_known(OsStr::new("0")) && is_known(&variables::numbers(&[VERSION])));
        for later in ["2", "4294967296", "1.1", "1 2", "", "next"] {
            assert!(!is_known(OsStr::new(later)), "{later}");
        }
    }
}
