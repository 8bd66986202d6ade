//! The command line (CONTRACT D20).

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use getopts::Matches;

use crate::program::{Flavor, Told};
use crate::start::StartError;

/// What the command line says.
#[derive(Debug)]
pub(crate) struct Options {
    /// `-b`: the size of the buffer, in bytes.
    pub(crate) buffer: usize,
    /// `-l`: the socket, where it is given.
    pub(crate) socket: Option<PathBuf>,
    /// `-m`: the most connections.
    pub(crate) max_connections: usize,
    pub(crate) user: Option<String>,
    pub(crate) group: Option<String>,
    /// `-f`: the program's own file.
    pub(crate) config_file: Option<PathBuf>,
    /// What `ws_open_callback` is told, as `-h` says where there is that option.
    pub(crate) told: Told,
    /// `-x`: stay in the foreground.
    pub(crate) is_foreground: bool,
}

/// What the buffer holds besides the payload: 4 bytes of header and a terminator.
pub(crate) const BUFFER_OVERHEAD: usize = 5;
const BUFFER: std::ops::RangeInclusive<usize> = 10..=65540;
const CONNECTIONS: std::ops::RangeInclusive<usize> = 1..=1_000_000;

impl Options {
    /// Reads the arguments behind the program's name.
    pub(crate) fn parse(arguments: &[OsString], flavor: &Flavor) -> Result<Self, StartError> {
        // getopts takes text. Arguments are bytes: each byte goes through as the character of its number.
        let arguments = arguments.iter().map(|argument| widen(argument));
        let mut grammar = getopts::Options::new();
        for option in ["b", "f", "g", "l", "m", "u"] {
            grammar.optmulti(option, "", "", "");
        }
        grammar.optflagmulti("x", "", "");
        if flavor.without_h.is_some() {
            grammar.optflagmulti("h", "", "");
        }
        let matches =
            grammar.parse(arguments).map_err(|fail| usage(&narrow(&fail.to_string()), flavor))?;
        if let Some(operand) = matches.free.first() {
            return Err(usage(&narrow(&format!("{operand}: not an option")), flavor));
        }
        let name = |option| last(&matches, option).map(|value| text(&value));
        Ok(Self {
            buffer: number(&matches, "b", BUFFER)?.unwrap_or(*BUFFER.end()),
            socket: path(&matches, "l")?,
            max_connections: number(&matches, "m", CONNECTIONS)?.unwrap_or(flavor.max_connections),
            user: name("u"),
            group: name("g"),
            config_file: path(&matches, "f")?,
            told: match flavor.without_h {
                Some(told) if !matches.opt_present("h") => told,
                _ => Told::Cookie,
            },
            is_foreground: matches.opt_present("x"),
        })
    }
}

/// The command line is not understood: why, and how it is used.
fn usage(why: &OsStr, flavor: &Flavor) -> StartError {
    let flags = if flavor.without_h.is_some() { "-hx" } else { "-x" };
    StartError::usage(format_args!(
        "{}\nusage: [{flags}] [-b bytes] [-f file] [-g group] [-l socket] [-m count] [-u user]",
        text(why),
    ))
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

/// The value of an option that takes one; the last one where it is given more than once.
fn last(matches: &Matches, option: &str) -> Option<OsString> {
    matches.opt_strs(option).last().map(|value| narrow(value))
}

fn number(
    matches: &Matches,
    option: &str,
    range: std::ops::RangeInclusive<usize>,
) -> Result<Option<usize>, StartError> {
    let Some(value) = last(matches, option).map(|value| text(&value)) else { return Ok(None) };
    let is_decimal = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let number = value.parse().ok().filter(|number| is_decimal && range.contains(number));
    let why = format!("must be a number from {} to {}", range.start(), range.end());
    number.map(Some).ok_or_else(|| StartError::option(&format!("-{option}"), value, why))
}

/// A path, taken from the directory in which the server was started (CONTRACT S19).
fn path(matches: &Matches, option: &str) -> Result<Option<PathBuf>, StartError> {
    let Some(value) = last(matches, option) else { return Ok(None) };
    let absolute = std::path::absolute(&value);
    absolute.map(Some).map_err(|error| {
        StartError::option(&format!("-{option}"), text(&value), crate::start::words(&error))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use dorrit_engine::Buffers;
    use dorrit_proto::{Binary, Fragments};

    const FLAVOR: Flavor = Flavor {
        max_connections: 16384,
        binary: Binary::Accepted,
        fragments: Fragments::Refused,
        buffers: Buffers::Shared,
        max_queued_frames: None,
        without_h: None,
        restarts: false,
    };

    fn parse(arguments: &[&str]) -> Result<Options, StartError> {
        let arguments: Vec<_> = arguments.iter().map(OsString::from).collect();
        Options::parse(&arguments, &FLAVOR)
    }

    /// CONTRACT D20.
    #[test]
    fn defaults() {
        let options = parse(&[]).unwrap();
        assert_eq!((options.buffer, options.max_connections), (65540, 16384));
        assert!(options.socket.is_none() && options.user.is_none() && options.group.is_none());
        assert!(options.config_file.is_none() && !options.is_foreground);
    }

    #[test]
    fn as_getopt_reads_them() {
        let options = parse(&["-xm10", "-b", "10", "-l", "/a", "-l/b", "-u", "-g"]).unwrap();
        assert!(options.is_foreground);
        assert_eq!((options.buffer, options.max_connections), (10, 10));
        assert_eq!(options.socket.unwrap(), PathBuf::from("/b"));
        assert_eq!(options.user.unwrap(), "-g");
    }

    #[test]
    fn bytes_that_are_no_text() {
        let arguments = [OsString::from("-l"), OsString::from_vec(b"/\xff\xc3\xa9".to_vec())];
        let options = Options::parse(&arguments, &FLAVOR).unwrap();
        assert_eq!(options.socket.unwrap().as_os_str().as_bytes(), b"/\xff\xc3\xa9");
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
