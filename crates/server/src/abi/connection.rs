//! What a program asks of a connection, and has done with it. Each function may be called with any argument,
//! at any time, from any thread; what cannot be done is left undone.

use std::ffi::{CStr, c_char, c_int, c_uint, c_ulong, c_void};
use std::ptr;

use dorrit_proto::CloseCode;

use super::guard::guard;
use super::handle;
use crate::event_loop::with_engine;
use crate::log::{self, Level};

/// The body of `ws_set_data` (CONTRACT D10).
pub fn set_data(conn: *mut c_void, data: *mut c_void) {
    guard((), || {
        if let Some(id) = handle::to_id(conn) {
            let _ = with_engine(|engine| engine.set_tag(id, data.expose_provenance()));
        }
    })
}

/// The body of `ws_get_data` (CONTRACT D10).
pub fn get_data(conn: *mut c_void) -> *mut c_void {
    guard(ptr::null_mut(), || {
        let tag = handle::to_id(conn).map(|id| with_engine(|engine| engine.tag(id)));
        ptr::with_exposed_provenance_mut(tag.and_then(Result::ok).unwrap_or(0))
    })
}

/// The body of `ws_get_qlen` (CONTRACT D11).
pub fn get_qlen(conn: *mut c_void) -> c_uint {
    guard(0, || {
        let frames = handle::to_id(conn).map(|id| with_engine(|engine| engine.queued_frames(id)));
        frames.and_then(Result::ok).unwrap_or(0)
    })
}

/// The body of `ws_get_qbytes`.
pub fn get_qbytes(conn: *mut c_void) -> c_ulong {
    guard(0, || {
        let bytes = handle::to_id(conn).map(|id| with_engine(|engine| engine.queued_bytes(id)));
        bytes.and_then(Result::ok).unwrap_or(0) as c_ulong
    })
}

/// The body of `ws_close_conn_code`.
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
            log::limited(
                Level::Warning,
                format_args!("ws_close_conn_code: {code} may not be sent: 1000 is"),
            );
        }
    })
}

/// The body of `ws_get_close_code`.
pub fn get_close_code(conn: *mut c_void) -> c_int {
    let unknown = CloseCode::ABNORMAL.number().into();
    guard(unknown, || {
        let code = handle::to_id(conn).map(|id| with_engine(|engine| engine.close_code(id)));
        code.and_then(Result::ok).map_or(unknown, |code| code.number().into())
    })
}

/// The body of `ws_close_conn` (CONTRACT D18).
pub fn close_conn(conn: *mut c_void, force: c_int) {
    guard((), || {
        let Some(id) = handle::to_id(conn) else { return };
        let _ = with_engine(|engine| match force {
            0 => engine.close(id, CloseCode::NORMAL, ""),
            _ => engine.close_now(id),
        });
    })
}
