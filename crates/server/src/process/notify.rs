//! What a service manager is told by sd_notify(3)'s protocol: that the server listens, that it stops, and
//! that its loop goes round.
//!
//! No message makes the loop wait: one that finds no room is sent again with the next.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketType, sendto, socket};

use crate::error::errno_text;
use crate::log;
use crate::sigpipe::without_sigpipe;

/// The variable that names the service manager's socket.
const SOCKET: &str = "NOTIFY_SOCKET";
/// The variable that says how long the watchdog waits, in microseconds.
const WATCHDOG_USEC: &str = "WATCHDOG_USEC";
/// The variable that names the process for which the watchdog is.
const WATCHDOG_PID: &str = "WATCHDOG_PID";
/// How long a message waits that has found no room.
const RETRY: Duration = Duration::from_secs(1);

/// Who tells the service manager, where there is one.
#[derive(Debug)]
pub(crate) struct Notifier(Option<Manager>);

/// The service manager.
#[derive(Debug)]
struct Manager {
    /// The name of its socket, as the variable has it.
    name: OsString,
    /// The process that the service manager has started.
    child: u32,
    /// The address of its socket, and one to send from: one that were opened only later may find no
    /// descriptor left.
    way: Result<(SocketAddrUnix, OwnedFd), Errno>,
    /// The lines that found no room yet, each once.
    waiting: Vec<String>,
    /// How often the service manager wants to hear that the loop goes round.
    watchdog: Option<Duration>,
    /// When the service manager is to hear next that the loop goes round.
    watchdog_at: Option<Instant>,
    /// When what waits is sent again.
    retry_at: Option<Instant>,
    /// Whether a failure was logged since a message was sent.
    has_warned: bool,
    /// Whether another process is the server now.
    is_replaced: bool,
}

/// Notes in the environment that the watchdog is this process's, for a daemon and for a later start, or
/// that there is none. Called once, while the server has one thread.
pub(crate) fn claim_watchdog() {
    if watchdog_interval().is_none() {
        // SAFETY: the server has one thread.
        unsafe { std::env::remove_var(WATCHDOG_USEC) };
    }
    // SAFETY: as above.
    unsafe { std::env::remove_var(WATCHDOG_PID) };
}

/// What sd_watchdog_enabled(3) says: the interval, where the watchdog is this process's.
fn watchdog_interval() -> Option<Duration> {
    let variable = |name| std::env::var(name).ok();
    let pid: Option<u32> = variable(WATCHDOG_PID).and_then(|pid| pid.parse().ok());
    let is_ours = pid.is_none_or(|pid| pid == std::process::id());
    let interval = variable(WATCHDOG_USEC).filter(|_| is_ours)?;
    interval.parse().ok().map(Duration::from_micros)
}

/// A line of sd_notify(3)'s protocol.
#[derive(Clone, Copy, Debug)]
enum State {
    Ready,
    Stopping,
    MainPid(u32),
    Watchdog,
}

impl std::fmt::Display for State {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ready => out.write_str("READY=1"),
            Self::Stopping => out.write_str("STOPPING=1"),
            Self::MainPid(pid) => write!(out, "MAINPID={pid}"),
            Self::Watchdog => out.write_str("WATCHDOG=1"),
        }
    }
}

impl Notifier {
    /// Takes the service manager's variables out of the environment: what the program executes must not
    /// speak for the server. Called once, while the server has one thread.
    pub(crate) fn take() -> Self {
        let (name, watchdog) = (std::env::var_os(SOCKET), watchdog_interval());
        for variable in [SOCKET, WATCHDOG_USEC, WATCHDOG_PID] {
            // SAFETY: the server has one thread.
            unsafe { std::env::remove_var(variable) };
        }
        let Some(name) = name else { return Self(None) };
        Self(Some(Manager::new(name, watchdog)))
    }

    /// One that has nobody to tell.
    pub(crate) const NONE: Self = Self(None);

    /// The descriptor by which it tells.
    pub(crate) fn descriptor(&self) -> Option<RawFd> {
        let (_, socket) = self.0.as_ref()?.way.as_ref().ok()?;
        Some(socket.as_raw_fd())
    }

    /// Tells that the server listens; a daemon also, which process that is.
    pub(crate) fn notify_ready(&mut self) {
        self.with(|manager, now| {
            manager.watchdog_at = manager.watchdog.and_then(|period| now.checked_add(period));
            let own = std::process::id();
            let is_daemon = own != manager.child;
            let states = [State::Ready, State::MainPid(own)];
            manager.say(if is_daemon { &states } else { &states[..1] });
        });
    }

    /// Tells that the server has begun to stop.
    pub(crate) fn notify_stopping(&mut self) {
        self.with(|manager, _| manager.say(&[State::Stopping]));
    }

    /// Tells that this process is the server from now on.
    pub(crate) fn notify_main_pid(&mut self, pid: u32) {
        self.with(|manager, _| manager.introduce(pid));
    }

    /// Leaves it to another process to tell the service manager anything.
    pub(crate) fn give_way(&mut self) {
        self.with(|manager, _| manager.give_way());
    }

    /// Tells the service manager what is due by now.
    pub(crate) fn notify_due(&mut self) {
        self.with(|manager, now| {
            if manager.watchdog_at.is_some_and(|at| at <= now) {
                manager.watchdog_at = manager.watchdog.and_then(|period| now.checked_add(period));
                manager.say(&[State::Watchdog]);
            } else {
                manager.send();
            }
        });
    }

    /// When [`Notifier::notify_due`] is to be called next, where it is.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.0.as_ref()?.due()
    }

    /// Acts on the service manager, where there is one.
    fn with(&mut self, act: impl FnOnce(&mut Manager, Instant)) {
        let Some(manager) = &mut self.0 else { return };
        let now = Instant::now();
        act(manager, now);
        manager.retry_at = (!manager.waiting.is_empty()).then(|| now + RETRY);
    }
}

impl Manager {
    /// A service manager that is found by this name, and waits for the loop so long.
    fn new(name: OsString, watchdog: Option<Duration>) -> Self {
        Self {
            way: address(&name).and_then(|address| Ok((address, open()?))),
            name,
            child: std::process::id(),
            waiting: Vec::new(),
            // Half of what the service manager waits for.
            watchdog: watchdog.map(|interval| interval / 2).filter(|half| !half.is_zero()),
            watchdog_at: None,
            retry_at: None,
            has_warned: false,
            is_replaced: false,
        }
    }

    /// When the service manager is to be told something next, where it is.
    pub(crate) fn due(&self) -> Option<Instant> {
        [self.watchdog_at, self.retry_at].into_iter().flatten().min()
    }

    /// Tells that another process is the server, which has the whole interval for its first word.
    fn introduce(&mut self, pid: u32) {
        let states = [State::MainPid(pid), State::Watchdog];
        self.say(if self.watchdog.is_some() { &states } else { &states[..1] });
    }

    /// Has nothing said from now on but what is waiting.
    fn give_way(&mut self) {
        self.watchdog_at = None;
        self.is_replaced = true;
    }

    /// Sends these states, behind what is waiting.
    fn say(&mut self, states: &[State]) {
        if self.is_replaced {
            return;
        }
        for line in states.iter().map(State::to_string) {
            if !self.waiting.contains(&line) {
                self.waiting.push(line);
            }
        }
        self.send();
    }

    /// Sends what is waiting, in one message. A failure is told once.
    fn send(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let message = self.waiting.join("\n");
        let sent = match &self.way {
            Ok((address, socket)) => loop {
                match without_sigpipe(|| {
                    sendto(socket, message.as_bytes(), SendFlags::DONTWAIT, address)
                }) {
                    Err(Errno::INTR) => {}
                    sent => break sent,
                }
            },
            Err(error) => Err(*error),
        };
        match sent {
            // BSD says NOBUFS.
            Err(Errno::AGAIN | Errno::NOBUFS) => return,
            Ok(_) => self.has_warned = false,
            Err(error) => {
                if !std::mem::replace(&mut self.has_warned, true) {
                    let name = self.name.display();
                    log::warning(&format!("{SOCKET} {name}: {}", errno_text(&error.into())));
                }
            }
        }
        self.waiting.clear();
    }
}

/// The address of the service manager's socket: a path, or, behind "@", a name without a file.
fn address(name: &OsStr) -> Result<SocketAddrUnix, Errno> {
    match name.as_bytes() {
        [b'/', ..] => SocketAddrUnix::new(name),
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] if !name.is_empty() => SocketAddrUnix::new_abstract_name(name),
        _ => Err(Errno::AFNOSUPPORT),
    }
}

/// A socket to send messages from.
fn open() -> Result<OwnedFd, Errno> {
    let socket = socket(AddressFamily::UNIX, SocketType::DGRAM, None)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn who_has_given_way_says_no_more() {
        let name = format!("dorrit-notify-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_file(&path);
        let manager = UnixDatagram::bind(&path).unwrap();
        manager.set_nonblocking(true).unwrap();
        for (watchdog, wanted) in
            [(None, "MAINPID=47"), (Some(Duration::from_secs(1)), "MAINPID=47\nWATCHDOG=1")]
        {
            let mut notifier = Manager::new(path.clone().into(), watchdog);
            notifier.introduce(47);
            notifier.give_way();
            notifier.say(&[State::Stopping]);
            let mut message = [0; 64];
            let len = manager.recv(&mut message).unwrap();
            assert_eq!(message[..len], *wanted.as_bytes());
            assert!(manager.recv(&mut message).is_err());
        }
        std::fs::remove_file(&path).unwrap();
    }
}
