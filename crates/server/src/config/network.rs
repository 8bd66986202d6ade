//! The options of addresses: where the server listens, and how it learns and keeps its clients' ends.

use std::net::IpAddr;
use std::time::Duration;

use getopts::Matches;

use super::values::{all, decimal, last, text, within, wrong};
use crate::error::StartError;
use crate::forwarded::{Forwarded, Header};

/// When the system probes a peer on TCP that is silent: `--tcp-keepalive`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TcpKeepalive {
    /// How long a peer is silent before it is probed.
    pub(crate) time: Duration,
    /// How many probes without an answer end the connection.
    pub(crate) probes: u32,
    /// How long lies between two probes.
    pub(crate) interval: Duration,
}

/// What `--forwarded` may count to.
const HOPS: std::ops::RangeInclusive<usize> = 1..=100;
/// What `--tcp-keepalive` may have of seconds, and of probes: what Linux takes.
const SECONDS: std::ops::RangeInclusive<u32> = 1..=32_767;
const PROBES: std::ops::RangeInclusive<u32> = 1..=127;

/// Reads `-p PORT`, given once for each. Each 0 is a free one.
pub(super) fn ports(matches: &Matches) -> Result<Vec<u16>, StartError> {
    let mut ports = Vec::new();
    for value in all(matches, "p") {
        let port = within("p", &text(&value), 0..=u16::MAX.into())? as u16;
        if port == 0 || !ports.contains(&port) {
            ports.push(port);
        }
    }
    Ok(ports)
}

/// Reads `-i ADDRESS`, given once for each.
pub(super) fn addresses(matches: &Matches) -> Result<Vec<IpAddr>, StartError> {
    const OPTION: &str = "i";
    let mut addresses = Vec::new();
    for value in all(matches, OPTION) {
        let value = text(&value);
        let address = value.parse();
        let address =
            address.map_err(|_| wrong(OPTION, &value, "must be an IPv4 or IPv6 address"))?;
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

/// Reads `--forwarded N[,HEADER]`.
pub(super) fn forwarded(matches: &Matches) -> Result<Option<Forwarded>, StartError> {
    const OPTION: &str = "forwarded";
    let Some(value) = last(matches, OPTION).map(|value| text(&value)) else { return Ok(None) };
    let (nth, header) = match value.split_once(',') {
        Some((nth, name)) => (nth, Header::parse(name).map(Some)),
        None => (&*value, Some(None)),
    };
    let nth = decimal(nth).filter(|nth| HOPS.contains(nth));
    let forwarded = nth.zip(header).map(|(nth, header)| Forwarded { nth, header });
    let why = "must be a number from 1 to 100, as in 1 or 2,x-forwarded-for or 1,forwarded";
    forwarded.map(Some).ok_or_else(|| wrong(OPTION, &value, why))
}

/// Reads `--tcp-keepalive TIME,PROBES,INTERVAL`.
pub(super) fn tcp_keepalive(matches: &Matches) -> Result<Option<TcpKeepalive>, StartError> {
    const OPTION: &str = "tcp-keepalive";
    let Some(value) = last(matches, OPTION).map(|value| text(&value)) else { return Ok(None) };
    let why = "must be seconds, probes and seconds, as in 60,5,10";
    keepalive_of(&value).map(Some).ok_or_else(|| wrong(OPTION, &value, why))
}

fn keepalive_of(value: &str) -> Option<TcpKeepalive> {
    let mut numbers = value.split(',').map(decimal::<u32>);
    let mut next = |range: std::ops::RangeInclusive<u32>| {
        numbers.next().flatten().filter(|number| range.contains(number))
    };
    let [time, probes, interval] = [next(SECONDS)?, next(PROBES)?, next(SECONDS)?];
    let [time, interval] = [time, interval].map(|it| Duration::from_secs(it.into()));
    numbers.next().is_none().then_some(TcpKeepalive { time, probes, interval })
}
