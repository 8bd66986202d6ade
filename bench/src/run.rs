//! A run: the columns in order, the servers in turns, round by round.

use std::io::{self, Write};
use std::time::Duration;

use crate::client::Address;
use crate::columns::{Against, Column, Metric, Work};
use crate::machine::Cores;
use crate::servers::{Places, Server};
use crate::trial::{self, Figures, Times};

/// No server is warm sooner.
const WARM: Duration = Duration::from_millis(20);

pub struct Plan {
    pub rounds: usize,
    pub times: Times,
    pub cores: Cores,
    pub uses_tcp: bool,
}

/// What a server has done in a column: its figures of each round, or why there are none.
pub type Cell = Result<Vec<Figures>, String>;

pub struct Results {
    pub column: Column,
    /// In the order of the servers.
    pub cells: Vec<Cell>,
}

/// `is_chosen`: the servers were named, and all of them are measured.
pub fn column(
    column: Column,
    servers: &[Server],
    plan: &Plan,
    places: &Places,
    is_chosen: bool,
) -> io::Result<Results> {
    let mut cells: Vec<Cell> = servers
        .iter()
        .map(|server| {
            let shakes_hands =
                matches!(column.work, Work::Connect { .. } | Work::Idle { .. } | Work::Slow { .. });
            match server.lacks(column.mode, shakes_hands) {
                Some(reason) => Err(reason.to_owned()),
                None if !column.is_for_all && !is_chosen && server.is_peer() => {
                    Err("no goal compares it here".to_owned())
                }
                None => Ok(Vec::new()),
            }
        })
        .collect();
    let slices = column.slices();
    let slice =
        Times { warm: (plan.times.warm / slices).max(WARM), measure: plan.times.measure / slices };
    for round in 0..plan.rounds * slices as usize {
        // No server always follows the same other one from the same place.
        for turn in 0..servers.len() {
            let index = (turn + round) % servers.len();
            // Those with whom no goal compares us take part in the first rounds, for the sake of time,
            // and with the whole of it: some of them must be warm to be quick.
            let is_peer = !is_chosen && servers[index].is_peer();
            if is_peer && 2 * round > plan.rounds {
                continue;
            }
            let times = if is_peer { plan.times } else { slice };
            let Ok(rounds) = &mut cells[index] else { continue };
            match one(&column, &servers[index], plan, times, places) {
                Ok(figures) => rounds.push(figures),
                Err(error) => {
                    let reason = error.to_string();
                    writeln!(io::stderr(), "{}: {}: {reason}", column.name, servers[index].name)?;
                    cells[index] = Err(reason);
                }
            }
        }
    }
    Ok(Results { column, cells })
}

fn one(
    column: &Column,
    server: &Server,
    plan: &Plan,
    times: Times,
    places: &Places,
) -> io::Result<Figures> {
    let address = if plan.uses_tcp {
        Address::Tcp(free_port()?)
    } else {
        Address::Unix(places.run.join("socket"))
    };
    let mut running = server.start(column.mode, address, plan.cores)?;
    let result = trial::run(column.work, server.is_limit(), &running.address, running.pid(), times);
    match (result, running.ended()) {
        (_, Some(end)) => Err(io::Error::other(format!("it ended: {end}"))),
        (result, None) => result,
    }
}

fn free_port() -> io::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

impl Results {
    fn rounds(&self, index: usize) -> Option<&[Figures]> {
        self.cells[index].as_deref().ok()
    }

    /// The numbers of a server as the metric has them, one a round; ratios where `against` says so.
    pub fn values(
        &self,
        index: usize,
        metric: Metric,
        against: Against,
        servers: &[Server],
    ) -> Option<Vec<f64>> {
        let own = self.rounds(index)?;
        let reference = match against {
            Against::Nothing => None,
            Against::Limit => Some(servers.iter().position(Server::is_limit)?),
            Against::Uws => Some(servers.iter().position(Server::is_uws)?),
        };
        let reference = match reference {
            Some(index) => Some(self.rounds(index)?),
            None => None,
        };
        let number = |figures: &Figures| match metric {
            Metric::Cpu => figures.cpu,
            Metric::Rate => figures.rate,
            Metric::PerCpu => 1e9 / figures.cpu,
            Metric::Memory | Metric::Held => figures.memory,
            Metric::Change => figures.change,
            Metric::Median => figures.p50,
            Metric::Tail => figures.p99 / 1e6,
            Metric::TailAdded => figures.change / 1e6,
        };
        let values: Vec<f64> = own
            .iter()
            .enumerate()
            .map(|(round, figures)| match reference.and_then(|rounds| rounds.get(round)) {
                Some(other) => number(figures) / number(other),
                None => number(figures),
            })
            .collect();
        (!values.is_empty()).then_some(values)
    }

    pub fn median(
        &self,
        index: usize,
        metric: Metric,
        against: Against,
        servers: &[Server],
    ) -> Option<f64> {
        self.values(index, metric, against, servers).map(median)
    }

    /// The median of one of the figures themselves.
    pub fn figure(&self, index: usize, which: impl Fn(&Figures) -> f64) -> Option<f64> {
        let rounds = self.rounds(index)?;
        (!rounds.is_empty()).then(|| median(rounds.iter().map(which).collect()))
    }
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}
