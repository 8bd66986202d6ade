//! What a program sends. Each function may be called with any argument, at any time, from any thread; what
//! cannot be done is left undone.

use std::ffi::{c_int, c_long, c_uchar, c_uint, c_void};

use dorrit_engine::{Engine, SendError};
use dorrit_proto::MessageKind;

use super::guard::{WRONG_THREAD, guard};
use super::handle;
use crate::error::Misuse;
use crate::event_loop::with_engine;
use crate::process::WithoutReserve;

/// What `ws_write_conn` returns where the message is queued.
const QUEUED: c_int = 0;
/// What `ws_write_conn` returns where there is no memory for the message.
const NO_MEMORY: c_int = -1;
/// What `ws_write_conn` returns where there is no message.
const NO_PAYLOAD: c_int = -2;

/// The body of `ws_write_conn` (CONTRACT D14 to D17).
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
        let is_message = len >= 1 && !data.is_null();
        let sent = with_engine(|engine| {
            if !is_message {
                return NO_PAYLOAD;
            }
            // SAFETY: the caller's promise.
            match unsafe { queue(engine, conns, count, kind, data.cast(), len as usize) } {
                Ok(_) => QUEUED,
                Err(_) => NO_MEMORY,
            }
        });
        match sent {
            Ok(sent) => sent,
            Err(Misuse::Foreign) => WRONG_THREAD,
            // There is no connection to queue it for.
            Err(Misuse::NoLoop) if is_message => QUEUED,
            Err(Misuse::NoLoop) => NO_PAYLOAD,
        }
    })
}

/// Queues a message for the connections of an array, as far as there are any. Returns for how many.
///
/// # Safety
/// `conns` is NULL or points to `count` handles, and `data` points to `len` bytes. Neither changes during
/// the call.
#[inline(always)]
unsafe fn queue(
    engine: &mut Engine,
    conns: *const *mut c_void,
    count: c_int,
    kind: MessageKind,
    data: *const u8,
    len: usize,
) -> Result<usize, SendError> {
    let count = usize::try_from(count).unwrap_or(0);
    if count == 0 || conns.is_null() {
        return Ok(0);
    }
    // SAFETY: the caller's promise. No object is longer than isize::MAX.
    let data = unsafe { std::slice::from_raw_parts(data, len.min(isize::MAX as usize)) };
    // SAFETY: the caller's promise.
    let conns = unsafe { std::slice::from_raw_parts(conns, count) };
    let _without = WithoutReserve::begin();
    match conns {
        &[conn] => match handle::to_id(conn) {
            Some(id) => engine.send_to(id, kind, data),
            None => Ok(0),
        },
        conns => engine.send(conns.iter().filter_map(|&conn| handle::to_id(conn)), kind, data),
    }
}

/// The body of `ws_send`.
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
        let sent = with_engine(|engine| {
            // SAFETY: the caller's promise; without bytes, any address is one.
            let sent = unsafe { queue(engine, conns, count, kind, data, len) };
            sent.map_or(NO_MEMORY.into(), |count| count as c_long)
        });
        match sent {
            Ok(sent) => sent,
            Err(Misuse::Foreign) => WRONG_THREAD.into(),
            Err(Misuse::NoLoop) => 0,
        }
    })
}
