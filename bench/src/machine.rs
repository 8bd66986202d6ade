//! What the kernel tells about processes and about the machine.

use std::fs;
use std::io;
use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

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
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name may hold spaces; what follows its bracket does not.
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .map(|(_, rest)| rest.split_whitespace().collect())
            .unwrap_or_default();
        let field =
            |index: usize| fields.get(index).and_then(|text| text.parse().ok()).unwrap_or(0);
        Ok(Self { total, user: field(11), system: field(12) })
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
    let table = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = table.lines().find_map(|line| line.strip_prefix("Anonymous:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes
        .map(|kilobytes| kilobytes * 1024)
        .ok_or_else(|| io::Error::other("no Anonymous in smaps_rollup"))
}

/// One line for the report.
pub fn describe(cores: Cores) -> String {
    let field = |file: &str, name: &str| {
        fs::read_to_string(file).ok().and_then(|text| {
            text.lines()
                .find(|line| line.starts_with(name))
                .and_then(|line| line.split_once(':'))
                .map(|(_, value)| value.trim().to_owned())
        })
    };
    let processor =
        field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".into());
    let memory = field("/proc/meminfo", "MemTotal").unwrap_or_default();
    let gigabytes = memory
        .trim_end_matches(" kB")
        .parse::<f64>()
        .map_or(String::new(), |kilobytes| format!(", {:.0} GiB", kilobytes / 1048576.0));
    let virtual_ =
        if fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| text.contains("hypervisor")) {
            ", a virtual machine"
        } else {
            Default::default()
        };
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    // What a distributor or a host adds behind the number says nothing about the kernel.
    let release = release.trim().split('-').next().unwrap_or_default();
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown");
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
