//! Programs that are more than a server: with exceptions, signals, earlier servers, options and starts of their own.
//!
//! Those that are their own clients check what they find themselves, and say where it is not so.

mod exceptions;
mod guest;
mod options;
mod programs;
mod starts;

use crate::harness::{Launch, Need, Variant, skipped};

/// Such a program, about to be started; `None` where the test must be skipped. Another user than root could not
/// make the socket again.
fn launch(source: &'static str, variant: Variant) -> Option<Launch> {
    if skipped(&[Need::Tool(variant.compiler())]) {
        return None;
    }
    let root = rustix::process::geteuid().is_root();
    let user: &[&str] = if root { &["-u", "root", "-g", "root"] } else { &[] };
    Some(Launch::of(source, variant).args(["-x"]).args(user.iter().copied()))
}

/// Runs the program to its end, which must be a good one: what it has written.
fn passes(launch: Option<Launch>) -> String {
    let Some(ended) = launch.map(Launch::run) else { return String::new() };
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    ended.stdout
}
