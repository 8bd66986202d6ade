//! What a server leaves to a new start of its own, and what that one finds: descriptors that stay open,
//! and what they are in the environment.

use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use super::crash_record::CrashRecord;
use super::successor::Predecessor;
use super::variables;
use crate::files::{Cleaner, FileId, Files, OwnFile, Pidfile};
use crate::log::Destination;
use crate::process;

/// The names of the variables.
const NAMES: [&str; 9] = [
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
/// Those of a socket: its path, and what it is known by. Behind them stands a number, but for the first.
const SOCKET: [&str; 2] = ["DORRIT_RESTART_SOCKET", "DORRIT_RESTART_SOCKET_ID"];

/// What is left.
#[derive(Debug)]
pub(crate) struct Handoff<'a> {
    pub(crate) name: &'a CStr,
    /// The directory in which the server was started.
    pub(crate) directory: &'a Path,
    /// Where its log goes.
    pub(crate) log: Destination,
    pub(crate) listeners: &'a [RawFd],
    /// Whether others listen on them too.
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
    /// Where the log goes.
    pub(crate) log: Destination,
    pub(crate) listeners: Vec<OwnedFd>,
    /// Whether others listen on them too.
    pub(crate) is_shared: bool,
    pub(crate) files: Files,
    /// The server before, where it goes on meanwhile.
    pub(crate) predecessor: Option<Predecessor>,
}

impl Handoff<'_> {
    /// The descriptors, which must be open in the new start.
    pub(crate) fn descriptors(&self) -> Vec<RawFd> {
        let pidfile = self.files.pidfile.as_ref().map(Pidfile::as_raw_fd);
        let pairs = [self.files.cleaner_descriptors(), self.predecessor];
        let pairs = pairs.into_iter().flatten().flatten();
        self.listeners.iter().copied().chain(pairs).chain(pidfile).collect()
    }

    /// What stands in the new start's environment.
    pub(crate) fn variables(&self) -> Vec<(OsString, OsString)> {
        let Files { sockets, pidfile, .. } = self.files;
        let texts: [Option<OsString>; NAMES.len()] = [
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
    /// Takes what is there, and all that tells of it out of the environment. Without a record it is not for
    /// this process: a program may have handed its environment on.
    pub(crate) fn take(record: Option<&CrashRecord>) -> Option<Self> {
        let texts = NAMES.map(variables::take);
        let sockets: Vec<_> = (0..).map_while(take_socket).collect();
        let is_crash = record?.signal().is_some();
        let [name, directory, syslog, listeners, shared, cleaner, pidfile, lock, ends] = texts;
        let files = Files {
            sockets,
            pidfile: pidfile
                .zip(own(lock).pop())
                .map(|(path, file)| Pidfile::inherit(path.into(), file)),
            cleaner: <[OwnedFd; 2]>::try_from(own(cleaner)).ok().map(Cleaner::from),
        };
        let inheritance = Self {
            name: CString::new(name.unwrap_or_default().into_vec()).unwrap_or_default(),
            directory: directory.map(PathBuf::from),
            log: syslog.map_or(Destination::Stderr, |_| Destination::Syslog),
            listeners: own(listeners),
            is_shared: shared.is_some(),
            files,
            predecessor: <[OwnedFd; 2]>::try_from(own(ends)).ok().map(Predecessor::from),
        };
        // What the program was started by may have closed it all.
        let is_whole =
            !inheritance.listeners.is_empty() && (is_crash || inheritance.predecessor.is_some());
        is_whole.then_some(inheritance)
    }

    /// The descriptors.
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
