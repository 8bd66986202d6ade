//! What a program asks for in `ws_init_func`, beyond the manuals.

use std::ffi::{CStr, c_char, c_int, c_uint, c_ulong};

use dorrit_engine::{OverflowPolicy, QueueLimit};

use crate::config::{MAX_MESSAGE, Origins, Protocols, Settings, keepalive};
use crate::event_loop::current::{Stage, guard, with};

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
    guard(-1, || set(list.and_then(Protocols::parse), |settings, list| settings.protocols = list))
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
