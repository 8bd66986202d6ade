//! Listening sockets that a service manager has opened, by sd_listen_fds(3)'s protocol. Their files are
//! its own: they are neither given to another user nor removed.

use std::os::fd::{AsFd, BorrowedFd, IntoRawFd as _, OwnedFd, RawFd};

use dorrit_engine::Listener;
use rustix::net::{AddressFamily, SocketType, getsockname, sockopt};

use super::tcp;
use crate::log::Level;
use crate::program::Flavor;
use crate::{log, process};

/// The variable with the process for which the sockets are.
const PID: &str = "LISTEN_PID";
/// The variable with the number of the sockets.
const COUNT: &str = "LISTEN_FDS";
/// The variable with the descriptors' names, on which nothing depends here.
const NAMES: &str = "LISTEN_FDNAMES";
/// The first of the descriptors that are passed.
const FIRST: RawFd = 3;
/// The most descriptors that are taken for passed, as each number is looked at: more are a mistake.
const MOST: usize = 1024;

/// The sockets that a service manager has passed.
#[derive(Debug, Default)]
pub(crate) struct Activation {
    pub(crate) listeners: Vec<Listener>,
    /// What is wrong with what was passed besides.
    faults: Vec<String>,
}

impl Activation {
    /// Takes the sockets, and what tells of them out of the environment. Called once, while the server
    /// has one thread and has opened nothing: what is open under a number that was passed is what was
    /// passed.
    pub(crate) fn take(flavor: &Flavor) -> Self {
        // A child of the one whom they were for has them in its environment.
        let is_ours = std::env::var(PID).is_ok_and(|pid| pid.parse() == Ok(std::process::id()));
        let count = std::env::var_os(COUNT).filter(|_| is_ours);
        // SAFETY: the server has one thread.
        [PID, COUNT, NAMES].into_iter().for_each(|name| unsafe { std::env::remove_var(name) });
        let mut activation = Self::default();
        let Some(count) = count else { return activation };
        match count.to_str().and_then(|count| count.parse().ok()) {
            Some(count @ 1..=MOST) => activation.take_all(count, flavor),
            _ => {
                let count = count.display();
                activation
                    .faults
                    .push(format!("{COUNT} {count}: must be a number from 1 to {MOST}"));
            }
        }
        activation
    }

    fn take_all(&mut self, count: usize, flavor: &Flavor) {
        for number in (FIRST..).take(count) {
            // SAFETY: it was passed to this process, which takes each number once.
            let socket = unsafe { process::take_descriptor(number) };
            let kind = socket.as_ref().ok_or("is not open").and_then(|it| Kind::of(it.as_fd()));
            match kind.and_then(|kind| self.want(kind, flavor)) {
                Ok(()) => self.listeners.extend(socket.map(tcp::listener).map(Listener::shared)),
                Err(why) => {
                    self.faults.push(format!("{COUNT}: descriptor {number} {why}"));
                    // It stays open: what it is, and for whom, is not known here.
                    let _ = socket.map(OwnedFd::into_raw_fd);
                }
            }
        }
    }

    /// Whether the library listens on one more socket of that kind.
    fn want(&self, kind: Kind, flavor: &Flavor) -> Result<(), &'static str> {
        match kind {
            _ if flavor.has_extensions => Ok(()),
            Kind::Tcp => Err("is no UNIX socket"),
            Kind::Unix if self.listeners.is_empty() => Ok(()),
            Kind::Unix => Err("is one socket too many"),
        }
    }

    /// Says what is wrong with what was passed.
    pub(crate) fn log_faults(&self) {
        self.faults.iter().for_each(|fault| log::limited(Level::Warning, fault));
    }
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Unix,
    Tcp,
}

impl Kind {
    /// The kind of a descriptor, which must be a socket that listens.
    fn of(socket: BorrowedFd<'_>) -> Result<Self, &'static str> {
        match sockopt::socket_type(socket) {
            Ok(SocketType::STREAM) => {}
            Ok(_) => return Err("is no stream socket"),
            Err(_) => return Err("is no socket"),
        }
        if !is_listening(socket) {
            return Err("does not listen");
        }
        match getsockname(socket).map(|name| name.address_family()) {
            Ok(AddressFamily::UNIX) => Ok(Self::Unix),
            Ok(AddressFamily::INET | AddressFamily::INET6) => Ok(Self::Tcp),
            _ => Err("is neither a UNIX socket nor one of TCP"),
        }
    }
}

/// Whether a socket listens.
#[cfg(not(target_vendor = "apple"))]
fn is_listening(socket: impl AsFd) -> bool {
    sockopt::socket_acceptconn(socket) == Ok(true)
}

/// Whether a socket listens, which macOS does not tell: where it does not, accepting fails, which is
/// logged.
#[cfg(target_vendor = "apple")]
fn is_listening(_socket: impl AsFd) -> bool {
    true
}
