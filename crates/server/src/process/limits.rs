//! The limit on descriptors (CONTRACT S18).

use dorrit_engine::Config;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::error::StartError;
use crate::log;

/// Descriptors for all but clients: the library's own, and some for the program.
const RESERVED: u64 = 64;

/// Raises the limit of descriptors to what the connections need. Where that cannot be, lowers their number and
/// says so.
pub(crate) fn raise_descriptor_limit(config: &mut Config) -> Result<(), StartError> {
    let wanted = config.max_sockets() as u64 + RESERVED;
    let limit = raise_to(wanted);
    if limit >= wanted {
        return Ok(());
    }
    let asked = config.max_connections;
    let fits = |max_connections: usize| {
        let config = Config { max_connections, ..*config };
        config.max_sockets() as u64 + RESERVED <= limit
    };
    // Both ends move by halves: there may be a million.
    let (mut low, mut high) = (0, asked);
    while low + 1 < high {
        let middle = low.midpoint(high);
        if fits(middle) { low = middle } else { high = middle }
    }
    if low == 0 {
        let why = format!("the limit of {limit} descriptors allows no connection");
        return Err(StartError::option("-m", asked, why));
    }
    config.max_connections = low;
    log::warning(&format!(
        "-m {asked}: the limit of {limit} descriptors allows only {low} connections"
    ));
    Ok(())
}

/// Raises the soft limit to `wanted`, as far as the hard limit allows. Returns what it is then.
fn raise_to(wanted: u64) -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let soft = limit.current.unwrap_or(u64::MAX);
    let raised = wanted.min(limit.maximum.unwrap_or(u64::MAX));
    if soft >= raised {
        return soft;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), ..limit }) {
        Ok(()) => raised,
        Err(_) => soft,
    }
}

/// The highest number that a descriptor can have now, and one.
pub(super) fn descriptor_limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
