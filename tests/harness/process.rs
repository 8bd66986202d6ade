//! A running process, by its number: what the kernel says about it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt::Debug;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::PathBuf;

use procfs::ProcResult;
use procfs::net::TcpState;
use procfs::process::{FDInfo, FDTarget, Stat, Status, all_processes};
use rustix::process::{Pid, Signal, kill_process};

use super::tcp_table;

/// The environment variable that every process of a [`super::Server`] carries, with a value of its
/// own.
pub(crate) const TAG: &str = "DORRIT_TEST";

/// One process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Process(pub(crate) Pid);

impl Process {
    /// All of which this is so, as proc(5) has them.
    fn all(is_so: impl Fn(&procfs::process::Process) -> bool) -> Vec<Process> {
        let all = all_processes().expect("/proc").flatten();
        all.filter(is_so).filter_map(|it| Pid::from_raw(it.pid)).map(Process).collect()
    }

    /// All that carry the tag, zombies not among them.
    pub(crate) fn tagged(tag: &str) -> Vec<Process> {
        Process::all(|it| {
            let environment = it.environ().unwrap_or_default();
            environment.get(OsStr::new(TAG)).is_some_and(|it| it == tag)
        })
    }

    /// The one that listens where this is connected, as the kernel tells of a UNIX socket.
    pub(crate) fn at(client: impl AsFd) -> Process {
        Process(rustix::net::sockopt::socket_peercred(client).expect("a UNIX socket").pid)
    }

    /// All of that process group, zombies not among them.
    pub(crate) fn in_group(group: Pid) -> Vec<Process> {
        let is_in = |it: Stat| it.pgrp == group.as_raw_pid() && !is_zombie(&it);
        Process::all(|it| it.stat().is_ok_and(is_in))
    }

    /// Its children, zombies among them.
    pub(crate) fn children(self) -> Vec<Process> {
        Process::all(|it| it.stat().is_ok_and(|it| it.ppid == self.0.as_raw_pid()))
    }

    /// Sends a signal. That the process is there no more is no failure.
    pub(crate) fn signal(self, signal: Signal) {
        let _ = kill_process(self.0, signal);
    }

    /// Whether it has ended, waited for or not.
    pub(crate) fn is_over(self) -> bool {
        self.proc().and_then(|it| it.stat()).map_or(true, |it| is_zombie(&it))
    }

    /// The processor time that it has used, in ticks of the kernel's clock (100 a second).
    pub(crate) fn ticks(self) -> u64 {
        let stat = self.stat();
        stat.utime + stat.stime
    }

    /// What /proc/PID/status says.
    pub(crate) fn status(self) -> Status {
        self.proc().and_then(|it| it.status()).expect("it runs")
    }

    /// Its user: the real, the effective, the saved one, and that of the file system.
    pub(crate) fn users(self) -> [u32; 4] {
        let status = self.status();
        [status.ruid, status.euid, status.suid, status.fuid]
    }

    /// Its group, in the same four ways.
    pub(crate) fn groups(self) -> [u32; 4] {
        let status = self.status();
        [status.rgid, status.egid, status.sgid, status.fgid]
    }

    /// What it keeps when it executes a program: users, groups, signals and the file mode mask.
    pub(crate) fn attributes(self) -> impl PartialEq + Debug {
        let it = self.status();
        let signals = [it.sigblk, it.sigign, it.sigcgt];
        (self.users(), self.groups(), it.groups, signals, it.umask)
    }

    /// Bytes of memory that are resident and the process's own.
    pub(crate) fn resident(self) -> u64 {
        self.status().vmrss.expect("it has memory") * 1024
    }

    /// The session that it belongs to; 0 for one whose leader cannot be seen from here, as where
    /// the tests run in a container.
    pub(crate) fn session(self) -> i32 {
        self.stat().session
    }

    /// What stands behind "fd/2", "cwd" and the like.
    pub(crate) fn link(self, name: &str) -> PathBuf {
        let path = format!("/proc/{}/{name}", self.0.as_raw_pid());
        std::fs::read_link(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    /// The numbers of its descriptors.
    pub(crate) fn descriptors(self) -> BTreeSet<u32> {
        let path = format!("/proc/{}/fd", self.0.as_raw_pid());
        let entries = std::fs::read_dir(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        let number = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse().ok();
        entries.flatten().filter_map(number).collect()
    }

    /// What the kernel says of a descriptor; `None` where there is none.
    pub(crate) fn descriptor(self, number: u32) -> Option<String> {
        std::fs::read_to_string(format!("/proc/{}/fdinfo/{number}", self.0.as_raw_pid())).ok()
    }

    /// Whether a descriptor is closed in what the process executes; `None` where there is none.
    pub(crate) fn is_close_on_exec(self, number: u32) -> Option<bool> {
        let text = self.descriptor(number)?;
        let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = flags.and_then(|it| u32::from_str_radix(it.trim(), 8).ok());
        Some(flags.expect("proc(5) says so") & libc::O_CLOEXEC as u32 != 0)
    }

    /// What stands behind its descriptors. Those that are closed meanwhile are left out.
    pub(crate) fn open_files(self) -> Vec<PathBuf> {
        let path = format!("/proc/{}/fd", self.0.as_raw_pid());
        let entries = std::fs::read_dir(&path).into_iter().flatten().flatten();
        entries.filter_map(|entry| std::fs::read_link(entry.path()).ok()).collect()
    }

    /// The addresses of TCP on which it listens, in the order of its descriptors.
    pub(crate) fn listening(self) -> Vec<SocketAddr> {
        let rows = tcp_table::rows();
        let address = |inode| {
            let mut listening = rows.iter().filter(|row| row.state == TcpState::Listen);
            listening.find(|row| row.inode == inode).map(|row| row.local_address)
        };
        self.sockets().into_iter().filter_map(address).collect()
    }

    /// The kernel's numbers of its sockets, in the order of its descriptors.
    pub(crate) fn sockets(self) -> Vec<u64> {
        let files = self.proc().and_then(|it| it.fd()).into_iter().flatten().flatten();
        let inode = |file: FDInfo| match file.target {
            FDTarget::Socket(inode) => Some(inode),
            _ => None,
        };
        files.filter_map(inode).collect()
    }

    fn stat(self) -> Stat {
        self.proc().and_then(|it| it.stat()).expect("it runs")
    }

    fn proc(self) -> ProcResult<procfs::process::Process> {
        procfs::process::Process::new(self.0.as_raw_pid())
    }
}

fn is_zombie(stat: &Stat) -> bool {
    stat.state == 'Z'
}
