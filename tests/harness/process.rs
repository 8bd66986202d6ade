//! A running process, by its number: what the kernel says about it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};

use super::client::Client;
use super::tcp_table::Row;

/// The environment variable that every process of a [`super::Server`] carries, with a value of its
/// own.
pub(crate) const TAG: &str = "DORRIT_TEST";

/// One process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Process(pub(crate) Pid);

impl Process {
    /// All that carry the tag, zombies not among them.
    pub(crate) fn tagged(tag: &str) -> Vec<Process> {
        let wanted = format!("{TAG}={tag}");
        let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
        let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let tagged = numbers.filter(|number: &i32| {
            let environment = std::fs::read(format!("/proc/{number}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
        });
        tagged.filter_map(Pid::from_raw).map(Process).collect()
    }

    /// The one that listens where this client is connected, as the kernel tells of a UNIX socket.
    pub(crate) fn at(client: &Client) -> Process {
        let peer = rustix::net::sockopt::socket_peercred(client.stream()).expect("a UNIX socket");
        Process(peer.pid)
    }

    /// All of that process group, zombies not among them.
    pub(crate) fn in_group(group: Pid) -> Vec<Process> {
        let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
        let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let processes = numbers.filter_map(Pid::from_raw).map(Process);
        let group = u64::from(group.as_raw_pid().unsigned_abs());
        processes.filter(|it| it.stat(5) == Some(group) && !it.is_over()).collect()
    }

    /// Its children, zombies among them.
    pub(crate) fn children(self) -> Vec<Process> {
        let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
        let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let processes = numbers.filter_map(Pid::from_raw).map(Process);
        let parent = u64::from(self.0.as_raw_pid().unsigned_abs());
        processes.filter(|it| it.stat(4) == Some(parent)).collect()
    }

    /// Sends a signal. That the process is there no more is no failure.
    pub(crate) fn signal(self, signal: Signal) {
        let _ = kill_process(self.0, signal);
    }

    /// Whether it has ended, waited for or not.
    pub(crate) fn is_over(self) -> bool {
        let path = format!("/proc/{}/status", self.0.as_raw_pid());
        std::fs::read_to_string(path).map_or(true, |status| status.contains("State:\tZ"))
    }

    /// The processor time that it has used, in ticks of the kernel's clock (100 a second).
    pub(crate) fn ticks(self) -> u64 {
        [14, 15].into_iter().map(|field| self.stat(field).expect("it runs")).sum()
    }

    /// The value of a line of /proc/PID/status, its blanks made one.
    pub(crate) fn status(self, name: &str) -> String {
        let status = self.read("status");
        let line = status.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
        line.unwrap_or_else(|| panic!("no {name}")).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Bytes of memory that are resident and the process's own.
    pub(crate) fn resident(self) -> u64 {
        let status = self.status("VmRSS");
        status.trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }

    /// The session that it belongs to; 0 for one whose leader cannot be seen from here, as where
    /// the tests run in a container.
    pub(crate) fn session(self) -> i32 {
        self.stat(6).expect("it runs").try_into().expect("a process number")
    }

    /// What stands behind "fd/2", "cwd" and the like.
    pub(crate) fn link(self, name: &str) -> PathBuf {
        let path = format!("/proc/{}/{name}", self.0.as_raw_pid());
        std::fs::read_link(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    /// The numbers of its descriptors.
    pub(crate) fn descriptors(self) -> BTreeSet<String> {
        let path = format!("/proc/{}/fd", self.0.as_raw_pid());
        let entries = std::fs::read_dir(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    /// Whether a descriptor is closed in what the process executes.
    pub(crate) fn is_close_on_exec(self, descriptor: u32) -> bool {
        const CLOEXEC: u32 = 0o2000000;
        let text = self.read(&format!("fdinfo/{descriptor}"));
        let flags =
            text.lines().find_map(|line| line.strip_prefix("flags:")).expect("proc(5) says so");
        u32::from_str_radix(flags.trim(), 8).expect("an octal number") & CLOEXEC != 0
    }

    /// What stands behind its descriptors. Those that are closed meanwhile are left out.
    pub(crate) fn open_files(self) -> Vec<PathBuf> {
        let path = format!("/proc/{}/fd", self.0.as_raw_pid());
        let entries = std::fs::read_dir(&path).into_iter().flatten().flatten();
        entries.filter_map(|entry| std::fs::read_link(entry.path()).ok()).collect()
    }

    /// The addresses of TCP on which it listens.
    pub(crate) fn listening(self) -> Vec<SocketAddr> {
        Row::listening(self)
    }

    /// A field of /proc/PID/stat, by the number that proc(5) gives it; `None` where the process is gone.
    fn stat(self, number: usize) -> Option<u64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.as_raw_pid())).ok()?;
        let (_, fields) = stat.rsplit_once(')').expect("the name, the second, is in parentheses");
        let field = fields.split_whitespace().nth(number - 3).expect("proc(5) promises it");
        Some(field.parse().unwrap_or_else(|_| panic!("field {number} is {field}")))
    }

    fn read(self, name: &str) -> String {
        let path = format!("/proc/{}/{name}", self.0.as_raw_pid());
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
    }
}
