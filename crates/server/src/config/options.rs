//! The command line (CONTRACT D20).

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dorrit_engine::{Keepalive, OverflowPolicy, QueueLimit};
use getopts::Matches;

use super::bytes::{narrow, widen};
use super::network::{TcpKeepalive, addresses, forwarded, ports, tcp_keepalive};
use super::set_options::SetOptions;
use super::settings;
use super::settings::MAX_MESSAGE;
use super::spec::Spec;
use super::values::{
    all, decimal, is_given, is_known, last, number, paths, seconds, size, text, wrong,
};
use super::web_origin::Origins;
use crate::error::StartError;
use crate::forwarded::Forwarded;
use crate::log::{AccessDestination, Destination, Level};
use crate::program::{Flavor, RequestFields};

/// What the command line says.
#[derive(Debug)]
pub(crate) struct Options {
    /// `-b`: the size of the buffer, in bytes.
    pub(crate) buffer: usize,
    /// `-l`: the sockets.
    pub(crate) sockets: Vec<PathBuf>,
    /// `-p`: the ports on TCP.
    pub(crate) ports: Vec<u16>,
    /// `-i`: the addresses on which there is each of the ports; none: the loopback address.
    addresses: Vec<IpAddr>,
    /// `-w`: the directory whose files are served as pages.
    pub(crate) pages: Option<PathBuf>,
    /// `-m`: the most connections.
    pub(crate) max_connections: usize,
    /// `-u`: the user that the server runs as.
    pub(crate) user: Option<String>,
    /// `-g`: the group that the server runs as.
    pub(crate) group: Option<String>,
    /// `-f`: the program's own file.
    pub(crate) config_file: Option<PathBuf>,
    /// `--max-message`; `None`, as with the next ones, where it is not given.
    pub(crate) max_message: Option<usize>,
    /// `--compress`: the level of compression.
    pub(crate) compression: Option<u32>,
    /// `--origin`: whose pages may connect.
    pub(crate) origins: Origins,
    /// `--ping`: when silent clients are asked, if they are.
    pub(crate) keepalive: Option<Option<Keepalive>>,
    /// `--max-queue`: how much may be queued for a client.
    pub(crate) queue_limit: Option<QueueLimit>,
    /// `--max-memory`: the budget of the whole server, in bytes.
    pub(crate) max_memory: Option<usize>,
    /// `--max-body`: the longest body of a request, in bytes.
    pub(crate) max_body: usize,
    /// `--defer-timeout`: how long an answer may be put off.
    pub(crate) defer_timeout: Duration,
    /// `--forwarded`: which entry of which header is the client's address.
    pub(crate) forwarded: Option<Forwarded>,
    /// `--proxy-protocol`: connections begin with a header of the PROXY protocol.
    pub(crate) is_proxied: bool,
    /// `--tcp-keepalive`: when the system probes silent peers.
    pub(crate) tcp_keepalive: Option<TcpKeepalive>,
    /// `--access-log`: where a line for each request goes.
    pub(crate) access_log: Option<AccessDestination>,
    /// What `ws_open_callback` is given, as `-h` says where there is that option.
    pub(crate) fields: RequestFields,
    /// `--log-level`: which lines are written.
    pub(crate) log_level: Level,
    /// `--log-stderr`: a daemon's lines go to standard error.
    is_log_on_stderr: bool,
    /// `--drain`: how long clients are served after a hand-over.
    pub(crate) drain: Duration,
    /// `-x`: stay in the foreground.
    pub(crate) is_foreground: bool,
    /// `--check`: say what is wrong, and start nothing.
    pub(crate) is_check: bool,
    /// What follows `--`: the program's own.
    pub(crate) operands: Vec<OsString>,
}

/// How many bytes the buffer holds besides the payload: 4 of header and a terminator.
pub(crate) const BUFFER_OVERHEAD: usize = 5;
/// What `-b` may be.
const BUFFER: std::ops::RangeInclusive<usize> = 10..=65540;
/// What `-m` may be.
const CONNECTIONS: std::ops::RangeInclusive<usize> = 1..=1_000_000;
/// The least that `--max-memory` may be: less would not hold what one client may send.
const LEAST_MEMORY: usize = 1 << 20;
/// What `--drain` may be, in seconds: up to a day.
const DRAIN: std::ops::RangeInclusive<usize> = 0..=86_400;
/// What `--defer-timeout` may be, in seconds: up to a day.
const DEFER_TIMEOUT: std::ops::RangeInclusive<usize> = 1..=86_400;
/// The longest body of a request where `--max-body` does not say otherwise, in bytes.
const MAX_BODY: usize = 1 << 16;

impl Options {
    /// Reads the arguments behind the program's name, and what the program has set, of which each option counts that is
    /// not among the arguments; `--help` and `--version` are answered instead. Paths are taken from `directory`
    /// (CONTRACT S19).
    pub(crate) fn parse(
        arguments: &[OsString],
        set: &SetOptions,
        directory: &Path,
        flavor: &Flavor,
    ) -> Result<Self, StartError> {
        // getopts takes text. Arguments are bytes: each byte goes through as the character of its number.
        let spec = Spec::new(flavor, *BUFFER.end());
        let (mut words, mut rest) = spec.split(arguments.iter().map(|argument| widen(argument)));
        if !flavor.has_extensions {
            words.append(&mut rest);
        }
        let matches = find(&spec, &words)?;
        let mut all = set.words(|name| is_given(&matches, name));
        let matches = match &all[..] {
            [] => matches,
            _ => {
                all.append(&mut words);
                find(&spec, &all)?
            }
        };
        let operands = rest.iter().skip(1);
        let options = Self::read(&matches, operands, directory, flavor)?;
        match options.addresses.is_empty() || !options.ports.is_empty() {
            true => Ok(options),
            false => Err(wrong("i", &options.addresses[0].to_string(), "needs a port: -p")),
        }
    }

    /// Whether the program may set this option, so.
    pub(crate) fn may_set(set: &SetOptions, flavor: &Flavor) -> bool {
        let spec = Spec::new(flavor, *BUFFER.end());
        let words = set.words(|_| false);
        let matches = spec.parser().parse(&words).ok();
        let matches = matches.filter(|matches| matches.free.is_empty());
        matches.is_some_and(|matches| {
            Self::read(&matches, std::iter::empty(), Path::new("/"), flavor).is_ok()
        })
    }

    /// Reads what the parser has found.
    fn read<'a>(
        matches: &Matches,
        operands: impl Iterator<Item = &'a String>,
        directory: &Path,
        flavor: &Flavor,
    ) -> Result<Self, StartError> {
        let ports = ports(matches)?;
        let name = |option| last(matches, option).map(|value| text(&value));
        Ok(Self {
            buffer: number(matches, "b", BUFFER)?.unwrap_or(*BUFFER.end()),
            sockets: paths(matches, "l", directory)?,
            addresses: addresses(matches)?,
            ports,
            pages: paths(matches, "w", directory)?.pop(),
            max_connections: number(matches, "m", CONNECTIONS)?.unwrap_or(flavor.max_connections),
            user: name("u"),
            group: name("g"),
            config_file: paths(matches, "f", directory)?.pop(),
            max_message: number(matches, "max-message", 1..=MAX_MESSAGE)?,
            compression: compression(matches)?,
            origins: origins(matches)?,
            keepalive: keepalive(matches)?,
            queue_limit: queue_limit(matches)?,
            max_memory: max_memory(matches)?,
            max_body: max_body(matches)?.unwrap_or(MAX_BODY),
            defer_timeout: seconds(matches, "defer-timeout", DEFER_TIMEOUT, 60)?,
            forwarded: forwarded(matches)?,
            is_proxied: is_given(matches, "proxy-protocol"),
            tcp_keepalive: tcp_keepalive(matches)?,
            access_log: access_log(matches, directory)?,
            fields: match flavor.without_h {
                Some(fields) if !matches.opt_present("h") => fields,
                _ => RequestFields::Cookie,
            },
            log_level: log_level(matches)?,
            is_log_on_stderr: matches.opt_present("log-stderr"),
            drain: seconds(matches, "drain", DRAIN, 10)?,
            is_foreground: matches.opt_present("x"),
            is_check: matches.opt_present("check"),
            operands: operands.map(|operand| narrow(operand)).collect(),
        })
    }
}

impl Options {
    /// The addresses on which there is each of the ports.
    pub(crate) fn addresses(&self) -> &[IpAddr] {
        match &self.addresses[..] {
            [] => &[IpAddr::V4(Ipv4Addr::LOCALHOST)],
            addresses => addresses,
        }
    }

    /// Where the server's log goes (CONTRACT D7).
    pub(crate) fn log_destination(&self) -> Destination {
        match self.is_foreground || self.is_log_on_stderr {
            true => Destination::Stderr,
            false => Destination::Syslog,
        }
    }
}

/// Finds the options among these words; `--help` and `--version` are answered instead.
fn find(spec: &Spec, words: &[String]) -> Result<Matches, StartError> {
    let usage =
        |why: &str| StartError::usage(format_args!("{}\n{}", text(&narrow(why)), spec.usage()));
    let matches = spec.parser().parse(words);
    let matches = matches.map_err(|fail| usage(&fail.to_string()))?;
    if matches.opt_present("help") {
        return Err(StartError::answer(spec.help()));
    }
    if matches.opt_present("version") {
        return Err(StartError::answer(spec.version()));
    }
    match matches.free.first() {
        Some(operand) => Err(usage(&format!("{operand}: not an option"))),
        None => Ok(matches),
    }
}

/// Reads `--compress[=LEVEL]`.
fn compression(matches: &Matches) -> Result<Option<u32>, StartError> {
    const OPTION: &str = "compress";
    const LEVEL: &str = "6";
    if !is_known(matches, OPTION) {
        return Ok(None);
    }
    let Some(position) = matches.opt_positions(OPTION).pop() else { return Ok(None) };
    let given = matches.opt_strs_pos(OPTION).pop().filter(|(at, _)| *at == position);
    let value = given.map_or_else(|| LEVEL.to_owned(), |(_, value)| value);
    let level = decimal(&value).filter(|level| (0..=9).contains(level));
    level.map(Some).ok_or_else(|| wrong(OPTION, &value, "must be a number from 0 to 9"))
}

/// Reads `--origin`, given once for each.
fn origins(matches: &Matches) -> Result<Origins, StartError> {
    const OPTION: &str = "origin";
    let why = "is no origin, such as https://example.org, nor the word same";
    let mut origins = Origins::ANY;
    for value in all(matches, OPTION) {
        let added = origins.add(value.as_bytes());
        added.ok_or_else(|| wrong(OPTION, &text(&value), why))?;
    }
    Ok(origins)
}

/// Reads `--max-queue BYTES[,skip]`.
fn queue_limit(matches: &Matches) -> Result<Option<QueueLimit>, StartError> {
    const OPTION: &str = "max-queue";
    let Some(value) = last(matches, OPTION).map(|value| text(&value)) else { return Ok(None) };
    let (bytes, policy) = match value.strip_suffix(",skip") {
        Some(bytes) => (bytes, OverflowPolicy::Skip),
        None => (&*value, OverflowPolicy::Close),
    };
    let bytes = size(bytes).filter(|bytes| *bytes > 0);
    let limit = bytes.map(|bytes| QueueLimit { bytes, policy });
    limit.map(Some).ok_or_else(|| wrong(OPTION, &value, "must be bytes, as in 65536 or 64M,skip"))
}

/// Reads `--max-memory BYTES`.
fn max_memory(matches: &Matches) -> Result<Option<usize>, StartError> {
    const OPTION: &str = "max-memory";
    let Some(value) = last(matches, OPTION).map(|value| text(&value)) else { return Ok(None) };
    let bytes = size(&value).filter(|bytes| *bytes >= LEAST_MEMORY);
    bytes.map(Some).ok_or_else(|| wrong(OPTION, &value, "must be bytes, at least 1M, as in 512M"))
}

/// Reads `--max-body BYTES`.
fn max_body(matches: &Matches) -> Result<Option<usize>, StartError> {
    const OPTION: &str = "max-body";
    let Some(value) = last(matches, OPTION).map(|value| text(&value)) else { return Ok(None) };
    size(&value).map(Some).ok_or_else(|| wrong(OPTION, &value, "must be bytes, as in 65536 or 1M"))
}

/// Reads `--access-log FILE|syslog`, the file taken from this directory.
fn access_log(
    matches: &Matches,
    directory: &Path,
) -> Result<Option<AccessDestination>, StartError> {
    const OPTION: &str = "access-log";
    match last(matches, OPTION) {
        Some(value) if value == "syslog" => Ok(Some(AccessDestination::Syslog)),
        _ => Ok(paths(matches, OPTION, directory)?.pop().map(AccessDestination::File)),
    }
}

/// Reads `--ping IDLE[,TIMEOUT]`.
fn keepalive(matches: &Matches) -> Result<Option<Option<Keepalive>>, StartError> {
    const OPTION: &str = "ping";
    const TIMEOUT: &str = "20";
    let Some(value) = last(matches, OPTION).map(|value| text(&value)) else { return Ok(None) };
    let (idle, timeout) = value.split_once(',').unwrap_or((&value, TIMEOUT));
    let seconds = decimal(idle).zip(decimal(timeout));
    let keepalive = seconds.and_then(|(idle, timeout)| settings::keepalive(idle, timeout));
    keepalive.map(Some).ok_or_else(|| wrong(OPTION, &value, "must be seconds, as in 50,20"))
}

/// Reads `--log-level LEVEL`.
fn log_level(matches: &Matches) -> Result<Level, StartError> {
    const OPTION: &str = "log-level";
    let Some(value) = last(matches, OPTION).map(|value| text(&value)) else {
        return Ok(Level::Info);
    };
    let why = "must be error, warning, notice, info or debug";
    Level::parse(&value).ok_or_else(|| wrong(OPTION, &value, why))
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
