//! What systemd and those who speak its protocols do with a server: sd_notify(3), sd_listen_fds(3), and
//! the units that are shipped.

mod booted;
mod machine;
mod notify;
mod passed;
mod units;
mod watchdog;

use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use crate::harness::{LIMIT, Launch, uninterrupted};

/// A service manager's end of sd_notify(3).
struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Manager {
    /// One whom this launch's server tells what happens.
    fn of(launch: Launch) -> (Launch, Manager) {
        let path = launch.dir().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        // The server may have become another user.
        let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(&path, everybody).expect("its mode");
        let launch = launch.env("NOTIFY_SOCKET", &path.display().to_string());
        (launch, Manager { socket, path })
    }

    /// Waits for a message.
    fn hear(&self) -> String {
        self.socket.set_nonblocking(false).expect("a flag");
        self.socket.set_read_timeout(Some(LIMIT)).expect("a timeout");
        self.take().expect("a message")
    }

    /// The message that is there, if any.
    fn heard(&self) -> Option<String> {
        self.socket.set_nonblocking(true).expect("a flag");
        self.take()
    }

    /// Waits for a message that is not of the watchdog.
    fn hear_news(&self) -> String {
        loop {
            let message = self.hear();
            if message != WATCHDOG {
                return message;
            }
        }
    }

    fn take(&self) -> Option<String> {
        let mut buffer = [0; 4096];
        match uninterrupted(|| self.socket.recv(&mut buffer)) {
            Ok(len) => Some(String::from_utf8_lossy(&buffer[..len]).into_owned()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        }
    }
}

const WATCHDOG: &str = "WATCHDOG=1";
