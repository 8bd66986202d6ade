//! What is measured, and what is aimed at.

use crate::echo::Talk;
use crate::post::THREADS;
use crate::wire::{Content, Language};

/// What a server program must be able to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    Echo,
    Broadcast,
    /// Echo of messages of any length.
    Large,
    /// Echo with permessage-deflate.
    Compress,
    /// Echo after 100 microseconds of work.
    Work,
    /// Echo of text, and of a binary message as often as it can be queued.
    Queue,
    /// Calls from other threads that have a function run on the server's.
    Post,
    /// Plain requests for `/health`, answered with a few bytes of text.
    Health,
}

impl Mode {
    pub fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Broadcast => "broadcast",
            Self::Large => "large",
            Self::Compress => "compress",
            Self::Work => "work",
            Self::Queue => "queue",
            Self::Post => "post",
            Self::Health => "health",
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub enum Work {
    Echo {
        talk: Talk,
        connections: usize,
        language: Language,
    },
    Broadcast {
        size: usize,
        connections: usize,
    },
    Idle {
        connections: usize,
    },
    Connect {
        width: usize,
    },
    Growth {
        talk: Talk,
        few: usize,
        many: usize,
    },
    Slow {
        size: usize,
        connections: usize,
    },
    /// One connection more than the others keeps so many messages in flight.
    Burst {
        talk: Talk,
        others: usize,
        in_flight: usize,
    },
    Queue {
        size: usize,
    },
    /// One call at a time.
    Post,
    /// So many calls from each thread.
    Posts {
        each: u32,
    },
}

/// One number of a trial, as it is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Metric {
    /// The server's processor time for each unit of work.
    Cpu,
    /// Units of work in a second.
    Rate,
    /// Units of work in a second of the server's processor time.
    PerCpu,
    /// Bytes of memory for each connection.
    Memory,
    /// Bytes of memory for each byte that may be queued.
    Held,
    /// The trial's own comparison of two states of one server.
    Change,
    /// The median of the latencies.
    Median,
    /// The 99th percentile of the latencies, in milliseconds.
    Tail,
    /// By how many milliseconds it is longer in the second state of a trial than in the first.
    TailAdded,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Against {
    Limit,
    Uws,
    /// The number itself.
    Nothing,
}

#[derive(Clone, Copy, Debug)]
pub enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

#[derive(Clone, Copy, Debug)]
pub struct Goal {
    pub metric: Metric,
    pub against: Against,
    pub bound: Bound,
}

pub struct Column {
    pub name: &'static str,
    pub title: String,
    /// What one unit of work is.
    pub unit: &'static str,
    pub mode: Mode,
    pub work: Work,
    pub goals: Vec<Goal>,
    /// Whether all servers are measured, or those alone whom the goal names.
    pub is_for_all: bool,
}

impl Column {
    /// What all servers are compared by in this column: the first goal's, or the share of it; where there is none, the
    /// rate.
    pub fn measure(&self) -> (Metric, Against) {
        self.goals
            .first()
            .map_or((Metric::Rate, Against::Limit), |goal| (goal.metric, goal.against))
    }

    /// Into how many a round is divided, where a server is soon ready for the next: what the machine does
    /// besides changes slowly, and falls out of the ratio the better, the sooner one turn follows the other.
    pub fn slices(&self) -> u32 {
        match self.work {
            Work::Echo { .. } | Work::Connect { .. } | Work::Post | Work::Posts { .. } => 5,
            Work::Broadcast { connections, .. } if connections <= 1000 => 5,
            _ => 1,
        }
    }
}

fn goal(metric: Metric, against: Against, bound: Bound) -> Goal {
    Goal { metric, against, bound }
}

fn cpu(most: f64) -> Goal {
    goal(Metric::Cpu, Against::Limit, Bound::AtMost(most))
}

/// What the command line changes in each column.
#[derive(Clone, Copy, Default)]
pub struct Changes {
    pub connections: Option<usize>,
    pub size: Option<usize>,
    pub depth: Option<usize>,
    pub is_binary: bool,
}

pub fn all(changes: Changes) -> Vec<Column> {
    use Bound::{AtLeast, AtMost};
    let text = if changes.is_binary { Content::Binary } else { Content::Text };
    let connections = |usual| changes.connections.unwrap_or(usual);
    let size = |usual| changes.size.unwrap_or(usual);
    let talk = |content, usual, depth| Talk {
        content,
        size: size(usual),
        depth: changes.depth.unwrap_or(depth).max(1),
    };
    let echo = |name, title: &str, bytes, depth, goals| Column {
        name,
        title: title.into(),
        unit: "message",
        mode: Mode::Echo,
        work: Work::Echo {
            talk: talk(text, bytes, depth),
            connections: connections(100),
            language: Language::WebSocket,
        },
        goals,
        is_for_all: true,
    };
    let broadcast = |name, title: &str, many| Column {
        name,
        title: title.into(),
        unit: "delivery",
        mode: Mode::Broadcast,
        work: Work::Broadcast { size: size(100), connections: connections(many) },
        goals: vec![goal(Metric::PerCpu, Against::Uws, AtLeast(1.2))],
        is_for_all: true,
    };
    let requests = |name, title: &str, depth| Column {
        name,
        title: title.into(),
        unit: "request",
        mode: Mode::Health,
        work: Work::Echo {
            talk: talk(text, 0, depth),
            connections: connections(100),
            language: Language::Http,
        },
        goals: vec![goal(Metric::PerCpu, Against::Uws, AtLeast(1.0))],
        is_for_all: true,
    };
    let burst = |name, title: &str, mode, goal| Column {
        name,
        title: title.into(),
        unit: "message",
        mode,
        work: Work::Burst { talk: talk(text, 20, 1), others: connections(10), in_flight: 30_000 },
        goals: vec![goal],
        is_for_all: false,
    };
    let queue = |name, bytes: usize| Column {
        name,
        title: format!("64 MiB queued in messages of {} B: memory", size(bytes)),
        unit: "byte",
        mode: Mode::Queue,
        work: Work::Queue { size: size(bytes) },
        goals: vec![goal(Metric::Held, Against::Nothing, AtMost(1.25))],
        is_for_all: false,
    };
    vec![
        echo(
            "echo20",
            "echo 20 B, 1 in flight, 100 connections",
            20,
            1,
            vec![cpu(1.08), goal(Metric::Rate, Against::Limit, AtLeast(0.97))],
        ),
        echo("echo20x16", "echo 20 B, 16 in flight", 20, 16, vec![cpu(1.15)]),
        echo("echo1k", "echo 1 KiB", 1024, 1, vec![cpu(1.05)]),
        echo("echo16k", "echo 16 KiB", 16384, 1, vec![cpu(1.08)]),
        echo("echo65k", "echo 65,000 B", 65000, 1, vec![cpu(1.08)]),
        broadcast("broadcast1k", "broadcast of 100 B to 1,000", 1000),
        broadcast("broadcast10k", "broadcast of 100 B to 10,000", 10_000),
        Column {
            name: "idle",
            title: "idle connection, memory at 10,000".into(),
            unit: "connection",
            mode: Mode::Echo,
            work: Work::Idle { connections: connections(9900) },
            goals: vec![
                goal(Metric::Memory, Against::Nothing, AtMost(200.0)),
                goal(Metric::Memory, Against::Uws, AtMost(1.0)),
            ],
            is_for_all: true,
        },
        Column {
            name: "connect",
            title: "connecting: upgrades".into(),
            unit: "upgrade",
            mode: Mode::Echo,
            work: Work::Connect { width: connections(64) },
            goals: vec![
                goal(Metric::PerCpu, Against::Uws, AtLeast(1.0)),
                goal(Metric::Rate, Against::Uws, AtLeast(1.0)),
            ],
            is_for_all: true,
        },
        Column {
            name: "growth",
            title: "growth: echo at 10,000 connections of which 100 talk".into(),
            unit: "message",
            mode: Mode::Echo,
            work: Work::Growth { talk: talk(text, 20, 1), few: 100, many: connections(10_000) },
            goals: vec![goal(Metric::Change, Against::Nothing, AtLeast(0.95))],
            is_for_all: false,
        },
        Column {
            name: "mib",
            title: "1 MiB binary message, echo".into(),
            unit: "message",
            mode: Mode::Large,
            work: Work::Echo {
                talk: talk(Content::Binary, 1_048_576, 1),
                connections: connections(4),
                language: Language::WebSocket,
            },
            goals: vec![cpu(1.15)],
            is_for_all: true,
        },
        Column {
            name: "compressed",
            title: "compressed 1 KiB JSON text, echo".into(),
            unit: "message",
            mode: Mode::Compress,
            work: Work::Echo {
                talk: talk(Content::Json, 1024, 1),
                connections: connections(100),
                language: Language::Deflate,
            },
            goals: vec![goal(Metric::PerCpu, Against::Uws, AtLeast(1.0))],
            is_for_all: true,
        },
        Column {
            name: "slow",
            title: "a slow reader among 1,000: the others' p99".into(),
            unit: "delivery",
            mode: Mode::Broadcast,
            work: Work::Slow { size: size(100), connections: connections(1000) },
            goals: vec![goal(Metric::Change, Against::Nothing, AtMost(1.1))],
            is_for_all: false,
        },
        burst(
            "burst",
            "one client's burst of echoes: the others' p99",
            Mode::Echo,
            goal(Metric::Tail, Against::Nothing, AtMost(1.0)),
        ),
        burst(
            "work",
            "one client's burst, 100 us of work each: the others' p99",
            Mode::Work,
            goal(Metric::TailAdded, Against::Nothing, AtMost(10.0)),
        ),
        queue("queue1", 1),
        queue("queue20", 20),
        queue("queue200", 200),
        Column {
            name: "post",
            title: "post from another thread, one at a time: until its function runs".into(),
            unit: "post",
            mode: Mode::Post,
            work: Work::Post,
            goals: vec![goal(Metric::Median, Against::Limit, AtMost(1.5))],
            is_for_all: false,
        },
        Column {
            name: "posts",
            title: format!("posts from {THREADS} threads at a time"),
            unit: "post",
            mode: Mode::Post,
            work: Work::Posts { each: 250_000 },
            goals: vec![],
            is_for_all: false,
        },
        requests("health", "GET /health, 1 in flight, 100 connections", 1),
        requests("requests", "GET /health, 16 in flight", 16),
    ]
}
