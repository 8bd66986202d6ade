//! What a program asks for in `ws_init_func`, beyond the manuals.

use std::time::Duration;

use dorrit_engine::{Keepalive, OverflowPolicy, QueueLimit};

use super::protocols::Protocols;
use super::web_origin::Origins;

/// The longest message that can be asked for, in bytes.
pub(crate) const MAX_MESSAGE: usize = 1 << 30;

/// What a program has asked for; what it has not is `None` or empty.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The longest message, in bytes.
    pub(crate) max_message: Option<usize>,
    /// The level of compression; 0 is none.
    pub(crate) compression: u32,
    /// The sub-protocols that the server speaks.
    pub(crate) protocols: Protocols,
    /// Whose pages may connect.
    pub(crate) origins: Origins,
    /// When silent clients are asked, if they are.
    pub(crate) keepalive: Option<Keepalive>,
    /// How much may be queued for a client.
    pub(crate) queue_limit: QueueLimit,
}

impl Settings {
    /// The settings that hold where nothing was asked for.
    pub(crate) const DEFAULT: Self = Self {
        max_message: None,
        compression: 0,
        protocols: Protocols::List(Vec::new()),
        origins: Origins::ANY,
        // Proxies end connections that are silent for 60 seconds.
        keepalive: Some(Keepalive {
            idle: Duration::from_secs(50),
            timeout: Duration::from_secs(20),
        }),
        queue_limit: QueueLimit { bytes: 64 << 20, policy: OverflowPolicy::Close },
    };
}

/// What `--ping` and `ws_set_ping` ask for, in seconds: no idle time is never. `None` where it cannot be.
pub(crate) fn keepalive(idle: u32, timeout: u32) -> Option<Option<Keepalive>> {
    let [idle, timeout] = [idle, timeout].map(u64::from).map(Duration::from_secs);
    match (idle.is_zero(), timeout.is_zero()) {
        (true, _) => Some(None),
        (false, true) => None,
        (false, false) => Some(Some(Keepalive { idle, timeout })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pings() {
        assert!(keepalive(0, 0).is_some_and(|off| off.is_none()));
        assert!(keepalive(5, 0).is_none());
        assert_eq!(keepalive(5, 2).flatten().map(|k| k.idle.as_secs()), Some(5));
    }
}
