//! Tests that cannot run here say so, and why.

use std::io::Write;
use std::path::{Path, PathBuf};

/// What a test needs beyond a C compiler.
pub(crate) enum Need {
    /// To be started as root.
    Root,
    /// A program on the search path.
    Tool(&'static str),
    /// At least so many descriptors, by the hard limit.
    Descriptors(u64),
    /// This path must not be in use.
    Free(&'static str),
    /// Whatever the test has found out by itself, and the reason where it is not so.
    Has(bool, &'static str),
}

/// Whether one of the needs is not met. If so, a line on stderr names the test and the reason.
pub(crate) fn skipped(needs: &[Need]) -> bool {
    let Some(reason) = needs.iter().find_map(unmet) else {
        return false;
    };
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    say(&format!("skipped: {test}: {reason}"));
    true
}

/// A line on stderr that the test runner does not swallow.
pub(crate) fn say(line: &str) {
    // Whoever reads the other end has gone: no reason to fail.
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn unmet(need: &Need) -> Option<String> {
    match need {
        Need::Root => (!rustix::process::geteuid().is_root()).then(|| "needs root".into()),
        Need::Tool(name) => find(name).is_none().then(|| format!("{name} is not installed")),
        Need::Descriptors(count) => {
            let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
            let hard = limit.maximum.unwrap_or(u64::MAX);
            (hard < *count).then(|| format!("needs {count} descriptors, may have {hard}"))
        }
        Need::Has(is_so, reason) => (!is_so).then(|| (*reason).to_owned()),
        Need::Free(path) => {
            let used = Path::new(path).symlink_metadata().is_ok();
            used.then(|| format!("{path} is in use"))
        }
    }
}

/// The program, also where the search path of an ordinary user does not lead to it.
pub(crate) fn find(tool: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(more).map(|dir| dir.join(tool)).find(|it| it.is_file())
}
