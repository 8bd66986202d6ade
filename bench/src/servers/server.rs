//! A server that is built: what it can do, and by which command.

use std::io;
use std::path::PathBuf;
use std::process::Command;

use super::nginx;
use super::running::Running;
use crate::client::Address;
use crate::columns::Mode;
use crate::machine::Cores;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Limit,
    Dorrit,
    Uws,
    Libwebsockets,
    Fastwebsockets,
    Tungstenite,
    Ws,
    Nginx,
}

/// One that is built and can be started.
pub struct Server {
    pub name: String,
    /// What it is, with its version.
    pub title: String,
    pub(super) kind: Kind,
    /// The directory of its programs.
    pub(super) place: PathBuf,
    /// The command that runs it, where that was installed and not built here: node, nginx.
    pub(super) installed: String,
}

impl Server {
    /// Whether the limit's language is spoken to it.
    pub fn is_limit(&self) -> bool {
        self.kind == Kind::Limit
    }

    pub fn is_uws(&self) -> bool {
        self.kind == Kind::Uws
    }

    pub fn is_ours(&self) -> bool {
        self.kind == Kind::Dorrit
    }

    /// One of the others.
    pub fn is_peer(&self) -> bool {
        !matches!(self.kind, Kind::Limit | Kind::Dorrit | Kind::Uws)
    }

    /// Why it takes no part in a column, where it does not.
    pub fn lacks(&self, mode: Mode, speaks_handshake: bool) -> Option<&'static str> {
        match (self.kind, mode) {
            (Kind::Limit, Mode::Compress) => Some("knows no protocol"),
            (Kind::Limit, _) if speaks_handshake => Some("knows no protocol"),
            (Kind::Dorrit, Mode::Large | Mode::Compress) if !self.place.join("full").exists() => {
                Some("this libdorrit has no ws_send")
            }
            (Kind::Dorrit, Mode::Queue) if !self.place.join("queue").exists() => {
                Some("this libdorrit has no ws_set_queue_limit")
            }
            (Kind::Dorrit, Mode::Post) if !self.place.join("post").exists() => {
                Some("this libdorrit has no ws_post")
            }
            (Kind::Dorrit, Mode::Health) if !self.place.join("health").exists() => {
                Some("this libdorrit has no ws_request_callback")
            }
            (Kind::Dorrit, Mode::Work | Mode::Queue | Mode::Post | Mode::Health)
            | (Kind::Uws, Mode::Work | Mode::Health)
            | (Kind::Limit, Mode::Post | Mode::Health)
            | (Kind::Libwebsockets | Kind::Nginx, Mode::Health) => None,
            (Kind::Nginx, _) => Some("answers plain requests alone"),
            (_, Mode::Work | Mode::Queue | Mode::Post | Mode::Health) => {
                Some("is not written for it")
            }
            (Kind::Tungstenite | Kind::Fastwebsockets, Mode::Compress) => {
                Some("has no compression")
            }
            _ => None,
        }
    }

    fn command(&self, mode: Mode, address: &Address) -> io::Result<Command> {
        let program = |name: &str| Command::new(self.place.join(name));
        let mut command = match self.kind {
            Kind::Dorrit => {
                let mut command = program(match mode {
                    Mode::Echo => "echo",
                    Mode::Broadcast => "broadcast",
                    Mode::Large | Mode::Compress => "full",
                    Mode::Work => "work",
                    Mode::Queue => "queue",
                    Mode::Post => "post",
                    Mode::Health => "health",
                });
                command.env("LD_LIBRARY_PATH", &self.place).args(["-x", "-m", "20000"]);
                match mode {
                    Mode::Large => command.arg("--max-message=16777216"),
                    Mode::Compress => command.arg("--compress=6"),
                    _ => &mut command,
                };
                match address {
                    Address::Unix(path) => command.arg("-l").arg(path),
                    Address::Tcp(port) => command.arg("-p").arg(port.to_string()),
                };
                return Ok(command);
            }
            Kind::Limit if mode == Mode::Post => program("eventfd"),
            Kind::Limit => program("limit"),
            Kind::Uws => program("uws"),
            Kind::Libwebsockets => program("libwebsockets"),
            Kind::Fastwebsockets => program("peer-fastwebsockets"),
            Kind::Tungstenite => program("peer-tungstenite"),
            Kind::Ws => {
                let mut command = Command::new(&self.installed);
                command.arg(self.place.join("ws.mjs"));
                command
            }
            Kind::Nginx => return nginx::command(&self.installed, &self.place, address),
        };
        // The limit does not look at what it sends back.
        let mode = match (self.kind, mode) {
            (Kind::Limit, Mode::Large) => Mode::Echo,
            _ => mode,
        };
        command.arg(mode.name()).arg(address.to_string());
        Ok(command)
    }

    /// Starts it on its core, and waits until it takes connections.
    pub fn start(&self, mode: Mode, address: Address, cores: Cores) -> io::Result<Running> {
        let errors = self.place.join(format!("{}.stderr", self.name));
        Running::start(self.command(mode, &address)?, address, errors, cores)
    }
}
