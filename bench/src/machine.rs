//! What the kernel tells about processes and about the machine.

use std::fs;
use std::io;
use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use procfs::process::Process;
use procfs::sys::kernel::Version;
use procfs::{CpuInfo, Current, LoadAverage, Meminfo};

/// The two cores of a run.
#[derive(Clone, Copy, Debug)]
pub struct Cores {
    pub client: usize,
    pub server: usize,
}

impl Cores {
    /// The first two that this process may use and that are not two threads of one core.
    pub fn choose() -> io::Result<Self> {
        let allowed = sched_getaffinity(Pid::from_raw(0))?;
        let mut all = (0..CpuSet::count()).filter(|&core| allowed.is_set(core).unwrap_or(false));
        let client = all.next().unwrap_or(0);
        let siblings = fs::read_to_string(format!(
            "/sys/devices/system/cpu/cpu{client}/topology/thread_siblings_list"
        ))
        .unwrap_or_default();
        let siblings: Vec<usize> =
            siblings.trim().split([',', '-']).filter_map(|core| core.parse().ok()).collect();
        let server = all.find(|core| !siblings.contains(core)).unwrap_or(client);
        Ok(Self { client, server })
    }
}

/// Keeps this thread, and what it starts from now on, on one core.
pub fn stay_on(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
}

/// Gives this process, and its children, as many descriptors as it may have.
pub fn raise_descriptors() -> io::Result<u64> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(hard)
}

/// The processor's time that a process has used.
#[derive(Clone, Copy, Debug)]
pub struct Cpu {
    /// All of it, to the nanosecond.
    pub total: Duration,
    /// In user space and in the kernel, in ticks of the clock: good for shares.
    user: u64,
    system: u64,
}

impl Cpu {
    pub fn of(pid: u32) -> io::Result<Self> {
        let clock = clock_getcpuclockid(Pid::from_raw(pid as i32))?;
        let total = Duration::from(clock_gettime(clock)?);
        let stat = process(pid)?.stat().map_err(io::Error::other)?;
        Ok(Self { total, user: stat.utime, system: stat.stime })
    }

    /// Nanoseconds since `earlier`, and the share of them in user space.
    pub fn since(self, earlier: Self) -> (f64, f64) {
        let total = (self.total - earlier.total).as_nanos() as f64;
        let (user, system) = (self.user - earlier.user, self.system - earlier.system);
        (total, user as f64 / (user + system).max(1) as f64)
    }
}

/// The bytes of user-space memory that a process has in use and shares with no file, counted page by
/// page: the kernel's own running total, `RssAnon`, may lag by some hundred kilobytes.
pub fn memory(pid: u32) -> io::Result<u64> {
    let maps = process(pid)?.smaps_rollup().map_err(io::Error::other)?.memory_map_rollup;
    let anonymous = maps.iter().find_map(|map| map.extension.map.get("Anonymous"));
    anonymous.copied().ok_or_else(|| io::Error::other("no Anonymous in smaps_rollup"))
}

fn process(pid: u32) -> io::Result<Process> {
    Process::new(pid as i32).map_err(io::Error::other)
}

/// One line for the report.
pub fn describe(cores: Cores) -> String {
    let info = CpuInfo::current().ok();
    let info = info.as_ref();
    let processor = info.and_then(|it| it.model_name(0)).unwrap_or("unknown processor");
    let gigabytes = Meminfo::current().map_or(String::new(), |it| {
        format!(", {:.0} GiB", it.mem_total as f64 / f64::from(1 << 30))
    });
    let flags = info.and_then(|it| it.flags(0)).unwrap_or_default();
    let virtual_ = if flags.contains(&"hypervisor") { ", a virtual machine" } else { "" };
    // What a distributor or a host adds behind the number says nothing about the kernel.
    let release = Version::current()
        .map_or(String::new(), |it| format!("{}.{}.{}", it.major, it.minor, it.patch));
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let load = LoadAverage::current().map_or("unknown".into(), |it| format!("{:.2}", it.one));
    let where_ = if cores.client == cores.server {
        "client and server on the SAME core".to_owned()
    } else {
        format!("client on core {}, server on core {}", cores.client, cores.server)
    };
    format!(
        "{processor}, {count} cores{gigabytes}{virtual_}; Linux {release}; {where_}; \
         load {load} when the run began"
    )
}
