//! A server that runs: what its clients and its operator do with it.

use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Child;

use rustix::process::{Signal, WaitOptions, waitpid};
use tempfile::TempDir;

use super::client::Client;
use super::disk::RunFiles;
use super::process::Process;
use super::request::Request;
use super::wait::until;

/// A running server, ended with all its processes when it is dropped.
pub(crate) struct Server {
    /// `None`: a daemon.
    child: Option<Child>,
    process: Process,
    socket: PathBuf,
    /// Where it listens on TCP, if that is where its clients come.
    tcp: Vec<SocketAddr>,
    tag: String,
    dir: TempDir,
    _run_files: Option<RunFiles>,
}

impl Server {
    pub(super) fn new(
        child: Option<Child>,
        process: Process,
        (socket, tcp): (PathBuf, Vec<SocketAddr>),
        tag: String,
        (dir, run_files): (TempDir, Option<RunFiles>),
    ) -> Server {
        Server { child, process, socket, tcp, tag, dir, _run_files: run_files }
    }

    /// The process that listens.
    pub(crate) fn process(&self) -> Process {
        self.process
    }

    /// All processes of this server.
    pub(crate) fn processes(&self) -> Vec<Process> {
        Process::tagged(&self.tag)
    }

    /// The path of its socket.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// The directory in which it was started.
    pub(crate) fn run_dir(&self) -> PathBuf {
        self.dir.path().join("run")
    }

    /// The addresses on which it listens on TCP.
    pub(crate) fn tcp(&self) -> &[SocketAddr] {
        &self.tcp
    }

    /// A connection that says nothing yet.
    pub(crate) fn raw(&self) -> Client {
        match self.tcp.first() {
            Some(address) => Client::raw_tcp(*address),
            None => Client::raw(&self.socket),
        }
    }

    /// An upgraded connection.
    pub(crate) fn connect(&self) -> Client {
        self.raw().upgrade(&Request::new())
    }

    /// An upgraded connection with that cookie.
    pub(crate) fn connect_as(&self, cookie: &str) -> Client {
        self.raw().upgrade(&Request::new().with("Cookie", cookie))
    }

    /// The journal so far.
    pub(crate) fn journal(&self) -> String {
        self.output("journal")
    }

    /// Waits for a line of the journal that begins so, and returns it.
    pub(crate) fn await_journal(&self, beginning: &str) -> String {
        self.await_line("journal", &|line| line.starts_with(beginning))
            .unwrap_or_else(|| panic!("no {beginning:?} in the journal:\n{}", self.journal()))
    }

    /// What the server has said on stderr so far.
    pub(crate) fn stderr(&self) -> String {
        self.output("stderr")
    }

    /// The same but for what is said of every start that is right: where the server listens, and whose it
    /// is where that is not root's to say.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let is_usual = |line: &&str| {
            ["listening on ", "not started as root: "].iter().any(|it| line.contains(it))
        };
        self.stderr().lines().filter(|line| !is_usual(line)).map(str::to_owned).collect()
    }

    /// Waits for a line on stderr that holds this, and returns it.
    pub(crate) fn await_stderr(&self, part: &str) -> String {
        self.await_line("stderr", &|line| line.contains(part))
            .unwrap_or_else(|| panic!("no {part:?} on stderr:\n{}", self.stderr()))
    }

    /// A file that the server writes, as text.
    pub(crate) fn output(&self, name: &str) -> String {
        let bytes = std::fs::read(self.dir.path().join("out").join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Sends the signal to the server's process.
    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits until the server has ended: its exit status, or `None` where a signal ended it.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        let pid = self.process.0;
        let ended = match &mut self.child {
            Some(child) => until(|| child.try_wait().expect("it is our child").map(|it| it.code())),
            None => until(|| {
                let found = waitpid(Some(pid), WaitOptions::NOHANG).expect("it is our child");
                found.map(|(_, status)| status.exit_status())
            }),
        };
        ended.unwrap_or_else(|| panic!("the server does not end; it said {}", self.stderr()))
    }

    /// Waits until the server has been ended by a signal: its number.
    pub(crate) fn wait_signal(&mut self) -> i32 {
        let pid = self.process.0;
        let ended = match &mut self.child {
            Some(child) => {
                until(|| child.try_wait().expect("it is our child").map(|it| it.signal()))
            }
            None => until(|| {
                let found = waitpid(Some(pid), WaitOptions::NOHANG).expect("it is our child");
                found.map(|(_, status)| status.terminating_signal())
            }),
        };
        let ended = ended.unwrap_or_else(|| panic!("it does not end; it said {}", self.stderr()));
        ended.unwrap_or_else(|| panic!("no signal has ended it; it said {}", self.stderr()))
    }

    /// Stops the server as its operator does: it must leave with 0, and must have noticed no fault.
    pub(crate) fn stop(&mut self) {
        self.stop_with(Signal::TERM);
    }

    /// The same by that signal.
    pub(crate) fn stop_with(&mut self, signal: Signal) {
        self.signal(signal);
        let code = self.wait();
        assert_eq!(code, Some(0), "the exit status; stderr:\n{}", self.stderr());
        let journal = self.journal();
        let faults: Vec<_> = journal.lines().filter(|line| line.starts_with("fault:")).collect();
        assert!(faults.is_empty(), "{faults:#?}");
    }

    /// Waits until no process of this server is left.
    pub(crate) fn await_nobody(&self) {
        let gone = until(|| self.processes().is_empty().then_some(()));
        assert!(gone.is_some(), "{:?} go on", self.processes());
    }

    fn await_line(&self, file: &str, wanted: &dyn Fn(&str) -> bool) -> Option<String> {
        // A line whose end is missing is still being written.
        let find = |text: &str| {
            let mut whole = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
            whole.find(|line| wanted(line)).map(str::to_owned)
        };
        until(|| find(&self.output(file)))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for process in self.processes() {
            process.signal(Signal::KILL);
        }
        if let Some(child) = &mut self.child {
            // It has ended or is about to; the status was looked at where it matters.
            let _ = child.wait();
        }
    }
}
