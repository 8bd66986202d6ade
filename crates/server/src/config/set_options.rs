//! The options that a program has set.

use std::collections::TryReserveError;
use std::ffi::OsStr;

use super::bytes::widen;

/// The options that a program has set, in the order of its calls; each as words of a command line, in which each byte
/// of an argument is the character of its number.
#[derive(Debug, Default)]
pub(crate) struct SetOptions(Vec<SetOption>);

#[derive(Debug)]
struct SetOption {
    name: String,
    words: Vec<String>,
}

/// The options that only ask, of which a program has no need.
const NEVER: [&str; 4] = ["help", "h", "version", "check"];

impl SetOptions {
    /// No option.
    pub(crate) const NONE: Self = Self(Vec::new());

    /// One option, with its argument where it is given one; `None` where a program may not set an option of that
    /// name.
    pub(crate) fn one(name: &str, value: Option<&OsStr>) -> Option<Self> {
        let is_word = name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-');
        if !is_word || name.is_empty() || name.starts_with('-') || NEVER.contains(&name) {
            return None;
        }
        let dashes = if name.len() == 1 { "-" } else { "--" };
        let value = value.map(widen);
        let words = match value {
            None => vec![format!("{dashes}{name}")],
            // getopts takes what is joined so, also where the argument may be left out.
            Some(value) if name.len() > 1 => vec![format!("{dashes}{name}={value}")],
            Some(value) => vec![format!("{dashes}{name}"), value],
        };
        Some(Self(vec![SetOption { name: name.to_owned(), words }]))
    }

    /// Sets these options, too.
    pub(crate) fn extend(&mut self, more: Self) -> Result<(), TryReserveError> {
        self.0.try_reserve(more.0.len())?;
        self.0.extend(more.0);
        Ok(())
    }

    /// Whether no option is set.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The words of the options that are not given elsewhere.
    pub(crate) fn words(&self, is_given: impl Fn(&str) -> bool) -> Vec<String> {
        let options = self.0.iter().filter(|option| !is_given(&option.name));
        options.flat_map(|option| &option.words).cloned().collect()
    }
}
