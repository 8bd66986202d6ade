//! The functions by which the program has the loop call something: posts, descriptors, timers.

use std::ffi::{c_int, c_uint, c_void};

use dorrit_server::abi::tasks;

/// Has `func(data)` called on the server's thread, once: after the callback that is running, in the
/// order of the calls, and before `ws_exit_func()` at the latest.
///
/// Any thread may call it at any time, but no signal handler. What is posted before the server listens
/// is kept until then, also where it becomes a daemon; where the start fails, it is never called.
/// `data` remains the program's.
///
/// Returns 0; -1 where `func` is NULL, there is no memory, or the server has ended; -3 in a child process
/// of the server's. Where it does not return 0, `func` is not called.
#[unsafe(no_mangle)]
pub extern "C" fn ws_post(
    func: Option<unsafe extern "C-unwind" fn(data: *mut c_void)>,
    data: *mut c_void,
) -> c_int {
    tasks::post(func, data)
}

/// For `ws_watch()`: there is something to read, or its end.
pub const WS_READ: c_int = 1;
/// For `ws_watch()`: there is room to write.
pub const WS_WRITE: c_int = 2;

const _: () = assert!(WS_READ == tasks::READ && WS_WRITE == tasks::WRITE);

/// Has `func(fd, events, data)` called each time that a descriptor of the program's is ready, as long
/// as it is: for `WS_READ`, `WS_WRITE` or both, as `events` asks. Hang-ups and errors come as both. For a
/// descriptor the last call counts, and `events` 0 ends it.
///
/// `fd` remains the program's: a socket, a pipe, a terminal, or an epoll(7) or kqueue(2) descriptor of its
/// own. It may be closed at any time, from within `func` too; its watch ends then by itself. To be called on the
/// server's thread, from `ws_start_callback()` on. What is watched when the server ends is watched no more.
///
/// Returns 0; -1 where the server does not listen yet or any more, where `events` has other bits, where
/// `func` is NULL and `events` is not 0, for a descriptor that cannot be watched (a regular file, a directory, one
/// that is closed or the library's own), and where there is no memory; -3 on another thread, or in a
/// child process.
#[unsafe(no_mangle)]
pub extern "C" fn ws_watch(
    fd: c_int,
    events: c_int,
    func: Option<unsafe extern "C-unwind" fn(fd: c_int, events: c_int, data: *mut c_void)>,
    data: *mut c_void,
) -> c_int {
    tasks::watch(fd, events, func, data)
}

/// Has `func(data)` called once, when so many milliseconds have passed.
///
/// They count from now; but where `func` itself calls this with itself and the same `data`, from
/// the moment at which it was due, and periods that have passed already are left out. To be
/// called on the server's thread, from `ws_start_callback()` on. What still waits when the server ends is
/// dropped. `data` remains the program's.
///
/// Returns a handle for `ws_cancel()`, which is recognised when it is stale. NULL where `func` is NULL,
/// there is no memory, the server does not listen yet or any more, on another thread, or in a child process.
#[unsafe(no_mangle)]
pub extern "C" fn ws_after(
    millis: c_uint,
    func: Option<unsafe extern "C-unwind" fn(data: *mut c_void)>,
    data: *mut c_void,
) -> *mut c_void {
    tasks::after(millis, func, data)
}

/// Forgets a call that `ws_after()` has promised. For NULL, and for one that was made or forgotten
/// already, it does nothing. To be called on the server's thread.
#[unsafe(no_mangle)]
pub extern "C" fn ws_cancel(timer: *mut c_void) {
    tasks::cancel(timer)
}
