//! A web server that runs before a server of ours, and all of its processes.

use std::fs::{File, Permissions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

use crate::harness::{Process, Server, find, root, say, until};

/// What the tests must know about one of them.
pub(crate) struct Kind {
    pub(super) program: &'static str,
    /// What is said where it is not there.
    pub(super) missing: &'static str,
    /// In c-examples/proxies.
    pub(super) file: &'static str,
    /// What in that file differs from machine to machine, and what it is here.
    pub(super) values: fn(&Place) -> Vec<(&'static str, String)>,
    /// Starts it in the foreground.
    pub(super) command: fn(&Path, &Place) -> Command,
    /// What tells it to read its configuration again.
    pub(super) reload: Reload,
    /// What becomes of open connections then.
    pub(super) on_reload: fn(&Path) -> Promise,
    /// Whether a visitor who comes while the server is away waits, instead of being answered 502 or 503.
    pub(super) waits: bool,
    /// Whether it ends a connection on which nothing is said.
    pub(super) has_limit: bool,
}

/// How a web server is told to read its configuration again.
pub(super) enum Reload {
    /// By that signal to its first process, which has a new process do it.
    Signal(Signal),
    /// By that command, which returns when it is done.
    Command(fn(&Place) -> Command),
}

/// What a web server does with visitors when it is reloaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Promise {
    /// All are served as ever.
    Keeps,
    /// Who is there is served as ever; who is just coming may have to come again.
    KeepsOpen,
    /// Who is there is closed; all may come again.
    Cuts,
}

/// What is of this machine, and of this test.
pub(crate) struct Place {
    /// Where visitors connect.
    pub(super) address: SocketAddr,
    dir: TempDir,
    socket: PathBuf,
    file: &'static str,
}

impl Place {
    /// A file of this proxy's own.
    pub(super) fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    /// The configuration.
    pub(super) fn file(&self) -> PathBuf {
        self.dir.path().join(self.file)
    }

    /// The socket of the server behind it.
    pub(super) fn socket(&self) -> String {
        self.socket.display().to_string()
    }
}

/// A running web server; it ends with all its processes when this is dropped.
pub(crate) struct Proxy {
    kind: &'static Kind,
    place: Place,
    child: Child,
}

impl Proxy {
    /// Starts it before that server, and waits until it takes connections.
    pub(crate) fn start(kind: &'static Kind, server: &Server) -> Proxy {
        Proxy::start_with(kind, server, &[])
    }

    /// The same after more changes of its file.
    pub(crate) fn start_with(
        kind: &'static Kind,
        server: &Server,
        changes: &[(&'static str, &str)],
    ) -> Proxy {
        let dir = tempfile::tempdir().expect("a temporary directory");
        // Its workers are not root, and some write their logs.
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).expect("its mode");
        let socket = server.socket().to_owned();
        let place = Place { address: free_address(), dir, socket, file: kind.file };
        let original = root().join("c-examples/proxies").join(kind.file);
        let mut text = std::fs::read_to_string(original).expect("the configuration");
        let changes = changes.iter().map(|(from, to)| (*from, (*to).to_owned()));
        for (from, to) in changes.chain((kind.values)(&place)) {
            assert!(text.contains(from), "no {from:?} in {}", kind.file);
            text = text.replace(from, &to);
        }
        std::fs::write(place.file(), text).expect("a file");
        let output = File::create(place.path("output")).expect("a file");
        let mut command = (kind.command)(&find(kind.program).expect("it was found"), &place);
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("the same file"))
            .stderr(output)
            // So that what it starts can be found and ended.
            .process_group(0)
            .spawn()
            .unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let mut proxy = Proxy { kind, place, child };
        let ready = until(|| match proxy.child.try_wait().expect("it is our child") {
            Some(_) => Some(false),
            None => TcpStream::connect(proxy.address()).is_ok().then_some(true),
        });
        assert_eq!(ready, Some(true), "{} does not start", kind.program);
        proxy
    }

    /// Where visitors connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.place.address
    }

    /// Has it read its configuration again; returns when that is under way.
    pub(super) fn reload(&self) -> Promise {
        let promise = (self.kind.on_reload)(&find(self.kind.program).expect("it runs"));
        match self.kind.reload {
            Reload::Signal(signal) => {
                let before = self.processes();
                let first = Process(Pid::from_child(&self.child));
                let mut sent: Option<Instant> = None;
                let one_more = until(|| {
                    // HAProxy's first process becomes another program when it has started the others, and what it
                    // was told before that is forgotten.
                    if sent.is_none_or(|it| it.elapsed() > Duration::from_secs(5)) {
                        first.signal(signal);
                        sent = Some(Instant::now());
                    }
                    self.processes().into_iter().find(|it| !before.contains(it))
                });
                assert!(one_more.is_some(), "{} does not reload", self.kind.program);
            }
            Reload::Command(command) => {
                let output = command(&self.place).output().expect("it runs");
                let said = String::from_utf8_lossy(&output.stderr);
                // Caddy before 2.7 may close its administration endpoint before it has answered there. That it has
                // reloaded is seen by the cuts.
                let is_done = output.status.success() || promise == Promise::Cuts;
                assert!(is_done, "{} does not reload: {said}", self.kind.program);
            }
        }
        promise
    }

    /// Whether it has not ended.
    pub(super) fn lives(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }

    fn processes(&self) -> Vec<Process> {
        Process::in_group(Pid::from_child(&self.child))
    }

    /// What it has said so far: in the directory are its logs, its configuration, and what is no text.
    fn log(&self) -> String {
        let entries = std::fs::read_dir(self.place.dir.path()).into_iter().flatten().flatten();
        let logs = entries.filter(|it| it.file_name() != self.kind.file);
        logs.filter_map(|it| std::fs::read_to_string(it.path()).ok()).collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if std::thread::panicking() {
            say(&format!("{} says:\n{}", self.kind.program, self.log()));
        }
        // Also those that the first one has left behind.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

/// A port that is free, on an address of the loopback network that nobody else uses: no other test takes it meanwhile.
fn free_address() -> SocketAddr {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = std::process::id() * 256 + COUNT.fetch_add(1, Ordering::Relaxed);
    let [_, first, second, third] = number.to_be_bytes();
    let listener = TcpListener::bind((Ipv4Addr::new(127, first, second, third), 0));
    listener.expect("a free port").local_addr().expect("its address")
}
