//! Measures libdorrit(3) against a bare epoll loop and against other WebSocket servers.
//!
//! `columns` says what is measured and aimed at; `servers` builds and starts them; `echo`, `broadcast`,
//! `connect`, `queue` and `post` are the loads; `trial` measures one server once; `run` has them take turns.

mod broadcast;
mod client;
mod columns;
mod connect;
mod echo;
mod http;
mod machine;
mod plot;
mod post;
mod queue;
mod report;
mod run;
mod servers;
mod trial;
mod wire;

use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use columns::Changes;
use machine::Cores;
use report::Circumstances;
use run::Plan;
use servers::{Places, Server};
use trial::Times;

const USAGE: &str = "\
usage: bench/run [option ...]

  --column NAME[,NAME ...]   these columns only (--list names them)
  --servers NAME[,NAME ...]  these servers only; NAME=FILE is ours with that libdorrit.so
  --rounds N                 turns of each server (5)
  --seconds S                how long each is measured in a turn (0.7)
  --quick                    2 rounds of 0.2 seconds: does all work?
  --tcp                      over TCP on loopback, in place of a UNIX socket
  --connections N, --size N, --depth N, --binary
                             change these in the columns that are run
  --no-build                 take libdorrit.so as it is, do not build it first
  --write                    write RESULTS.md and results.svg also where not all was run
  --list                     name the columns and the servers
";

#[derive(Default)]
struct Options {
    columns: Vec<String>,
    servers: Vec<String>,
    rounds: Option<usize>,
    seconds: Option<f64>,
    is_quick: bool,
    uses_tcp: bool,
    changes: Changes,
    is_changed: bool,
    skips_build: bool,
    writes: bool,
    lists: bool,
    helps: bool,
}

fn parse(args: impl Iterator<Item = OsString>) -> Result<Options, String> {
    let mut options = Options::default();
    let mut args = args;
    while let Some(arg) = args.next() {
        let arg = arg.to_string_lossy().into_owned();
        let mut value = || args.next().ok_or(format!("{arg}: a value is missing"));
        let number = |value: OsString| {
            let text = value.to_string_lossy();
            text.parse::<usize>()
                .ok()
                .filter(|&number| number > 0)
                .ok_or(format!("{text}: no number"))
        };
        match arg.as_str() {
            "--column" | "--columns" => options.columns = names(&value()?),
            "--servers" | "--server" => options.servers = names(&value()?),
            "--rounds" => options.rounds = Some(number(value()?)?),
            "--seconds" => {
                let text = value()?.to_string_lossy().into_owned();
                options.seconds = Some(
                    text.parse()
                        .ok()
                        .filter(|&seconds| seconds > 0.0)
                        .ok_or(text + ": no number")?,
                );
            }
            "--connections" => options.changes.connections = Some(number(value()?)?),
            "--size" => options.changes.size = Some(number(value()?)?),
            "--depth" => options.changes.depth = Some(number(value()?)?),
            "--binary" => options.changes.is_binary = true,
            "--quick" => options.is_quick = true,
            "--tcp" => options.uses_tcp = true,
            "--no-build" => options.skips_build = true,
            "--write" => options.writes = true,
            "--list" => options.lists = true,
            "--help" | "-h" => options.helps = true,
            _ => return Err(format!("{arg}: not an option")),
        }
        options.is_changed |= matches!(&*arg, "--connections" | "--size" | "--depth" | "--binary");
    }
    Ok(options)
}

/// The names as they are given on the command line.
fn names(list: &OsStr) -> Vec<String> {
    list.to_string_lossy().split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn main() -> ExitCode {
    let options = match parse(std::env::args_os().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprint!("bench: {error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if options.helps {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    match measure(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &Options) -> Result<(), Box<dyn Error>> {
    let mut columns = columns::all(options.changes);
    if options.lists {
        for column in &columns {
            println!("{:<14}{}", column.name, column.title);
        }
        println!("servers: {}", servers::NAMES.join(", "));
        return Ok(());
    }
    let is_all = options.columns.is_empty() && options.servers.is_empty();
    for name in &options.columns {
        if !columns.iter().any(|column| column.name == name) {
            return Err(format!("{name}: no such column; bench/run --list names them").into());
        }
    }
    if !options.columns.is_empty() {
        columns.retain(|column| options.columns.iter().any(|name| name == column.name));
    }

    let cores = Cores::choose()?;
    let machine = machine::describe(cores);
    machine::raise_descriptors()?;
    let places = Places::find()?;
    let mut servers = Vec::new();
    let mut missing = Vec::new();
    let named = if options.servers.is_empty() {
        servers::NAMES.iter().map(|&name| name.to_owned()).collect()
    } else {
        options.servers.clone()
    };
    for name in named {
        match servers::prepare(&name, &places, !options.skips_build) {
            Ok(server) => servers.push(server),
            Err(reason) => {
                eprintln!("{name}: left out: {reason}");
                missing.push((name, reason));
            }
        }
    }
    if servers.is_empty() {
        return Err("no server to measure".into());
    }

    // From here on nothing else runs on the server's core for our sake.
    machine::stay_on(cores.client)?;
    let (rounds, seconds) = if options.is_quick { (2, 0.2) } else { (5, 0.7) };
    let rounds = options.rounds.unwrap_or(rounds);
    let seconds = options.seconds.unwrap_or(seconds);
    let times = Times {
        warm: Duration::from_secs_f64((seconds / 4.0).max(0.05)),
        measure: Duration::from_secs_f64(seconds),
    };
    let plan = Plan { rounds, times, cores, uses_tcp: options.uses_tcp };
    println!("{machine}\n");
    let start = Instant::now();
    let mut all = Vec::new();
    for column in columns {
        let results = run::column(column, &servers, &plan, &places, !options.servers.is_empty())?;
        println!("{}", report::column(&results, &servers));
        all.push(results);
    }
    if servers.iter().any(Server::is_ours) {
        println!("{}", report::goals(&all, &servers));
    }
    let _ = fs::remove_dir_all(&places.run);

    let took = start.elapsed().as_secs();
    let circumstances = Circumstances {
        machine,
        how: format!(
            "{rounds} rounds, {seconds} s measured for each server and round, {took} s in all{}",
            if options.is_quick { "; quick: to see that all works, not to compare" } else { "" }
        ),
        transport: if options.uses_tcp {
            "TCP on loopback"
        } else {
            "UNIX stream sockets, all servers"
        },
        missing,
    };
    if options.writes || (is_all && !options.is_quick && !options.is_changed && !options.uses_tcp) {
        fs::write(places.bench.join("RESULTS.md"), report::page(&all, &servers, &circumstances))?;
        plot::draw(&places.bench.join("results.svg"), &all, &servers)?;
        println!("written: bench/RESULTS.md, bench/results.svg ({took} s)");
    }
    Ok(())
}
