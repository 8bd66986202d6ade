//! What a program has the loop call: posts, watched descriptors, timers.

use std::ffi::{c_int, c_uint, c_void};
use std::os::fd::BorrowedFd;
use std::ptr;
use std::time::Duration;

use dorrit_engine::{Engine, Readiness};
use rustix::fs::{FileType, fstat};

use super::guard::{WRONG_THREAD, guard, status};
use super::handle;
use crate::event_loop::{Loop, Task, WatchTask, push_post, with_engine, with_loop};
pub use crate::event_loop::{TaskFunc, WatchFunc};
use crate::log;
use crate::process::{self, without_reserve};

/// `WS_READ`.
pub const READ: c_int = 1;
/// `WS_WRITE`.
pub const WRITE: c_int = 2;

/// The body of `ws_post`.
pub fn post(func: Option<TaskFunc>, data: *mut c_void) -> c_int {
    guard(-1, || {
        if process::is_child() {
            return WRONG_THREAD;
        }
        let Some(func) = func else { return -1 };
        let wake = || process::own_loop().is_some() && with_engine(Engine::request_call).is_ok();
        if push_post(Task { func, data }, wake).is_ok() { 0 } else { -1 }
    })
}

/// The body of `ws_watch`.
pub fn watch(fd: c_int, events: c_int, func: Option<WatchFunc>, data: *mut c_void) -> c_int {
    guard(-1, || {
        let watched = with_loop(|it| match (events, func) {
            _ if fd < 0 || events & !(READ | WRITE) != 0 || is_own(it, fd) => false,
            (0, _) => {
                it.engine.unwatch(fd);
                true
            }
            (_, None) => false,
            (_, Some(func)) => {
                let readiness = Readiness { read: events & READ != 0, write: events & WRITE != 0 };
                let key = WatchTask { func, data }.key();
                !it.engine.has_ended()
                    && has_readiness(fd)
                    && without_reserve(|| it.engine.watch(fd, readiness, key)).is_ok()
            }
        });
        status(watched)
    })
}

/// Whether a descriptor is the library's.
pub(super) fn is_own(it: &Loop, fd: c_int) -> bool {
    it.owns(fd) || process::is_wake_pipe(fd) || log::owns(fd)
}

/// Whether a descriptor is of a kind that can be waited for: what is on a disk never waits.
fn has_readiness(fd: c_int) -> bool {
    // SAFETY: it is looked at alone; one that is none is an error.
    let file = fstat(unsafe { BorrowedFd::borrow_raw(fd) });
    let kind = file.map(|file| FileType::from_raw_mode(file.st_mode));
    kind.is_ok_and(|kind| !matches!(kind, FileType::RegularFile | FileType::Directory))
}

/// The body of `ws_after`.
pub fn after(millis: c_uint, func: Option<TaskFunc>, data: *mut c_void) -> *mut c_void {
    guard(ptr::null_mut(), || {
        let Some(func) = func else { return ptr::null_mut() };
        let after = Duration::from_millis(millis.into());
        let key = Task { func, data }.key();
        let timer = with_engine(|engine| {
            // What is set then is never told.
            let is_served = !engine.has_ended();
            is_served.then(|| without_reserve(|| engine.set_timer(after, key))).flatten()
        });
        timer.ok().flatten().map_or(ptr::null_mut(), handle::from_timer)
    })
}

/// The body of `ws_cancel`.
pub fn cancel(timer: *mut c_void) {
    guard((), || {
        if let Some(id) = handle::to_timer(timer) {
            let _ = with_engine(|engine| engine.cancel_timer(id));
        }
    })
}
