//! The functions that the program calls.

use std::ffi::{c_char, c_int, c_uint, c_void};
use std::ptr;

use dorrit_server::abi::{connection, send, setup};
use dorrit_server::{Binary, Buffers, Flavor, Fragments, MessageKind, RequestFields};

use crate::callbacks::Callbacks;

/// The path given with the option `-f`, made absolute; NULL where there is none. It belongs to
/// the library and lives as long as the server.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "the name is the manual's")]
pub static mut ws_config_file: *mut c_char = ptr::null_mut();

const FLAVOR: Flavor = Flavor {
    manual: "libdorrit-classic(3)",
    max_connections: 2000,
    binary: Binary::Refused,
    fragments: Fragments::Joined,
    buffers: Buffers::Own,
    max_queued_frames: Some(200),
    without_h: Some(RequestFields::HostAndProtocol),
    has_extensions: false,
    restarts: true,
};

/// What `main` does where the program has none of its own: see `dorrit_server::run`. Where `main` cannot be weak,
/// it is `main`.
#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")),
    unsafe(export_name = "main")
)]
unsafe extern "C-unwind" fn start(argc: c_int, argv: *const *const c_char) -> c_int {
    // SAFETY: the system calls `main` with what it promises.
    unsafe { dorrit_server::run(argc, argv, &Callbacks, &FLAVOR) }
}

dorrit_server::weak_main! { start }

/// A pattern that matches `main`. The shared library exports what Rust defines, and the linker takes that list
/// for one of patterns: so `main` is exported too, of which Rust does not know.
#[unsafe(export_name = "mai[n]")]
static MAIN: u8 = 0;

/// Names the server. To be called in `ws_init_func()`; elsewhere it does nothing.
///
/// `name` is copied. It must be a file's name, without '/' and of at most 255 bytes. It identifies
/// lines in the log, those of the program's own syslog(3) too; the pidfile is
/// `/var/run/<name>.pid` and the default socket `/var/run/<name>.socket`. Without it the name is
/// "server" and the default socket `/var/run/dorrit.socket`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_set_name(name: *const c_char) {
    // SAFETY: the header's promise.
    unsafe { setup::set_name(name) }
}

/// Has `func` called every so many `seconds`, once the server listens. They count from the moment at
/// which the last call was due; calls that were missed are left out.
///
/// It may be called at any time; the function given last counts. NULL, or fewer than 1 second,
/// ends it.
#[unsafe(no_mangle)]
pub extern "C" fn ws_set_periodic(func: Option<unsafe extern "C-unwind" fn()>, seconds: c_int) {
    setup::set_periodic(func, seconds)
}

/// Keeps a pointer with a connection, for `ws_get_data()`. What it points to remains the
/// program's, to be freed in `ws_close_callback()`.
#[unsafe(no_mangle)]
pub extern "C" fn ws_set_data(conn: *mut c_void, data: *mut c_void) {
    connection::set_data(conn, data)
}

/// Returns what `ws_set_data()` has put with a connection: NULL before the first call, and for a
/// connection that has ended.
#[unsafe(no_mangle)]
pub extern "C" fn ws_get_data(conn: *mut c_void) -> *mut c_void {
    connection::get_data(conn)
}

/// Returns how many frames are queued for a client and not yet written; 0 for a connection that
/// has ended. A number that keeps growing is that of a client which does not read: close it, or
/// queue nothing more for it.
#[unsafe(no_mangle)]
pub extern "C" fn ws_get_qlen(conn: *mut c_void) -> c_uint {
    connection::get_qlen(conn)
}

/// Queues a text message for a connection.
///
/// `conn` is its handle; NULL, and that of a connection that has ended or is being closed, is
/// passed over. `len` is the payload's length in bytes, at least 1; above the buffer size less 5
/// it is sent in fragments of at most that (RFC 6455 5.4). `data` must be UTF-8 (RFC 6455 5.6).
/// It is copied, and remains the program's; it needs no zero byte at its end.
///
/// Returns 0 where the message is queued, -1 where there is no memory for it or more than 200
/// frames would wait for this connection (then nothing is queued, and the server goes on), -2
/// where `len` is less than 1 or `data` is NULL, -3 where another thread than the server's calls,
/// or a child process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_write_conn(conn: *mut c_void, len: c_int, data: *mut c_char) -> c_int {
    let len = c_uint::try_from(len).unwrap_or(0);
    // SAFETY: the header's promise.
    unsafe { send::write_conn(&conn, 1, MessageKind::Text, len, data.cast()) }
}

/// Closes a connection. `ws_close_callback()` follows, after the callback that is running has
/// returned.
///
/// `force` nonzero closes it at once, and what is queued for it is thrown away. `force` 0 closes
/// it when its queue is written, with a close frame of code 1000 (RFC 6455 7.4.1); meanwhile
/// nothing more is read from the client.
#[unsafe(no_mangle)]
pub extern "C" fn ws_close_conn(conn: *mut c_void, force: c_int) {
    connection::close_conn(conn, force)
}
