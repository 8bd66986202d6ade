//! SIGHUP: the server starts its program anew, hands its sockets over, and serves the clients that it
//! has until they leave.

mod daemons;
mod draining;
mod failures;
mod inheritance;
mod load;
mod newer_version;
mod out_of_memory;
mod the_signal;
mod with_crashes;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Signal, WaitOptions, getpid, set_child_subreaper, waitpid};

use crate::harness::{Client, Launch, Process, Server, Variant, program, until};

/// The servers of both libraries.
pub(crate) const BOTH: [&str; 2] = ["handover.c", "classic/handover.c"];

/// A server that looks into a plan at each start: see tests/c/handover.c. Started by root it runs as
/// nobody, who must be able to execute it.
pub(crate) fn launch(source: &'static str) -> Launch {
    let launch = Launch::of(source, Variant::Default).everybodys().args(["--log-stderr"]);
    let plan = launch.dir().join("out/plan").display().to_string();
    launch.env("HANDOVER_PLAN", &plan)
}

/// Writes what the first start does.
fn plan(launch: &Launch, steps: &str) {
    std::fs::write(launch.dir().join("out/plan"), steps).expect("a file");
}

/// A server, and those that have come after it.
pub(crate) struct Chain {
    pub(crate) server: Server,
    /// The last.
    now: Process,
}

impl Chain {
    pub(crate) fn start(launch: Launch) -> Chain {
        Chain::of(Launch::start, launch)
    }

    fn start_daemon(launch: Launch) -> Chain {
        Chain::of(Launch::start_daemon, launch)
    }

    fn of(start: impl Fn(Launch) -> Server, launch: Launch) -> Chain {
        // They become our children, so that their exit status can be had.
        set_child_subreaper(Some(getpid())).expect("Linux lets us");
        let server = start(launch);
        Chain { now: server.process(), server }
    }

    /// Has the last server hand over, and waits until it has.
    pub(crate) fn hand_over(&mut self) -> Process {
        let before = self.successors().len();
        self.now.signal(Signal::HUP);
        self.await_successor(before)
    }

    /// Waits for one more than so many.
    pub(crate) fn await_successor(&mut self, before: usize) -> Process {
        let found = until(|| Some(self.successors()).filter(|all| all.len() > before));
        let found = found.unwrap_or_else(|| panic!("no hand-over:\n{}", self.server.stderr()));
        self.now = found[before];
        self.now
    }

    /// Those that have taken over.
    fn successors(&self) -> Vec<Process> {
        let stderr = self.server.stderr();
        let pid = |line: &str| {
            let (_, rest) = line.split_once("hand-over: process ")?;
            let (pid, _) = rest.split_once(" has taken over")?;
            Some(Process(rustix::process::Pid::from_raw(pid.parse().ok()?)?))
        };
        stderr.lines().filter_map(pid).collect()
    }

    /// Writes what the next start does.
    fn plan(&self, steps: &str) {
        std::fs::write(self.dir().join("out/plan"), steps).expect("a file");
    }

    fn dir(&self) -> PathBuf {
        self.server.run_dir().parent().expect("it has one").to_owned()
    }

    /// The program's file.
    fn program(&self) -> PathBuf {
        self.dir().join("program")
    }

    /// Puts another program in the place of the one that runs.
    fn replace(&self, source: &'static str) {
        let new = self.dir().join("program.new");
        // By another process: a file that somebody writes, or that a child of ours has open, cannot be
        // executed.
        let next = program(source, Variant::StaticLibrary);
        let copied = Command::new("cp").arg(next).arg(&new).status();
        assert!(copied.expect("cp runs").success());
        std::fs::rename(new, self.program()).expect("in its place");
    }

    /// Waits until this server has ended: its exit status.
    fn wait(&mut self, process: Process) -> Option<i32> {
        if process == self.server.process() {
            return self.server.wait();
        }
        let ended = until(|| {
            // It is our child when the one that has started it has gone.
            let found = waitpid(Some(process.0), WaitOptions::NOHANG).ok().flatten();
            found.map(|(_, status)| status.exit_status())
        });
        ended.unwrap_or_else(|| panic!("{process:?} does not end:\n{}", self.server.stderr()))
    }

    /// Stops the last server. Nobody and nothing is left then, and nobody has noticed a fault.
    pub(crate) fn stop(&mut self) {
        self.now.signal(Signal::TERM);
        assert_eq!(self.wait(self.now), Some(0), "{}", self.server.stderr());
        self.server.await_nobody();
        assert!(!self.server.socket().exists());
        self.check();
    }

    fn check(&self) {
        let journal = self.server.journal();
        assert!(!journal.contains("fault:"), "{journal}");
    }

    /// How often a line on stderr holds this.
    fn count(&self, part: &str) -> usize {
        self.server.stderr().lines().filter(|line| line.contains(part)).count()
    }
}

/// The version and the process of who serves this client.
fn who(client: &mut Client) -> (u32, i32) {
    let text = client.ask("!who");
    let (version, pid) = text.split_once(' ').expect("two numbers");
    (version.parse().expect("a number"), pid.parse().expect("a number"))
}

fn pid(process: Process) -> i32 {
    process.0.as_raw_pid()
}

/// A FIFO at which a start waits until it is opened.
struct Gate(PathBuf);

impl Gate {
    fn make(dir: &Path) -> Gate {
        let path = dir.join("out/gate");
        let made = Command::new("mkfifo").args(["-m", "666"]).arg(&path).status();
        assert!(made.expect("mkfifo runs").success());
        Gate(path)
    }

    /// The step of the plan.
    fn step(&self) -> String {
        format!("gate {}\n", self.0.display())
    }

    fn open(&self) {
        drop(File::options().write(true).open(&self.0).expect("the gate opens"));
    }
}
