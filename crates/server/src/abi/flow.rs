//! What a program has done with connections that are open, beyond the manuals.

use std::ffi::{c_int, c_uint, c_void};

use dorrit_engine::ConnId;

use super::guard::{guard, status};
use super::handle;
use crate::event_loop::{Loop, with_engine, with_loop};

/// A function of the program's that is called for each connection.
pub type EachFunc = unsafe extern "C-unwind" fn(conn: *mut c_void, data: *mut c_void);

/// Acts on a connection. Returns what a function returns that does something, or not.
fn act(conn: *mut c_void, act: impl FnOnce(&mut Loop, ConnId) -> bool) -> c_int {
    guard(-1, || status(with_loop(|it| handle::to_id(conn).is_some_and(|id| act(it, id)))))
}

/// Has a connection that is being decided on be held back from its acceptance on, or not. Returns whether it is one.
fn set_paused(Loop { engine, requests, .. }: &mut Loop, id: ConnId, is_paused: bool) -> bool {
    engine.is_opening(id) && requests.set_paused(id, is_paused)
}

/// The body of `ws_want_drain`.
pub fn want_drain(conn: *mut c_void) -> c_int {
    act(conn, |Loop { engine, .. }, id| engine.want_drain(id))
}

/// The body of `ws_pause`.
pub fn pause(conn: *mut c_void) -> c_int {
    act(conn, |it, id| set_paused(it, id, true) || it.engine.pause(id))
}

/// The body of `ws_resume`.
pub fn resume(conn: *mut c_void) -> c_int {
    act(conn, |it, id| set_paused(it, id, false) || it.engine.resume(id))
}

/// The body of `ws_is_open`.
pub fn is_open(conn: *mut c_void) -> c_int {
    guard(0, || {
        let found = handle::to_id(conn).map(|id| with_engine(|engine| engine.is_open(id)));
        found.and_then(Result::ok).unwrap_or(false).into()
    })
}

/// The body of `ws_count`.
pub fn count() -> c_uint {
    guard(0, || with_engine(|engine| engine.count_open() as c_uint).unwrap_or(0))
}

/// The body of `ws_each`. The function is called outside of any guard (CONTRACT S26).
///
/// # Safety
/// `func` is a function of that type, which may be called with `data`.
pub unsafe fn each(func: Option<EachFunc>, data: *mut c_void) {
    let Some(func) = func else { return };
    for id in open_conns() {
        // SAFETY: the caller's promise.
        unsafe { func(handle::from_id(id), data) };
    }
}

/// The connections of this thread that are open, each found when it is its turn: what is done with one may close others.
pub(crate) fn open_conns() -> impl Iterator<Item = ConnId> {
    let mut last = None;
    std::iter::from_fn(move || {
        let next = guard(None, || with_engine(|engine| engine.next_open(last)).ok().flatten());
        last = next.or(last);
        next
    })
}
