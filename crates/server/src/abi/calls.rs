//! The bodies of the `ws_*` functions. Each may be called with any argument, at any time, from any
//! thread; what cannot be done is left undone.

use std::ffi::{CStr, c_char, c_int, c_long, c_uchar, c_uint, c_ulong, c_void};
use std::ptr;
use std::time::Duration;

use dorrit_engine::SendError;
use dorrit_proto::{CloseCode, MessageKind};

use super::handle;
use crate::event_loop::current::{Periodic, Stage, State, guard, with, with_engine};
use crate::log;
use crate::log::Level;
use crate::process::reserve;

/// What `ws_write_conn` returns.
const QUEUED: c_int = 0;
const NO_MEMORY: c_int = -1;
const NO_PAYLOAD: c_int = -2;
pub(crate) const WRONG_THREAD: c_int = -3;

/// A function that `ws_set_periodic` takes.
pub type PeriodicFunc = Option<unsafe extern "C-unwind" fn()>;

/// `ws_set_name` (CONTRACT D6).
///
/// # Safety
/// `name` is NULL or a string that ends with a zero byte.
pub unsafe fn set_name(name: *const c_char) {
    guard((), || {
        // SAFETY: the caller's promise.
        let name = (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) });
        let Some(name) = name.filter(|name| is_file_name(name.to_bytes())) else {
            return log::folded(Level::Warning, "ws_set_name: not a name for a file; ignored");
        };
        let stage = with(|state| {
            if state.stage == Stage::Init {
                log::open(name);
                state.name = Some(name.to_owned());
            }
            state.stage
        });
        if stage.is_ok_and(|stage| stage != Stage::Init) {
            let why = "ws_set_name: only ws_init_func may call it; ignored";
            log::folded(Level::Warning, why);
        }
    })
}

/// The most bytes of a file's name on every system.
const MAX_NAME: usize = 255;

fn is_file_name(name: &[u8]) -> bool {
    (1..=MAX_NAME).contains(&name.len()) && name != b"." && name != b".." && !name.contains(&b'/')
}

/// `ws_set_periodic` (CONTRACT D8).
pub fn set_periodic(func: PeriodicFunc, seconds: c_int) {
    guard((), || {
        let seconds = u64::try_from(seconds).unwrap_or(0);
        let func = func.filter(|_| seconds > 0);
        let periodic = func.map(|func| Periodic { func, period: Duration::from_secs(seconds) });
        let _ = with(|state| {
            state.periodic = periodic;
            if let Some(engine) = &mut state.engine {
                engine.set_tick(periodic.map(|periodic| periodic.period));
            }
        });
    })
}

/// `ws_set_data` (CONTRACT D10).
pub fn set_data(conn: *mut c_void, data: *mut c_void) {
    guard((), || {
        if let Some(id) = handle::to_id(conn) {
            let _ = with_engine(|engine| engine.set_tag(id, data.expose_provenance()));
        }
    })
}

/// `ws_get_data` (CONTRACT D10).
pub fn get_data(conn: *mut c_void) -> *mut c_void {
    guard(ptr::null_mut(), || {
        let tag = handle::to_id(conn).map(|id| with_engine(|engine| engine.tag(id)));
        ptr::with_exposed_provenance_mut(tag.and_then(Result::ok).unwrap_or(0))
    })
}

/// `ws_get_qlen` (CONTRACT D11).
pub fn get_qlen(conn: *mut c_void) -> c_uint {
    guard(0, || {
        let frames = handle::to_id(conn).map(|id| with_engine(|engine| engine.queued_frames(id)));
        frames.and_then(Result::ok).unwrap_or(0)
    })
}

/// `ws_write_conn` (CONTRACT D14 to D17).
///
/// # Safety
/// `conns` is NULL or points to `count` handles, and `data` is NULL or points to `len` bytes.
pub unsafe fn write_conn(
    conns: *const *mut c_void,
    count: c_int,
    kind: MessageKind,
    len: c_uint,
    data: *const c_uchar,
) -> c_int {
    guard(NO_MEMORY, || {
        let sent = with(|state| {
            if len < 1 || data.is_null() {
                return NO_PAYLOAD;
            }
            // SAFETY: the caller's promise.
            match unsafe { queue(state, conns, count, kind, data.cast(), len as usize) } {
                Ok(_) => QUEUED,
                Err(_) => NO_MEMORY,
            }
        });
        sent.unwrap_or(WRONG_THREAD)
    })
}

/// Queues a message for the connections of an array, as far as there are any. Returns for how many.
///
/// # Safety
/// `conns` is NULL or points to `count` handles, and `data` points to `len` bytes. Neither changes during
/// the call.
#[inline(always)]
unsafe fn queue(
    state: &mut State,
    conns: *const *mut c_void,
    count: c_int,
    kind: MessageKind,
    data: *const u8,
    len: usize,
) -> Result<usize, SendError> {
    let count = usize::try_from(count).unwrap_or(0);
    let Some(engine) = state.engine.as_mut().filter(|_| count > 0 && !conns.is_null()) else {
        return Ok(0);
    };
    // SAFETY: the caller's promise. No object is longer than isize::MAX.
    let data = unsafe { std::slice::from_raw_parts(data, len.min(isize::MAX as usize)) };
    // SAFETY: the caller's promise.
    match unsafe { std::slice::from_raw_parts(conns, count) } {
        &[conn] => match handle::to_id(conn) {
            Some(id) => reserve::spare(|| engine.send_to(id, kind, data)),
            None => Ok(0),
        },
        conns => {
            let conns = conns.iter().filter_map(|&conn| handle::to_id(conn));
            reserve::spare(|| engine.send(conns, kind, data))
        }
    }
}

/// `ws_send`.
///
/// # Safety
/// `conns` is NULL or points to `count` handles, and `data` is NULL or points to `len` bytes.
pub unsafe fn send(
    conns: *const *mut c_void,
    count: c_int,
    kind: MessageKind,
    data: *const c_void,
    len: usize,
) -> c_long {
    guard(NO_MEMORY.into(), || {
        let data = match len {
            0 => c"".as_ptr().cast(),
            _ if data.is_null() => return 0,
            _ => data.cast(),
        };
        let sent = with(|state| {
            // SAFETY: the caller's promise; without bytes, any address is one.
            let sent = unsafe { queue(state, conns, count, kind, data, len) };
            sent.map_or(NO_MEMORY.into(), |count| count as c_long)
        });
        sent.unwrap_or(WRONG_THREAD.into())
    })
}

/// `ws_get_qbytes`.
pub fn get_qbytes(conn: *mut c_void) -> c_ulong {
    guard(0, || {
        let bytes = handle::to_id(conn).map(|id| with_engine(|engine| engine.queued_bytes(id)));
        bytes.and_then(Result::ok).unwrap_or(0) as c_ulong
    })
}

/// `ws_close_conn_code`.
///
/// # Safety
/// `reason` is NULL or a string that ends with a zero byte.
pub unsafe fn close_conn_code(conn: *mut c_void, code: c_int, reason: *const c_char) {
    // SAFETY: the caller's promise.
    let reason = (!reason.is_null()).then(|| unsafe { CStr::from_ptr(reason) }.to_bytes());
    guard((), || {
        let Some(id) = handle::to_id(conn) else { return };
        let sendable = u16::try_from(code).ok().and_then(CloseCode::new);
        let reason =
            reason.unwrap_or_default().utf8_chunks().next().map_or("", |chunk| chunk.valid());
        let closed = with_engine(|engine| {
            engine.close(id, sendable.unwrap_or(CloseCode::NORMAL), reason);
        });
        if closed.is_ok() && sendable.is_none() {
            log::folded(
                Level::Warning,
                format_args!("ws_close_conn_code: {code} may not be sent: 1000 is"),
            );
        }
    })
}

/// `ws_get_close_code`.
pub fn get_close_code(conn: *mut c_void) -> c_int {
    let unknown = CloseCode::ABNORMAL.number().into();
    guard(unknown, || {
        let code = handle::to_id(conn).map(|id| with_engine(|engine| engine.close_code(id)));
        code.and_then(Result::ok).map_or(unknown, |code| code.number().into())
    })
}

/// `ws_close_conn` (CONTRACT D18).
pub fn close_conn(conn: *mut c_void, force: c_int) {
    guard((), || {
        let Some(id) = handle::to_id(conn) else { return };
        let _ = with_engine(|engine| match force {
            0 => engine.close(id, CloseCode::NORMAL, ""),
            _ => engine.close_now(id),
        });
    })
}
