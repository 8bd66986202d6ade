//! What a program asks for in `ws_init_func`. Each function may be called with any argument, at any time, from
//! any thread; what cannot be done is left undone.

use std::ffi::{CStr, OsStr, c_char, c_int, c_uint, c_ulong};
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

use dorrit_engine::{OverflowPolicy, QueueLimit};

use super::guard::{guard, status};
use crate::config::{MAX_MESSAGE, Options, Origins, Protocols, SetOptions, Settings, keepalive};
use crate::event_loop::with_engine;
use crate::log::{self, Level};
use crate::program::Flavor;
use crate::setup::{self, Periodic, Stage};

/// A function that `ws_set_periodic` takes.
pub type PeriodicFunc = Option<unsafe extern "C-unwind" fn()>;

/// The body of `ws_set_name` (CONTRACT D6).
///
/// # Safety
/// `name` is NULL or a string that ends with a zero byte.
pub unsafe fn set_name(name: *const c_char) {
    guard((), || {
        // SAFETY: the caller's promise.
        let name = (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) });
        let Some(name) = name.filter(|name| is_file_name(name.to_bytes())) else {
            return log::limited(Level::Warning, "ws_set_name: not a name for a file; ignored");
        };
        let stage = setup::with(|setup| {
            if setup.stage == Stage::Init {
                log::set_name(name);
                setup.name = Some(name.to_owned());
            }
            setup.stage
        });
        if stage.is_ok_and(|stage| stage != Stage::Init) {
            let why = "ws_set_name: only ws_init_func may call it; ignored";
            log::limited(Level::Warning, why);
        }
    })
}

/// The most bytes that a file's name may have on every system.
const MAX_NAME: usize = 255;

fn is_file_name(name: &[u8]) -> bool {
    (1..=MAX_NAME).contains(&name.len()) && name != b"." && name != b".." && !name.contains(&b'/')
}

/// The body of `ws_set_periodic` (CONTRACT D8).
pub fn set_periodic(func: PeriodicFunc, seconds: c_int) {
    guard((), || {
        let seconds = u64::try_from(seconds).unwrap_or(0);
        let func = func.filter(|_| seconds > 0);
        let periodic = func.map(|func| Periodic { func, period: Duration::from_secs(seconds) });
        if setup::with(|setup| setup.periodic = periodic).is_ok() {
            let period = periodic.map(|periodic| periodic.period);
            let _ = with_engine(|engine| engine.set_tick(period));
        }
    })
}

/// Changes a setting in `ws_init_func`. Returns what the function does: 0, or -1 where the value, or the
/// moment, is wrong.
fn set<T>(value: Option<T>, change: impl FnOnce(&mut Settings, T)) -> c_int {
    let changed = setup::with(|setup| match value {
        Some(value) if setup.stage == Stage::Init => {
            change(&mut setup.settings, value);
            0
        }
        _ => -1,
    });
    changed.unwrap_or(-1)
}

/// The body of `ws_set_option`.
///
/// # Safety
/// `name` and `value` are NULL or strings that end with a zero byte.
pub unsafe fn set_option(flavor: &Flavor, name: *const c_char, value: *const c_char) -> c_int {
    // SAFETY: the caller's promise.
    let (name, value) = unsafe { (bytes(name), bytes(value)) };
    guard(-1, || {
        let value = value.map(OsStr::from_bytes);
        let name = name.and_then(|name| std::str::from_utf8(name).ok());
        let option = name.and_then(|name| SetOptions::one(name, value));
        let option = option.filter(|option| Options::may_set(option, flavor));
        let set = setup::with_next(|setup| match option {
            Some(option) if setup.stage != Stage::Running => setup.options.extend(option).is_ok(),
            _ => false,
        });
        status(set)
    })
}

/// The bytes of a string that the program has given, where it has.
///
/// # Safety
/// `text` is NULL or a string that ends with a zero byte.
unsafe fn bytes<'a>(text: *const c_char) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_bytes())
}

/// The body of `ws_set_max_message`.
pub fn set_max_message(bytes: c_uint) -> c_int {
    let bytes = usize::try_from(bytes).ok().filter(|bytes| (1..=MAX_MESSAGE).contains(bytes));
    guard(-1, || set(bytes, |settings, bytes| settings.max_message = Some(bytes)))
}

/// The body of `ws_set_compression`.
pub fn set_compression(level: c_int) -> c_int {
    let level = u32::try_from(level).ok().filter(|level| *level <= 9);
    guard(-1, || set(level, |settings, level| settings.compression = level))
}

/// The body of `ws_set_protocols`.
///
/// # Safety
/// `list` is NULL or a string that ends with a zero byte.
pub unsafe fn set_protocols(list: *const c_char) -> c_int {
    // SAFETY: the caller's promise.
    let list = unsafe { bytes(list) };
    guard(-1, || set(list.and_then(Protocols::parse), |settings, list| settings.protocols = list))
}

/// The body of `ws_set_origins`.
///
/// # Safety
/// `list` is NULL or a string that ends with a zero byte.
pub unsafe fn set_origins(list: *const c_char) -> c_int {
    // SAFETY: the caller's promise.
    let list = unsafe { bytes(list) };
    guard(-1, || set(list.and_then(Origins::parse), |settings, list| settings.origins = list))
}

/// The body of `ws_set_ping`.
pub fn set_ping(idle: c_uint, timeout: c_uint) -> c_int {
    guard(-1, || set(keepalive(idle, timeout), |settings, value| settings.keepalive = value))
}

/// The body of `ws_set_queue_limit`; `None` is no policy.
pub fn set_queue_limit(bytes: c_ulong, policy: Option<OverflowPolicy>) -> c_int {
    let bytes = usize::try_from(bytes).ok().filter(|bytes| *bytes > 0);
    let limit = bytes.zip(policy).map(|(bytes, policy)| QueueLimit { bytes, policy });
    guard(-1, || set(limit, |settings, limit| settings.queue_limit = limit))
}
