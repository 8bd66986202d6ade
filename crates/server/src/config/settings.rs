//! What a program asks for in `ws_init_func`, beyond the manuals.

use std::ffi::{CStr, c_char, c_int, c_uint, c_ulong};
use std::time::Duration;

use dorrit_engine::{Keepalive, OverflowPolicy, QueueLimit};
use dorrit_proto::is_token;

use super::web_origin::Origins;
use crate::event_loop::current::{Stage, guard, with};

/// The longest message that can be asked for, in bytes.
pub(crate) const MAX_MESSAGE: usize = 1 << 30;

/// What was asked for; what was not is `None` or empty.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) max_message: Option<usize>,
    /// The level of compression; 0 is none.
    pub(crate) compression: u32,
    pub(crate) protocols: Protocols,
    /// Whose pages may connect.
    pub(crate) origins: Origins,
    pub(crate) keepalive: Option<Keepalive>,
    pub(crate) queue_limit: QueueLimit,
}

/// The sub-protocols that the server speaks.
#[derive(Debug)]
pub(crate) enum Protocols {
    /// Those of a list with commas between them, the best first; none where it is empty.
    List(Vec<u8>),
    /// Whatever the client offers.
    Any,
}

impl Settings {
    /// What holds where nothing was asked for.
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

impl Protocols {
    /// The sub-protocol for a client that offers these.
    pub(crate) fn choose<'a>(
        &self,
        mut offered: impl Iterator<Item = &'a [u8]> + Clone,
    ) -> Option<&'a [u8]> {
        match self {
            Self::Any => offered.next(),
            Self::List(ours) => {
                items(ours).find_map(|name| offered.clone().find(|offer| *offer == name))
            }
        }
    }
}

/// `--ping` and `ws_set_ping`: seconds; no idle time is never.
pub(crate) fn keepalive(idle: u32, timeout: u32) -> Option<Option<Keepalive>> {
    let [idle, timeout] = [idle, timeout].map(u64::from).map(Duration::from_secs);
    match (idle.is_zero(), timeout.is_zero()) {
        (true, _) => Some(None),
        (false, true) => None,
        (false, false) => Some(Some(Keepalive { idle, timeout })),
    }
}

fn protocols(list: &[u8]) -> Option<Protocols> {
    if list.trim_ascii() == b"*" {
        return Some(Protocols::Any);
    }
    let mut copy = Vec::new();
    copy.try_reserve_exact(list.len()).ok().filter(|()| items(list).all(is_token))?;
    copy.extend_from_slice(list);
    Some(Protocols::List(copy))
}

/// The items of a list with commas between them.
pub(crate) fn items(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|&byte| byte == b',').map(<[u8]>::trim_ascii)
}

/// Changes a setting in `ws_init_func`. Returns what the function does: 0, or -1 where the value, or the
/// moment, is wrong.
fn set<T>(value: Option<T>, change: impl FnOnce(&mut Settings, T)) -> c_int {
    let changed = with(|state| match value {
        Some(value) if state.stage == Stage::Init => {
            change(&mut state.settings, value);
            0
        }
        _ => -1,
    });
    changed.unwrap_or(-1)
}

/// # Safety
/// `text` is NULL or a string that ends with a zero byte.
unsafe fn bytes<'a>(text: *const c_char) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_bytes())
}

/// `ws_set_max_message`.
pub fn set_max_message(bytes: c_uint) -> c_int {
    let bytes = usize::try_from(bytes).ok().filter(|bytes| (1..=MAX_MESSAGE).contains(bytes));
    guard(-1, || set(bytes, |settings, bytes| settings.max_message = Some(bytes)))
}

/// `ws_set_compression`.
pub fn set_compression(level: c_int) -> c_int {
    let level = u32::try_from(level).ok().filter(|level| *level <= 9);
    guard(-1, || set(level, |settings, level| settings.compression = level))
}

/// `ws_set_protocols`.
///
/// # Safety
/// `list` is NULL or a string that ends with a zero byte.
pub unsafe fn set_protocols(list: *const c_char) -> c_int {
    // SAFETY: the caller's promise.
    let list = unsafe { bytes(list) };
    guard(-1, || set(list.and_then(protocols), |settings, list| settings.protocols = list))
}

/// `ws_set_origins`.
///
/// # Safety
/// `list` is NULL or a string that ends with a zero byte.
pub unsafe fn set_origins(list: *const c_char) -> c_int {
    // SAFETY: the caller's promise.
    let list = unsafe { bytes(list) };
    guard(-1, || set(list.and_then(Origins::parse), |settings, list| settings.origins = list))
}

/// `ws_set_ping`.
pub fn set_ping(idle: c_uint, timeout: c_uint) -> c_int {
    guard(-1, || set(keepalive(idle, timeout), |settings, value| settings.keepalive = value))
}

/// `ws_set_queue_limit`; `None` is no policy.
pub fn set_queue_limit(bytes: c_ulong, policy: Option<OverflowPolicy>) -> c_int {
    let bytes = usize::try_from(bytes).ok().filter(|bytes| *bytes > 0);
    let limit = bytes.zip(policy).map(|(bytes, policy)| QueueLimit { bytes, policy });
    guard(-1, || set(limit, |settings, limit| settings.queue_limit = limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let chosen = |list: &str, offered: &[&str]| {
            let offered: Vec<_> = offered.iter().map(|name| name.as_bytes()).collect();
            let protocols = protocols(list.as_bytes()).unwrap();
            protocols
                .choose(offered.iter().copied())
                .map(|name| String::from_utf8(name.to_vec()).unwrap())
        };
        assert_eq!(chosen("chat, superchat", &["superchat", "chat"]).as_deref(), Some("chat"));
        assert_eq!(chosen("chat", &["Chat"]), None);
        assert_eq!(chosen("*", &["b", "a"]).as_deref(), Some("b"));
        assert_eq!(chosen("*", &[]), None);
        for bad in ["", "a,,b", "a b", "é", ","] {
            assert!(protocols(bad.as_bytes()).is_none(), "{bad}");
        }
        assert!(Origins::parse(b"https://a.example, null").is_some());
        for bad in [&b"https://a example"[..], b"", b"https://a.example,", b"same, foo", b"*"] {
            assert!(Origins::parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn pings() {
        assert!(keepalive(0, 0).is_some_and(|off| off.is_none()));
        assert!(keepalive(5, 0).is_none());
        assert_eq!(keepalive(5, 2).flatten().map(|k| k.idle.as_secs()), Some(5));
    }
}
