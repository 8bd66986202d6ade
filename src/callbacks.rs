//! The functions that the program defines.

use std::ffi::{c_char, c_int, c_uchar, c_void};
use std::sync::OnceLock;

use dorrit_server::{LineTaker, MessageKind, OpenArguments, Program, RequestArguments};

/// What messages are made of. The header has its own definition, by which it can be `char`.
#[allow(non_camel_case_types, reason = "the name is C's")]
pub(crate) type ws_byte = c_uchar;

// Declared for the header. The library calls them by way of the table below, through which one that the
// program leaves out is NULL instead of an error of the linker's.
#[allow(dead_code, reason = "cbindgen reads them")]
unsafe extern "C" {
    /// Called once, after the command line was read: `ws_config_file` is set. The standard streams
    /// are still the terminal's, and where the server was started as root it is still root. Nothing
    /// listens yet. Do not register atexit(3) handlers here: see `ws_exit_func()`. Threads that are
    /// started here do not exist in a daemon, and locks of files are lost: it is a child of this one.
    fn ws_init_func();

    /// Called once, when the server stops on SIGTERM (or, in the foreground, on SIGINT), after the
    /// last `ws_close_callback()`. Free here what the program has made.
    fn ws_exit_func();

    /// Called when a client asks for a connection.
    ///
    /// `conn` names the connection in all other calls. It is a value, not an address, and good until
    /// `ws_close_callback()` has returned for it; afterwards it is recognised and does nothing.
    ///
    /// `cookie` is the value of the request's Cookie header, ended by a zero byte: "" where there is
    /// none, several joined by "; ". It is never NULL. It belongs to the library and lives until this
    /// function returns.
    ///
    /// Return 0 to accept the connection. Any other value refuses it: the client is answered 403,
    /// what was queued for it is thrown away, and `ws_close_callback()` does not follow. What is
    /// queued here with `ws_write_conn()` is sent first, behind the answer to the request (RFC 6455
    /// 4.2.2).
    fn ws_open_callback(conn: *mut c_void, cookie: *mut c_char) -> c_int;

    /// Called once for each complete message from a client, unframed and unmasked.
    ///
    /// `binary` is nonzero for a binary message and 0 for text, which is valid UTF-8 (RFC 6455 5.6).
    /// `len` is the payload's length in bytes, from 0 to the buffer size less 5 (option `-b`), or to
    /// what `ws_set_max_message()` or the option `--max-message` allows.
    /// `buffer` holds the payload, and a zero byte at `buffer[len]`. It belongs to the library and is
    /// used again when this function has returned: copy what is to be kept. The program may write
    /// into `buffer[0]` to `buffer[len - 1]`.
    fn ws_read_callback(conn: *mut c_void, binary: c_int, len: c_int, buffer: *mut ws_byte);

    /// Called once for each connection that was accepted, when it has ended, whoever ended it; also
    /// for those that are open when the server stops. It is never called from within another callback
    /// or from within a function of the library.
    ///
    /// `conn` is good until this function returns; nothing can be sent on it any more. Free here what
    /// `ws_set_data()` has put with it.
    fn ws_close_callback(conn: *mut c_void);

    /// Optional: a program may leave it out. Called when a connection's queue is empty, where since the
    /// last such call `ws_get_qlen()` or `ws_get_qbytes()` has returned a number other than 0, a message
    /// was left out (`WS_QUEUE_SKIP`), or some of the queue had to wait for the client to read; or where
    /// `ws_want_drain()` has asked for it. It is the moment to queue more. It does not follow where the connection is being closed.
    fn ws_drain_callback(conn: *mut c_void);

    /// Optional: a program may leave it out. Called once for each request that asks for no upgrade to
    /// WebSocket, when it is complete. A program that has this function may leave `ws_open_callback()`,
    /// `ws_read_callback()` and `ws_close_callback()` out, all three: requests for an upgrade are answered 426
    /// then.
    ///
    /// `conn` names the request in `ws_get_header()`, `ws_get_address()`, `ws_set_header()`, `ws_set_body()` and
    /// `ws_defer()`; it is good until this function returns, and no other request has the same one. `method`
    /// and `target`, such as "/path?query", are as sent, and end with a zero byte. `body` has `len` bytes, and a
    /// zero byte behind them; it is of at most as many as the option `--max-body` says, 65536. The strings and
    /// the body belong to the library and live until this function returns.
    ///
    /// Return the status of the answer, 200 to 599 (RFC 9110 15); or 0 where the request is none of the
    /// program's affair: it is answered with a page where the option `-w` is given, else 426. 0 also where
    /// `ws_defer()` has put the decision off. For any other value the client is answered 500.
    ///
    /// The library sees to HEAD, Date and Content-Length, to `Expect: 100-continue`, to connections that are kept
    /// for another request, and to requests that come before the last one was answered (RFC 9112 9.3).
    fn ws_request_callback(
        conn: *mut c_void,
        method: *const c_char,
        target: *const c_char,
        len: usize,
        body: *const c_uchar,
    ) -> c_int;

    /// Optional: a program may leave it out. Called once, when the server is about to listen, in the
    /// process that will: a daemon's, after root's privileges were given up. `ws_post()`, `ws_after()`
    /// and `ws_watch()` work from here on, and threads may be started. No client was accepted yet, and
    /// nobody was told that the server is ready. The standard streams are still the terminal's.
    ///
    /// Return 0 to go on. Any other value ends the start: the exit status is 1, the terminal is told,
    /// a server that was to hand over stays, and `ws_exit_func()` is not called.
    fn ws_start_callback() -> c_int;

    /// Optional: a program may leave it out. Called once for each connection that is open when the server stops,
    /// before its close frame; or when it hands over to a new server, after which those who are there are served
    /// for as long as the option `--drain` says. What is sent here reaches the client. It is not called for
    /// connections that are being closed already.
    fn ws_shutdown_callback(conn: *mut c_void);

    /// Optional: a program may leave it out. Takes each line of the library's log, instead of standard
    /// error and syslog(3).
    ///
    /// `priority` is one of syslog(3)'s, `LOG_ERR` to `LOG_DEBUG`. `line` ends with a zero byte, has no
    /// newline, belongs to the library and lives until this function returns.
    ///
    /// It is called on whichever thread logs, never twice at a time, and never from within itself: what
    /// it would have to tell then is lost, and counted. Of the library's functions it may call
    /// `ws_post()` and `ws_stop()`; what the others do there is not defined. No exception may leave it.
    fn ws_log_callback(priority: c_int, line: *const c_char);
}

/// For `ws_set_callbacks()`: the functions of a program, each as the callback of that name. NULL is one that
/// the program leaves out. Later versions may have more at the end.
///
/// An exception of C++ that leaves one of them passes through the library, but for `log`.
// CONTRACT S26.
#[repr(C)]
#[derive(Clone, Copy, Default)]
#[allow(non_camel_case_types, reason = "the name is C's")]
pub struct ws_callbacks {
    /// `ws_init_func()`.
    pub init: Option<unsafe extern "C-unwind" fn()>,
    /// `ws_exit_func()`.
    pub exit: Option<unsafe extern "C-unwind" fn()>,
    /// `ws_open_callback()`.
    pub open: Option<unsafe extern "C-unwind" fn(conn: *mut c_void, cookie: *mut c_char) -> c_int>,
    /// `ws_read_callback()`.
    pub read: Option<
        unsafe extern "C-unwind" fn(
            conn: *mut c_void,
            binary: c_int,
            len: c_int,
            buffer: *mut ws_byte,
        ),
    >,
    /// `ws_close_callback()`.
    pub close: Option<unsafe extern "C-unwind" fn(conn: *mut c_void)>,
    /// `ws_drain_callback()`.
    pub drain: Option<unsafe extern "C-unwind" fn(conn: *mut c_void)>,
    /// `ws_start_callback()`.
    pub start: Option<unsafe extern "C-unwind" fn() -> c_int>,
    /// `ws_log_callback()`.
    pub log: Option<unsafe extern "C" fn(priority: c_int, line: *const c_char)>,
    /// `ws_request_callback()`.
    pub request: Option<
        unsafe extern "C-unwind" fn(
            conn: *mut c_void,
            method: *const c_char,
            target: *const c_char,
            len: usize,
            body: *const c_uchar,
        ) -> c_int,
    >,
    /// `ws_shutdown_callback()`.
    pub shutdown: Option<unsafe extern "C-unwind" fn(conn: *mut c_void)>,
}

impl ws_callbacks {
    /// The first so many bytes of a struct, and NULL for what is behind them; `None` where there are none.
    ///
    /// # Safety
    /// `size` bytes are there, of a multiple of a pointer's.
    pub(crate) unsafe fn copy(place: *const Self, size: usize) -> Option<Self> {
        let mut copy = Self::default();
        let known = size.min(size_of::<Self>());
        // SAFETY: the caller's promise; each field is a pointer.
        unsafe { (&raw mut copy).cast::<u8>().copy_from_nonoverlapping(place.cast(), known) };
        (size > 0).then_some(copy)
    }
}

/// The addresses of what the program defines, as the linker finds them, or as the program has set them.
#[repr(C)]
struct Table {
    callbacks: ws_callbacks,
    /// A variable that the header of libdorrit(8) plants.
    header_classic: *const c_char,
    /// `ws_config_file`: ours, but a program that is not position-independent has a copy of it, which is
    /// the one.
    config_file: *mut *mut c_char,
    /// `ws_arguments`, in the same way.
    arguments: *mut *mut *mut c_char,
}

dorrit_server::table! {
    "dorrit_table": "ws_init_func", "ws_exit_func", "ws_open_callback", "ws_read_callback",
    "ws_close_callback", "ws_drain_callback", "ws_start_callback", "ws_log_callback",
    "ws_request_callback", "ws_shutdown_callback", "ws_header_classic"; "ws_config_file", "ws_arguments"
}

unsafe extern "C" {
    #[link_name = "dorrit_table"]
    static mut TABLE: Table;
}

/// What the linker has found, once the program has set something else.
static LINKED: OnceLock<ws_callbacks> = OnceLock::new();

/// Has these functions be the program's; `None` are those that were linked. Called where no server runs.
///
/// # Safety
/// Nobody else calls it meanwhile, or begins a server.
pub(crate) unsafe fn set(callbacks: Option<ws_callbacks>) {
    let table = &raw mut TABLE;
    // SAFETY: the caller's promise.
    let place = unsafe { &mut (*table).callbacks };
    let linked = LINKED.get_or_init(|| *place);
    *place = callbacks.unwrap_or(*linked);
}

/// The program that this library is linked into.
pub(crate) struct Callbacks;

fn table() -> &'static Table {
    let table = &raw const TABLE;
    // SAFETY: the linker and the loader have filled it before `main`, and nobody writes to it while a server is there.
    unsafe { &*table }
}

fn callbacks() -> &'static ws_callbacks {
    &table().callbacks
}

impl Program for Callbacks {
    fn missing(&self) -> Vec<&'static str> {
        let ws_callbacks { init, exit, open, read, close, .. } = callbacks();
        let has_connections = !self.has_no_connections();
        let names = [
            ("ws_init_func", init.is_none()),
            ("ws_exit_func", exit.is_none()),
            ("ws_open_callback", open.is_none() && has_connections),
            ("ws_read_callback", read.is_none() && has_connections),
            ("ws_close_callback", close.is_none() && has_connections),
        ];
        names.into_iter().filter_map(|(name, is_missing)| is_missing.then_some(name)).collect()
    }

    fn other_library(&self) -> Option<&'static str> {
        (!table().header_classic.is_null()).then_some("-ldorrit-classic")
    }

    fn config_file(&self) -> *mut *mut c_char {
        table().config_file
    }

    fn arguments(&self) -> Option<*mut *mut *mut c_char> {
        Some(table().arguments)
    }

    fn log(&self) -> Option<LineTaker> {
        callbacks().log
    }

    fn start(&self) -> c_int {
        // SAFETY: as in `init`.
        callbacks().start.map_or(0, |start| unsafe { start() })
    }

    fn init(&self) {
        // SAFETY: the program's function, of the header's type.
        let _ = callbacks().init.map(|init| unsafe { init() });
    }

    fn exit(&self) {
        // SAFETY: as in `init`.
        let _ = callbacks().exit.map(|exit| unsafe { exit() });
    }

    fn open(&self, conn: *mut c_void, arguments: &mut OpenArguments) -> c_int {
        let cookie = arguments.cookie.as_mut_ptr().cast();
        // SAFETY: as in `init`; the cookie ends with a zero byte.
        callbacks().open.map_or(-1, |open| unsafe { open(conn, cookie) })
    }

    fn has_request(&self) -> bool {
        callbacks().request.is_some()
    }

    fn has_no_connections(&self) -> bool {
        let ws_callbacks { open, read, close, request, .. } = callbacks();
        request.is_some() && open.is_none() && read.is_none() && close.is_none()
    }

    fn request(&self, conn: *mut c_void, arguments: &RequestArguments, body: &[u8]) -> c_int {
        let [method, target] =
            [&arguments.method, &arguments.target].map(|text| text.as_ptr().cast());
        let len = body.len().saturating_sub(1);
        callbacks().request.map_or(0, |request| {
            // SAFETY: as in `init`; the strings end with a zero byte, and so does the body.
            unsafe { request(conn, method, target, len, body.as_ptr()) }
        })
    }

    fn read(&self, conn: *mut c_void, kind: MessageKind, payload: &mut [u8]) {
        let binary = c_int::from(kind == MessageKind::Binary);
        let len = payload.len().saturating_sub(1) as c_int;
        // SAFETY: as in `init`; there is a zero byte behind the payload, at the slice's end.
        let _ =
            callbacks().read.map(|read| unsafe { read(conn, binary, len, payload.as_mut_ptr()) });
    }

    fn close(&self, conn: *mut c_void) {
        // SAFETY: as in `init`.
        let _ = callbacks().close.map(|close| unsafe { close(conn) });
    }

    fn has_shutdown(&self) -> bool {
        callbacks().shutdown.is_some()
    }

    fn shutdown(&self, conn: *mut c_void) {
        // SAFETY: as in `init`.
        let _ = callbacks().shutdown.map(|shutdown| unsafe { shutdown(conn) });
    }

    fn drain(&self, conn: *mut c_void) {
        // SAFETY: as in `init`.
        let _ = callbacks().drain.map(|drain| unsafe { drain(conn) });
    }
}
