//! The functions for the flow of messages, and for all connections.

use std::ffi::{c_int, c_uint, c_void};

use dorrit_server::abi::flow;

/// Has `ws_drain_callback()` called once for a connection, when all that is queued for it is written; soon,
/// where nothing is. A producer sends until `ws_get_qbytes()` is enough, and goes on when it is called.
///
/// To be called on the server's thread. Returns 0; -1 for a connection that has ended or is being closed, and
/// for a request that asks for none; -3 on another thread, or in a child process.
#[unsafe(no_mangle)]
pub extern "C" fn ws_want_drain(conn: *mut c_void) -> c_int {
    flow::want_drain(conn)
}

/// Holds a client back: nothing more is told of it, and nothing more is read from it, until `ws_resume()`; what was
/// read already waits, too. What it sends fills the buffers of its socket, and then it has to wait.
///
/// Meanwhile the client is sent no ping, and is not taken for one that is silent. Where it is not there any more,
/// as a reset or the end of both sides of the stream says, the connection ends at once; its close frame and the
/// end of its side alone are dealt with at `ws_resume()`. Messages are sent to it as ever. `ws_close_conn()`
/// undoes it, and where the server stops it counts for nothing.
///
/// To be called on the server's thread; in `ws_open_callback()`, and after `ws_defer()`, it holds from the
/// acceptance on. Returns 0; -1 for a connection that has ended or is being closed, and for a request that asks
/// for none; -3 on another thread, or in a child process.
#[unsafe(no_mangle)]
pub extern "C" fn ws_pause(conn: *mut c_void) -> c_int {
    flow::pause(conn)
}

/// Goes on with a client after `ws_pause()`; for one that is not held back it does nothing. To be called on the
/// server's thread. Returns as `ws_pause()`.
#[unsafe(no_mangle)]
pub extern "C" fn ws_resume(conn: *mut c_void) -> c_int {
    flow::resume(conn)
}

/// Calls `func(conn, data)` for each connection that is open, before it returns: of those that `ws_count()`
/// counts, in no order. `func` may call any function, and close connections. Nothing is called where `func` is
/// NULL, on another thread than the server's, or in a child process. `data` remains the program's.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn ws_each(
    func: Option<unsafe extern "C-unwind" fn(conn: *mut c_void, data: *mut c_void)>,
    data: *mut c_void,
) {
    // SAFETY: the header's promise.
    unsafe { flow::each(func, data) }
}

/// Returns how many connections are open: accepted, and not being closed. 0 on another thread than the server's, or
/// in a child process.
#[unsafe(no_mangle)]
pub extern "C" fn ws_count() -> c_uint {
    flow::count()
}

/// Returns whether a connection is open: 1 where it was accepted, and is not being closed; else 0, also on
/// another thread than the server's, or in a child process.
#[unsafe(no_mangle)]
pub extern "C" fn ws_is_open(conn: *mut c_void) -> c_int {
    flow::is_open(conn)
}
