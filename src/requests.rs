//! The functions for requests: what the program asks of them, and how it answers.

use std::ffi::{c_char, c_int, c_void};

use dorrit_server::abi::requests;

/// Returns the value of a header of the request, `name` in any case; several lines are joined by
/// ", ". NULL where there is none, and where the program does not decide on the request now.
///
/// To be called in `ws_open_callback()` and `ws_request_callback()`, and after `ws_defer()` until the
/// decision. The string belongs to the library and lives until the callback returns, or after `ws_defer()`
/// until the decision.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_get_header(conn: *mut c_void, name: *const c_char) -> *const c_char {
    // SAFETY: the header's promise.
    unsafe { requests::get_header(conn, name) }
}

/// Returns the target of the request as sent, such as "/path?query"; NULL where the program does not
/// decide on the request now. It may be called where `ws_get_header()` may, and the string lives as
/// long as one of that function's.
#[unsafe(no_mangle)]
pub extern "C" fn ws_get_target(conn: *mut c_void) -> *const c_char {
    requests::get_target(conn)
}

/// Returns the address of the client, such as "192.0.2.7" or "2001:db8::1"; "" where it is not known, as
/// on a UNIX socket, and for a connection that has ended.
///
/// It is the address at the other end of the socket, or where the options say so the one that a proxy
/// tells: `--proxy-protocol`, `--forwarded`. To be called on the server's thread. The string belongs to the
/// library and lives until `ws_close_callback()` has returned for the connection, or where that does not
/// follow until the callback of the request has.
#[unsafe(no_mangle)]
pub extern "C" fn ws_get_address(conn: *mut c_void) -> *const c_char {
    requests::get_address(conn)
}

/// Chooses a sub-protocol of those that the client offers, in the place of what
/// `ws_set_protocols()` has chosen. To be called in `ws_open_callback()`, and after `ws_defer()` until the
/// decision. Returns 0, or -1 where the client does not offer it, or elsewhere.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_choose_protocol(conn: *mut c_void, name: *const c_char) -> c_int {
    // SAFETY: the header's promise.
    unsafe { requests::choose_protocol(conn, name) }
}

/// Says with which status, 300 to 599, the client is answered where `ws_open_callback()` returns
/// nonzero, instead of 403. To be called there. Returns 0, or -1 where the status cannot be, or
/// elsewhere.
#[unsafe(no_mangle)]
pub extern "C" fn ws_set_status(conn: *mut c_void, status: c_int) -> c_int {
    requests::set_status(conn, status)
}

/// Returns the sub-protocol of a connection, "" where it has none or has ended. The string
/// belongs to the library and lives as long as the connection.
#[unsafe(no_mangle)]
pub extern "C" fn ws_get_protocol(conn: *mut c_void) -> *const c_char {
    requests::get_protocol(conn)
}

/// Adds a header line to the answer: to the one that accepts the connection (RFC 6455 4.2.2), or to any
/// other, such as Set-Cookie, WWW-Authenticate, Location or those of CORS. Each call adds a line.
///
/// `name` and `value` are copied. To be called in `ws_open_callback()` and `ws_request_callback()`, and after
/// `ws_defer()` until the decision.
///
/// Returns 0; -1 where the name is no token or the value has control characters such as CR and LF (RFC 9110
/// 5.1, 5.5), for what the library says itself (Connection, Upgrade, Keep-Alive, Proxy-Connection,
/// Sec-WebSocket-*, Content-Length, Transfer-Encoding, TE, Trailer, Date), for NULL, where there is no memory,
/// and elsewhere; -3 on another thread, or in a child process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_set_header(
    conn: *mut c_void,
    name: *const c_char,
    value: *const c_char,
) -> c_int {
    // SAFETY: the header's promise.
    unsafe { requests::set_header(conn, name, value) }
}

/// Sets the body of the answer to a request, in the place of what was set before; that of a connection that is
/// accepted has none. Without a Content-Type among the headers it is sent as text/plain in UTF-8.
///
/// `data` is `len` bytes, copied, which remain the program's; NULL where `len` is 0. To be called where
/// `ws_set_header()` may. Returns 0; -1 where there is no memory, and elsewhere; -3 on another thread, or
/// in a child process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_set_body(conn: *mut c_void, data: *const c_void, len: usize) -> c_int {
    // SAFETY: the header's promise.
    unsafe { requests::set_body(conn, data, len) }
}

/// Puts the decision on a request off: to be called in `ws_open_callback()` or `ws_request_callback()`, which
/// then returns 0. Later `ws_accept()` or `ws_respond()` decides, on the server's thread: another one gets
/// there by `ws_post()`. Where nobody has for as long as the option `--defer-timeout` says, 60 seconds, the
/// client is answered 503.
///
/// Exactly one `ws_close_callback()` follows for `conn`: where `ws_accept()` has accepted the connection, at its
/// end; else once the answer is given, or the client has left. A client that has ended its side of the
/// stream counts as one that has left. Until the decision `ws_get_header()`, `ws_get_target()`,
/// `ws_choose_protocol()`, `ws_set_header()`, `ws_set_body()` and `ws_set_data()` work, and what is sent to a
/// connection meanwhile follows its acceptance. A callback that returns something else than 0 undoes it,
/// and `ws_close_callback()` does not follow.
///
/// Returns 0; -1 where there is no memory, and elsewhere; -3 on another thread, or in a child process.
#[unsafe(no_mangle)]
pub extern "C" fn ws_defer(conn: *mut c_void) -> c_int {
    requests::defer(conn)
}

/// Accepts a connection on which `ws_defer()` has put the decision off. To be called on the server's thread.
///
/// Returns 0; -1 where that is not so: for a request that asks for no upgrade, where it was decided already, the
/// client has left, or there are as many connections as may be; -3 on another thread, or in a child process.
#[unsafe(no_mangle)]
pub extern "C" fn ws_accept(conn: *mut c_void) -> c_int {
    requests::accept(conn)
}

/// Answers a request on which `ws_defer()` has put the decision off with this status, and with the headers and
/// the body that were set: 200 to 599, or where it asks for a connection, which is refused by that, 300 to
/// 599. To be called on the server's thread.
///
/// Returns 0; -1 where the status cannot be, where it was decided already, or the client has left; -3 on
/// another thread, or in a child process.
#[unsafe(no_mangle)]
pub extern "C" fn ws_respond(conn: *mut c_void, status: c_int) -> c_int {
    requests::respond(conn, status)
}

/// Serves a connection that the program has accepted itself, as one of the server's own: its request is read, and
/// `ws_open_callback()` or `ws_request_callback()` decides. A server of HTTP hands requests over so.
///
/// `fd` is a connected stream socket, TCP's or of the UNIX domain, and the library's from then on; a watch of it by
/// `ws_watch()` ends. `bytes` are the `len` bytes that were read from it already, from the start of the request
/// on; they are copied, and remain the program's; NULL where `len` is 0. To be called on the server's thread,
/// from `ws_start_callback()` on.
///
/// Returns 0; -1 where `fd` is no such socket or the library's own, where there are as many connections as may
/// be, there is no memory, or the server does not listen yet or is to end: then `fd` remains the program's; -3
/// on another thread, or in a child process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_adopt(fd: c_int, bytes: *const c_void, len: usize) -> c_int {
    // SAFETY: the header's promise.
    unsafe { requests::adopt(fd, bytes, len) }
}
