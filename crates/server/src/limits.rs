//! The limit on descriptors (CONTRACT S18).

use dorrit_engine::Config;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::log;
use crate::start::StartError;

/// Descriptors for all but clients: the library's own, and some for the program.
const RESERVED: u64 = 64;

/// Raises the limit to what the connections need. Where that cannot be, lowers their number and says so.
pub(crate) fn raise(config: &mut Config) -> Result<(), StartError> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)
        .map_err(|error| StartError::new(format_args!("descriptor limit: {}", error.desc())))?;
    let wanted = config.max_sockets() as u64 + RESERVED;
    if soft >= wanted {
        return Ok(());
    }
    let raised = wanted.min(hard);
    let limit = match setrlimit(Resource::RLIMIT_NOFILE, raised, hard) {
        Ok(()) => raised,
        Err(_) => soft,
    };
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
    log::terminal(&format!(
        "-m {asked}: the limit of {limit} descriptors allows only {low} connections"
    ));
    Ok(())
}
