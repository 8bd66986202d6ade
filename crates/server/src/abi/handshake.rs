//! What `ws_open_callback` may ask and decide, beyond the manuals.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

use super::guard::guard;
use super::handle;
use crate::event_loop::{Handshakes, Loop, with_loop};
use crate::process::without_reserve;

/// Acts while this connection's open callback runs; else `fallback`.
fn within<R>(
    conn: *mut c_void,
    fallback: R,
    act: impl FnOnce(&dorrit_proto::Request, &mut Handshakes) -> Option<R>,
) -> R {
    let acted = with_loop(|Loop { engine, handshakes, .. }| {
        let request = engine.request(handle::to_id(conn)?)?;
        // What clients send and programs ask for is too much for the reserve.
        without_reserve(|| act(request, handshakes))
    });
    acted.ok().flatten().unwrap_or(fallback)
}

/// A string that the program has given, where it has.
///
/// # Safety
/// `text` is NULL or a string that ends with a zero byte.
unsafe fn text<'a>(text: *const c_char) -> Option<&'a CStr> {
    // SAFETY: the caller's promise.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) })
}

/// The body of `ws_get_header`.
///
/// # Safety
/// `name` is NULL or a string that ends with a zero byte.
pub unsafe fn get_header(conn: *mut c_void, name: *const c_char) -> *const c_char {
    // SAFETY: the caller's promise.
    let name = unsafe { text(name) };
    guard(ptr::null(), || {
        within(conn, ptr::null(), |request, handshakes| {
            let name = name?.to_str().ok()?;
            request.header(name).next()?;
            let mut value = Vec::new();
            request.join_header(name, b", ", &mut value).ok()?;
            handshakes.keep(&value).ok()
        })
    })
}

/// The body of `ws_get_target`.
pub fn get_target(conn: *mut c_void) -> *const c_char {
    guard(ptr::null(), || {
        within(conn, ptr::null(), |request, handshakes| handshakes.keep(request.target()).ok())
    })
}

/// The body of `ws_choose_protocol`.
///
/// # Safety
/// `name` is NULL or a string that ends with a zero byte.
pub unsafe fn choose_protocol(conn: *mut c_void, name: *const c_char) -> c_int {
    // SAFETY: the caller's promise.
    let name = unsafe { text(name) };
    guard(-1, || {
        within(conn, -1, |request, handshakes| {
            let name = name?;
            request.protocols().find(|offered| *offered == name.to_bytes())?;
            handshakes.choose(name.to_bytes()).is_ok().then_some(0)
        })
    })
}

/// The body of `ws_set_status`.
pub fn set_status(conn: *mut c_void, status: c_int) -> c_int {
    let status = u16::try_from(status).ok().filter(|status| (400..600).contains(status));
    guard(-1, || {
        within(conn, -1, |_, handshakes| {
            handshakes.refuse_with(status?);
            Some(0)
        })
    })
}

/// The body of `ws_get_protocol`.
pub fn get_protocol(conn: *mut c_void) -> *const c_char {
    guard(c"".as_ptr(), || {
        let found = with_loop(|Loop { engine, handshakes, .. }| {
            let id = handle::to_id(conn)?;
            let is_asked = engine.request(id).is_some();
            handshakes.protocol(id, is_asked).map(CStr::as_ptr)
        });
        found.ok().flatten().unwrap_or(c"".as_ptr())
    })
}
