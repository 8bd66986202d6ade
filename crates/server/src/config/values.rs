//! The values of options, as they are read from the command line.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use getopts::Matches;

use super::bytes::narrow;
use crate::error::StartError;

/// A value as it is shown.
pub(super) fn text(value: &OsStr) -> String {
    value.to_string_lossy().into_owned()
}

/// The values of an option, in their order.
pub(super) fn all(matches: &Matches, option: &str) -> Vec<OsString> {
    let values = if is_known(matches, option) { matches.opt_strs(option) } else { Vec::new() };
    values.iter().map(|value| narrow(value)).collect()
}

/// The value of an option that takes one; the last one where it is given more than once.
pub(super) fn last(matches: &Matches, option: &str) -> Option<OsString> {
    all(matches, option).pop()
}

/// The number that is the value of an option, in this range.
pub(super) fn number(
    matches: &Matches,
    option: &str,
    range: std::ops::RangeInclusive<usize>,
) -> Result<Option<usize>, StartError> {
    let value = last(matches, option);
    value.map(|value| within(option, &text(&value), range)).transpose()
}

/// The time that is the value of an option, a number of seconds in this range, or else `default`.
pub(super) fn seconds(
    matches: &Matches,
    option: &str,
    range: std::ops::RangeInclusive<usize>,
    default: u64,
) -> Result<Duration, StartError> {
    let seconds = number(matches, option, range)?;
    Ok(Duration::from_secs(seconds.map_or(default, |seconds| seconds as u64)))
}

/// The number that this value of an option is, in this range.
pub(super) fn within(
    option: &str,
    value: &str,
    range: std::ops::RangeInclusive<usize>,
) -> Result<usize, StartError> {
    let why = format!("must be a number from {} to {}", range.start(), range.end());
    let number = decimal(value).filter(|number| range.contains(number));
    number.ok_or_else(|| wrong(option, value, &why))
}

/// The number that a text of digits alone is.
pub(crate) fn decimal<N: std::str::FromStr>(text: &str) -> Option<N> {
    let is_decimal = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_decimal)
}

/// An error: the value of an option cannot be, for this reason.
pub(super) fn wrong(option: &str, value: &str, why: &str) -> StartError {
    let dashes = if option.len() > 1 { "--" } else { "-" };
    StartError::option(&format!("{dashes}{option}"), value, why)
}

/// A number of bytes, or with K, M or G behind it of kibi-, mebi- or gibibytes.
pub(super) fn size(text: &str) -> Option<usize> {
    let units = [('K', 1 << 10), ('M', 1 << 20), ('G', 1 << 30)];
    let unit = |(letter, unit): (char, usize)| Some((text.strip_suffix(letter)?, unit));
    let (digits, unit) = units.into_iter().find_map(unit).unwrap_or((text, 1));
    decimal::<usize>(digits)?.checked_mul(unit)
}

/// Whether the library has this option, and it is there.
pub(super) fn is_given(matches: &Matches, option: &str) -> bool {
    is_known(matches, option) && matches.opt_present(option)
}

/// Whether the library has this option.
pub(super) fn is_known(matches: &Matches, option: &str) -> bool {
    matches.opt_defined(option)
}

/// The paths that are an option's values, taken from this directory, each once.
pub(super) fn paths(
    matches: &Matches,
    option: &str,
    directory: &Path,
) -> Result<Vec<PathBuf>, StartError> {
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
