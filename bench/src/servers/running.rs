//! A server's process.

use std::fs::{self, File};
use std::io;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::client::{Address, PATIENCE};
use crate::machine::{self, Cores};

/// A server that runs, until this is dropped.
pub struct Running {
    child: Child,
    pub address: Address,
    errors: PathBuf,
}

impl Running {
    /// Starts it by that command on its core, and waits until it takes connections. What it says goes to
    /// the file `errors`.
    pub(super) fn start(
        mut command: Command,
        address: Address,
        errors: PathBuf,
        cores: Cores,
    ) -> io::Result<Self> {
        if let Address::Unix(path) = &address {
            let _ = fs::remove_file(path);
        }
        machine::stay_on(cores.server)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&errors)?)
            .spawn();
        machine::stay_on(cores.client)?;
        let mut running = Self { child: child?, address, errors };
        let end = Instant::now() + PATIENCE;
        while !running.takes_connections() {
            if let Some(reason) = running.ended() {
                return Err(io::Error::other(reason));
            }
            if Instant::now() > end {
                return Err(io::Error::other("it does not listen"));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(running)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn takes_connections(&self) -> bool {
        match &self.address {
            Address::Unix(path) => UnixStream::connect(path).is_ok(),
            Address::Tcp(port) => TcpStream::connect(("127.0.0.1", *port)).is_ok(),
        }
    }

    /// How it has ended, where it has.
    pub fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok()??;
        let said = fs::read_to_string(&self.errors).unwrap_or_default();
        let last = said.lines().next().unwrap_or_default().to_owned();
        Some(if last.is_empty() { status.to_string() } else { last })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM);
        let end = Instant::now() + Duration::from_millis(500);
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > end {
                let _ = self.child.kill();
                let _ = self.child.wait();
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        if let Address::Unix(path) = &self.address {
            let _ = fs::remove_file(path);
        }
    }
}
