//! A syslogd of our own, where the machine has none: one at a time, for all tests.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::skip::{Need, skipped};
use super::wait::until;

const SOCKET: &str = "/dev/log";
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Listens on /dev/log while it lives.
pub(crate) struct Syslog {
    listener: Listener,
    /// Given back when nothing listens any more.
    turn: Turn,
}

/// The right to /dev/log, which is one test's at a time.
pub(crate) type Turn = MutexGuard<'static, ()>;

struct Listener {
    lines: Arc<Mutex<Vec<String>>>,
    over: Arc<AtomicBool>,
    reader: Option<std::thread::JoinHandle<()>>,
}

impl Syslog {
    /// Waits for its turn, then listens. `None` where the test must be skipped, which is said.
    pub(crate) fn listen() -> Option<Syslog> {
        Self::absent().map(Self::come)
    }

    /// Listens, in a turn that the test has already.
    pub(crate) fn come(turn: Turn) -> Self {
        let socket = UnixDatagram::bind(SOCKET).expect("/dev/log can be bound");
        let everyone = std::fs::Permissions::from_mode(0o666);
        std::fs::set_permissions(SOCKET, everyone).expect("/dev/log for everyone");
        // The reader looks at `over` that often; nothing else depends on it.
        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let over = Arc::new(AtomicBool::new(false));
        let reader = std::thread::spawn({
            let (lines, over) = (Arc::clone(&lines), Arc::clone(&over));
            move || read(&socket, &lines, &over)
        });
        Self { listener: Listener { lines, over, reader: Some(reader) }, turn }
    }

    /// Listens no more, and leaves the test its turn.
    pub(crate) fn go(self) -> Turn {
        self.turn
    }

    /// Waits for its turn, in which there is no syslogd. `None` where the test must be skipped,
    /// which is said.
    pub(crate) fn absent() -> Option<Turn> {
        // A test that failed with the lock in its hands has removed the socket all the same.
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(|e| e.into_inner());
        (!skipped(&[Need::Root, Need::Free(SOCKET)])).then_some(turn)
    }

    /// Waits for a line that holds both parts, such as an ident and a text.
    pub(crate) fn await_line(&self, ident: &str, part: &str) -> String {
        let found = until(|| self.lines(ident).into_iter().find(|line| line.contains(part)));
        found.unwrap_or_else(|| panic!("no {part:?} of {ident:?} in {:?}", self.lines("")))
    }

    /// The lines so far that hold this ident.
    pub(crate) fn lines(&self, ident: &str) -> Vec<String> {
        let lines = self.listener.lines.lock().expect("no panic under it");
        lines.iter().filter(|line| line.contains(ident)).cloned().collect()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // It is ours: it was bound under the lock, which is still held.
        let _ = std::fs::remove_file(SOCKET);
        self.over.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

fn read(socket: &UnixDatagram, lines: &Mutex<Vec<String>>, over: &AtomicBool) {
    let mut buffer = [0; 8192];
    while !over.load(Ordering::Relaxed) {
        if let Ok(length) = socket.recv(&mut buffer) {
            let line = String::from_utf8_lossy(&buffer[..length]).into_owned();
            lines.lock().expect("no panic under it").push(line);
        }
    }
}
