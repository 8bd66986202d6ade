//! The functions that the program calls.

use std::ffi::{c_char, c_int, c_long, c_uint, c_ulong, c_ulonglong, c_void};
use std::ptr;

use dorrit_server::abi::{connection, send, setup, stats};
use dorrit_server::{Binary, Buffers, Flavor, Fragments, MessageKind, OverflowPolicy, Stats};

use crate::callbacks::{Callbacks, ws_byte};

/// The path given with the option `-f`, made absolute; NULL where there is none. It belongs to
/// the library and lives as long as the server.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "the name is the manual's")]
pub static mut ws_config_file: *mut c_char = ptr::null_mut();

pub(crate) const FLAVOR: Flavor = Flavor {
    manual: "libdorrit(3)",
    max_connections: 16384,
    binary: Binary::Accepted,
    fragments: Fragments::Refused,
    buffers: Buffers::Shared,
    max_queued_frames: None,
    without_h: None,
    has_extensions: true,
    restarts: false,
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
/// queue nothing more for it. Where it is not 0, `ws_drain_callback()` follows when the queue is
/// empty, unless the connection is being closed.
#[unsafe(no_mangle)]
pub extern "C" fn ws_get_qlen(conn: *mut c_void) -> c_uint {
    connection::get_qlen(conn)
}

/// Queues a message for each of `count` connections. It is framed and kept once, however many
/// they are.
///
/// `conns` is an array of handles, of which NULL and those of connections that have ended or are
/// being closed are skipped; one that stands there twice is sent the message twice. `binary` nonzero
/// sends a binary message, 0 text, which must be UTF-8 (RFC 6455 5.6). `len` is the payload's length
/// in bytes, at least 1; above the buffer size less 5 it is sent in fragments of at most that
/// (RFC 6455 5.4). `data` is copied, and remains the program's; it needs no zero byte at its end.
///
/// Returns 0 where the message is queued, -1 where there is no memory for it (then it is queued
/// for nobody, and the server goes on; a connection to which a part of it was sent is cut, and
/// `ws_close_callback()` follows), -2 where `len` is less than 1 or `data` is NULL, -3 where another
/// thread than the server's calls, or a child process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_write_conn(
    conns: *mut *mut c_void,
    count: c_int,
    binary: c_int,
    len: c_uint,
    data: *mut ws_byte,
) -> c_int {
    let kind = if binary == 0 { MessageKind::Text } else { MessageKind::Binary };
    // SAFETY: the header's promise.
    unsafe { send::write_conn(conns, count, kind, len, data) }
}

/// Queues a message for each of `count` connections, like `ws_write_conn()`, and may send an
/// empty one.
///
/// `conns` and `count`, and `binary`, are as there. `data` is `len` bytes, copied, which remain
/// the program's; NULL where `len` is 0.
///
/// Returns for how many connections it was queued: not those that have ended, are being closed,
/// or have as much queued as `ws_set_queue_limit()` allows. -1 where there is no memory for it, as
/// `ws_write_conn()`, -3 where another thread than the server's calls, or a child process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_send(
    conns: *const *mut c_void,
    count: c_int,
    binary: c_int,
    data: *const c_void,
    len: usize,
) -> c_long {
    let kind = if binary == 0 { MessageKind::Text } else { MessageKind::Binary };
    // SAFETY: the header's promise.
    unsafe { send::send(conns, count, kind, data, len) }
}

/// Returns how many bytes are queued for a client and not yet written, headers of frames
/// included; 0 for a connection that has ended. Where it is not 0, `ws_drain_callback()` follows
/// when the queue is empty, unless the connection is being closed.
#[unsafe(no_mangle)]
pub extern "C" fn ws_get_qbytes(conn: *mut c_void) -> c_ulong {
    connection::get_qbytes(conn)
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

/// Closes a connection when its queue is written, with this close frame. Nothing more is read
/// from the client, which has 5 seconds to answer.
///
/// `code` is 1000 to 1003, 1007 to 1014 or 3000 to 4999 (RFC 6455 7.4); for any other 1000 is
/// sent, and a line in the log says so. `reason` is UTF-8 of at most 123 bytes, the rest of which
/// is cut off; it is copied. NULL is no reason.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_close_conn_code(conn: *mut c_void, code: c_int, reason: *const c_char) {
    // SAFETY: the header's promise.
    unsafe { connection::close_conn_code(conn, code, reason) }
}

/// Returns why a connection has ended; to be called in `ws_close_callback()`. It is the code of
/// the first close frame, the client's or ours: 1005 where that had none, 1006 where there was no
/// close frame (RFC 6455 7.4.1).
#[unsafe(no_mangle)]
pub extern "C" fn ws_get_close_code(conn: *mut c_void) -> c_int {
    connection::get_close_code(conn)
}

/// Takes messages of up to `bytes`, 1 to 1073741824, whatever the buffer size is, and joins those
/// that come in fragments (RFC 6455 5.4). The option `--max-message` has the last word.
///
/// To be called in `ws_init_func()`. Returns 0, or -1 where the value cannot be, or elsewhere.
#[unsafe(no_mangle)]
pub extern "C" fn ws_set_max_message(bytes: c_uint) -> c_int {
    setup::set_max_message(bytes)
}

/// Compresses messages of 64 bytes and more for clients that offer it (RFC 7692), and takes
/// compressed ones from them. `level` is 1, the fastest, to 9, the smallest; 0, the default, is
/// off. The option `--compress` has the last word.
///
/// To be called in `ws_init_func()`. Returns 0, or -1 where the value cannot be, or elsewhere.
#[unsafe(no_mangle)]
pub extern "C" fn ws_set_compression(level: c_int) -> c_int {
    setup::set_compression(level)
}

/// Chooses a sub-protocol for each client: the first of `list`, such as "chat, superchat", that
/// the client offers, or none. "*" chooses the first that it offers (RFC 6455 4.2.2).
///
/// `list` is copied. To be called in `ws_init_func()`. Returns 0, or -1 where the list cannot be,
/// or elsewhere.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_set_protocols(list: *const c_char) -> c_int {
    // SAFETY: the header's promise.
    unsafe { setup::set_protocols(list) }
}

/// Answers 403 to requests from pages of other origins than these, such as "https://example.org,
/// https://www.example.org:8443" (RFC 6454 7.1, RFC 6455 10.2). The word "same" in the list stands
/// for the host and port that the request names itself. Requests without an Origin header come from
/// no page, and pass. The option `--origin` has the last word.
///
/// `list` is copied. To be called in `ws_init_func()`. Returns 0, or -1 where the list cannot be,
/// or elsewhere.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_set_origins(list: *const c_char) -> c_int {
    // SAFETY: the header's promise.
    unsafe { setup::set_origins(list) }
}

/// Sends a ping to a client from which nothing has come for `idle` seconds, and ends the
/// connection when nothing has come for `timeout` seconds more. Time in which the program holds the
/// server up does not count. `idle` 0 is never. The default is 50 and 20. The option `--ping` has
/// the last word.
///
/// To be called in `ws_init_func()`. Returns 0, or -1 where the values cannot be, or elsewhere.
#[unsafe(no_mangle)]
pub extern "C" fn ws_set_ping(idle: c_uint, timeout: c_uint) -> c_int {
    setup::set_ping(idle, timeout)
}

/// For `ws_set_queue_limit()`: the connection is closed, with code 1008.
pub const WS_QUEUE_CLOSE: c_int = 0;
/// For `ws_set_queue_limit()`: the message is left out, for this connection alone, and
/// `ws_drain_callback()` follows when its queue is empty.
pub const WS_QUEUE_SKIP: c_int = 1;

/// Says how many `bytes` of memory what is queued for a connection may take, and by `policy` what
/// happens to a message that would be too much. A queue that is empty takes any message. The default
/// is 64 MiB and `WS_QUEUE_CLOSE`. The option `--max-queue` has the last word.
///
/// To be called in `ws_init_func()`. Returns 0, or -1 where a value cannot be, or elsewhere.
#[unsafe(no_mangle)]
pub extern "C" fn ws_set_queue_limit(bytes: c_ulong, policy: c_int) -> c_int {
    let policy = match policy {
        WS_QUEUE_CLOSE => Some(OverflowPolicy::Close),
        WS_QUEUE_SKIP => Some(OverflowPolicy::Skip),
        _ => None,
    };
    setup::set_queue_limit(bytes, policy)
}

/// For `ws_get_stats()`: the server's figures, which count from its start where they do not say how it
/// is now. Later versions may have more at the end.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types, reason = "the name is C's")]
pub struct ws_stats {
    /// Connections that are open now.
    pub connections: c_ulonglong,
    /// Connections that were accepted.
    pub accepted: c_ulonglong,
    /// Requests that were answered 503, because there were as many connections as `-m` allows, or as
    /// much memory was held as `--max-memory` does.
    pub refused_full: c_ulonglong,
    /// Requests that were no correct ones: answered 400, 405, 413, 417, 426, 431 or 501.
    pub refused_bad: c_ulonglong,
    /// Requests that were not complete in time: answered 408.
    pub refused_slow: c_ulonglong,
    /// Requests for a connection that the program has refused, or has not decided on in time; requests that
    /// came from another origin, or that could not be dealt with for lack of memory or descriptors.
    pub refused_program: c_ulonglong,
    /// Messages that `ws_read_callback()` was called for.
    pub messages_in: c_ulonglong,
    /// Messages that were queued, once for each connection.
    pub messages_out: c_ulonglong,
    /// Bytes that came from clients, requests and headers of frames included.
    pub bytes_in: c_ulonglong,
    /// Bytes that were written to clients.
    pub bytes_out: c_ulonglong,
    /// Bytes that are queued now, for all connections together, as `ws_get_qbytes()` counts them.
    pub queued_bytes: c_ulonglong,
    /// Clients that were dropped because they broke the protocol.
    pub dropped_violation: c_ulonglong,
    /// Clients that were dropped because too much was queued for them: `WS_QUEUE_CLOSE`.
    pub dropped_queue: c_ulonglong,
    /// Clients that were dropped because they did not answer a ping.
    pub dropped_silent: c_ulonglong,
    /// Messages that were left out because too much was queued: `WS_QUEUE_SKIP`.
    pub skipped: c_ulonglong,
    /// Clients that were dropped because there was no memory for their message, or none at all and
    /// they held most of it.
    pub dropped_memory: c_ulonglong,
    /// Bytes of memory that are held for clients now: what `--max-memory` limits.
    pub held_bytes: c_ulonglong,
    /// Requests that asked for no upgrade, and were the program's or those of `-w` to answer.
    pub requests: c_ulonglong,
}

impl From<Stats> for ws_stats {
    fn from(stats: Stats) -> Self {
        Self {
            connections: stats.connections,
            accepted: stats.accepted,
            refused_full: stats.refused_full,
            refused_bad: stats.refused_bad,
            refused_slow: stats.refused_slow,
            refused_program: stats.refused_caller,
            messages_in: stats.messages_in,
            messages_out: stats.messages_out,
            bytes_in: stats.bytes_in,
            bytes_out: stats.bytes_out,
            queued_bytes: stats.queued_bytes,
            dropped_violation: stats.dropped_violation,
            dropped_queue: stats.dropped_queue,
            dropped_silent: stats.dropped_silent,
            skipped: stats.skipped,
            dropped_memory: stats.dropped_memory,
            held_bytes: stats.held_bytes,
            requests: stats.requests,
        }
    }
}

/// Puts the server's figures into `stats`, of which `size` is the length in bytes: `sizeof *stats`.
/// A library that is older than the header leaves 0 where it knows no figure, and one that is newer
/// writes no more than `size`.
///
/// Returns 0, -1 where `stats` is NULL, `size` is too small for a figure, or the server does not
/// listen yet, -3 where another thread than the server's calls, or a child process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_get_stats(stats: *mut ws_stats, size: usize) -> c_int {
    // SAFETY: the header's promise; all fields are of one length, so that nothing lies between them.
    unsafe { stats::get(stats, size) }
}
