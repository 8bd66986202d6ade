//! One server, one column, once.

use std::io;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::broadcast::Broadcast;
use crate::client::Address;
use crate::columns::Work;
use crate::connect::Connect;
use crate::echo::{Echo, Talk};
use crate::machine::{self, Cpu};
use crate::post::{Post, THREADS};
use crate::queue;
use crate::wire::{Content, Language};

#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub warm: Duration,
    pub measure: Duration,
}

impl Times {
    /// A tail needs more time to show than a mean.
    fn of_a_tail(self) -> Self {
        Self { measure: 2 * self.measure, ..self }
    }
}

/// What a trial has found; zero where it does not apply.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Units of work in a second.
    pub rate: f64,
    /// Nanoseconds of the server's processor for each, and the share of them in user space.
    pub cpu: f64,
    pub user: f64,
    /// The share of the time that the server was at work.
    pub busy: f64,
    /// Nanoseconds.
    pub p50: f64,
    pub p99: f64,
    /// Bytes for each connection, or for each byte that may be queued.
    pub memory: f64,
    /// What the trial compares itself: a ratio, or a difference in nanoseconds.
    pub change: f64,
}

/// A load that can be kept up, and counts what was done.
trait Load {
    fn run(&mut self, time: Duration) -> io::Result<()>;
    fn count(&self) -> u64;
    /// Latencies since the last call.
    fn latencies(&mut self) -> Histogram<u64>;
}

impl Load for Echo {
    fn run(&mut self, time: Duration) -> io::Result<()> {
        Self::run(self, time)
    }
    fn count(&self) -> u64 {
        self.answered
    }
    fn latencies(&mut self) -> Histogram<u64> {
        Self::latencies(self)
    }
}

impl Load for Broadcast {
    fn run(&mut self, time: Duration) -> io::Result<()> {
        Self::run(self, time)
    }
    fn count(&self) -> u64 {
        self.delivered
    }
    fn latencies(&mut self) -> Histogram<u64> {
        Self::latencies(self)
    }
}

impl Load for Connect {
    fn run(&mut self, time: Duration) -> io::Result<()> {
        Self::run(self, time)
    }
    fn count(&self) -> u64 {
        self.upgraded
    }
    fn latencies(&mut self) -> Histogram<u64> {
        Self::latencies(self)
    }
}

fn measure(load: &mut impl Load, pid: u32, times: Times) -> io::Result<Figures> {
    load.run(times.warm)?;
    load.latencies();
    let (count, cpu, start) = (load.count(), Cpu::of(pid)?, Instant::now());
    load.run(times.measure)?;
    let (used, user) = Cpu::of(pid)?.since(cpu);
    let elapsed = start.elapsed().as_nanos() as f64;
    let units = (load.count() - count) as f64;
    if units == 0.0 {
        return Err(io::Error::other("nothing was done in time"));
    }
    let latencies = load.latencies();
    Ok(Figures {
        rate: units * 1e9 / elapsed,
        cpu: used / units,
        user,
        busy: used / elapsed,
        p50: latencies.value_at_quantile(0.5) as f64,
        p99: latencies.value_at_quantile(0.99) as f64,
        ..Figures::default()
    })
}

/// `is_bare` has the limit's language spoken, in place of the column's, but for plain requests: those it answers.
pub fn run(
    work: Work,
    is_bare: bool,
    address: &Address,
    pid: u32,
    times: Times,
) -> io::Result<Figures> {
    let language = |usual| match usual {
        Language::WebSocket | Language::Deflate if is_bare => Language::Bare,
        usual => usual,
    };
    match work {
        Work::Echo { talk, connections, language: usual } => {
            let mut echo = Echo::new(address, language(usual), talk)?;
            echo.connect(connections)?;
            echo.start(0..connections, talk.depth)?;
            measure(&mut echo, pid, times)
        }
        Work::Broadcast { size, connections } => {
            let language = language(Language::WebSocket);
            measure(&mut Broadcast::new(address, language, size, connections)?, pid, times)
        }
        Work::Connect { width } => measure(&mut Connect::new(address, width), pid, times),
        Work::Idle { connections } => {
            // What a server makes for its first clients is not the price of one more.
            const FIRST: usize = 100;
            let talk = Talk { content: Content::Text, size: 20, depth: 1 };
            let mut echo = Echo::new(address, language(Language::WebSocket), talk)?;
            echo.connect(FIRST)?;
            let before = machine::memory(pid)?;
            echo.connect(FIRST + connections)?;
            let after = machine::memory(pid)?;
            let memory = after.saturating_sub(before) as f64 / connections as f64;
            Ok(Figures { memory, ..Figures::default() })
        }
        Work::Growth { talk, few, many } => {
            let mut echo = Echo::new(address, language(Language::WebSocket), talk)?;
            echo.connect(few)?;
            echo.start(0..few, talk.depth)?;
            let small = measure(&mut echo, pid, times)?;
            echo.stop()?;
            echo.connect(many)?;
            echo.start((0..many).step_by(many / few), talk.depth)?;
            let large = measure(&mut echo, pid, times)?;
            Ok(Figures { change: small.cpu / large.cpu, ..large })
        }
        Work::Slow { size, connections } => {
            let times = times.of_a_tail();
            let language = language(Language::WebSocket);
            let mut broadcast = Broadcast::new(address, language, size, connections)?;
            let quick = measure(&mut broadcast, pid, times)?;
            broadcast.slow_down()?;
            let slow = measure(&mut broadcast, pid, times)?;
            Ok(Figures { change: slow.p99 / quick.p99, ..slow })
        }
        Work::Burst { talk, others, in_flight } => {
            let times = times.of_a_tail();
            let mut echo = Echo::new(address, language(Language::WebSocket), talk)?;
            echo.connect(others + 1)?;
            echo.recorded = others;
            echo.start(0..others, talk.depth)?;
            let alone = measure(&mut echo, pid, times)?;
            echo.start([others], in_flight)?;
            let beside = measure(&mut echo, pid, times)?;
            Ok(Figures { change: beside.p99 - alone.p99, ..beside })
        }
        Work::Queue { size } => {
            Ok(Figures { memory: queue::held(address, pid, size)?, ..Figures::default() })
        }
        Work::Post => {
            let post = Post::new(address, language(Language::WebSocket))?;
            post.one_by_one(times.warm)?;
            let latency = post.one_by_one(times.measure)?;
            Ok(Figures { p50: latency.p50, p99: latency.p99, ..Figures::default() })
        }
        Work::Posts { each } => {
            let post = Post::new(address, language(Language::WebSocket))?;
            post.at_a_time(each / 10)?;
            let cpu = Cpu::of(pid)?;
            let elapsed = post.at_a_time(each)?;
            let (used, _) = Cpu::of(pid)?.since(cpu);
            let units = f64::from(THREADS * each);
            Ok(Figures { rate: units * 1e9 / elapsed, cpu: used / units, ..Figures::default() })
        }
    }
}
