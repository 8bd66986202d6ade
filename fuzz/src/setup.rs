//! What an engine is made for, as an input says.

use std::time::Duration;

use dorrit_engine::{Buffers, Config, OverflowPolicy, PlainRequests, QueueLimit, Upgrades};
use dorrit_proto::{Binary, Fragments, Role, Rules};

use crate::input::Input;

/// The longest body that is taken, in bytes.
pub const MAX_BODY: usize = 1000;

/// What an engine for so many connections is made for.
pub fn config(input: &mut Input<'_>, max_connections: usize) -> Config {
    let choice = input.byte();
    let more = input.byte();
    let bit = |number: u8| choice >> number & 1 != 0;
    let max_payload = [125, 1000, 65535, 200_000][usize::from(more & 3)];
    let policy = if bit(0) { OverflowPolicy::Skip } else { OverflowPolicy::Close };
    let plain_requests = match (bit(6), more >> 6 & 1 != 0) {
        (false, false) => PlainRequests::Refused,
        (true, false) => PlainRequests::Told,
        (_, true) => PlainRequests::ToldWithBody(MAX_BODY),
    };
    Config {
        max_connections,
        rules: Rules {
            role: Role::Server,
            max_payload,
            binary: if bit(1) { Binary::Refused } else { Binary::Accepted },
            fragments: if bit(2) { Fragments::Refused } else { Fragments::Joined },
        },
        max_fragment: [20, 1000, 65535, 65535][usize::from(more >> 2 & 3)],
        buffers: if bit(3) { Buffers::Own } else { Buffers::Shared },
        max_queued_frames: bit(4).then_some(20),
        queue_limit: QueueLimit {
            bytes: [100, 10_000, 1 << 20, 1 << 26][usize::from(more >> 4 & 3)],
            policy,
        },
        max_memory: bit(7).then_some(1 << 20),
        take_shortage: || false,
        compression: if bit(5) { 6 } else { 0 },
        keepalive: None,
        upgrades: Upgrades::Told,
        plain_requests,
        // Longer than a run takes.
        decision_timeout: Duration::from_secs(3600),
        is_proxied: false,
    }
}
