//! What the program asks and decides of requests, beyond the manuals.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::os::fd::{BorrowedFd, FromRawFd as _, IntoRawFd as _, OwnedFd};
use std::ptr;

use dorrit_engine::ConnId;
use dorrit_proto::Request;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{SocketType, getpeername, sockopt};

use super::guard::{self, guard};
use super::handle;
use super::tasks::is_own;
use crate::error::Misuse;
use crate::event_loop::{Answer, Decision, Loop, Requests, with_loop};
use crate::process::without_reserve;

/// Acts while the program decides on this request.
fn within<R>(
    conn: *mut c_void,
    act: impl FnOnce(&Request, ConnId, &mut Requests) -> Option<R>,
) -> Result<Option<R>, Misuse> {
    with_loop(|Loop { engine, requests, .. }| {
        let id = handle::to_id(conn)?;
        let request = engine.request(id)?;
        // What clients send and programs ask for is too much for the reserve.
        without_reserve(|| act(request, id, requests))
    })
}

/// What a function returns that does something, or not.
fn status(done: Result<Option<()>, Misuse>) -> c_int {
    guard::status(done.map(|done| done.is_some()))
}

/// A string that the program has given, where it has.
///
/// # Safety
/// `text` is NULL or a string that ends with a zero byte.
unsafe fn text<'a>(text: *const c_char) -> Option<&'a CStr> {
    // SAFETY: the caller's promise.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) })
}

/// Bytes that the program has given, where it has.
///
/// # Safety
/// `bytes` is NULL or the address of so many bytes.
unsafe fn bytes<'a>(bytes: *const c_void, len: usize) -> Option<&'a [u8]> {
    match (bytes.is_null(), len) {
        (_, 0) => Some(&[]),
        (true, _) => None,
        // SAFETY: the caller's promise.
        (false, _) => Some(unsafe { std::slice::from_raw_parts(bytes.cast(), len) }),
    }
}

/// The body of `ws_get_header`.
///
/// # Safety
/// `name` is NULL or a string that ends with a zero byte.
pub unsafe fn get_header(conn: *mut c_void, name: *const c_char) -> *const c_char {
    // SAFETY: the caller's promise.
    let name = unsafe { text(name) };
    guard(ptr::null(), || {
        let found = within(conn, |request, id, requests| {
            let name = name?.to_str().ok()?;
            request.header(name).next()?;
            let mut value = Vec::new();
            request.join_header(name, b", ", &mut value).ok()?;
            requests.answer(id)?.keep(&value).ok()
        });
        found.ok().flatten().unwrap_or(ptr::null())
    })
}

/// The body of `ws_get_target`.
pub fn get_target(conn: *mut c_void) -> *const c_char {
    guard(ptr::null(), || {
        let found =
            within(conn, |request, id, requests| requests.answer(id)?.keep(request.target()).ok());
        found.ok().flatten().unwrap_or(ptr::null())
    })
}

/// The body of `ws_get_address`.
pub fn get_address(conn: *mut c_void) -> *const c_char {
    guard(c"".as_ptr(), || {
        let found = with_loop(|Loop { engine, requests, server, .. }| {
            let id = handle::to_id(conn)?;
            let address = without_reserve(|| requests.address(engine, server.forwarded, id));
            address.map(CStr::as_ptr)
        });
        found.ok().flatten().unwrap_or(c"".as_ptr())
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
        let chosen = within(conn, |request, id, requests| {
            let name = name?;
            request.protocols().find(|offered| *offered == name.to_bytes())?;
            requests.choose(id, name.to_bytes()).ok()
        });
        chosen.ok().flatten().map_or(-1, |()| 0)
    })
}

/// The body of `ws_set_status`.
pub fn set_status(conn: *mut c_void, status: c_int) -> c_int {
    let status = u16::try_from(status).ok().filter(|status| (300..600).contains(status));
    guard(-1, || {
        let set = within(conn, |_, id, requests| {
            // It counts where the callback refuses a connection.
            let is_refusable = requests.is_running(id);
            let answer = requests.answer(id).filter(|it| is_refusable && it.plain.is_none())?;
            answer.status = Some(status?);
            Some(())
        });
        set.ok().flatten().map_or(-1, |()| 0)
    })
}

/// The body of `ws_get_protocol`.
pub fn get_protocol(conn: *mut c_void) -> *const c_char {
    guard(c"".as_ptr(), || {
        let found = with_loop(|Loop { requests, .. }| {
            let id = handle::to_id(conn)?;
            requests.protocol(id).map(CStr::as_ptr)
        });
        found.ok().flatten().unwrap_or(c"".as_ptr())
    })
}

/// The body of `ws_set_header`.
///
/// # Safety
/// `name` and `value` are each NULL or a string that ends with a zero byte.
pub unsafe fn set_header(conn: *mut c_void, name: *const c_char, value: *const c_char) -> c_int {
    // SAFETY: the caller's promise.
    let (name, value) = unsafe { (text(name), text(value)) };
    guard(-1, || {
        status(within(conn, |_, id, requests| requests.answer(id)?.add_header(name?, value?).ok()))
    })
}

/// The body of `ws_set_body`.
///
/// # Safety
/// `data` is NULL or the address of `len` bytes.
pub unsafe fn set_body(conn: *mut c_void, data: *const c_void, len: usize) -> c_int {
    // SAFETY: the caller's promise.
    let data = unsafe { bytes(data, len) };
    guard(-1, || status(within(conn, |_, id, requests| requests.answer(id)?.set_body(data?).ok())))
}

/// The body of `ws_defer`.
pub fn defer(conn: *mut c_void) -> c_int {
    guard(-1, || {
        status(with_loop(|Loop { engine, requests, .. }| {
            let id = handle::to_id(conn)?;
            if !requests.is_running(id) {
                return None;
            }
            let answer = without_reserve(|| {
                requests.reserve_deferred().ok()?;
                engine.defer(id).ok()?;
                requests.answer(id)
            })?;
            answer.is_deferred = true;
            Some(())
        }))
    })
}

/// The body of `ws_accept`.
pub fn accept(conn: *mut c_void) -> c_int {
    guard(-1, || {
        status(with_loop(|it| {
            let id = handle::to_id(conn)?;
            it.engine.request(id)?;
            if it.engine.plain(id).is_some() {
                return None;
            }
            let decided = decide(it, id, Decision::Accept)?;
            decided.map_or(Some(()), |answer| it.accept(id, answer).then_some(()))
        }))
    })
}

/// The body of `ws_respond`.
pub fn respond(conn: *mut c_void, code: c_int) -> c_int {
    guard(-1, || {
        status(with_loop(|it| {
            let id = handle::to_id(conn)?;
            it.engine.request(id)?;
            let least = if it.engine.plain(id).is_some() { 200 } else { 300 };
            let code = u16::try_from(code).ok().filter(|code| (least..600).contains(code))?;
            if let Some(answer) = decide(it, id, Decision::Respond(code))? {
                it.respond_late(id, code, answer);
            }
            Some(())
        }))
    })
}

/// Notes a decision that was put off, where the callback that has done so has not returned; else returns what was said
/// of the answer, which is to be given now. `None` says that there is nothing to decide.
fn decide(it: &mut Loop, id: ConnId, decision: Decision) -> Option<Option<Answer>> {
    match it.requests.decide_running(id, decision) {
        Some(may) => may.then_some(None),
        None => it.requests.take_deferred(id).map(Some),
    }
}

/// The body of `ws_adopt`.
///
/// # Safety
/// `read` is NULL or the address of `len` bytes.
pub unsafe fn adopt(fd: c_int, read: *const c_void, len: usize) -> c_int {
    // SAFETY: the caller's promise.
    let read = unsafe { bytes(read, len) };
    guard(-1, || {
        status(with_loop(|it| {
            let read = read?;
            if fd < 0 || is_own(it, fd) || !is_connected(fd) {
                return None;
            }
            // SAFETY: the caller's, and open: it was looked at.
            let socket = unsafe { OwnedFd::from_raw_fd(fd) };
            match without_reserve(|| it.engine.adopt(socket, read)) {
                Ok(()) => Some(()),
                Err(socket) => {
                    // It remains the caller's.
                    let _ = socket.into_raw_fd();
                    None
                }
            }
        }))
    })
}

/// Whether a descriptor is a stream socket with a peer. It is not left to children that exec.
fn is_connected(fd: c_int) -> bool {
    // SAFETY: it is looked at alone; one that is none is an error.
    let socket = unsafe { BorrowedFd::borrow_raw(fd) };
    sockopt::socket_type(socket).is_ok_and(|kind| kind == SocketType::STREAM)
        && getpeername(socket).is_ok()
        && fcntl_setfd(socket, FdFlags::CLOEXEC).is_ok()
}
