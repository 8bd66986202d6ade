//! What a run prints, and what it writes to RESULTS.md.

use std::fmt::Write;

use comfy_table::{Table, TableStyle, presets};

use crate::columns::{Against, Bound, Goal, Metric, Work};
use crate::run::Results;
use crate::servers::Server;

/// The figures of one column, for a terminal.
pub fn column(results: &Results, servers: &[Server]) -> String {
    let mut out = format!("{} ({})\n", results.column.title, results.column.name);
    out += &draw(presets::NOTHING, table(results, servers));
    for (index, server) in servers.iter().enumerate() {
        if let Err(reason) = &results.cells[index] {
            let _ = writeln!(out, "{}: left out: {reason}", server.name);
        }
    }
    out
}

/// The head, then a line for each server that has figures.
fn table(results: &Results, servers: &[Server]) -> Vec<Vec<String>> {
    let column = &results.column;
    let (metric, against) = column.measure();
    let compared = match (metric, against) {
        (Metric::Memory, _) => "bytes",
        (Metric::Held, _) => "held",
        (Metric::Change, _) => "change",
        (Metric::Rate, _) => "rate",
        (Metric::Median, _) => "p50",
        (Metric::Tail, _) => "p99 ms",
        (Metric::TailAdded, _) => "ms more",
        (_, Against::Uws) => "to uws",
        _ => "CPU",
    };
    let unit = column.unit;
    let (a_second, nanoseconds) = (format!("{unit}s/s"), format!("ns/{unit}"));
    let more = match metric {
        Metric::Memory | Metric::Held => vec!["to uws"],
        Metric::Median => vec!["p50 us", "p99 us"],
        Metric::Rate => vec![&*a_second, &nanoseconds],
        _ => vec!["rate", &nanoseconds, "user", "busy", "p50 us", "p99 us"],
    };
    let head = ["server", compared, "min-max"].into_iter().chain(more);
    let mut lines = vec![head.map(str::to_owned).collect()];
    for (index, server) in servers.iter().enumerate() {
        let Some(cpu) = results.figure(index, |figures| figures.cpu) else { continue };
        let spread = |values: Option<Vec<f64>>| {
            values.map_or(String::new(), |values| {
                let least = values.iter().copied().fold(f64::INFINITY, f64::min);
                let most = values.iter().copied().fold(0.0, f64::max);
                format!("{}-{}", number(least), number(most))
            })
        };
        let ratio = |metric, against| {
            results.median(index, metric, against, servers).map_or("-".into(), number)
        };
        let all = results.values(index, metric, against, servers);
        let figure = |which: &dyn Fn(&crate::trial::Figures) -> f64| {
            results.figure(index, which).unwrap_or(0.0)
        };
        let p50 = number(figure(&|figures| figures.p50 / 1000.0));
        let p99 = number(figure(&|figures| figures.p99 / 1000.0));
        let more = match metric {
            Metric::Memory | Metric::Held => vec![ratio(metric, Against::Uws)],
            Metric::Median => vec![p50, p99],
            Metric::Rate => {
                vec![format!("{:.0}", figure(&|figures| figures.rate)), format!("{cpu:.0}")]
            }
            _ => vec![
                // The rate is compared with the limit's, or uWebSockets' where the limit has none.
                match ratio(Metric::Rate, Against::Limit).as_str() {
                    "-" => ratio(Metric::Rate, Against::Uws),
                    rate => rate.to_owned(),
                },
                format!("{cpu:.0}"),
                format!("{:.0}%", 100.0 * figure(&|figures| figures.user)),
                format!("{:.0}%", 100.0 * figure(&|figures| figures.busy)),
                p50,
                p99,
            ],
        };
        let line = [server.name.clone(), ratio(metric, against), spread(all)].into_iter();
        lines.push(line.chain(more).collect());
    }
    lines
}

/// The lines as a table, of which the first is the head.
fn draw(style: TableStyle, lines: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    let mut lines = lines.into_iter();
    table.load_style(style).set_header(lines.next().unwrap_or_default()).add_rows(lines);
    table.trim_fmt() + "\n"
}

fn number(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

fn goal_text(goal: &Goal) -> String {
    let what = match (goal.metric, goal.against) {
        (Metric::Cpu, _) => "CPU",
        (Metric::Rate, _) => "rate",
        (Metric::PerCpu, _) => "per CPU second",
        (Metric::Memory, Against::Nothing) => "bytes",
        (Metric::Memory, _) => "memory",
        (Metric::Held, _) => "held",
        (Metric::Change, _) => "change",
        (Metric::Median, _) => "p50",
        (Metric::Tail, _) => "p99",
        (Metric::TailAdded, _) => "p99 more by",
    };
    let of = match (goal.metric, goal.against) {
        (_, Against::Limit) => " of the limit",
        (_, Against::Uws) => " of uWebSockets",
        (Metric::Held, _) => " of what may be queued",
        (Metric::Tail | Metric::TailAdded, _) => " ms",
        (_, Against::Nothing) => "",
    };
    match goal.bound {
        Bound::AtMost(bound) => format!("{what} <= {bound}{of}"),
        Bound::AtLeast(bound) => format!("{what} >= {bound}{of}"),
    }
}

fn is_met(goal: &Goal, value: f64) -> bool {
    match goal.bound {
        Bound::AtMost(bound) => value <= bound,
        Bound::AtLeast(bound) => value >= bound,
    }
}

/// The goals, one a line: what is aimed at, what ours and uWebSockets reach, whether it is met.
pub fn goals(all: &[Results], servers: &[Server]) -> String {
    let ours = servers.iter().position(Server::is_ours);
    let uws = servers.iter().position(Server::is_uws);
    let mut lines =
        vec![["work", "goal", "libdorrit", "uWebSockets", "met"].map(str::to_owned).into()];
    for results in all {
        for goal in &results.column.goals {
            let of = |index: Option<usize>| {
                index.and_then(|index| results.median(index, goal.metric, goal.against, servers))
            };
            let text = |value: Option<f64>| value.map_or("-".to_owned(), number);
            let met = match of(ours) {
                Some(value) if is_met(goal, value) => "yes",
                Some(_) => "**no**",
                None => "not measured",
            };
            lines.push(vec![
                results.column.title.clone(),
                goal_text(goal),
                text(of(ours)),
                text(of(uws)),
                met.to_owned(),
            ]);
        }
    }
    draw(presets::ASCII_MARKDOWN, lines)
}

/// What one ratio in each column says of all the servers.
fn overview(all: &[Results], servers: &[Server]) -> String {
    let head = ["work", "compared"].map(str::to_owned).into_iter();
    let mut lines: Vec<Vec<_>> =
        vec![head.chain(servers.iter().map(|server| server.name.clone())).collect()];
    for results in all {
        let (metric, against) = results.column.measure();
        let compared = match (metric, against) {
            (Metric::Cpu, _) => "CPU, to the limit",
            (Metric::PerCpu, _) => "work per CPU, to uws",
            (Metric::Memory, _) => "bytes",
            (Metric::Held, _) => "held, of what may be queued",
            (Metric::Rate, _) => "rate, to the limit",
            (Metric::Median, _) => "p50, to the limit",
            (Metric::Tail, _) => "p99, ms",
            (Metric::TailAdded, _) => "p99, ms more than without",
            _ if matches!(results.column.work, Work::Slow { .. }) => "p99, to its own",
            _ => "work per CPU, to its own",
        };
        let cell =
            |index| results.median(index, metric, against, servers).map_or("-".into(), number);
        let head = [results.column.title.clone(), compared.to_owned()].into_iter();
        lines.push(head.chain((0..servers.len()).map(cell)).collect());
    }
    draw(presets::ASCII_MARKDOWN, lines)
}

/// What was run, on what.
pub struct Circumstances {
    pub machine: String,
    pub how: String,
    pub transport: &'static str,
    /// Servers that could not be built, and why.
    pub missing: Vec<(String, String)>,
}

pub fn page(all: &[Results], servers: &[Server], circumstances: &Circumstances) -> String {
    let mut out = String::from(
        "# Results\n\nWritten by `bench/run`; [`README.md`](README.md) says how it measures and how to read \
         this.\n\n",
    );
    let _ = writeln!(out, "- Machine: {}", circumstances.machine);
    let _ = writeln!(out, "- Run: {}", circumstances.how);
    let _ = writeln!(out, "- Transport: {}", circumstances.transport);
    let _ = writeln!(out, "- Servers:");
    for server in servers {
        let _ = writeln!(out, "  - `{}`: {}", server.name, server.title);
    }
    for (name, reason) in &circumstances.missing {
        let _ = writeln!(out, "  - `{name}`: left out: {reason}");
    }
    let _ = writeln!(out, "\n## Goals\n\n{}", goals(all, servers));
    let _ = writeln!(
        out,
        "## All servers\n\nMedians over the rounds. CPU, bytes, ms and p50: less is better; work per CPU and rate: more is. \
         `-`: not measured, for the reason given below.\n\n{}\n![The same as a plot](results.svg)\n",
        overview(all, servers)
    );
    let _ = writeln!(
        out,
        "## Column by column\n\n`rate` is units of work in a second, as a ratio to the limit's, or to \
         uWebSockets' where the limit has none. Nanoseconds are the server's processor time for each unit, \
         `user` the share of it in user space, `busy` the share of the time that it worked. Absolute \
         numbers are of this machine and this hour.\n"
    );
    for results in all {
        let _ = writeln!(out, "### {}\n", results.column.title);
        let _ = writeln!(out, "{}", draw(presets::ASCII_MARKDOWN, table(results, servers)));
        let mut left_out = Vec::new();
        for (index, server) in servers.iter().enumerate() {
            if let Err(reason) = &results.cells[index] {
                left_out.push(format!("`{}`: {reason}", server.name));
            }
        }
        if !left_out.is_empty() {
            let _ = writeln!(out, "Left out: {}.\n", left_out.join("; "));
        }
    }
    while out.ends_with('\n') {
        out.pop();
    }
    out.push('\n');
    out
}
