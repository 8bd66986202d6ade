//! Variables of the environment by which a server speaks to a new start of its own.

use std::ffi::OsString;
use std::str::FromStr;

/// Takes a variable out of the environment.
pub(crate) fn take(name: &str) -> Option<OsString> {
    let value = std::env::var_os(name)?;
    // SAFETY: the server has one thread.
    unsafe { std::env::remove_var(name) };
    Some(value)
}

/// Numbers as a variable has them.
pub(crate) fn numbers<N: ToString>(numbers: &[N]) -> OsString {
    let numbers: Vec<_> = numbers.iter().map(N::to_string).collect();
    numbers.join(" ").into()
}

/// The numbers that a variable has; what is none is passed over.
pub(crate) fn parse<N: FromStr>(text: Option<OsString>) -> Vec<N> {
    let text = text.and_then(|text| text.into_string().ok()).unwrap_or_default();
    text.split(' ').filter_map(|number| number.parse().ok()).collect()
}
