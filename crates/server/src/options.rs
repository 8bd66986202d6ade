//! The command line (CONTRACT D20).

use std::ffi::{OsStr, OsString};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use dorrit_engine::{Keepalive, OverflowPolicy, QueueLimit};
use getopts::Matches;

use crate::grammar::Grammar;
use crate::log::{Destination, Level};
use crate::program::{Flavor, Told};
use crate::settings::{self, MAX_MESSAGE};
use crate::start::StartError;
use crate::web_origin::Allowed;

/// What the command line says.
#[derive(Debug)]
pub(crate) struct Options {
    /// `-b`: the size of the buffer, in bytes.
    pub(crate) buffer: usize,
    /// `-l`: the sockets.
    pub(crate) sockets: Vec<PathBuf>,
    /// `-p`: the ports on TCP.
    pub(crate) ports: Vec<u16>,
    /// `-i`: the addresses on which there is each of the ports.
    pub(crate) addresses: Vec<IpAddr>,
    /// `-w`: the directory whose files are served as pages.
    pub(crate) pages: Option<PathBuf>,
    /// `-m`: the most connections.
    pub(crate) max_connections: usize,
    pub(crate) user: Option<String>,
    pub(crate) group: Option<String>,
    /// `-f`: the program's own file.
    pub(crate) config_file: Option<PathBuf>,
    /// What goes beyond the manuals; `None` where it is not given.
    pub(crate) max_message: Option<usize>,
    pub(crate) compression: Option<u32>,
    pub(crate) origins: Vec<Allowed>,
    pub(crate) keepalive: Option<Option<Keepalive>>,
    pub(crate) queue_limit: Option<QueueLimit>,
    /// `--max-memory`: the budget of the whole server, in bytes.
    pub(crate) max_memory: Option<usize>,
    /// What `ws_open_callback` is told, as `-h` says where there is that option.
    pub(crate) told: Told,
    /// `--log-level`: which lines are written.
    pub(crate) log_level: Level,
    /// `--log-stderr`: a daemon's go to standard error.
    is_log_on_stderr: bool,
    /// `--drain`: how long clients are served after a hand-over.
    pub(crate) drain: Duration,
    /// `-x`: stay in the foreground.
    pub(crate) is_foreground: bool,
}

/// What the buffer holds besides the payload: 4 bytes of header and a terminator.
pub(crate) const BUFFER_OVERHEAD: usize = 5;
const BUFFER: std::ops::RangeInclusive<usize> = 10..=65540;
const CONNECTIONS: std::ops::RangeInclusive<usize> = 1..=1_000_000;
/// Less would not hold what one client may send.
const LEAST_MEMORY: usize = 1 << 20;
/// Up to a day, in seconds.
const DRAIN: std::ops::RangeInclusive<usize> = 0..=86_400;

impl Options {
    /// Reads the arguments behind the program's name; `--help` and `--version` are answered instead.
    /// Paths are taken from `directory` (CONTRACT S19).
    pub(crate) fn parse(
        arguments: &[OsString],
        directory: &Path,
        flavor: &Flavor,
    ) -> Result<Self, StartError> {
        // getopts takes text. Arguments are bytes: each byte goes through as the character of its number.
        let grammar = Grammar::new(flavor, *BUFFER.end());
        let arguments = arguments.iter().map(|argument| widen(argument));
        let arguments = grammar.join_numbers(arguments);
        let usage = |why: &str| {
            StartError::usage(format_args!("{}\n{}", text(&narrow(why)), grammar.usage()))
        };
        let matches = grammar.parser().parse(arguments);
        let matches = matches.map_err(|fail| usage(&fail.to_string()))?;
        if matches.opt_present("help") {
            return Err(StartError::answer(grammar.help()));
        }
        if matches.opt_present("version") {
            return Err(StartError::answer(grammar.version()));
        }
        if let Some(operand) = matches.free.first() {
            return Err(usage(&format!("{operand}: not an option")));
        }
        let ports = ports(&matches)?;
        let name = |option| last(&matches, option).map(|value| text(&value));
        Ok(Self {
            buffer: number(&matches, "b", BUFFER)?.unwrap_or(*BUFFER.end()),
            sockets: paths(&matches, "l", directory)?,
            addresses: addresses(&matches, &ports)?,
            ports,
            pages: paths(&matches, "w", directory)?.pop(),
            max_connections: number(&matches, "m", CONNECTIONS)?.unwrap_or(flavor.max_connections),
            user: name("u"),
            group: name("g"),
            config_file: paths(&matches, "f", directory)?.pop(),
            max_message: number(&matches, "max-message", 1..=MAX_MESSAGE)?,
            compression: compression(&matches)?,
            origins: origins(&matches)?,
            keepalive: keepalive(&matches)?,
            queue_limit: queue_limit(&matches)?,
            max_memory: max_memory(&matches)?,
            told: match flavor.without_h {
                Some(told) if !matches.opt_present("h") => told,
                _ => Told::Cookie,
            },
            log_level: log_level(&matches)?,
            is_log_on_stderr: matches.opt_present("log-stderr"),
            drain: Duration::from_secs(number(&matches, "drain", DRAIN)?.unwrap_or(10) as u64),
            is_foreground: matches.opt_present("x"),
        })
    }
}

impl Options {
    /// Where the server's log goes (CONTRACT D7).
    pub(crate) fn log_destination(&self) -> Destination {
        match self.is_foreground || self.is_log_on_stderr {
            true => Destination::Stderr,
            false => Destination::Syslog,
        }
    }
}

fn widen(argument: &OsStr) -> String {
    argument.as_bytes().iter().map(|&byte| char::from(byte)).collect()
}

fn narrow(argument: &str) -> OsString {
    // What is no such character is of getopts' own messages.
    OsString::from_vec(argument.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect())
}

fn text(value: &OsStr) -> String {
    value.to_string_lossy().into_owned()
}

/// The values of an option, in their order.
fn all(matches: &Matches, option: &str) -> Vec<OsString> {
    let values = if is_known(matches, option) { matches.opt_strs(option) } else { Vec::new() };
    values.iter().map(|value| narrow(value)).collect()
}

/// The value of an option that takes one; the last one where it is given more than once.
fn last(matches: &Matches, option: &str) -> Option<OsString> {
    all(matches, option).pop()
}

fn number(
    matches: &Matches,
    option: &str,
    range: std::ops::RangeInclusive<usize>,
) -> Result<Option<usize>, StartError> {
    let value = last(matches, option);
    value.map(|value| within(option, &text(&value), range)).transpose()
}

fn within(
    option: &str,
    value: &str,
    range: std::ops::RangeInclusive<usize>,
) -> Result<usize, StartError> {
    let why = format!("must be a number from {} to {}", range.start(), range.end());
    let number = decimal(value).filter(|number| range.contains(number));
    number.ok_or_else(|| wrong(option, value, &why))
}

/// A number of digits alone.
pub(crate) fn decimal<N: std::str::FromStr>(text: &str) -> Option<N> {
    let is_decimal = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_decimal)
}

fn wrong(option: &str, value: &str, why: &str) -> StartError {
    let dashes = if option.len() > 1 { "--" } else { "-" };
    StartError::option(&format!("{dashes}{option}"), value, why)
}

/// `-p PORT`, once for each. Each 0 is a free one.
fn ports(matches: &Matches) -> Result<Vec<u16>, StartError> {
    let mut ports = Vec::new();
    for value in all(matches, "p") {
        let port = within("p", &text(&value), 0..=u16::MAX.into())? as u16;
        if port == 0 || !ports.contains(&port) {
            ports.push(port);
        }
    }
    Ok(ports)
}

/// `-i ADDRESS`, once for each.
fn addresses(matches: &Matches, ports: &[u16]) -> Result<Vec<IpAddr>, StartError> {
    const OPTION: &str = "i";
    let mut addresses = Vec::new();
    for value in all(matches, OPTION) {
        let value = text(&value);
        let address = value.parse();
        let address =
            address.map_err(|_| wrong(OPTION, &value, "must be an IPv4 or IPv6 address"))?;
        if ports.is_empty() {
            return Err(wrong(OPTION, &value, "needs a port: -p"));
        }
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        addresses.push(Ipv4Addr::LOCALHOST.into());
    }
    Ok(addresses)
}

/// `--compress[=LEVEL]`.
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

/// `--origin`, once for each.
fn origins(matches: &Matches) -> Result<Vec<Allowed>, StartError> {
    const OPTION: &str = "origin";
    let why = "is no origin, such as https://example.org, nor the word same";
    let parse = |value: OsString| {
        settings::origins(value.as_bytes()).ok_or_else(|| wrong(OPTION, &text(&value), why))
    };
    let lists: Result<Vec<_>, _> = all(matches, OPTION).into_iter().map(parse).collect();
    Ok(lists?.concat())
}

/// `--max-queue BYTES[,skip]`.
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

/// `--max-memory BYTES`.
fn max_memory(matches: &Matches) -> Result<Option<usize>, StartError> {
    const OPTION: &str = "max-memory";
    let Some(value) = last(matches, OPTION).map(|value| text(&value)) else { return Ok(None) };
    let bytes = size(&value).filter(|bytes| *bytes >= LEAST_MEMORY);
    bytes.map(Some).ok_or_else(|| wrong(OPTION, &value, "must be bytes, at least 1M, as in 512M"))
}

/// A number of bytes, or with K, M or G behind it of kibi-, mebi- or gibibytes.
fn size(text: &str) -> Option<usize> {
    let units = [('K', 1 << 10), ('M', 1 << 20), ('G', 1 << 30)];
    let unit = |(letter, unit): (char, usize)| Some((text.strip_suffix(letter)?, unit));
    let (digits, unit) = units.into_iter().find_map(unit).unwrap_or((text, 1));
    decimal::<usize>(digits)?.checked_mul(unit)
}

/// `--ping IDLE[,TIMEOUT]`.
fn keepalive(matches: &Matches) -> Result<Option<Option<Keepalive>>, StartError> {
    const OPTION: &str = "ping";
    const TIMEOUT: &str = "20";
    let Some(value) = last(matches, OPTION).map(|value| text(&value)) else { return Ok(None) };
    let (idle, timeout) = value.split_once(',').unwrap_or((&value, TIMEOUT));
    let seconds = decimal(idle).zip(decimal(timeout));
    let keepalive = seconds.and_then(|(idle, timeout)| settings::keepalive(idle, timeout));
    keepalive.map(Some).ok_or_else(|| wrong(OPTION, &value, "must be seconds, as in 50,20"))
}

/// `--log-level LEVEL`.
fn log_level(matches: &Matches) -> Result<Level, StartError> {
    const OPTION: &str = "log-level";
    let Some(value) = last(matches, OPTION).map(|value| text(&value)) else {
        return Ok(Level::Info);
    };
    let why = "must be error, warning, notice, info or debug";
    Level::parse(&value).ok_or_else(|| wrong(OPTION, &value, why))
}

/// Whether the library has this option.
fn is_known(matches: &Matches, option: &str) -> bool {
    matches.opt_defined(option)
}

/// Paths, taken from this directory, each once.
fn paths(matches: &Matches, option: &str, directory: &Path) -> Result<Vec<PathBuf>, StartError> {
    let mut paths = Vec::new();
    for value in all(matches, option) {
        if value.is_empty() {
            return Err(wrong(option, "\"\"", "must be a path"));
        }
        // The last one stands last.
        let path = directory.join(value);
        paths.retain(|earlier| *earlier != path);
        paths.push(path);
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dorrit_engine::Buffers;
    use dorrit_proto::{Binary, Fragments};

    const FLAVOR: Flavor = Flavor {
        manual: "libdorrit(3)",
        max_connections: 16384,
        binary: Binary::Accepted,
        fragments: Fragments::Refused,
        buffers: Buffers::Shared,
        max_queued_frames: None,
        without_h: None,
        has_extensions: true,
        restarts: false,
    };

    fn parse(arguments: &[&str]) -> Result<Options, StartError> {
        let arguments: Vec<_> = arguments.iter().map(OsString::from).collect();
        Options::parse(&arguments, Path::new("/start"), &FLAVOR)
    }

    /// CONTRACT D20.
    #[test]
    fn defaults() {
        let options = parse(&[]).unwrap();
        assert_eq!((options.buffer, options.max_connections), (65540, 16384));
        assert!(options.sockets.is_empty() && options.user.is_none() && options.group.is_none());
        assert!(options.config_file.is_none() && !options.is_foreground);
    }

    #[test]
    fn addresses() {
        let tcp = |arguments: &[&str]| {
            let options = parse(arguments).unwrap();
            let addresses: Vec<_> = options.addresses.iter().map(IpAddr::to_string).collect();
            (options.ports, addresses.join(" "))
        };
        assert_eq!(tcp(&[]).0, []);
        assert_eq!(tcp(&["-p", "80"]), (vec![80], "127.0.0.1".to_owned()));
        let all = ["-i", "::", "-p0", "-i0.0.0.0", "-i", "::"];
        assert_eq!(tcp(&all), (vec![0], ":: 0.0.0.0".to_owned()));
        let ports = ["-p80", "-p", "81", "-p0", "-p80", "-p0"];
        assert_eq!(tcp(&ports).0, [80, 81, 0, 0]);
        for bad in ["localhost", "", "127.1", "[::1]", "127.0.0.1:80", "::1%lo"] {
            let error = parse(&["-p", "80", "-i", bad]).unwrap_err();
            assert_eq!((error.text.contains("IPv4"), error.status), (true, 1), "{bad}");
        }
        assert_eq!(parse(&["-i", "::1"]).unwrap_err().status, 1);
        for bad in ["65536", "-1", "http"] {
            assert!(
                parse(&["-p", bad, "-p80"]).unwrap_err().text.starts_with(&format!("-p {bad}: "))
            );
        }
        let classic = Flavor { has_extensions: false, ..FLAVOR };
        for option in ["-p", "-i"] {
            let arguments = [option.into(), "80".into()];
            let refused = Options::parse(&arguments, Path::new("/start"), &classic);
            assert_eq!(refused.unwrap_err().status, 2);
        }
    }

    #[test]
    fn as_getopt_reads_them() {
        let options = parse(&["-xm10", "-b", "10", "-l", "/a", "-l/b", "-u", "-g"]).unwrap();
        assert!(options.is_foreground);
        assert_eq!((options.buffer, options.max_connections), (10, 10));
        assert_eq!(options.sockets, [PathBuf::from("/a"), PathBuf::from("/b")]);
        assert_eq!(options.user.unwrap(), "-g");
    }

    #[test]
    fn bytes_that_are_no_text() {
        let arguments = [OsString::from("-l"), OsString::from_vec(b"/\xff\xc3\xa9".to_vec())];
        let options = Options::parse(&arguments, Path::new("/start"), &FLAVOR).unwrap();
        assert_eq!(options.sockets[0].as_os_str().as_bytes(), b"/\xff\xc3\xa9");
    }

    #[test]
    fn answers() {
        for before in [&[][..], &["-b", "9"], &["-x", "operand"], &["-l", ""]] {
            let answer = |option| parse(&[before, &[option]].concat()).unwrap_err();
            let help = answer("--help");
            assert_eq!((help.status, &help.text), (0, &answer("-h").text));
            assert!(help.text.lines().count() <= 28, "{}", help.text);
            assert!(help.text.lines().all(|line| line.len() <= 80), "{}", help.text);
            assert_eq!(answer("--version").status, 0);
        }
        assert_eq!(parse(&["-f", "--help"]).unwrap().config_file, Some("/start/--help".into()));
        for wrong in [&["-z", "--help"][..], &["--help=me"], &["--", "--help"], &["--hel"]] {
            assert_eq!(parse(wrong).unwrap_err().status, 2, "{wrong:?}");
        }
    }

    #[test]
    fn the_last_level_counts() {
        let level = |arguments: &[&str]| parse(arguments).unwrap().compression;
        assert_eq!(level(&["--compress"]), Some(6));
        assert_eq!(level(&["--compress", "--compress=2"]), Some(2));
        assert_eq!(level(&["--compress=2", "--compress"]), Some(6));
        assert_eq!(level(&["--compress=2", "-x", "--compress=3"]), Some(3));
    }

    #[test]
    fn a_level_may_be_a_word_of_its_own() {
        let options = parse(&["-x", "--compress", "7", "-m5", "--compress", "-f", "a"]).unwrap();
        assert_eq!((options.compression, options.max_connections), (Some(6), 5));
        assert_eq!(parse(&["--compress", "1"]).unwrap().compression, Some(1));
        assert_eq!(parse(&["--compress", "12"]).unwrap_err().status, 1);
        for usage in [&["--compress", "fast"][..], &["--compress=1", "2"], &["--ping", "1", "2"]] {
            assert_eq!(parse(usage).unwrap_err().status, 2, "{usage:?}");
        }
        // What is the value of another option is no option.
        for (option, last) in [("-f", "6"), ("-xf", "6"), ("-u", "6")] {
            let error = parse(&[option, "--compress", last]).unwrap_err();
            assert!(error.text.starts_with("6: not an option"), "{option}: {}", error.text);
        }
        assert_eq!(parse(&["-f--compress", "--compress", "3"]).unwrap().compression, Some(3));
        assert_eq!(parse(&["--", "--compress", "6"]).unwrap_err().status, 2);
    }

    #[test]
    fn memory() {
        let queue = |value: &str| parse(&["--max-queue", value]).map(|it| it.queue_limit.unwrap());
        for (value, bytes, policy) in [
            ("1", 1, OverflowPolicy::Close),
            ("64K", 64 << 10, OverflowPolicy::Close),
            ("3M,skip", 3 << 20, OverflowPolicy::Skip),
            ("2G", 2 << 30, OverflowPolicy::Close),
        ] {
            let limit = queue(value).unwrap();
            assert_eq!((limit.bytes, limit.policy), (bytes, policy), "{value}");
        }
        let max = |value: &str| parse(&["--max-memory", value]).map(|it| it.max_memory.unwrap());
        assert_eq!(max("1M").unwrap(), 1 << 20);
        assert_eq!(max("1048576").unwrap(), 1 << 20);
        assert_eq!(max("1G").unwrap(), 1 << 30);
        for bad in ["", "0", "-1", "K", "1k", "1KB", "1.5M", "1 M", "M1", "99999999999999G"] {
            assert_eq!(queue(bad).unwrap_err().status, 1, "{bad}");
            assert_eq!(max(bad).unwrap_err().status, 1, "{bad}");
        }
        for bad in ["1,", "1,close", ",skip", "1,skip,skip", "1, skip"] {
            let error = queue(bad).unwrap_err();
            assert!(error.text.starts_with(&format!("--max-queue {bad}: ")), "{}", error.text);
        }
        assert!(max("1048575").is_err() && max("2M,skip").is_err());
        let options = parse(&[]).unwrap();
        assert!(options.queue_limit.is_none() && options.max_memory.is_none());
    }

    #[test]
    fn the_log() {
        let level = |arguments: &[&str]| parse(arguments).unwrap().log_level;
        assert_eq!(level(&[]), Level::Info);
        assert_eq!(level(&["--log-level=debug", "--log-level", "error"]), Level::Error);
        let destination = |arguments: &[&str]| parse(arguments).unwrap().log_destination();
        assert_eq!(destination(&[]), Destination::Syslog);
        for arguments in [&["-x"][..], &["--log-stderr"], &["-x", "--log-stderr"]] {
            assert_eq!(destination(arguments), Destination::Stderr);
        }
        for bad in ["", "Error", "err", "7"] {
            let error = parse(&["--log-level", bad]).unwrap_err();
            let beginning = format!("--log-level {bad}: must be error, ");
            assert_eq!((error.text.starts_with(&beginning), error.status), (true, 1), "{bad}");
        }
        assert_eq!(parse(&["--log-stderr=yes"]).unwrap_err().status, 2);
    }

    #[test]
    fn drain() {
        let drain = |arguments: &[&str]| parse(arguments).map(|options| options.drain.as_secs());
        assert_eq!(drain(&[]).unwrap(), 10);
        assert_eq!(drain(&["--drain=0"]).unwrap(), 0);
        assert_eq!(drain(&["--drain", "86400"]).unwrap(), 86_400);
        for bad in ["86401", "-1", "", "ten", "1.5"] {
            let error = drain(&["--drain", bad]).unwrap_err();
            assert!(error.text.starts_with(&format!("--drain {bad}: ")), "{}", error.text);
        }
    }

    #[test]
    fn what_cannot_be() {
        for bad in ["9", "65541", "", "ten", "-1", "+10", "1e3", "99999999999999999999"] {
            let error = parse(&["-b", bad]).unwrap_err();
            assert_eq!(error.status, 1);
            assert!(error.text.starts_with(&format!("-b {bad}: ")), "{}", error.text);
        }
        assert_eq!(parse(&["-m", "0"]).unwrap_err().status, 1);
        assert_eq!(parse(&["-l", ""]).unwrap_err().status, 1);
        for usage in [&["-z"][..], &["-b"], &["operand"], &["--long"], &["-x", "--", "a"]] {
            assert_eq!(parse(usage).unwrap_err().status, 2, "{usage:?}");
        }
    }
}
